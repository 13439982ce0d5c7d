/**
 * What a group's sender may send when: new datagrams, repairs, and all of them together.
 *
 * @module
 */

import type { AskedRange } from "./arrivals.ts";
import { GroupFollowing } from "./group_following.ts";
import { GroupPace, paceInterval } from "./group_pace.ts";
import { Pacer } from "./pacer.ts";

/** Datagrams that may go at once: a receive buffer of the usual size holds about 90. */
export const burst = 32;
/** The part of the configured rate that repairs may take. */
const repairShare = 0.2;
/** The part of what is kept for repairs that is surely there; and so many datagrams are, however little it is. */
const sure = 0.6;
const leastKept = 256;
/** Where an interval has room for few repairs, as many may wait as go within so many milliseconds. */
const repairWithin = 500;

/** The token buckets of one group. Times are monotonic milliseconds. */
export class GroupPacing {
  readonly #largest: number;
  readonly #all: Pacer;
  readonly #new: Pacer;
  readonly #repairs: Pacer;
  readonly #pace: GroupPace;
  readonly #following: GroupFollowing;
  #adaptAt: number;
  /** Bytes of new datagrams that ever went. */
  #newBytes = 0;

  /**
   * @param rate bytes a second of all datagrams
   * @param largest bytes of one
   * @param history bytes that are kept, so that they can be sent again
   */
  constructor(rate: number, largest: number, history: number, now: number) {
    this.#largest = largest;
    this.#pace = new GroupPace(rate);
    this.#following = new GroupFollowing(Math.max(leastKept, sure * history / largest));
    this.#all = new Pacer(rate, burst * largest, now);
    this.#new = new Pacer(this.#pace.rate, burst * largest, now);
    // A burst counts, too: no second has more than its share.
    const repairs = rate * repairShare;
    const repairBurst = Math.min(burst * largest, repairs / 4);
    this.#repairs = new Pacer(repairs - repairBurst, repairBurst, now);
    this.#adaptAt = now;
  }

  /** Whether anything may go. */
  allows(now: number): boolean {
    return this.#all.allows(this.#largest, now);
  }

  /** Whether something new may go, if anything may. */
  allowsNew(now: number): boolean {
    return this.#new.allows(this.#largest, now);
  }

  /** Whether a repair may go, if anything may. */
  allowsRepair(now: number): boolean {
    return this.#repairs.allows(this.#largest, now);
  }

  /** So many bytes went, of neither of the other two. */
  spend(length: number): void {
    this.#all.spend(length);
  }

  /** A new datagram went. */
  spendNew(length: number): void {
    this.#newBytes += length;
    this.#all.spend(length);
    this.#new.spend(length);
  }

  /** A repair went. */
  spendRepair(length: number): void {
    this.#all.spend(length);
    this.#repairs.spend(length);
  }

  /** When one datagram may go. */
  allowedAt(now: number): number {
    return this.#all.allowedAt(this.#largest, now);
  }

  /** When some may go. Not one by one: half a burst is as gentle, and takes fewer timers. */
  someAt(now: number): number {
    return this.#all.allowedAt(this.#some, now);
  }

  /** When some new ones may go. */
  newAt(now: number): number {
    return Math.max(this.someAt(now), this.#new.allowedAt(this.#some, now));
  }

  /** When some repairs may go. */
  repairsAt(now: number): number {
    return Math.max(this.someAt(now), this.#repairs.allowedAt(this.#some, now));
  }

  /** A receiver asks for datagrams again. */
  asked(ranges: readonly AskedRange[], from: string): void {
    this.#following.asked(ranges, from);
  }

  /**
   * New datagrams make room for repairs, and wait for receivers that are far behind.
   *
   * @param next the number that the next new datagram will have
   * @param waiting how many repairs wait
   */
  adapt(next: number, waiting: number, now: number): void {
    if (now < this.#adaptAt) return;
    this.#adaptAt = now + paceInterval;
    const repairs = this.#repairs.rate / this.#largest / 1000;
    const most = Math.max(repairs * paceInterval, Math.min(burst, repairs * repairWithin));
    this.#pace.adapt(this.#following.troubled(next, waiting > most), this.#newBytes);
    this.#new.setRate(this.#pace.rate, now);
  }

  get #some(): number {
    return burst / 2 * this.#largest;
  }
}
