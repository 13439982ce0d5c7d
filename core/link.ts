/**
 * A link to a server: one connection at a time, made again when it is lost.
 *
 * @module
 */

import { randomId } from "./bytes.ts";
import { type ClientEvents, ClientSession, type Credentials, type ValuesOf, type Welcome } from "./client_session.ts";
import { Code, codeText } from "./codes.ts";
import type { Connection, Dial, Platform } from "./connection.ts";
import type { failed } from "./control.ts";
import type { Address } from "./datagram_port.ts";
import { DatagramRoute, type RouteOptions } from "./datagram_route.ts";
import { Driver } from "./driver.ts";
import { ProtocolError, RefusedError, TransportError, UsageError } from "./errors.ts";
import { FrameType } from "./frame.ts";
import { GroupKeyRequest } from "./group_key_request.ts";
import type { FrameReader } from "./frame_reader.ts";
import { defaultLimits } from "./limits.ts";
import { Listings, type TopicInfo } from "./listings.ts";
import { MemoryBudget } from "./memory.ts";
import { Pattern } from "./pattern.ts";
import { Publisher, type PublisherOptions } from "./publisher.ts";
import { Reconnect } from "./reconnect.ts";
import { agent } from "./session.ts";
import { SegmentPool } from "./segment_pool.ts";
import { sleep } from "./sleep.ts";
import { Subscription, type SubscriptionOptions } from "./subscription.ts";

/** All that a link may hold: what is to be sent, and what was received and not read. In bytes. */
const memory = 256 * 1024 * 1024;
/** For how long a connection is tried again while messages are unacknowledged, in milliseconds. */
const giveUpAfter = 60_000;
/** How often the clock is looked at, in milliseconds. */
const tickInterval = 1_000;

/** Something that happens to a link. */
export type LinkEvent =
  | { readonly kind: "connected"; readonly endpoint: string; readonly again: boolean }
  | { readonly kind: "lost"; readonly code: Code; readonly why: string; readonly retryIn: number }
  | { readonly kind: "told"; readonly code: Code; readonly why: string };

/** How a link is made. */
export interface LinkOptions {
  /** Opens connections. */
  readonly dial: Dial;
  /** Checksums, randomness and clocks. */
  readonly platform: Platform;
  /** Who it says it is; nobody unless given. */
  readonly credentials?: Credentials;
  /** Whether a lost connection is made again: yes unless `false`. */
  readonly reconnect?: boolean;
  /**
   * For how long that is tried, in milliseconds. Unless given: 60,000 while the publisher has unacknowledged messages,
   * and without end otherwise.
   */
  readonly giveUpAfter?: number;
  /** How it publishes. */
  readonly publisher?: PublisherOptions;
  /** Told of events as they happen. */
  readonly onEvent?: (event: LinkEvent) => void;
  /** Gives up connecting, and closes the link. */
  readonly signal?: AbortSignal;
}

/** Why a connection was not made or not kept. */
interface Loss {
  readonly code: Code;
  readonly why: string;
  readonly error: Error;
}

/** Reasons after which connecting again would bring the same. */
const final: ReadonlySet<Code> = new Set([
  Code.notStream,
  Code.version,
  Code.protocol,
  Code.frameTooLarge,
  Code.credit,
  Code.replaced,
  Code.certificate,
  Code.authentication,
  Code.removed,
]);

/** Reasons that are about who it is: others would get in. */
const refusals: ReadonlySet<Code> = new Set([Code.certificate, Code.authentication, Code.removed, Code.attempts]);

/** A link to a server. Made by `connect`. */
export class Link implements AsyncDisposable {
  /** Where it connects to. */
  readonly endpoint: string;
  /** @internal */
  readonly platform: Platform;
  /** @internal */
  readonly pool: SegmentPool = new SegmentPool(new MemoryBudget(memory));
  /** Publishes over this link. */
  readonly publisher: Publisher;
  /** Resolves when the link has ended for good, with the error that ended it, if one did. */
  readonly closed: Promise<Error | null>;
  readonly #inputs = new MemoryBudget(memory);
  readonly #options: LinkOptions;
  readonly #id: string;
  readonly #subscriptions = new Map<number, Subscription>();
  readonly #routes = new Map<number, DatagramRoute>();
  readonly #keyRequests = new Map<number, GroupKeyRequest>();
  readonly #listings = new Listings();
  readonly #closed = Promise.withResolvers<Error | null>();
  readonly #stop = new AbortController();
  readonly #reconnect: Reconnect;
  #session: ClientSession | null = null;
  #remote: Address | undefined;
  #welcome: Welcome | null = null;
  #maxMessage = 0;
  #everConnected = false;
  #nextId = 1;
  #opened = false;
  #ended = false;

  /**
   * Makes a link that is not connected yet.
   *
   * @param endpoint where `options.dial` is to connect to
   */
  constructor(endpoint: string, options: LinkOptions) {
    this.endpoint = endpoint;
    this.#options = options;
    this.platform = options.platform;
    this.closed = this.#closed.promise;
    this.#id = randomId(options.platform);
    this.#reconnect = new Reconnect(options.platform);
    this.publisher = new Publisher(options.platform, this.pool, options.publisher ?? {});
  }

  /**
   * The session of the present connection, once the server has greeted; `null` while there is none.
   *
   * @internal
   */
  get session(): ClientSession | null {
    return this.#welcome === null ? null : this.#session;
  }

  /**
   * What the server said of itself, while connected.
   *
   * @internal
   */
  get welcome(): Welcome | null {
    return this.#welcome;
  }

  /**
   * Where the server is that the newest connection goes to, if that goes over IP.
   *
   * @internal
   */
  get remote(): Address | undefined {
    return this.#remote;
  }

  /**
   * The largest message that there can be at the server, in bytes; 0 before the first connection.
   *
   * @internal
   */
  get maxMessage(): number {
    return this.#maxMessage;
  }

  /** Whether messages of its publisher are unacknowledged. */
  get publishing(): boolean {
    return this.publisher.pending > 0;
  }

  /**
   * Connects for the first time, then keeps the link up.
   *
   * @throws {TransportError} when no connection can be made
   * @throws {RefusedError} when the server does not want this one
   */
  async open(): Promise<this> {
    const { signal } = this.#options;
    signal?.throwIfAborted();
    if (this.#ended) throw this.#lostError("connect to", "the link was closed");
    this.#opened = true;
    signal?.addEventListener("abort", this.#abort, { once: true });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#run(resolve).then(
      (error) => {
        this.#end(error);
        reject(
          signal?.aborted
            ? signal.reason
            : error ?? new TransportError(`connect to ${this.endpoint}`, this.endpoint, "the link was closed"),
        );
      },
    );
    await promise;
    return this;
  }

  /** Subscribes to the topics that match one of the patterns. */
  subscribe(patterns: string | readonly string[], options: SubscriptionOptions = {}): Subscription {
    const texts = typeof patterns === "string" ? [patterns] : patterns;
    if (texts.length === 0) throw new UsageError("cannot subscribe: there is no pattern", "for example: sensors/#");
    for (const text of texts) new Pattern(text);
    const subscription = new Subscription(this, this.#nextId++, texts, options);
    if (this.#ended) {
      subscription.fail(new TransportError(`subscribe to ${texts.join(" ")}`, this.endpoint, "the link is closed"));
    } else this.#subscriptions.set(subscription.id, subscription);
    if (this.session) subscription.connected(this.session, this.#welcome!.epoch);
    return subscription;
  }

  /**
   * Asks for topics by datagrams, which another port brings; from the next message on.
   *
   * @internal
   */
  route(options: RouteOptions): DatagramRoute {
    const route = new DatagramRoute(this, this.#nextId++, options);
    if (this.#ended) route.fail(this.#lostError("get datagrams from", "the link is closed"));
    else this.#routes.set(route.id, route);
    if (this.session) route.connected(this.session, this.#welcome!.epoch);
    return route;
  }

  /**
   * Asks for the keys of a multicast group, and is told when they change. The link must be with TLS.
   *
   * @internal
   * @param group its address: `239.255.70.70:7071`
   * @param onFail told when there will be no other keys
   */
  groupKeys(group: string, onFail: (error: Error) => void): GroupKeyRequest {
    const request = new GroupKeyRequest(this, this.#nextId++, group, onFail);
    if (this.#ended) request.fail(this.#lostError("get a group's key from", "the link is closed"));
    else this.#keyRequests.set(request.id, request);
    if (this.session) request.connected(this.session);
    return request;
  }

  /** The topics that match a pattern. */
  async topics(pattern = "#"): Promise<TopicInfo[]> {
    new Pattern(pattern);
    if (!this.session) throw this.#lostError("list topics at", "it is not connected");
    return await this.#listings.ask(this.session, this.#nextId++, pattern);
  }

  /**
   * Forgets a subscription.
   *
   * @internal
   */
  remove(subscription: Subscription): void {
    this.#subscriptions.delete(subscription.id);
  }

  /**
   * Forgets a route.
   *
   * @internal
   */
  removeRoute(route: DatagramRoute): void {
    this.#routes.delete(route.id);
  }

  /** Ends the link. What the publisher still has is not waited for: see {@linkcode Publisher.flush}. */
  async close(): Promise<void> {
    this.#ended = true;
    this.#session?.close(Code.done);
    this.#stop.abort();
    if (!this.#opened) this.#end(null);
    await this.closed;
  }

  /** As {@linkcode close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  readonly #abort = (): void => {
    this.close();
  };

  /** Connects again and again until the link ends; returns the error that ended it. */
  async #run(connected: () => void): Promise<Error | null> {
    for (;;) {
      const { code, why, error } = await this.#connect(connected);
      if (this.#ended) return null;
      if (!this.#everConnected || this.#options.reconnect === false || final.has(code)) return error;
      const pause = this.#reconnect.pause();
      // Messages that are published long after the loss are tried for as long as those that were there.
      if (!this.publishing && this.#options.giveUpAfter === undefined) this.#reconnect.excuse();
      if (this.#reconnect.elapsed + pause > this.#giveUpAfter()) return this.#givenUp(why);
      this.#options.onEvent?.({ kind: "lost", code, why, retryIn: pause });
      if (!await sleep(this.#options.platform, pause, this.#stop.signal)) return null;
    }
  }

  #giveUpAfter(): number {
    return this.#options.giveUpAfter ?? (this.publishing ? giveUpAfter : Infinity);
  }

  #givenUp(why: string): TransportError {
    const { pending } = this.publisher;
    const unacknowledged = pending === 0 ? "" : `: ${pending} messages are not acknowledged`;
    return new TransportError(`reach ${this.endpoint} again`, this.endpoint, `${why}${unacknowledged}`);
  }

  /** Makes one connection and stays with it until it is lost; returns why. */
  async #connect(connected: () => void): Promise<Loss> {
    const { dial } = this.#options;
    try {
      const connection = await dial(this.endpoint, this.#stop.signal);
      const session = this.#greet(connection, connected);
      this.#session = session;
      this.#remote = connection.remote;
      if (this.#ended) session.close(Code.done);
      const cancel = this.#tick(session);
      try {
        await new Driver(session, connection).run();
      } finally {
        cancel();
        this.#session = null;
      }
      const why = session.why || codeText(session.code);
      return { code: session.code, why, error: this.#errorOf(session.code, why) };
    } catch (error) {
      if (error instanceof TransportError) return { code: Code.connectionLost, why: error.message, error };
      if (error instanceof ProtocolError) return { code: error.code, why: error.message, error };
      // A wrong endpoint, or a bug of ours: trying again would not help.
      return { code: Code.protocol, why: "", error: error as Error };
    }
  }

  /** @throws {ProtocolError} `input-memory`, when what was received and not read takes all there is */
  #greet(connection: Connection, connected: () => void): ClientSession {
    const events = this.#events(connected);
    try {
      return new ClientSession(
        this.#options.platform,
        this.pool,
        this.#inputs,
        defaultLimits,
        this.#id,
        agent,
        events,
        this.#options.credentials,
      );
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  /** What the end of a session means to those who use the link. */
  #errorOf(code: Code, why: string): Error {
    if (!this.#everConnected && code === Code.notStream) {
      const hint = why.includes("TLS") ? why : "is the port right?";
      return this.#lostError("connect to", `what answers there does not speak the stream protocol: ${hint}`);
    }
    if (!this.#everConnected && code === Code.version) return this.#lostError("connect to", why);
    const refused = refusals.has(code) || code === Code.connections && !this.#everConnected;
    if (final.has(code) && !refused) return new ProtocolError(code, why);
    if (refused) {
      const attempted = this.#everConnected ? "keep the connection to" : "connect to";
      return new RefusedError(`${attempted} ${this.endpoint}`, code, why);
    }
    return this.#lostError(this.#everConnected ? "keep the connection to" : "connect to", why);
  }

  #lostError(attempted: string, why: string): TransportError {
    return new TransportError(`${attempted} ${this.endpoint}`, this.endpoint, why);
  }

  #tick(session: ClientSession): () => void {
    const { platform } = this.#options;
    let cancel = () => {};
    const again = () => {
      session.tick(platform.now());
      this.pool.trim();
      cancel = platform.after(tickInterval, again);
    };
    cancel = platform.after(tickInterval, again);
    return () => cancel();
  }

  #end(error: Error | null): void {
    this.#ended = true;
    this.#options.signal?.removeEventListener("abort", this.#abort);
    const closed = new TransportError(`use ${this.endpoint}`, this.endpoint, "the link is closed");
    this.publisher.fail(error ?? closed);
    for (const subscription of [...this.#subscriptions.values()]) subscription.fail(error);
    this.#subscriptions.clear();
    for (const route of this.#routes.values()) route.fail(error);
    this.#routes.clear();
    for (const request of this.#keyRequests.values()) request.fail(error);
    this.#keyRequests.clear();
    this.#listings.fail(error ?? closed);
    this.#closed.resolve(error);
  }

  #greeted(welcome: Welcome, connected: () => void): void {
    const session = this.#session!;
    const again = this.#everConnected;
    this.#welcome = welcome;
    this.#maxMessage = welcome.maxMessage;
    this.#everConnected = true;
    this.#reconnect.connected();
    this.#options.onEvent?.({ kind: "connected", endpoint: this.endpoint, again });
    if (welcome.closed !== Code.done) {
      this.#options.onEvent?.({ kind: "told", code: welcome.closed, why: welcome.why });
    }
    this.publisher.connected(session, welcome);
    for (const subscription of this.#subscriptions.values()) subscription.connected(session, welcome.epoch);
    for (const route of this.#routes.values()) route.connected(session, welcome.epoch);
    for (const request of this.#keyRequests.values()) request.connected(session);
    connected();
  }

  #lost(code: Code, why: string): void {
    if (this.#welcome === null) return;
    this.#welcome = null;
    this.publisher.lost(this.#lostError("publish to", why || codeText(code)));
    for (const subscription of [...this.#subscriptions.values()]) subscription.lost();
    this.#listings.fail(this.#lostError("list topics at", why || codeText(code)));
  }

  #failed({ request, kind, code, why }: ValuesOf<typeof failed>): void {
    if (kind === FrameType.declare) this.publisher.failed(request, code, why);
    else if (kind === FrameType.subscribe) this.#subscriptions.get(request)?.failed(code, why);
    else if (kind === FrameType.datagrams) this.#routes.get(request)?.failed(code, why);
    else if (kind === FrameType.list) this.#listings.failed(request, code, why);
    else if (kind === FrameType.keys) this.#keyRequests.get(request)?.failed(code, why);
  }

  #events(connected: () => void): ClientEvents {
    const { publisher } = this;
    const subscriptions = this.#subscriptions;
    return {
      welcome: (welcome) => this.#greeted(welcome, connected),
      declared: (values) => publisher.declared(values),
      failed: (values) => this.#failed(values),
      acknowledged: (topic, number) => {
        this.#reconnect.useful();
        publisher.acknowledged(topic, number);
      },
      refused: (values) => publisher.refusedFrame(values),
      subscribed: (values) => subscriptions.get(values.subscription)?.subscribed(values),
      announced: (values) => subscriptions.get(values.subscription)?.announced(values),
      gap: (values) => subscriptions.get(values.subscription)?.gap(values),
      unsubscribed: (id) => subscriptions.get(id)?.left(),
      listed: (values) => this.#listings.listed(values),
      routed: (values) => this.#routes.get(values.subscription)?.routed(values),
      keysTold: (values) => this.#keyRequests.get(values.request)?.told(values),
      messages: (id: number, reader: FrameReader) => {
        this.#reconnect.useful();
        subscriptions.get(id)?.frame(reader);
      },
      turn: () => {
        publisher.turn();
        for (const subscription of subscriptions.values()) subscription.turn();
      },
      quiet: () => publisher.quiet(),
      draining: () => {
        publisher.draining();
        this.#options.onEvent?.({ kind: "told", code: Code.draining, why: codeText(Code.draining) });
      },
      ended: (code, why) => this.#lost(code, why),
    };
  }
}
