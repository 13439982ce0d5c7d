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
/** The most receivers that are told apart in an interval. */
const mostReceivers = 1024;

/** What receivers ask for, interval by interval. */
export class GroupFollowing {
  readonly #far: number;
  /** The next number, at the end of the last few intervals. */
  readonly #lately: number[] = [];
  /** What was asked for in this interval: the oldest number, and by each receiver how many. */
  #oldest = Infinity;
  readonly #asked = new Map<string, number>();

  /** @param kept how many datagrams can surely be sent again */
  constructor(kept: number) {
    this.#far = Math.min(farBehind, kept);
  }

  /** A receiver asks for datagrams again. */
  asked(ranges: readonly AskedRange[], from: string): void {
    let count = this.#asked.get(from) ?? 0;
    if (count === 0 && this.#asked.size === mostReceivers) return;
    for (const range of ranges) {
      this.#oldest = Math.min(this.#oldest, range.first);
      count += range.count;
    }
    this.#asked.set(from, count);
  }

  /**
   * An interval is over.
   *
   * @param next the number that the next datagram will have
   * @returns whether some receiver could not follow in it
   */
  troubled(next: number): boolean {
    const sent = next - (this.#lately.at(-2) ?? 1);
    this.#lately.push(next);
    const early = this.#lately.length > longAgo ? this.#lately.shift()! : 0;
    const behind = this.#oldest < Math.max(early, next - this.#far);
    const most = Math.max(few, sent * largePart);
    const losing = this.#asked.values().some((count) => count > most);
    this.#oldest = Infinity;
    this.#asked.clear();
    return behind || losing;
  }
}
