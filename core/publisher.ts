/**
 * Publishes messages to any number of topics over one link.
 *
 * @module
 */

import type { ClientSession, ValuesOf, Welcome } from "./client_session.ts";
import { Code, codeText } from "./codes.ts";
import { Compression, type CompressionCounts, type CompressionOptions, Compressor } from "./compression.ts";
import type { Platform } from "./connection.ts";
import { declare, type declared as declaredFrame, type refuse as refuseFrame } from "./control.ts";
import { RefusedError, UsageError } from "./errors.ts";
import { encodeText } from "./bytes.ts";
import { ConnectionCredit, type Outbox } from "./outbox.ts";
import { usefulFrame } from "./frame.ts";
import { isReserved, topicFault } from "./pattern.ts";
import type { SegmentPool } from "./segment_pool.ts";
import { Target, type Waiter } from "./target.ts";

/**
 * Above this many bytes, and so many more for each topic, {@linkcode Publisher.send} asks the caller to wait, and below half
 * of it to go on: with many topics the frame of each has room to grow. With messages to 10,000 topics in random order 4 KiB for
 * each sent 1.2 times as many as 1 KiB.
 */
const highWater = 4 * 1024 * 1024;
const topicWater = 4096;
/** The most that it becomes with many topics: twice what a server's default credit lets a connection have under way. */
const highestWater = 32 * 1024 * 1024;

/** Messages that the server refused. */
export interface Refusal {
  /** The topic they were for. */
  readonly topic: string;
  /** How many. */
  readonly count: number;
  /** Why, as its number on the wire; see `codes.ts`. */
  readonly code: Code;
  /** More about why. */
  readonly why: string;
}

/** How a publisher works. */
export interface PublisherOptions {
  /** Whether messages are kept until they are acknowledged, and sent again after a reconnect: yes unless `false`. */
  readonly acknowledge?: boolean;
  /** Told of refusals; without it, {@linkcode Publisher.flush} rejects on the first one. */
  readonly onRefused?: (refusal: Refusal) => void;
  /** Told when messages were sent again to a server that does not remember which of them it had. */
  readonly onPossibleDuplicates?: (topic: string, count: number) => void;
  /** How frames are compressed; not at all unless given. */
  readonly compress?: CompressionOptions;
  /** Told once, when the server takes no frames that are compressed as was asked for: they go as they are. */
  readonly onUncompressed?: () => void;
}

/**
 * The publishing side of a {@linkcode Link}. A publisher numbers its messages, so that a message which is sent again
 * after a reconnect is appended once.
 */
export class Publisher {
  readonly #platform: Platform;
  readonly #pool: SegmentPool;
  readonly #options: PublisherOptions;
  readonly #credit = new ConnectionCredit();
  readonly #compression: Compression | null;
  readonly #targets = new Map<string, Target>();
  readonly #byId = new Map<number, Target>();
  readonly #requests = new Map<number, Target>();
  #session: ClientSession | null = null;
  /** Whether the server takes nothing more on this connection. */
  #holding = false;
  #nextRequest = 1;
  #maxMessage = 0;
  #limitedBy = "";
  /** Whether somebody was told that what is sent is not compressed. */
  #toldUncompressed = false;
  #highWater = highWater;
  #sent = 0;
  #settled = 0;
  #refused = 0;
  #firstRefusal: RefusedError | null = null;
  #error: Error | null = null;
  #lastTopic: string | null = null;
  #last: Target | null = null;
  #readyWaiters: Waiter[] = [];
  #flushWaiters: Waiter[] = [];
  /** Calls of {@linkcode publish} for which there was no room, in their order. */
  #line: Waiter[] = [];

  /**
   * Made by a link.
   *
   * @internal
   * @throws {UsageError} for a level of compression that there is not
   */
  constructor(platform: Platform, pool: SegmentPool, options: PublisherOptions) {
    this.#platform = platform;
    this.#pool = pool;
    this.#options = options;
    this.#compression = options.compress === undefined ? null : new Compression(platform, options.compress);
  }

  /** Messages given to it. */
  get sent(): number {
    return this.#sent;
  }

  /** Messages that the server has neither acknowledged nor refused. */
  get pending(): number {
    return this.#sent - this.#settled;
  }

  /** Messages that the server refused. */
  get refused(): number {
    return this.#refused;
  }

  /** What was compressed so far; `null` where that was not asked for. */
  get compressed(): CompressionCounts | null {
    return this.#compression;
  }

  /** The largest message that the server takes, in bytes. */
  get maxMessage(): number {
    return this.#maxMessage;
  }

  /**
   * Sends one message, without waiting for it. The bytes are copied.
   *
   * @param start where the message begins in `payload`
   * @param end where it ends
   * @returns whether there is room for more; if not, wait for {@linkcode ready} before the next
   * @throws {UsageError} for a name no topic can have
   * @throws {RefusedError} for a message that is too large, or a topic that was refused
   */
  send(topic: string, payload: Uint8Array, start = 0, end: number = payload.length): boolean {
    const target = topic === this.#lastTopic ? this.#last! : this.#target(topic);
    this.#push(target, payload, start, end);
    return this.#credit.kept < this.#highWater;
  }

  /**
   * Sends one message and waits until the server has appended it.
   *
   * @param payload bytes, or a text that is sent as UTF-8
   * @throws {RefusedError} when the server refuses it
   */
  async publish(topic: string, payload: Uint8Array | string): Promise<void> {
    const bytes = typeof payload === "string" ? encodeText(payload) : payload;
    const push = () => {
      const target = this.#target(topic);
      this.#push(target, bytes, 0, bytes.length);
      const acknowledged = target.acknowledgement();
      this.#session?.hurry();
      return acknowledged;
    };
    // Where there is room it is taken at once. Else the calls wait in line: order is that of the calls, and each takes
    // its room before the next is asked.
    if (this.#error || (this.#credit.kept < this.#highWater && this.#line.length === 0)) await push();
    else await this.#inLine(push);
  }

  /** Waits until there is room for more. */
  ready(): Promise<void> {
    if (this.#error) return Promise.reject(this.#error);
    if (this.#credit.kept < this.#highWater) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#readyWaiters.push({ number: 0, resolve, reject });
      this.#session?.hurry();
    });
  }

  /**
   * Waits until the server has appended everything; without acknowledgements, until everything was written.
   *
   * @throws {RefusedError} the first refusal, when there is no `onRefused` to tell of it
   */
  flush(): Promise<void> {
    if (this.#firstRefusal) return Promise.reject(this.#firstRefusal);
    if (this.pending === 0 && this.#line.length === 0) return Promise.resolve();
    if (this.#error) return Promise.reject(this.#error);
    return new Promise((resolve, reject) => {
      this.#flushWaiters.push({ number: 0, resolve, reject });
      if (this.#options.acknowledge === false) this.#session?.stir();
      else this.#session?.hurry();
    });
  }

  /**
   * The link is up.
   *
   * @internal
   */
  connected(session: ClientSession, welcome: Welcome): void {
    this.#session = session;
    this.#holding = false;
    this.#maxMessage = welcome.ownMessage;
    this.#limitedBy = welcome.ownMessage < welcome.maxMessage ? "the limit of this user" : "serve --max-message";
    this.#credit.limit = welcome.connectionCredit;
    this.#credit.flight = session.flight;
    if (this.#compression?.granted(welcome.features) === false && !this.#toldUncompressed) {
      this.#toldUncompressed = true;
      this.#options.onUncompressed?.();
    }
    for (const target of this.#targets.values()) {
      if (target.pending > 0) this.#declare(target);
    }
  }

  /**
   * The link is down.
   *
   * @internal
   */
  lost(error: Error): void {
    this.#session = null;
    this.#byId.clear();
    this.#requests.clear();
    for (const target of this.#targets.values()) {
      target.declaring = false;
      if (this.#options.acknowledge === false) {
        this.#clear(target);
        target.reject(error);
      } else target.reset();
    }
    this.turn();
  }

  /**
   * Nothing will come any more.
   *
   * @internal
   */
  fail(error: Error): void {
    this.#error ??= error;
    for (const target of this.#targets.values()) {
      target.reject(error);
      target.clear();
    }
    const waiters = [...this.#line.splice(0), ...this.#readyWaiters.splice(0), ...this.#flushWaiters.splice(0)];
    for (const waiter of waiters) waiter.reject(error);
  }

  /**
   * DECLARED.
   *
   * @internal
   */
  declared(values: ValuesOf<typeof declaredFrame>): void {
    const target = this.#requests.get(values.request);
    if (!target) return;
    this.#requests.delete(values.request);
    target.declaring = false;
    this.#byId.set(values.topic, target);
    const { pending } = target;
    target.declared(values.topic, values.credit, values.largestFrame, values.last);
    this.#settle(target, pending);
    target.settle();
    if (values.known === 0 && target.unconfirmed > 0) {
      this.#options.onPossibleDuplicates?.(target.topic, target.unconfirmed);
    }
    if (target.unsent) this.#queue(target);
  }

  /**
   * DECLARE failed.
   *
   * @internal
   */
  failed(request: number, code: Code, why: string): void {
    const target = this.#requests.get(request);
    if (!target) return;
    this.#requests.delete(request);
    target.declaring = false;
    const { topic } = target;
    target.refused = new RefusedError(`publish to ${topic}`, code, why);
    this.#count({ topic, count: target.pending, code, why }, target.refused);
    target.reject(target.refused);
    this.#clear(target);
  }

  /**
   * ACK of one topic.
   *
   * @internal
   */
  acknowledged(id: number, number: number): void {
    const target = this.#byId.get(id);
    if (!target) return;
    const { pending } = target;
    target.acknowledge(number);
    this.#settle(target, pending);
    target.settle();
    if (target.unsent) this.#queue(target);
  }

  /**
   * The server is shutting down: what is sent from now on would not be appended.
   *
   * @internal
   */
  draining(): void {
    this.#holding = true;
  }

  /**
   * REFUSE. The acknowledgement that passes it comes later.
   *
   * @internal
   */
  refusedFrame(values: ValuesOf<typeof refuseFrame>): void {
    const target = this.#byId.get(values.topic);
    if (!target) return;
    const { topic } = target;
    const error = new RefusedError(`publish to ${topic}`, values.code, values.why || codeText(values.code));
    this.#count({ topic, count: values.count, code: values.code, why: values.why }, error);
    target.reject(error, values.number, values.number + values.count - 1);
  }

  /**
   * Everything that came at once was told: wakes those who wait.
   *
   * @internal
   */
  turn(): void {
    const { waiting, used, limit } = this.#credit;
    if (waiting.size > 0 && used < limit && !this.#holding) {
      const again = [...waiting];
      waiting.clear();
      for (const outbox of again) this.#queue(this.#byId.get(outbox.id)!);
    }
    if (this.#line.length > 0) this.#admit();
    if (this.#readyWaiters.length > 0 && this.#credit.kept < this.#highWater / 2) {
      for (const waiter of this.#readyWaiters.splice(0)) waiter.resolve();
    }
    if (this.#flushWaiters.length > 0 && this.pending === 0 && this.#line.length === 0) this.#resolveFlush();
  }

  /**
   * Everything was written.
   *
   * @internal
   */
  quiet(): void {
    if (this.#credit.exhausted) {
      this.#credit.exhausted = false;
      this.#session?.hurry();
    }
    if (this.#options.acknowledge === false && this.#flushWaiters.length > 0 && this.#line.length === 0) {
      for (const target of this.#targets.values()) if (target.unsent) return;
      this.#resolveFlush();
    }
  }

  /** Calls back once there is room and those before had their turn. */
  #inLine(push: () => Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#line.push({
        number: 0,
        resolve: () => {
          try {
            push().then(resolve, reject);
          } catch (error) {
            reject(error);
          }
        },
        reject,
      });
      this.#session?.hurry();
    });
  }

  #admit(): void {
    let done = 0;
    while (done < this.#line.length && this.#credit.kept < this.#highWater) this.#line[done++]!.resolve();
    this.#line.splice(0, done);
  }

  #resolveFlush(): void {
    for (const waiter of this.#flushWaiters.splice(0)) {
      if (this.#firstRefusal) waiter.reject(this.#firstRefusal);
      else waiter.resolve();
    }
  }

  #target(topic: string): Target {
    let target = this.#targets.get(topic);
    if (!target) {
      const fault = topicFault(topic) ?? (isReserved(topic) ? "topics that begin with $ are the server's own" : null);
      if (fault) {
        throw new UsageError(
          `cannot publish to ${JSON.stringify(topic)}: ${fault}`,
          "for example: sensors/kitchen/temp",
        );
      }
      const compressor = this.#compression && new Compressor(this.#compression);
      const largestFrame = usefulFrame(this.#maxMessage);
      target = new Target(topic, this.#platform, this.#pool, this.#credit, largestFrame, compressor);
      this.#targets.set(topic, target);
      this.#highWater = Math.min(highestWater, highWater + this.#targets.size * topicWater);
    }
    this.#lastTopic = topic;
    this.#last = target;
    return target;
  }

  #push(target: Target, payload: Uint8Array, start: number, end: number): void {
    if (this.#error) throw this.#error;
    if (target.refused) throw target.refused;
    if (end - start > this.#maxMessage) {
      const why = `it has ${end - start} bytes, the server takes at most ${this.#maxMessage} (${this.#limitedBy})`;
      throw new RefusedError(`publish a message to ${target.topic}`, Code.messageTooLarge, why);
    }
    if (!target.push(payload, start, end)) {
      throw new UsageError(
        `cannot publish to ${target.topic}: ${this.#credit.kept} bytes wait to be sent`,
        "wait for ready() when send() returns false",
      );
    }
    this.#sent++;
    if (target.id !== 0) this.#queue(target);
    else if (!target.declaring && this.#session !== null && !this.#holding) this.#declare(target);
  }

  /** Puts an outbox in line for writing, and asks for its acknowledgement where somebody waits for that. */
  #queue(target: Target): void {
    const session = this.#session;
    if (target.queued || session === null || this.#holding) return;
    session.add(target);
    if (target.awaited || this.#flushWaiters.length > 0) session.hurry();
  }

  #declare(target: Target): void {
    const request = this.#nextRequest++;
    target.declaring = true;
    this.#requests.set(request, target);
    this.#session?.send(declare, { request, first: target.firstPending, topic: target.topic });
  }

  /** Counts what an outbox has less than before. */
  #settle(outbox: Outbox, pending: number): void {
    this.#settled += pending - outbox.pending;
  }

  /** Forgets what is in an outbox. */
  #clear(outbox: Outbox): void {
    const { pending } = outbox;
    outbox.clear();
    this.#settle(outbox, pending);
  }

  #count(refusal: Refusal, error: RefusedError): void {
    this.#refused += refusal.count;
    if (this.#options.onRefused) this.#options.onRefused(refusal);
    else this.#firstRefusal ??= error;
  }
}
