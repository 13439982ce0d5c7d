/**
 * What came faster than it may: it waits here, in turn, until its time has come.
 *
 * Whoever sends it is slowed down by its credit, which comes back with the acknowledgements: and those come when it is
 * appended. So nobody gets round a rate by leaving and coming back, or by coming many times.
 *
 * @module
 */

import type { Platform } from "./connection.ts";
import type { RateLimit } from "./rate_limit.ts";

/** In milliseconds: little beside the second that is free, so that it costs nothing of a rate. */
const turn = 1;

/** The lines of one session. `T` is what has frames that wait, such as a topic: each is here once. */
export class RateQueue<T> {
  readonly #platform: Pick<Platform, "now" | "after">;
  readonly #rates: () => readonly RateLimit[];
  readonly #next: (waiting: T) => boolean;
  #waiting: T[] = [];
  #cancel: (() => void) | null = null;

  /**
   * @param rates that all must allow it; they may be shared with other sessions
   * @param next deals with the first frame of one that waits, and charges for it; returns whether another of its waits here
   */
  constructor(
    platform: Pick<Platform, "now" | "after">,
    rates: () => readonly RateLimit[],
    next: (waiting: T) => boolean,
  ) {
    this.#platform = platform;
    this.#rates = rates;
    this.#next = next;
  }

  /** Whether what comes now has to wait. */
  get late(): boolean {
    const rates = this.#rates();
    return rates.length > 0 && (this.#waiting.length > 0 || this.#left(rates) > 0);
  }

  /** Takes from the rates what a frame costs that is dealt with. */
  charge(bytes: number, messages: number): void {
    const rates = this.#rates();
    if (rates.length === 0) return;
    const now = this.#platform.now();
    for (const rate of rates) rate.take(now, bytes, messages);
  }

  /** The rates are others: the time of who waits may have come. */
  revise(): void {
    if (this.#cancel === null) return;
    this.#cancel();
    this.#arm();
  }

  /** It waits behind the others. */
  add(waiting: T): void {
    this.#waiting.push(waiting);
    if (this.#cancel === null) this.#arm();
  }

  /** It waits no more. */
  remove(waiting: T): void {
    this.#waiting = this.#waiting.filter((other) => other !== waiting);
  }

  /** Nothing waits any more. */
  close(): void {
    this.#waiting = [];
    this.#cancel?.();
    this.#cancel = null;
  }

  /** For how long the next one has to wait, in milliseconds. */
  #left(rates: readonly RateLimit[]): number {
    const now = this.#platform.now();
    return Math.max(0, ...rates.map((rate) => rate.take(now, 0, 0) - now));
  }

  #arm(later = 0): void {
    this.#cancel = this.#platform.after(this.#left(this.#rates()) + later, this.#due);
  }

  readonly #due = (): void => {
    this.#cancel = null;
    let had = 0;
    while (this.#waiting.length > 0) {
      if (this.#left(this.#rates()) > 0) {
        // Who had its turn looks again a little later than others who share the rates, and had none.
        this.#arm(had > 0 ? turn : 0);
        return;
      }
      had++;
      const waiting = this.#waiting.shift()!;
      if (this.#next(waiting)) this.#waiting.push(waiting);
    }
  };
}
