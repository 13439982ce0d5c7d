/**
 * What receivers have asked for again: in which order it goes, and to whom.
 *
 * The first who asks gets its repair alone. When a second one asks for the same, before it went or soon after, it goes to
 * the whole group, and for a while whoever asks then is answered already.
 *
 * @module
 */

import type { AskedRange } from "./arrivals.ts";
import { Queue } from "./queue.ts";

/** For so many milliseconds after a repair went, others that ask are taken to have lost the same datagram. */
const together = 50;
/** The most datagrams that wait to be repaired, and that are remembered. What is asked for beyond that will be asked again. */
const mostWaiting = 4096;

/** One datagram that was asked for. */
interface Repair<A> {
  readonly number: number;
  /** Who gets it alone; `null` for the group. */
  to: A | null;
  /** Whether it waits to be sent. */
  waiting: boolean;
  /** When it was sent last; monotonic milliseconds. */
  sentAt: number;
}

/** Repairs in the order in which they were asked for. `A` is an address, compared by `===` of its text. */
export class RepairQueue<A extends { readonly text: string }> {
  readonly #repairs = new Map<number, Repair<A>>();
  readonly #waiting = new Queue<Repair<A>>();

  /** How many datagrams wait to be sent again. */
  get length(): number {
    return this.#waiting.length;
  }

  /**
   * Somebody asks.
   *
   * @returns how many of them are taken note of: the others went to the group just now, or there are too many
   */
  ask(ranges: readonly AskedRange[], from: A, now: number): number {
    let taken = 0;
    for (const { first, count } of ranges) {
      for (let number = first; number < first + count; number++) if (this.#ask(number, from, now)) taken++;
    }
    return taken;
  }

  /** What goes next, and to whom; `null` for nothing. */
  shift(now: number): { readonly number: number; readonly to: A | null } | null {
    const repair = this.#waiting.shift();
    if (repair === undefined) return null;
    repair.waiting = false;
    repair.sentAt = now;
    this.#forgetOld(now);
    return repair;
  }

  #ask(number: number, from: A, now: number): boolean {
    const known = this.#repairs.get(number);
    const recent = known !== undefined && (known.waiting || now - known.sentAt < together);
    if (!recent) {
      if (this.length >= mostWaiting) return false;
      const repair = { number, to: from, waiting: true, sentAt: 0 };
      // Anew, so that the map is in the order of the newest requests.
      this.#repairs.delete(number);
      this.#repairs.set(number, repair);
      this.#waiting.push(repair);
      return true;
    }
    if (known.to === null) return known.waiting;
    const another = known.to.text !== from.text;
    if (another) known.to = null;
    if (!known.waiting) {
      if (this.length >= mostWaiting) return false;
      known.waiting = true;
      this.#waiting.push(known);
    }
    return true;
  }

  #forgetOld(now: number): void {
    for (const [number, repair] of this.#repairs) {
      if (repair.waiting || now - repair.sentAt < together) return;
      this.#repairs.delete(number);
    }
  }
}
