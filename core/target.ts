/**
 * One topic of a publisher: what it has for it, and who waits for the server to have that.
 *
 * @module
 */

import type { RefusedError } from "./errors.ts";
import { Outbox } from "./outbox.ts";

/** Somebody who waits; for the message of a number, where that matters. */
export interface Waiter {
  readonly number: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** What is known of one topic. It is its outbox: one object to find in memory for each message, rather than two. */
export class Target extends Outbox {
  /** Whether a DECLARE is unanswered. */
  declaring = false;
  /** Why the server does not want it, if it does not. */
  refused: RefusedError | null = null;
  /** By ascending number. */
  #waiters: Waiter[] = [];

  /** Whether somebody waits for an acknowledgement. */
  get awaited(): boolean {
    return this.#waiters.length > 0;
  }

  /** Waits until the newest message is acknowledged. */
  acknowledgement(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ number: this.lastNumber, resolve, reject });
    });
  }

  /** Tells those whose messages are acknowledged. */
  settle(): void {
    const { ackedNumber } = this;
    let done = 0;
    while (done < this.#waiters.length && this.#waiters[done]!.number <= ackedNumber) this.#waiters[done++]!.resolve();
    if (done > 0) this.#waiters = this.#waiters.slice(done);
  }

  /** Tells those whose messages, by number, will not be appended. */
  reject(error: Error, first = 1, last = Infinity): void {
    this.#waiters = this.#waiters.filter((waiter) => {
      if (waiter.number < first || waiter.number > last) return true;
      waiter.reject(error);
      return false;
    });
  }
}
