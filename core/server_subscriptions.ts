/**
 * The subscribing half of a server's session: SUBSCRIBE and what follows from it, resume points, start points.
 *
 * @module
 */

import type { BodyReader } from "./body_reader.ts";
import { codecFeatures } from "./codec.ts";
import { Code, codeText } from "./codes.ts";
import type { Rejection } from "./connection.ts";
import * as frames from "./control.ts";
import { Policy, Start } from "./control.ts";
import { ProtocolError, UsageError } from "./errors.ts";
import { FrameType } from "./frame.ts";
import type { FrameWriter } from "./frame_writer.ts";
import { mostPatterns } from "./limits.ts";
import { Pattern } from "./pattern.ts";
import { Permissions } from "./permissions.ts";
import { type Announcer, type SubscribingSession, Subscription, SubscriptionCursor } from "./server_subscription.ts";
import type { Topic } from "./topic.ts";
import type { Topics } from "./topics.ts";

/** What one resume point is charged with while it waits for its SUBSCRIBE, in bytes. */
const pointCharge = 64;

/**
 * The subscriptions of one session.
 *
 * PAUSE, RESUME and UNSUBSCRIBE may name one that is not: whoever sent them may not know yet that its SUBSCRIBE failed.
 */
export class ServerSubscriptions implements Announcer {
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
      this.#fail(request.subscription, refused);
      return;
    }
    let patterns: Pattern[];
    try {
      patterns = request.patterns.map(({ pattern }) => new Pattern(pattern));
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      this.#fail(request.subscription, { code: Code.pattern, why: error.message });
      return;
    }
    const fault = this.#forbidden(patterns) ?? this.#unreadable(patterns);
    if (fault !== null) {
      this.#fail(request.subscription, fault);
      return;
    }
    const asked = request.policy === Policy.server ? this.#defaultPolicy : request.policy;
    const policy = asked === Policy.wait && this.#session.penalised ? Policy.skip : asked;
    const subscription = new Subscription(this, this.#session, request.subscription, patterns, policy);
    this.#subscriptions.set(subscription.id, subscription);
    for (const topic of this.#readable(patterns)) {
      subscription.join(topic, this.#startIn(topic, request.start, request.value, points));
      points?.delete(topic.id);
    }
    this.#topics.addInterest(subscription);
    this.announceLater(subscription);
    for (const [id, sequence] of points ?? []) {
      const topic = this.#topics.byId(id);
      const { permissions } = this.#session.account;
      if (!topic?.ordinal) {
        // Whose name is forgotten may not have been readable: how much there was of it is told to who may read everything.
        subscription.gone(id, sequence, permissions === Permissions.all ? this.#topics.tombstone(id) : undefined);
      } else if (!permissions.mayRead(topic.name) && patterns.some((pattern) => pattern.matches(topic.name))) {
        subscription.forbidden(topic, sequence);
      }
    }
  }

  /** What may be read has changed: a subscription of which nothing is left ends, others leave topics and get others. */
  revise(): void {
    for (const subscription of [...this.#subscriptions.values()]) {
      const forbidden = this.#forbidden(subscription.patterns);
      if (forbidden !== null) {
        this.#refuse(subscription, forbidden);
        continue;
      }
      subscription.revise();
      for (const topic of this.#readable(subscription.patterns)) {
        if (!subscription.cursors.has(topic)) subscription.join(topic, topic.log.nextSequence);
      }
      this.announceLater(subscription);
    }
    this.#session.stir();
  }

  /** Ends a subscription that the peer cannot read. */
  fail(subscription: Subscription, why: string): void {
    this.#refuse(subscription, { code: Code.codec, why });
    this.#session.stir();
  }

  /** UNSUBSCRIBE. */
  unsubscribe(id: number): void {
    const subscription = this.#subscriptions.get(id);
    if (!subscription) return;
    this.#subscriptions.delete(id);
    this.#end(subscription);
    this.#session.filter((source) => !(source instanceof SubscriptionCursor && source.subscription === subscription));
    if (this.#delivering === subscription) this.#delivering = null;
  }

  /** PAUSE and RESUME. */
  pause(id: number, paused: boolean): void {
    const subscription = this.#subscriptions.get(id);
    if (!subscription) return;
    subscription.paused = paused;
    if (paused) return;
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

  /** Whether one of them has the policy `wait` and this topic. */
  holds(topic: Topic): boolean {
    return this.#subscriptions.values().some(({ policy, cursors }) => policy === Policy.wait && cursors.has(topic));
  }

  /** Whether one has this number. */
  has(subscription: number): boolean {
    return this.#subscriptions.has(subscription);
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

  #refusal(request: frames.Values<typeof frames.subscribe.fields>): Rejection | null {
    const refused = this.#session.refusal(request.subscription);
    if (refused !== null) return refused;
    const because = (code: Code) => ({ code, why: codeText(code) });
    if (request.patterns.length === 0 || request.patterns.length > mostPatterns) return because(Code.pattern);
    if (request.start > Start.resume || request.policy > Policy.wait) return because(Code.startPoint);
    if (request.start === Start.resume && request.epoch !== this.#topics.epoch) return because(Code.startPoint);
    return null;
  }

  /** Why a subscription to patterns cannot be: nothing that one of them matches may be read. */
  #forbidden(patterns: readonly Pattern[]): Rejection | null {
    const { name, permissions } = this.#session.account;
    const pattern = patterns.find((pattern) => !permissions.mayReadSome(pattern));
    return pattern === undefined ? null : { code: Code.forbidden, why: `${name} may not subscribe to ${pattern.text}` };
  }

  /** Why a subscription to patterns would be of no use: the peer cannot expand what a topic holds. */
  #unreadable(patterns: readonly Pattern[]): Rejection | null {
    const { codecs } = this.#session;
    if (codecs === codecFeatures) return null;
    const why = this.#readable(patterns).map((topic) => topic.unreadable(codecs)).find((why) => why !== null);
    return why === undefined ? null : { code: Code.codec, why };
  }

  /** Ends a subscription that was granted. */
  #refuse({ id }: Subscription, why: Rejection): void {
    this.unsubscribe(id);
    this.#fail(id, why);
    this.#session.recount();
  }

  /** Topics that match and may be read. */
  #readable(patterns: readonly Pattern[]): IteratorObject<Topic> {
    const { permissions } = this.#session.account;
    return this.#topics.matching(patterns).filter(({ name }) => permissions.mayRead(name));
  }

  #fail(request: number, { code, why }: Rejection): void {
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
