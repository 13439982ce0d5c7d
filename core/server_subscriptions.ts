/**
 * The subscribing half of a server's session: subscriptions, the cursors they hold, announcements and gaps.
 *
 * @module
 */

import type { BodyReader } from "./body_reader.ts";
import { Code, codeText } from "./codes.ts";
import type { Platform } from "./connection.ts";
import * as frames from "./control.ts";
import { Policy, Start } from "./control.ts";
import { Cursor, type Slice, type TakeOutcome } from "./cursor.ts";
import { ProtocolError, UsageError } from "./errors.ts";
import { FrameType } from "./frame.ts";
import type { FrameWriter } from "./frame_writer.ts";
import { mostPatterns } from "./limits.ts";
import type { Source } from "./output.ts";
import { Pattern } from "./pattern.ts";
import type { GuardedReader, Topic } from "./topic.ts";
import type { Interest, Topics } from "./topics.ts";

/** Announcements are written up to about this many bytes before a write. */
const announceSize = 32 * 1024;
/** What one resume point is charged with while it waits for its SUBSCRIBE, in bytes. */
const pointCharge = 64;

/** What the subscriptions of a session need of it. */
export interface SubscribingSession {
  readonly platform: Platform;
  /** Puts a source in line for writing. */
  add(source: Source): void;
  /** Takes the sources that `keep` does not want out of line. */
  filter(keep: (source: Source) => boolean): void;
  /** There may be something to write. */
  stir(): void;
  /** Where control frames go. */
  readonly control: FrameWriter;
  /** When the peer last accepted a byte; monotonic milliseconds. */
  readonly lastProgress: number;
  /** Ends the session. */
  close(code: Code, why?: string): void;
  /** Withholds the policy `wait` from this peer for a while. */
  penalise(): void;
  /** Whether it is withheld. */
  readonly penalised: boolean;
}

/** One topic of one subscription. */
class SubscriptionCursor implements Source, GuardedReader {
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
    return this.#movedAt;
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
      if (this.holds) this.#movedAt = subscription.session.platform.now();
      subscription.deliver(control);
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
class Subscription implements Interest {
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
  #gone: { topic: number; first: number; last: number }[] = [];
  readonly #owner: ServerSubscriptions;

  constructor(
    owner: ServerSubscriptions,
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
    this.join(topic, 1);
    this.#owner.announceLater(this);
  }

  forgotten(topic: Topic): void {
    const cursor = this.cursors.get(topic);
    if (!cursor) return;
    cursor.close();
    this.cursors.delete(topic);
    this.gone(topic.id, topic.log.nextSequence, topic.log.nextSequence);
  }

  /**
   * A topic that the subscriber knew is no more: it will be told what it missed of it, which may be nothing.
   *
   * @param first what it would have got next
   * @param next what the next message would have been; `undefined` when that is not known any more
   */
  gone(topic: number, first: number, next: number | undefined): void {
    this.#gone.push({ topic, first, last: next === undefined ? 0 : Math.max(first, next) - 1 });
    this.#owner.announceLater(this);
  }

  deliver(control: FrameWriter): void {
    this.#owner.deliver(this, control);
  }

  /** Writes announcements, then the confirmation; returns whether all of it went. */
  announce(control: FrameWriter): boolean {
    let told = 0;
    while (told < this.#gone.length && control.length < announceSize) {
      frames.gap.write(control, { subscription: this.id, ...this.#gone[told++]!, code: Code.forgotten });
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
}

/**
 * The subscriptions of one session.
 *
 * PAUSE, RESUME and UNSUBSCRIBE may name one that is not: whoever sent them may not know yet that its SUBSCRIBE failed.
 */
export class ServerSubscriptions {
  readonly #topics: Topics;
  readonly #session: SubscribingSession;
  readonly #defaultPolicy: number;
  readonly #subscriptions = new Map<number, Subscription>();
  readonly #points = new Map<number, Map<number, number>>();
  #pointCount = 0;
  #announcing: Subscription[] = [];
  #delivering: Subscription | null = null;

  /** @param defaultPolicy what a subscription gets that asks for {@linkcode Policy.server} */
  constructor(topics: Topics, session: SubscribingSession, defaultPolicy: number) {
    this.#topics = topics;
    this.#session = session;
    this.#defaultPolicy = defaultPolicy;
  }

  /** POINTS. */
  points(body: BodyReader): void {
    const { subscription, points } = frames.points.read(body);
    const count = this.#pointCount + points.length;
    if (count > this.#topics.limits.topics) {
      throw new ProtocolError(Code.protocol, `POINTS of more than ${this.#topics.limits.topics} topics`);
    }
    let known = this.#points.get(subscription);
    if (!known && this.#points.size >= this.#topics.limits.subscriptions) {
      throw new ProtocolError(Code.protocol, `POINTS of more than ${this.#topics.limits.subscriptions} subscriptions`);
    }
    if (!this.#topics.inputs.reserve(points.length * pointCharge)) throw new ProtocolError(Code.inputMemory);
    if (!known) this.#points.set(subscription, known = new Map());
    const before = known.size;
    for (const { topic, sequence } of points) known.set(topic, sequence);
    const repeated = before + points.length - known.size;
    this.#pointCount = count - repeated;
    this.#topics.inputs.release(repeated * pointCharge);
  }

  /** SUBSCRIBE. */
  subscribe(body: BodyReader): void {
    const request = frames.subscribe.read(body);
    const points = this.#takePoints(request.subscription);
    const refused = this.#refusal(request);
    if (refused !== null) {
      this.#fail(request.subscription, refused, codeText(refused));
      return;
    }
    let patterns: Pattern[];
    try {
      patterns = request.patterns.map(({ pattern }) => new Pattern(pattern));
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      this.#fail(request.subscription, Code.pattern, error.message);
      return;
    }
    const asked = request.policy === Policy.server ? this.#defaultPolicy : request.policy;
    const policy = asked === Policy.wait && this.#session.penalised ? Policy.skip : asked;
    const subscription = new Subscription(this, this.#session, request.subscription, patterns, policy);
    this.#subscriptions.set(subscription.id, subscription);
    for (const topic of this.#topics.matching(patterns)) {
      subscription.join(topic, this.#startIn(topic, request.start, request.value, points));
      points?.delete(topic.id);
    }
    this.#topics.addInterest(subscription);
    this.announceLater(subscription);
    for (const [topic, sequence] of points ?? []) {
      if (!this.#topics.byId(topic)?.ordinal) {
        subscription.gone(topic, sequence, this.#topics.tombstone(topic));
      }
    }
  }

  /** UNSUBSCRIBE. */
  unsubscribe(body: BodyReader): void {
    const { subscription: id } = frames.unsubscribe.read(body);
    const subscription = this.#subscriptions.get(id);
    if (subscription) {
      this.#subscriptions.delete(id);
      this.#end(subscription);
      this.#session.filter((source) => !(source instanceof SubscriptionCursor && source.subscription === subscription));
      if (this.#delivering === subscription) this.#delivering = null;
    }
    frames.unsubscribed.write(this.#session.control, { subscription: id });
  }

  /** PAUSE. */
  pause(body: BodyReader): void {
    const subscription = this.#subscriptions.get(frames.pause.read(body).subscription);
    if (subscription) subscription.paused = true;
  }

  /** RESUME. */
  resume(body: BodyReader): void {
    const subscription = this.#subscriptions.get(frames.resume.read(body).subscription);
    if (!subscription) return;
    subscription.paused = false;
    for (const cursor of subscription.cursors.values()) {
      if (cursor.announced && cursor.waitIndex < 0) this.#session.add(cursor);
    }
  }

  /** Something of a subscription is to be announced. */
  announceLater(subscription: Subscription): void {
    if (!this.#announcing.includes(subscription)) this.#announcing.push(subscription);
    this.#session.stir();
  }

  /** Writes announcements that are due. */
  announce(control: FrameWriter): void {
    if (this.#announcing.length === 0) return;
    this.#announcing = this.#announcing.filter((subscription) => !subscription.announce(control));
  }

  /** Says whose the next frames are, if that changes. */
  deliver(subscription: Subscription, control: FrameWriter): void {
    if (this.#delivering === subscription) return;
    this.#delivering = subscription;
    frames.deliver.write(control, { subscription: subscription.id });
  }

  /** Whether every subscription has everything that is in the logs. */
  get caughtUp(): boolean {
    return this.#announcing.length === 0 &&
      this.#subscriptions.values().every((subscription) =>
        subscription.cursors.values().every((cursor) => cursor.waitIndex >= 0)
      );
  }

  /** Subscriptions in number. */
  get size(): number {
    return this.#subscriptions.size;
  }

  /** Lets go of everything. */
  close(): void {
    for (const subscription of this.#subscriptions.values()) this.#end(subscription);
    this.#subscriptions.clear();
    for (const subscription of [...this.#points.keys()]) this.#takePoints(subscription);
  }

  #end(subscription: Subscription): void {
    this.#topics.removeInterest(subscription);
    subscription.close();
    this.#announcing = this.#announcing.filter((other) => other !== subscription);
  }

  #refusal(request: frames.Values<typeof frames.subscribe.fields>): Code | null {
    if (this.#subscriptions.has(request.subscription)) return Code.subscriptionInUse;
    if (this.#subscriptions.size >= this.#topics.limits.subscriptions) return Code.subscriptions;
    if (request.patterns.length === 0 || request.patterns.length > mostPatterns) return Code.pattern;
    if (request.start > Start.resume || request.policy > Policy.wait) return Code.startPoint;
    if (request.start === Start.resume && request.epoch !== this.#topics.epoch) return Code.startPoint;
    return null;
  }

  #fail(request: number, code: Code, why: string): void {
    frames.failed.write(this.#session.control, { request, kind: FrameType.subscribe, code, why });
  }

  #startIn(topic: Topic, start: number, value: number, points: Map<number, number> | undefined): number {
    const { log } = topic;
    switch (start) {
      case Start.latest:
        return log.nextSequence;
      case Start.sequence:
        return Math.max(1, value);
      case Start.last:
        return Math.max(log.firstSequence, log.nextSequence - value);
      case Start.time:
        return log.sequenceAtTime(value);
      case Start.ago:
        return log.sequenceAtTime(this.#session.platform.time() - value);
      case Start.resume:
        return points?.get(topic.id) ?? (topic.ordinal > value ? 1 : log.firstSequence);
      default:
        return log.firstSequence;
    }
  }

  #takePoints(subscription: number): Map<number, number> | undefined {
    const points = this.#points.get(subscription);
    if (!points) return undefined;
    this.#points.delete(subscription);
    this.#pointCount -= points.size;
    this.#topics.inputs.release(points.size * pointCharge);
    return points;
  }
}
