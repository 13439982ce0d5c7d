/**
 * What one session may take of a server: by the server's limits, and by what its user and its address have together with
 * others.
 *
 * @module
 */

import type { ServerLimits } from "./limits.ts";
import type { RateLimit } from "./rate_limit.ts";
import type { Usage } from "./usage.ts";

/** Bytes that a message is taken for where messages are limited in number: what comes early takes the server's memory. */
const usualMessage = 1024;

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

  /** The session has ended; `now` in monotonic milliseconds. */
  leave(now: number): void {
    this.count(0);
    for (const usage of this.#usages) usage.leave(now);
  }

  /** Bytes that it may publish at once: about what its rates bring in a second. One frame may always be sent. */
  get #burst(): number {
    const rates = this.#usages.map(({ limits: { bytesPerSecond, messagesPerSecond } }) =>
      Math.min(bytesPerSecond, messagesPerSecond * usualMessage)
    );
    return Math.max(1, Math.floor(Math.min(...rates)));
  }
}
