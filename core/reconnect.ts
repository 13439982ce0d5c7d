/**
 * When to try again: pauses that grow, with jitter so that many who lost the same server do not come back together.
 *
 * @module
 */

import type { Platform } from "./connection.ts";

/** The first pause and the longest, in milliseconds. */
const shortest = 50;
const longest = 5_000;
/** A connection that lasts as long as this was a good one, in milliseconds. */
const lasting = 1_000;

/** The pauses between attempts to connect again. */
export class Reconnect {
  readonly #platform: Platform;
  readonly #random = new Uint8Array(1);
  #attempts = 0;
  #since = 0;
  #connectedAt = Infinity;

  constructor(platform: Platform) {
    this.#platform = platform;
  }

  /** Milliseconds since the connection was lost, or was last {@linkcode excuse}d. */
  get elapsed(): number {
    return this.#attempts === 0 ? 0 : this.#platform.now() - this.#since;
  }

  /** Nobody minds so far that there is no connection: {@linkcode elapsed} begins anew. */
  excuse(): void {
    this.#since = this.#platform.now();
  }

  /** The next pause, in milliseconds: twice the one before, of which up to half is left to chance. */
  pause(): number {
    const now = this.#platform.now();
    if (now - this.#connectedAt >= lasting) this.#attempts = 0;
    this.#connectedAt = Infinity;
    if (this.#attempts === 0) this.#since = now;
    const whole = Math.min(longest, shortest * 2 ** this.#attempts++);
    this.#platform.random(this.#random);
    return whole / 2 + whole / 2 * (this.#random[0]! / 256);
  }

  /** A connection was made. That ends the growth of the pauses once it has lasted, or was {@linkcode useful}. */
  connected(): void {
    this.#connectedAt = this.#platform.now();
  }

  /** A message came, or an acknowledgement. */
  useful(): void {
    this.#attempts = 0;
  }
}
