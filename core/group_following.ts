/**
 * Whether the receivers of a group can follow its sender, as far as what they ask for again tells.
 *
 * @module
 */

import type { AskedRange } from "./arrivals.ts";

/** Who asks for what is so many datagrams back cannot follow: a receiver keeps a third more. */
const farBehind = 6144;
/** Nor can who asks for what was sent so many intervals ago: a second, and half of how long it can be sent again. */
const longAgo = 20;
/** Nor who asks, in one, for so large a part of what was sent in it and the one before, if that is more than a few. */
const largePart = 1 / 4;
const few = 64;
/**
 * Who could not follow in so many intervals more than it could is not waited for in the next ones, or one bad receiver would
 * slow down all others for ever: ten seconds, and a minute.
 */
const mostTrouble = 200;
const excluded = 1200;
/** The most receivers that are told apart. */
const mostReceivers = 1024;

/** What is known of one receiver. */
interface Receiver {
  /** What it asked for in this interval: the oldest number, and how many. */
  oldest: number;
  count: number;
  /** In how many intervals more it could not follow than it could. */
  trouble: number;
  /** How many intervals it is not waited for. */
  excluded: number;
}

/** What receivers ask for, interval by interval. */
export class GroupFollowing {
  readonly #far: number;
  /** The next number, at the end of the last few intervals. */
  readonly #lately: number[] = [];
  /** By address: those that asked for something lately, or could not follow. */
  readonly #receivers = new Map<string, Receiver>();

  /** @param kept how many datagrams can surely be sent again */
  constructor(kept: number) {
    this.#far = Math.min(farBehind, kept);
  }

  /** A receiver asks for datagrams again. */
  asked(ranges: readonly AskedRange[], from: string): void {
    let receiver = this.#receivers.get(from);
    if (receiver === undefined) {
      if (this.#receivers.size === mostReceivers) return;
      this.#receivers.set(from, receiver = { oldest: Infinity, count: 0, trouble: 0, excluded: 0 });
    }
    for (const { first, count } of ranges) {
      receiver.oldest = Math.min(receiver.oldest, first);
      receiver.count += count;
    }
  }

  /**
   * An interval is over.
   *
   * @param next the number that the next datagram will have
   * @param overloaded whether more is asked for than can be sent again: who asked for most cannot follow
   * @returns whether some receiver could not follow in it
   */
  troubled(next: number, overloaded = false): boolean {
    let most = Math.max(few, (next - (this.#lately.at(-2) ?? 1)) * largePart);
    if (overloaded) most = Math.min(most, this.#mostAsked() - 1);
    this.#lately.push(next);
    const early = this.#lately.length > longAgo ? this.#lately.shift()! : 0;
    const least = Math.max(early, next - this.#far);
    let troubled = false;
    for (const [from, receiver] of this.#receivers) {
      if (this.#follows(receiver, least, most)) {
        if (receiver.trouble === 0 && receiver.excluded === 0) this.#receivers.delete(from);
      } else troubled = true;
    }
    return troubled;
  }

  #mostAsked(): number {
    return this.#receivers.values().reduce((most, { count }) => Math.max(most, count), 1);
  }

  /** Whether one could follow, or is not waited for. */
  #follows(receiver: Receiver, least: number, most: number): boolean {
    const follows = receiver.oldest >= least && receiver.count <= most;
    receiver.oldest = Infinity;
    receiver.count = 0;
    if (receiver.excluded > 0) {
      receiver.excluded--;
      return true;
    }
    receiver.trouble = Math.max(0, receiver.trouble + (follows ? -1 : 1));
    if (receiver.trouble < mostTrouble) return follows;
    receiver.trouble = 0;
    receiver.excluded = excluded;
    return true;
  }
}
