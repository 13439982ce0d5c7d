/**
 * What one session may take of a server: by the server's limits, and by what its user and its address have together with
 * others.
 *
 * @module
 */

import type { ServerLimits } from "./limits.ts";
import type { RateLimit } from "./rate_limit.ts";
import type { Usage } from "./usage.ts";

/** The longest that somebody who owes something is kept waiting before it is let in, in milliseconds. */
const longestDebt = 3_000;

/** The limits of one session. They are looked at for each frame, and computed when one of them changes. */
export class Allowance {
  /** The largest message that it may publish, in bytes. */
  maxMessage: number;
  /** Bytes that it may have unacknowledged in one topic: of those that are declared from now on. */
  topicCredit: number;
  /** Bytes that it may have unacknowledged in all: as it was told when it was greeted. */
  connectionCredit: number;
  /** How fast it may publish; each is charged. */
  rates: readonly RateLimit[] = [];
  readonly #limits: Readonly<ServerLimits>;
  readonly #usages: Usage[] = [];
  /** Subscriptions in number that are counted in the usages. */
  #counted = 0;

  constructor(limits: Readonly<ServerLimits>) {
    this.#limits = limits;
    this.maxMessage = limits.maxMessage;
    this.topicCredit = limits.topicCredit;
    this.connectionCredit = limits.connectionCredit;
  }

  /** It is one of those who take this together: those of one user, or of one address. */
  share(usage: Usage): void {
    this.#usages.push(usage);
    this.revise();
    this.connectionCredit = Math.min(this.#limits.connectionCredit, this.#burst);
  }

  /** What is taken together is limited otherwise. What the peer was told stays. */
  revise(): void {
    const { maxMessage, topicCredit } = this.#limits;
    this.rates = this.#usages.flatMap(({ rate }) => rate ?? []);
    this.maxMessage = Math.min(maxMessage, ...this.#usages.map(({ limits }) => limits.maxMessage));
    this.topicCredit = Math.min(topicCredit, this.#burst);
  }

  /** How many subscriptions those have who share one with it, if that is as many as they may have; `null` if it is not. */
  get full(): number | null {
    const usage = this.#usages.find(({ subscriptions, limits }) => subscriptions >= limits.subscriptions);
    return usage?.limits.subscriptions ?? null;
  }

  /** It has so many subscriptions. */
  count(subscriptions: number): void {
    const more = subscriptions - this.#counted;
    this.#counted = subscriptions;
    for (const usage of this.#usages) usage.subscriptions += more;
  }

  /** How long it is to wait for what was published before it came, in milliseconds; `now` in monotonic ones. */
  debt(now: number): number {
    return Math.min(longestDebt, Math.max(0, ...this.rates.map((rate) => rate.take(now, 0, 0) - now)));
  }

  /** The session has ended; `now` in monotonic milliseconds. */
  leave(now: number): void {
    this.count(0);
    for (const usage of this.#usages) usage.leave(now);
  }

  /** Bytes that it may publish at once: what its rate brings in a second. One frame may always be sent. */
  get #burst(): number {
    const rate = Math.min(...this.#usages.map(({ limits }) => limits.bytesPerSecond));
    return Math.max(1, Math.floor(rate));
  }
}
