/**
 * Sends no faster than a rate.
 *
 * @module
 */

import { sleep } from "../core/sleep.ts";
import { platform } from "../transports/platform.ts";

/** How far a sender may catch up after a pause, in milliseconds of its rate: a timer is no finer than this. */
const burst = 20;

/**
 * A token bucket of messages.
 *
 * @example
 * ```ts
 * import { assert, assertFalse } from "@std/assert";
 * import { Pace } from "./pace.ts";
 *
 * const pace = new Pace(1000, 0);
 * assertFalse(pace.spend(0));
 * assert(pace.spend(10));
 * ```
 */
export class Pace {
  readonly #interval: number;
  /** When the next message is due, in monotonic milliseconds. */
  #due: number;

  /** @param rate messages a second */
  constructor(rate: number, now: number) {
    this.#interval = 1000 / rate;
    this.#due = now;
  }

  /** One message goes. Returns whether another may follow at once. */
  spend(now: number): boolean {
    this.#due = Math.max(this.#due, now - burst) + this.#interval;
    return this.#due <= now;
  }

  /** Waits until a message is due. */
  async wait(signal: AbortSignal): Promise<void> {
    for (;;) {
      const pause = this.#due - performance.now();
      if (pause <= 0) return;
      if (!await sleep(platform, pause, signal)) throw signal.reason;
    }
  }
}
