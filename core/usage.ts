/**
 * How much of a server users and addresses take, all their connections together.
 *
 * @module
 */

import type { AccountLimits } from "./account.ts";
import { noLimits } from "./account.ts";
import { RateLimit } from "./rate_limit.ts";

/** What is owed is remembered so long after the last connection, in milliseconds: to leave and come back pays nothing. */
const remembered = 60_000;

/** What one user, or one address, takes. */
export class Usage {
  /** Connections in number. */
  connections = 0;
  /** Subscriptions in number. */
  subscriptions = 0;
  /** How fast it may publish; `null` where that is not limited. */
  rate: RateLimit | null = null;
  #leftAt = 0;
  #limits: AccountLimits = noLimits;

  /** How much it may take. */
  get limits(): AccountLimits {
    return this.#limits;
  }

  /** One connection less; `now` in monotonic milliseconds. */
  leave(now: number): void {
    this.connections--;
    this.#leftAt = now;
  }

  /** Whether there is nothing to remember of it. */
  over(now: number): boolean {
    return this.connections === 0 && (this.rate === null || now - this.#leftAt >= remembered);
  }

  /** It may take so much from now on; `now` in monotonic milliseconds. */
  limit(limits: AccountLimits, now: number): void {
    this.#limits = limits;
    const { bytesPerSecond: bytes, messagesPerSecond: messages } = limits;
    if (this.rate !== null) this.rate.setRates(bytes, messages, now);
    else if (bytes < Infinity || messages < Infinity) this.rate = new RateLimit(bytes, messages);
  }
}

/** What all users take, or all addresses, by name. */
export class Usages {
  readonly #byName = new Map<string, Usage>();

  /** One connection more of a name, whether it may have it or not. */
  enter(name: string, limits: AccountLimits, now: number): Usage {
    let usage = this.#byName.get(name);
    if (usage === undefined) this.#byName.set(name, usage = new Usage());
    usage.limit(limits, now);
    usage.connections++;
    return usage;
  }

  /** What a name takes, if it is there. */
  get(name: string): Usage | undefined {
    return this.#byName.get(name);
  }

  /** All of them may take so much from now on. */
  limit(limits: AccountLimits, now: number): void {
    for (const usage of this.#byName.values()) usage.limit(limits, now);
  }

  /** Forgets those that are gone. */
  sweep(now: number): void {
    for (const [name, usage] of this.#byName) if (usage.over(now)) this.#byName.delete(name);
  }
}
