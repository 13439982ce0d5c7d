/**
 * A subscription: an async iterable of messages, of batches, or of everything that happens to it.
 *
 * @module
 */

import type { Batch, Message } from "./batch.ts";
import type { ClientSession, ValuesOf } from "./client_session.ts";
import { Code } from "./codes.ts";
import type { Platform } from "./connection.ts";
import * as frames from "./control.ts";
import { Policy, Start } from "./control.ts";
import { ProtocolError, RefusedError, TransportError, UsageError } from "./errors.ts";
import type { FrameReader } from "./frame_reader.ts";
import { type Readable, readBatches, readEvents, readMessages, type SubscriptionEvent, tellEvents } from "./events.ts";
import { type Point, ResumableInbox } from "./resumable_inbox.ts";
import { noId } from "./bytes.ts";
import { largestSequence, largestWrite } from "./limits.ts";
import type { SegmentPool } from "./segment_pool.ts";

/**
 * Above this many unread bytes the server is asked to pause, and below {@linkcode lowWater} to go on: a write's worth
 * below, so that a slow reader moves often enough for the policy `wait`.
 */
const highWater = 4 * 1024 * 1024;
const lowWater = highWater - largestWrite;
/** How many times as much memory unread bytes may keep: a few in each segment keep all of it. */
const mostSpread = 4;
/** The most points in one frame. */
const mostPoints = 4096;

/** Where a subscription starts: see `--from`. Times are milliseconds, a time since 1970. */
export type StartPoint =
  | "latest"
  | "earliest"
  | { readonly sequence: number }
  | { readonly last: number }
  | { readonly time: number }
  | { readonly ago: number };

/** How a subscription works. */
export interface SubscriptionOptions {
  /** `latest` unless given. */
  readonly from?: StartPoint;
  /** What shall happen when this subscription falls behind what the server keeps; the server's default unless given. */
  readonly lagPolicy?: "skip" | "disconnect" | "wait";
  /**
   * Whether the checksum of each frame is computed again on this side: one that does not match is a gap, `corrupt`. The
   * server has checked it once, and TCP checks what comes from there.
   */
  readonly verify?: boolean;
  /**
   * Told of everything as it comes, in order; then there is nothing to iterate over. The fastest way: no promise, and the
   * bytes of a batch are still in the processor's cache. A batch is valid during the call alone, and what takes long here
   * holds up the whole link. An error that is thrown ends the subscription, and is nobody's to catch.
   */
  readonly onEvent?: (event: SubscriptionEvent) => void;
}

/** What the server granted. */
export interface Granted {
  /** What happens when this subscription falls behind. */
  readonly lagPolicy: "skip" | "disconnect" | "wait";
  /** Topics that match now. */
  readonly topics: number;
}

/** What a subscription needs of its link. */
export interface SubscribingLink {
  readonly endpoint: string;
  readonly platform: Platform;
  readonly pool: SegmentPool;
  readonly session: ClientSession | null;
  /** Knows the largest message of the server. */
  readonly maxMessage: number;
  /** Forgets the subscription, once it has ended. */
  remove(subscription: Subscription): void;
}

/** A subscription to the topics that match one of its patterns. Made by {@linkcode Link.subscribe}. */
export class Subscription implements AsyncIterable<Message>, AsyncDisposable {
  /** Its number in its link. */
  readonly id: number;
  /** What it subscribes to. */
  readonly patterns: readonly string[];
  /** Resolves when the server has confirmed; rejects when it refuses. */
  readonly ready: Promise<Granted>;
  readonly #options: SubscriptionOptions;
  readonly #link: SubscribingLink;
  readonly #inbox: ResumableInbox;
  readonly #ready = Promise.withResolvers<Granted>();
  /** Where it starts, on a server that it is new to. */
  #from: StartPoint;
  #epoch = noId;
  #confirmed = false;
  #paused = false;
  #ended = false;
  /** Whether it ended because its owner left: then nothing more is read. */
  #left = false;
  #error: Error | null = null;
  #arrived: (() => void) | null = null;
  /** Tells `onEvent` what has come; `null` where there is none. */
  readonly #tell: (() => void) | null;
  #leaving: (() => void) | null = null;
  readonly #readable: Readable;

  /**
   * Made by a link.
   *
   * @internal
   */
  constructor(link: SubscribingLink, id: number, patterns: readonly string[], options: SubscriptionOptions) {
    this.#link = link;
    this.id = id;
    this.patterns = patterns;
    this.#options = options;
    const from = this.#from = options.from ?? "latest";
    this.#inbox = new ResumableInbox(link.pool, typeof from === "object" && "sequence" in from ? from.sequence : 1);
    this.#readable = this.#makeReadable();
    const { onEvent } = options;
    this.#tell = onEvent === undefined ? null : tellEvents(this.#readable, onEvent, link.platform, () => this.close());
    this.ready = this.#ready.promise;
    // Who does not ask is told by the iterator.
    this.ready.catch(() => {});
  }

  /** Bytes received and not read. */
  get unread(): number {
    return this.#inbox.bytes;
  }

  /**
   * Of the server that it was last sent to.
   *
   * @internal
   */
  get epoch(): string {
    return this.#epoch;
  }

  /**
   * Of a subscription to one topic, where it begins: known once it is ready, if there is such a topic.
   *
   * @internal
   */
  get origin(): Point | undefined {
    return this.#inbox.points().next().value;
  }

  /** Messages one by one, each the caller's own. Throws `GapError` when some were lost. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Message> {
    return readMessages(this.#iterable);
  }

  /** Messages in batches, each valid until the next is asked for. Throws `GapError` when some were lost. */
  batches(): AsyncIterableIterator<Batch> {
    return readBatches(this.#iterable);
  }

  /**
   * Everything that happens, in order: batches, gaps, restarts of the server. Ends when the subscription is closed.
   *
   * There is one reader at a time. A batch is valid until the next event is asked for.
   */
  events(): AsyncIterableIterator<SubscriptionEvent> {
    return readEvents(this.#iterable);
  }

  /** Leaves. Resolves when nothing more will come; what was received and not read is forgotten. */
  async close(): Promise<void> {
    if (this.#ended) return;
    this.#ended = this.#left = true;
    this.#ready.reject(this.#closedError());
    this.#arrive();
    const { session } = this.#link;
    if (session?.state === "open" && this.#epoch !== noId) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#leaving = resolve;
      session.send(frames.unsubscribe, { subscription: this.id });
      await promise;
    }
    this.#finish();
  }

  /** As {@linkcode close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * The link is up.
   *
   * @internal
   */
  connected(session: ClientSession, epoch: string): void {
    this.#paused = false;
    const restarted = epoch !== this.#epoch && (this.#confirmed || this.#inbox.ordinal > 0);
    if (restarted) {
      this.#inbox.restarted();
      this.#confirmed = false;
      this.#from = "earliest";
    }
    this.#epoch = epoch;
    // What was not confirmed begins anew: what it got already is recognised.
    if (this.#confirmed) this.#sendPoints(session);
    const [start, value] = this.#confirmed ? [Start.resume, this.#inbox.ordinal] : startOf(this.#from);
    session.send(frames.subscribe, {
      subscription: this.id,
      policy: Policy[this.#options.lagPolicy ?? "server"],
      start,
      value,
      epoch,
      patterns: this.patterns.map((pattern) => ({ pattern })),
    });
    if (restarted) this.#arrive();
  }

  /**
   * The link is down.
   *
   * @internal
   */
  lost(): void {
    this.#leaving?.();
  }

  /**
   * Nothing will come any more.
   *
   * @internal
   */
  fail(error: Error | null): void {
    this.#error ??= error;
    this.#ended = true;
    this.#ready.reject(error ?? this.#closedError());
    this.#leaving?.();
    this.#arrive();
  }

  /**
   * SUBSCRIBED.
   *
   * @internal
   */
  subscribed(values: ValuesOf<typeof frames.subscribed>): void {
    this.#confirmed = true;
    const policies = ["skip", "skip", "disconnect", "wait"] as const;
    this.#ready.resolve({ lagPolicy: policies[values.policy] ?? "skip", topics: values.topics });
  }

  /**
   * SUBSCRIBE failed.
   *
   * @internal
   */
  failed(code: Code, why: string): void {
    this.fail(new RefusedError(`subscribe to ${this.patterns.join(" ")}`, code, why));
    this.#link.remove(this);
  }

  /**
   * ANNOUNCE.
   *
   * @internal
   */
  announced(values: ValuesOf<typeof frames.announce>): void {
    this.#inbox.announced(values.name, values.topic, values.ordinal, values.sequence);
  }

  /**
   * GAP.
   *
   * @internal
   */
  gap(values: ValuesOf<typeof frames.gap>): void {
    this.#inbox.gap(values.topic, values.first, values.last, values.code);
  }

  /**
   * A frame of messages.
   *
   * @internal
   */
  frame(reader: FrameReader): void {
    if (this.#ended) return;
    if (!this.#inbox.frame(reader)) throw new ProtocolError(Code.protocol, "a frame of a topic that was not announced");
  }

  /**
   * UNSUBSCRIBED.
   *
   * @internal
   */
  left(): void {
    this.#leaving?.();
  }

  /**
   * Everything that came at once was told: wakes the reader, and pauses the server if the reader is behind.
   *
   * @internal
   */
  turn(): void {
    if (!this.#inbox.empty) this.#arrive();
    if (this.#behind <= highWater || this.#paused || this.#ended) return;
    this.#paused = true;
    this.#link.session?.send(frames.pause, { subscription: this.id });
  }

  /** How much is unread, or as much as what that keeps stands for. */
  get #behind(): number {
    return Math.max(this.#inbox.bytes, this.#inbox.memory / mostSpread);
  }

  /** For an iterator: what `onEvent` is told is gone. */
  get #iterable(): Readable {
    if (this.#tell === null) return this.#readable;
    throw new UsageError("cannot iterate over a subscription that has `onEvent`: everything is told there");
  }

  /** What its readers see of it. */
  #makeReadable(): Readable {
    // deno-lint-ignore no-this-alias
    const self = this;
    return {
      inbox: self.#inbox,
      platform: self.#link.platform,
      verify: self.#options.verify === true,
      get maxMessage() {
        return self.#link.maxMessage;
      },
      get left() {
        return self.#left;
      },
      get ended() {
        return self.#ended;
      },
      get error() {
        return self.#error;
      },
      arrival: () => new Promise((resolve) => self.#arrived = resolve),
      goOn: () => self.#goOn(),
    };
  }

  #goOn(): void {
    if (!this.#paused || this.#behind >= lowWater || this.#ended) return;
    this.#paused = false;
    this.#link.session?.send(frames.resume, { subscription: this.id });
  }

  #sendPoints(session: ClientSession): void {
    const points = Array.from(this.#inbox.points(), ({ id, next }) => ({ topic: id, sequence: next }));
    for (let from = 0; from < points.length; from += mostPoints) {
      session.send(frames.points, { subscription: this.id, points: points.slice(from, from + mostPoints) });
    }
  }

  #closedError(): TransportError {
    const { endpoint } = this.#link;
    return new TransportError(`subscribe to ${this.patterns.join(" ")}`, endpoint, "the subscription was closed");
  }

  #arrive(): void {
    this.#tell?.();
    const arrived = this.#arrived;
    this.#arrived = null;
    arrived?.();
  }

  #finish(): void {
    this.#inbox.clear();
    this.#link.remove(this);
  }
}

function startOf(from: StartPoint): [start: number, value: number] {
  if (from === "latest") return [Start.latest, 0];
  if (from === "earliest") return [Start.earliest, 0];
  if ("sequence" in from) return [Start.sequence, from.sequence];
  if ("last" in from) return [Start.last, from.last];
  if ("time" in from) return [Start.time, microseconds(from.time)];
  return [Start.ago, microseconds(from.ago)];
}

/** Of milliseconds. What the protocol cannot say is as far away as what it can: the year 2255. */
function microseconds(milliseconds: number): number {
  return Math.min(largestSequence, Math.max(0, Math.round(milliseconds * 1000)));
}
