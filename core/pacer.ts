/**
 * How fast datagrams go: a token bucket that fills at a rate and holds one short burst.
 *
 * A burst that a receive buffer cannot hold is lost however low the rate is. So what may go at once is bounded by the
 * bucket, and what was not used for a while is not made up for.
 *
 * @module
 */

/** Grants bytes at a rate. Times are monotonic milliseconds. */
export class Pacer {
  readonly #burst: number;
  /** Bytes a millisecond. */
  #rate: number;
  #tokens: number;
  #at: number;

  /**
   * @param rate bytes a second; `Infinity` for no limit
   * @param burst bytes that may go at once: at least one datagram's
   */
  constructor(rate: number, burst: number, now: number) {
    this.#rate = rate / 1000;
    this.#burst = burst;
    this.#tokens = burst;
    this.#at = now;
  }

  /** Bytes a second. */
  get rate(): number {
    return this.#rate * 1000;
  }

  /** Another rate from now on. */
  setRate(rate: number, now: number): void {
    this.#fill(now);
    this.#rate = rate / 1000;
  }

  /** Whether so many bytes may go now. What is larger than a burst may go when the bucket is full. */
  allows(bytes: number, now: number): boolean {
    this.#fill(now);
    return this.#tokens >= Math.min(bytes, this.#burst);
  }

  /** So many bytes went: what was not there is owed. */
  spend(bytes: number): void {
    if (this.#rate !== Infinity) this.#tokens -= bytes;
  }

  /** When so many bytes may go, if nothing goes before. */
  allowedAt(bytes: number, now: number): number {
    this.#fill(now);
    const missing = Math.min(bytes, this.#burst) - this.#tokens;
    return missing <= 0 ? now : now + missing / this.#rate;
  }

  #fill(now: number): void {
    const elapsed = Math.max(0, now - this.#at);
    this.#at = Math.max(this.#at, now);
    if (elapsed > 0) this.#tokens = Math.min(this.#burst, this.#tokens + elapsed * this.#rate);
  }
}
