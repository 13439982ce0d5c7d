/**
 * One subscription on the server: a cursor in every topic that matches, announcements and gaps.
 *
 * @module
 */

import type { Account } from "./account.ts";
import { Code, codeText } from "./codes.ts";
import type { Platform, Rejection } from "./connection.ts";
import * as frames from "./control.ts";
import { Policy } from "./control.ts";
import { Cursor, type Slice } from "./cursor.ts";
import type { FrameWriter } from "./frame_writer.ts";
import type { Source, TakeOutcome } from "./output.ts";
import type { Pattern } from "./pattern.ts";
import type { GuardedReader, Topic } from "./topic.ts";
import type { Interest } from "./topics.ts";

/** Announcements are written up to about this many bytes before a write. */
const announceSize = 32 * 1024;

/** What the subscriptions of a session need of it. */
export interface SubscribingSession {
  readonly platform: Platform;
  /** Whose session it is. */
  readonly account: Account;
  /** The codecs that the peer knows, as features: a frame of another is not sent to it. */
  readonly codecs: number;
  /** Why there can be no subscription of a number, of whatever kind; `null` when there can. */
  refusal(subscription: number): Rejection | null;
  /** Its subscriptions are others in number. */
  recount(): void;
  /** Puts a source in line for writing. */
  add(source: Source): void;
  /** Takes the sources that `keep` does not want out of line. */
  filter(keep: (source: Source) => boolean): void;
  /** There may be something to write. */
  stir(): void;
  /** Where control frames go. */
  readonly control: FrameWriter;
  /** When the peer had last accepted as much again as one write may be; monotonic milliseconds. */
  readonly acceptedAt: number;
  /** When it was last asked for something to write: now, for whoever is asked with it; monotonic milliseconds. */
  readonly turnedAt: number;
  /** Ends the session. */
  close(code: Code, why?: string): void;
  /** Withholds the policy `wait` from this peer for a while. */
  penalise(): void;
  /** Whether it is withheld. */
  readonly penalised: boolean;
}

/** What a subscription needs of those beside it in its session. */
export interface Announcer {
  /** Something of a subscription is to be announced. */
  announceLater(subscription: Subscription): void;
  /** Says whose the next frames are, if that changes. */
  deliver(subscription: Subscription, control: FrameWriter): void;
  /** Ends a subscription that the peer cannot read. */
  fail(subscription: Subscription, why: string): void;
}

/** One topic of one subscription. */
export class SubscriptionCursor implements Source, GuardedReader {
  readonly topic: Topic;
  readonly subscription: Subscription;
  readonly cursor: Cursor;
  queued = false;
  waitIndex = -1;
  announced = false;
  #read = false;
  #movedAt: number;

  constructor(subscription: Subscription, topic: Topic, sequence: number) {
    this.subscription = subscription;
    this.topic = topic;
    this.cursor = new Cursor(topic.log, sequence);
    this.#movedAt = subscription.session.platform.now();
    topic.readers++;
    if (subscription.policy !== Policy.skip) topic.guard(this);
  }

  get sequence(): number {
    return this.cursor.sequence;
  }

  get holds(): boolean {
    return this.subscription.policy === Policy.wait;
  }

  get movedAt(): number {
    // One large frame may take its time; a byte now and then is not moving.
    return this.subscription.paused ? this.#movedAt : Math.max(this.#movedAt, this.subscription.session.acceptedAt);
  }

  wake(): void {
    const { session, paused } = this.subscription;
    if (paused || !this.announced) return;
    session.add(this);
    session.stir();
  }

  take(most: number, into: Slice, control: FrameWriter): TakeOutcome {
    const { subscription, topic, cursor } = this;
    if (subscription.paused || !this.announced) return "empty";
    const outcome = cursor.read(most, into);
    if (outcome === "empty") {
      topic.wait(this);
    } else if (outcome === "lagged") {
      const code = this.#read ? Code.lagged : Code.expired;
      const { missedFirst: first, missedLast: last } = cursor;
      frames.gap.write(control, { subscription: subscription.id, topic: topic.id, first, last, code });
    } else {
      this.#read = true;
      if (this.holds) this.#movedAt = subscription.session.turnedAt;
      subscription.deliver(control);
      if (cursor.caughtUp) {
        topic.wait(this);
        return "drained";
      }
    }
    return outcome;
  }

  overtaken(): void {
    this.subscription.session.close(Code.lagged, `topic ${this.topic.name}: ${codeText(Code.lagged)}`);
  }

  expelled(): void {
    const { session } = this.subscription;
    session.penalise();
    session.close(Code.maxWait, `topic ${this.topic.name}: ${codeText(Code.maxWait)}`);
  }

  close(): void {
    this.topic.unwait(this);
    this.topic.readers--;
    if (this.subscription.policy !== Policy.skip) this.topic.unguard(this);
  }
}

/** One subscription: a cursor for every topic that matches. */
export class Subscription implements Interest {
  readonly id: number;
  readonly session: SubscribingSession;
  readonly patterns: readonly Pattern[];
  readonly policy: number;
  paused = false;
  confirmed = false;
  readonly cursors: Map<Topic, SubscriptionCursor> = new Map();
  /** Cursors to be announced, in the order of their topics' creation. */
  unannounced: SubscriptionCursor[] = [];
  /** Topics that are no more, to be told. */
  #gone: { topic: number; first: number; last: number; code: Code }[] = [];
  readonly #owner: Announcer;

  constructor(
    owner: Announcer,
    session: SubscribingSession,
    id: number,
    patterns: readonly Pattern[],
    policy: number,
  ) {
    this.#owner = owner;
    this.session = session;
    this.id = id;
    this.patterns = patterns;
    this.policy = policy;
  }

  join(topic: Topic, sequence: number): void {
    const cursor = new SubscriptionCursor(this, topic, sequence);
    this.cursors.set(topic, cursor);
    this.unannounced.push(cursor);
  }

  created(topic: Topic): void {
    if (!this.session.account.permissions.mayRead(topic.name)) return;
    this.join(topic, 1);
    this.#owner.announceLater(this);
  }

  encoded(topic: Topic): void {
    const why = topic.unreadable(this.session.codecs);
    if (why !== null && this.session.account.permissions.mayRead(topic.name)) this.#owner.fail(this, why);
  }

  /** What may be read has changed: topics that may not be any more are left. */
  revise(): void {
    const { permissions } = this.session.account;
    for (const [topic, { sequence }] of this.cursors) {
      if (!permissions.mayRead(topic.name)) this.forbidden(topic, sequence);
    }
  }

  /** A topic that the subscriber knew may not be read any more: from `first` on it gets nothing of it. */
  forbidden(topic: Topic, first: number): void {
    this.#leave(topic);
    this.#tell(topic.id, first, 0, Code.forbidden);
  }

  forgotten(topic: Topic): void {
    if (this.#leave(topic)) this.gone(topic.id, topic.log.nextSequence, topic.log.nextSequence);
  }

  /**
   * A topic that the subscriber knew is no more: it will be told what it missed of it, which may be nothing.
   *
   * @param first what it would have got next
   * @param next what the next message would have been; `undefined` when that is not known any more
   */
  gone(topic: number, first: number, next: number | undefined): void {
    this.#tell(topic, first, next === undefined ? 0 : Math.max(first, next) - 1, Code.forgotten);
  }

  deliver(control: FrameWriter): void {
    this.#owner.deliver(this, control);
  }

  /** Writes announcements, then the confirmation; returns whether all of it went. */
  announce(control: FrameWriter): boolean {
    let told = 0;
    while (told < this.#gone.length && control.length < announceSize) {
      frames.gap.write(control, { subscription: this.id, ...this.#gone[told++]! });
    }
    this.#gone = this.#gone.slice(told);
    let done = 0;
    for (const cursor of this.unannounced) {
      if (control.length >= announceSize) break;
      const { topic, sequence } = cursor;
      const values = { subscription: this.id, topic: topic.id, ordinal: topic.ordinal, sequence, name: topic.name };
      frames.announce.write(control, values);
      cursor.announced = true;
      if (!this.paused) this.session.add(cursor);
      done++;
    }
    this.unannounced = done === this.unannounced.length ? [] : this.unannounced.slice(done);
    if (this.unannounced.length > 0 || this.#gone.length > 0) return false;
    if (!this.confirmed) {
      this.confirmed = true;
      frames.subscribed.write(control, { subscription: this.id, policy: this.policy, topics: this.cursors.size });
    }
    return true;
  }

  close(): void {
    for (const cursor of this.cursors.values()) cursor.close();
    this.cursors.clear();
    this.unannounced = [];
  }

  #tell(topic: number, first: number, last: number, code: Code): void {
    this.#gone.push({ topic, first, last, code });
    this.#owner.announceLater(this);
  }

  /** Ends the delivery of a topic; returns whether there was one. */
  #leave(topic: Topic): boolean {
    const cursor = this.cursors.get(topic);
    if (cursor === undefined) return false;
    cursor.close();
    this.cursors.delete(topic);
    this.unannounced = this.unannounced.filter((other) => other !== cursor);
    this.session.filter((source) => source !== cursor);
    return true;
  }
}
