/**
 * A subscription: an async iterable of messages, of batches, or of everything that happens to it.
 *
 * @module
 */

import { Batch, type Message } from "./batch.ts";
import type { ClientSession, ValuesOf } from "./client_session.ts";
import { Code, codeName } from "./codes.ts";
import * as frames from "./control.ts";
import { Policy, Start } from "./control.ts";
import { ProtocolError, RefusedError } from "./errors.ts";
import type { FrameReader } from "./frame_reader.ts";
import { type Gap, Inbox, type Restarted, type Run } from "./inbox.ts";
import { noId } from "./bytes.ts";
import type { SegmentPool } from "./segment_pool.ts";

/** Above this many unread bytes the server is asked to pause, and below {@linkcode lowWater} to go on. */
const highWater = 4 * 1024 * 1024;
const lowWater = 1024 * 1024;
/**
 * The same while messages of this link's publisher are unacknowledged: the server may hold them until this
 * subscription has moved, and its reader may wait for them.
 */
const highWaterWhilePublishing = 16 * 1024 * 1024;
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
}

/** Messages were lost: they will not come. */
export interface GapEvent {
  readonly kind: "gap";
  readonly topic: string;
  readonly first: number;
  /** 0 when it is not known how many are lost. */
  readonly last: number;
  /** How many; 0 when that is not known. */
  readonly lost: number;
  /** Why, as a name: `lagged`, `expired`, `corrupt`, ... */
  readonly reason: string;
}

/** What happens to a subscription, in order. */
export type SubscriptionEvent = Batch | GapEvent | Restarted;

/** What the server granted. */
export interface Granted {
  readonly lagPolicy: "skip" | "disconnect" | "wait";
  /** Topics that match now. */
  readonly topics: number;
}

/** Thrown by the iterators that have no other way to say that messages were lost. */
export class GapError extends Error {
  override readonly name = "GapError";
  readonly gap: GapEvent;

  constructor(gap: GapEvent) {
    super(`messages of ${gap.topic} were lost: ${gap.first} to ${gap.last || "?"}: ${gap.reason}`);
    this.gap = gap;
  }
}

/** What a subscription needs of its link. */
export interface SubscribingLink {
  readonly pool: SegmentPool;
  readonly session: ClientSession | null;
  /** Whether messages of its publisher are unacknowledged. */
  readonly publishing: boolean;
  /** Forgets the subscription, once it has ended. */
  remove(subscription: Subscription): void;
}

/** A subscription to the topics that match one of its patterns. Made by {@linkcode Link.subscribe}. */
export class Subscription implements AsyncIterable<Message>, AsyncDisposable {
  readonly id: number;
  readonly patterns: readonly string[];
  /** Resolves when the server has confirmed; rejects when it refuses. */
  readonly ready: Promise<Granted>;
  readonly #options: SubscriptionOptions;
  readonly #link: SubscribingLink;
  readonly #inbox: Inbox;
  readonly #batch = new Batch();
  readonly #ready = Promise.withResolvers<Granted>();
  #epoch = noId;
  #confirmed = false;
  #paused = false;
  #ended = false;
  /** Whether it ended because its owner left: then nothing more is read. */
  #left = false;
  #error: Error | null = null;
  #arrived: (() => void) | null = null;
  #leaving: (() => void) | null = null;

  /** Made by a link. */
  constructor(link: SubscribingLink, id: number, patterns: readonly string[], options: SubscriptionOptions) {
    this.#link = link;
    this.id = id;
    this.patterns = patterns;
    this.#options = options;
    const { from } = options;
    this.#inbox = new Inbox(link.pool, typeof from === "object" && "sequence" in from ? from.sequence : 1);
    this.ready = this.#ready.promise;
    // Who does not ask is told by the iterator.
    this.ready.catch(() => {});
  }

  /** Bytes received and not read. */
  get unread(): number {
    return this.#inbox.bytes;
  }

  /** Messages one by one, each the caller's own. Throws {@linkcode GapError} when some were lost. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Message> {
    for await (const batch of this.batches()) {
      for (let i = 0; i < batch.count; i++) yield batch.message(i);
    }
  }

  /** Messages in batches, each valid until the next is asked for. Throws {@linkcode GapError} when some were lost. */
  async *batches(): AsyncGenerator<Batch> {
    for await (const event of this.events()) {
      if (event.kind === "batch") yield event;
      else if (event.kind === "gap") throw new GapError(event);
    }
  }

  /**
   * Everything that happens, in order: batches, gaps, restarts of the server. Ends when the subscription is closed.
   *
   * There is one reader at a time. A batch is valid until the next event is asked for.
   */
  async *events(): AsyncGenerator<SubscriptionEvent> {
    for (;;) {
      if (this.#left) return;
      const entry = this.#inbox.shift();
      if (entry === null) {
        if (this.#error) throw this.#error;
        if (this.#ended) return;
        await new Promise<void>((resolve) => this.#arrived = resolve);
      } else if (entry.kind === "frames") {
        try {
          yield* this.#read(entry);
        } finally {
          this.#inbox.release(entry);
          this.#goOn();
        }
      } else {
        yield entry.kind === "gap" ? gapEvent(entry) : entry;
      }
    }
  }

  /** Leaves. Resolves when nothing more will come; what was received and not read is forgotten. */
  async close(): Promise<void> {
    if (this.#ended) return;
    this.#ended = this.#left = true;
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

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** The link is up. For the link alone, as is what follows. */
  connected(session: ClientSession, epoch: string): void {
    this.#paused = false;
    const restarted = this.#confirmed && epoch !== this.#epoch;
    if (restarted) this.#inbox.restarted();
    const resuming = this.#confirmed && !restarted;
    this.#epoch = epoch;
    if (resuming) this.#sendPoints(session);
    const [start, value] = resuming
      ? [Start.resume, this.#inbox.ordinal]
      : restarted
      ? [Start.earliest, 0]
      : startOf(this.#options.from ?? "latest");
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

  /** The link is down. */
  lost(): void {
    this.#leaving?.();
  }

  /** Nothing will come any more. */
  fail(error: Error | null): void {
    this.#error ??= error;
    this.#ended = true;
    if (error) this.#ready.reject(error);
    this.#leaving?.();
    this.#arrive();
  }

  /** SUBSCRIBED. */
  subscribed(values: ValuesOf<typeof frames.subscribed>): void {
    this.#confirmed = true;
    const policies = ["skip", "skip", "disconnect", "wait"] as const;
    this.#ready.resolve({ lagPolicy: policies[values.policy] ?? "skip", topics: values.topics });
  }

  /** SUBSCRIBE failed. */
  failed(code: Code, why: string): void {
    this.fail(new RefusedError(`subscribe to ${this.patterns.join(" ")}`, code, why));
    this.#link.remove(this);
  }

  /** ANNOUNCE. */
  announced(values: ValuesOf<typeof frames.announce>): void {
    this.#inbox.announced(values.name, values.topic, values.ordinal, values.sequence);
  }

  /** GAP. */
  gap(values: ValuesOf<typeof frames.gap>): void {
    this.#inbox.gap(values.topic, values.first, values.last, values.code);
  }

  /** A frame of messages. */
  frame(reader: FrameReader): void {
    if (this.#ended) return;
    if (!this.#inbox.frame(reader)) throw new ProtocolError(Code.protocol, "a frame of a topic that was not announced");
  }

  /** UNSUBSCRIBED. */
  left(): void {
    this.#leaving?.();
  }

  /** Everything that came at once was told: wakes the reader, and pauses the server if the reader is behind. */
  turn(): void {
    if (!this.#inbox.empty) this.#arrive();
    const most = this.#link.publishing ? highWaterWhilePublishing : highWater;
    if (this.#inbox.bytes <= most || this.#paused || this.#ended) return;
    this.#paused = true;
    this.#link.session?.send(frames.pause, { subscription: this.id });
  }

  *#read(run: Run): Generator<SubscriptionEvent> {
    const batch = this.#batch;
    for (let offset = run.start; offset < run.end; offset += run.segment.lengthAt(offset)) {
      const code = batch.open(run.topic, run.segment, offset, run.floor);
      if (code === Code.done) {
        yield batch;
      } else {
        const { topic, sequence: first, count } = batch;
        yield gapEvent({ kind: "gap", topic, first, last: first + count - 1, code });
      }
      if (this.#left) return;
    }
  }

  #goOn(): void {
    if (!this.#paused || this.#inbox.bytes >= lowWater || this.#ended) return;
    this.#paused = false;
    this.#link.session?.send(frames.resume, { subscription: this.id });
  }

  #sendPoints(session: ClientSession): void {
    const points = Array.from(this.#inbox.points(), ({ id, next }) => ({ topic: id, sequence: next }));
    for (let from = 0; from < points.length; from += mostPoints) {
      session.send(frames.points, { subscription: this.id, points: points.slice(from, from + mostPoints) });
    }
  }

  #arrive(): void {
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
  if ("time" in from) return [Start.time, Math.max(0, Math.round(from.time * 1000))];
  return [Start.ago, Math.round(from.ago * 1000)];
}

function gapEvent({ topic, first, last, code }: Gap): GapEvent {
  return { kind: "gap", topic, first, last, lost: last === 0 ? 0 : last - first + 1, reason: codeName(code) };
}
