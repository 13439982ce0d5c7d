/**
 * How fast a user may publish: publishers that are faster are not refused but slowed down; see `rate_queue.ts`.
 *
 * It is virtual scheduling, the generic cell rate algorithm of ITU-T I.371: all that is kept is when what came so far would
 * have come at the rate that is allowed. What comes earlier than that by more than a burst is in debt by the difference.
 *
 * @module
 */

/** What is free after idleness: so much time's worth of the rate, in milliseconds. */
const burst = 1_000;

/** One rate. Times are monotonic milliseconds. */
class Schedule {
  #at = -Infinity;
  /** Milliseconds that one unit takes. */
  #pace: number;

  constructor(rate: number) {
    this.#pace = 1000 / rate;
  }

  setRate(rate: number, now: number): void {
    const pace = 1000 / rate;
    // What is owed is an amount, so it takes another time at another rate.
    if (this.#at > now && this.#pace > 0) this.#at = now + (this.#at - now) * (pace / this.#pace);
    this.#pace = pace;
  }

  take(now: number, amount: number): void {
    this.#at = Math.max(this.#at, now) + amount * this.#pace;
  }

  /** From when on what came so far is let through. */
  get through(): number {
    return this.#at - burst;
  }
}

/**
 * The bytes and messages a second of one user, shared by all its connections.
 *
 * @example
 * ```ts
 * import { RateLimit } from "../core/rate_limit.ts";
 * import { assert } from "@std/assert";
 *
 * const limit = new RateLimit(1_000_000, Infinity);
 * assert(limit.take(5_000, 1_000_000, 10) <= 5_000); // the burst
 * assert(limit.take(5_000, 500_000, 10) === 5_500);
 * ```
 */
export class RateLimit {
  readonly #bytes: Schedule;
  readonly #messages: Schedule;

  /** Both a second, above 0; `Infinity` where there is no limit. */
  constructor(bytesPerSecond: number, messagesPerSecond: number) {
    this.#bytes = new Schedule(bytesPerSecond);
    this.#messages = new Schedule(messagesPerSecond);
  }

  /** Other rates from now on. What is owed already stays owed. `now` in monotonic milliseconds. */
  setRates(bytesPerSecond: number, messagesPerSecond: number, now: number): void {
    this.#bytes.setRate(bytesPerSecond, now);
    this.#messages.setRate(messagesPerSecond, now);
  }

  /**
   * Takes what a frame costs. It never refuses: who asks looks first whether the last frame was let through.
   *
   * @param now monotonic milliseconds, never less than before
   * @returns when the next frame may be let through, in monotonic milliseconds: at once if that is not after `now`
   */
  take(now: number, bytes: number, messages: number): number {
    // What waits for one of the rates comes to the other one later, too: in the meantime nothing is saved up there.
    const start = Math.max(now, this.#through());
    this.#bytes.take(start, bytes);
    this.#messages.take(start, messages);
    return this.#through();
  }

  #through(): number {
    return Math.max(this.#bytes.through, this.#messages.through);
  }
}
