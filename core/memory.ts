/**
 * One budget for everything that grows with traffic: logs, pins and incoming bytes.
 *
 * @module
 */

/** Counts bytes against a limit. Nothing is allocated here: callers reserve first and release after. */
export class MemoryBudget {
  readonly limit: number;
  #used = 0;

  /** @param limit bytes */
  constructor(limit: number) {
    this.limit = limit;
  }

  /** Bytes reserved. */
  get used(): number {
    return this.#used;
  }

  /** Reserves bytes if they fit. */
  reserve(bytes: number): boolean {
    if (this.#used + bytes > this.limit) return false;
    this.#used += bytes;
    return true;
  }

  /** Gives bytes back. */
  release(bytes: number): void {
    this.#used -= bytes;
  }
}
