/**
 * A server: topics, and the sessions of all who publish and subscribe to them.
 *
 * @module
 */

import { AckQueue } from "./acknowledgements.ts";
import { networkOf } from "./attempts.ts";
import { type Authority, openToEverybody } from "./authority.ts";
import { Code, codeName, isKnown } from "./codes.ts";
import type { Connection, Listener, Platform, Rejection } from "./connection.ts";
import { Policy } from "./control.ts";
import { DatagramHub } from "./datagram_hub.ts";
import type { Address, OpenDatagrams } from "./datagram_port.ts";
import { Driver } from "./driver.ts";
import { defaultLimits, type ServerLimits } from "./limits.ts";
import { agent } from "./session.ts";
import type { KeyedGroup } from "./server_keys.ts";
import { ServerSession, type Sessions } from "./server_session.ts";
import { Topics } from "./topics.ts";
import { type Usage, Usages } from "./usage.ts";

/** What happens when retention overtakes a subscription; see docs/PROTOCOL.md. */
export type LagPolicy = "skip" | "disconnect" | "wait";

/** Something an operator may want to know. */
export type ServerEvent =
  | { readonly kind: "opened"; readonly peer: string; readonly agent: string; readonly user: string }
  | { readonly kind: "closed"; readonly peer: string; readonly code: Code; readonly why: string }
  | { readonly kind: "rejected"; readonly peer: string; readonly code: Code; readonly why: string }
  | { readonly kind: "bug"; readonly peer: string; readonly error: unknown };

/** How a server is made. */
export interface ServerOptions {
  /** Checksums, randomness and clocks. */
  readonly platform: Platform;
  /** What differs from {@linkcode defaultLimits}. */
  readonly limits?: Partial<ServerLimits>;
  /** Knows the users; without it everybody may do everything. */
  readonly authority?: Authority;
  /** The policy of subscriptions that ask for none: `skip` unless given. */
  readonly lagPolicy?: LagPolicy;
  /** Told of events as they happen. */
  readonly onEvent?: (event: ServerEvent) => void;
  /** Opens the ports that subscriptions are delivered from by datagrams; without it there are none. */
  readonly openDatagrams?: OpenDatagrams;
  /**
   * How fast those go to each subscriber that is connected to an address, in bytes a second; 12.5 million (100 Mbit/s)
   * unless given.
   */
  readonly datagramRate?: (at: Address) => number;
  /** Makes memory for the logs; a `SharedArrayBuffer` serves as well. */
  readonly allocate?: (size: number) => ArrayBufferLike;
}

/** How fast datagrams go unless that is given, in bytes a second. */
const defaultRate = 12_500_000;
/** How often the clock is looked at, in milliseconds. */
const tickInterval = 250;
/** How long those that were not drained in time may take to hear of it, in milliseconds. */
const farewell = 1_000;
/** How often what is unused is forgotten, in milliseconds. */
const sweepInterval = 10_000;
/** The most refused connections that are told why at the same time; others are just closed. */
const mostRefused = 256;
/** The most close reasons and penalties that are remembered. */
const mostRemembered = 10_000;
/** Ends that are not told to who comes back: the ordinary ones, and what it did itself by coming back. */
const unremembered: ReadonlySet<Code> = new Set([Code.done, Code.connectionLost, Code.replaced]);

/**
 * A server. It listens where it is told to, and needs no other I/O.
 *
 * @example
 * ```ts
 * import { Server } from "../core/server.ts";
 * import { memoryListener } from "../transports/memory.ts";
 * import { platform } from "../transports/platform.ts";
 *
 * using listener = memoryListener();
 * await using server = new Server({ platform });
 * const serving = server.serve(listener);
 * await server.drain(1_000);
 * await serving;
 * ```
 */
export class Server implements AsyncDisposable {
  /**
   * Its topics, and the memory they share.
   *
   * @internal
   */
  readonly topics: Topics;
  /** How many sessions ended for which reason, by name. */
  readonly closes: Map<string, number> = new Map();
  readonly #platform: Platform;
  readonly #onEvent: (event: ServerEvent) => void;
  readonly #sessions = new Map<ServerSession, string>();
  readonly #byId = new Map<string, ServerSession>();
  readonly #ended = new Map<string, { code: Code; why: string; until: number }>();
  readonly #penalties = new Map<string, number>();
  readonly #authority: Authority;
  /** What users take, and what addresses do. */
  readonly #users = new Usages();
  readonly #addresses = new Usages();
  readonly #groups = new Map<string, KeyedGroup>();
  readonly #listeners = new Set<Listener>();
  readonly #ackQueue: AckQueue;
  readonly #hub: DatagramHub | null;
  #cancelTick: () => void = () => {};
  readonly #shared: Sessions;
  #refused = 0;
  #draining = false;
  #closed = false;
  #nextSweep = 0;
  #idle: (() => void) | null = null;

  /** Makes a server that listens nowhere yet. */
  constructor(options: ServerOptions) {
    this.#platform = options.platform;
    this.#onEvent = options.onEvent ?? (() => {});
    this.topics = new Topics(options.platform, { ...defaultLimits, ...options.limits }, options.allocate);
    this.topics.closeOldestPin = () => this.#closeOldestPin();
    this.#ackQueue = new AckQueue(options.platform);
    this.#authority = options.authority ?? openToEverybody;
    const { openDatagrams: open, datagramRate: rate = () => defaultRate } = options;
    const onBug = (at: Address, error: unknown) => this.#onEvent({ kind: "bug", peer: at.text, error });
    this.#hub = open === undefined ? null : new DatagramHub(options.platform, this.topics, { open, rate, onBug });
    this.#shared = {
      hub: this.#hub,
      agent,
      ackQueue: this.#ackQueue,
      authority: this.#authority,
      groups: this.#groups,
      defaultPolicy: Policy[options.lagPolicy ?? "skip"],
      admit: (session) => this.#admit(session),
      released: (session) => this.#released(session),
      penalise: (id) => this.#remember(this.#penalties, id, this.#platform.now() + this.topics.limits.waitPenalty),
      penalised: (id) => (this.#penalties.get(id) ?? 0) > this.#platform.now(),
    };
    this.#scheduleTick();
  }

  /** Connections in number, those that are refused not counted. */
  get connections(): number {
    return this.#sessions.size - this.#refused;
  }

  /** Accepts connections until the listener is closed, by the caller, {@linkcode drain} or {@linkcode close}. */
  async serve(listener: Listener): Promise<void> {
    if (this.#draining) listener.close();
    this.#listeners.add(listener);
    try {
      for (;;) {
        const connection = await listener.accept();
        if (connection === null) return;
        this.accept(connection);
      }
    } finally {
      this.#listeners.delete(listener);
    }
  }

  /** Serves one connection. */
  accept(connection: Connection): void {
    const usage = this.#arrived(connection);
    const refused = this.#refusal(connection, usage);
    if (this.#closed || refused !== null && this.#refused >= mostRefused) {
      usage?.leave(this.#platform.now());
      connection.close();
      return;
    }
    let session: ServerSession;
    try {
      const { local: at, user = null, encrypted = false } = connection;
      const peer = { at, address: addressOf(connection), certified: user, encrypted };
      session = new ServerSession(this.#platform, this.topics, this.#shared, peer);
    } catch {
      // Not even memory for an idle read: there is nobody yet to tell.
      this.#count(Code.inputMemory);
      usage?.leave(this.#platform.now());
      connection.close();
      return;
    }
    if (usage !== null) session.allowance.share(usage);
    const driver = new Driver(session, connection);
    this.#sessions.set(session, connection.peer);
    if (refused !== null) {
      this.#refused++;
      session.close(refused.code, refused.why);
    } else if (this.#draining) {
      session.close(Code.draining);
    }
    driver.run()
      .catch((error) => this.#onEvent({ kind: "bug", peer: connection.peer, error }))
      .finally(() => {
        if (refused !== null) this.#refused--;
        this.#sessions.delete(session);
        if (this.#sessions.size === 0) this.#idle?.();
      });
  }

  /** Looks again at everybody who is in: what they may do, or what their authority says of them, has changed. */
  revise(): void {
    const now = this.#platform.now();
    this.#addresses.limit(this.#authority.addressLimits, now);
    for (const session of [...this.#sessions.keys()]) {
      if (session.id === "") continue;
      const account = this.#authority.again(session.account);
      if (account !== null) this.#users.get(account.name)?.limit(account.limits, now);
      session.revise(account);
    }
  }

  /**
   * Tells the keys of a multicast group to whom may read all that it carries, over connections that are encrypted.
   *
   * @internal
   * @param group its address: `239.255.70.70:7071`
   * @returns what is to be called when the keys have changed
   */
  offerKeys(group: string, keyed: KeyedGroup): () => void {
    this.#groups.set(group, keyed);
    return () => {
      for (const session of this.#sessions.keys()) session.keysChanged(group);
    };
  }

  /** Takes note of somebody who was not let in as far as here: that is told, and counted as other ends are. */
  reject({ peer, code, why }: Rejection & { readonly peer: string }): void {
    this.#count(code);
    this.#onEvent({ kind: "rejected", peer, code, why });
  }

  /**
   * Shuts down: stops accepting and appending, gives subscribers what is in the logs, then closes everything.
   *
   * @param timeout milliseconds after which the rest is closed with what it has
   */
  async drain(timeout: number): Promise<void> {
    this.#draining = true;
    for (const listener of this.#listeners) listener.close();
    for (const session of this.#sessions.keys()) session.drain(timeout);
    await this.#emptied(timeout);
    for (const session of this.#sessions.keys()) session.close(Code.draining);
    await this.#emptied(farewell);
    this.close();
  }

  /** Waits until no session is left, `timeout` milliseconds at most. */
  async #emptied(timeout: number): Promise<void> {
    if (this.#sessions.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#idle = resolve;
    const cancel = this.#platform.after(timeout, resolve);
    await promise;
    cancel();
  }

  /** Stops at once. */
  close(): void {
    this.#closed = true;
    this.#cancelTick();
    for (const listener of this.#listeners) listener.close();
    for (const session of [...this.#sessions.keys()]) {
      session.close(Code.draining);
      session.abort();
    }
    this.#ackQueue.close();
    this.#hub?.[Symbol.dispose]();
  }

  /** As {@linkcode close}. */
  // deno-lint-ignore require-await
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  #admit(session: ServerSession): { code: Code; why: string } | null {
    this.#byId.get(session.id)?.close(Code.replaced);
    const { account, agent } = session;
    if (this.#authority !== openToEverybody) {
      const usage = this.#users.enter(account.name, account.limits, this.#platform.now());
      session.allowance.share(usage);
      if (usage.connections > usage.limits.connections) {
        session.close(Code.connections, `${account.name} may have ${usage.limits.connections}`);
        return null;
      }
    }
    this.#byId.set(session.id, session);
    this.#onEvent({ kind: "opened", peer: this.#sessions.get(session) ?? "", agent, user: account.name });
    const ended = this.#ended.get(session.id);
    this.#ended.delete(session.id);
    return ended && ended.until > this.#platform.now() ? ended : null;
  }

  /** Counts a connection for its address; `null` where addresses are not limited. */
  #arrived(connection: Connection): Usage | null {
    if (this.#authority === openToEverybody) return null;
    const { addressLimits } = this.#authority;
    return this.#addresses.enter(networkOf(addressOf(connection)), addressLimits, this.#platform.now());
  }

  /** Why a connection is not served, if it is not. */
  #refusal({ rejected }: Connection, usage: Usage | null): Rejection | null {
    const most = this.topics.limits.connections;
    if (this.connections >= most) return { code: Code.connections, why: `the most is ${most}` };
    if (usage !== null && usage.connections > usage.limits.connections) {
      return { code: Code.connections, why: `the most from one address is ${usage.limits.connections}` };
    }
    return rejected ?? null;
  }

  #released(session: ServerSession): void {
    const { code, why, id, told } = session;
    this.#count(code);
    if (this.#byId.get(id) === session) this.#byId.delete(id);
    if (id !== "" && !told && !unremembered.has(code)) {
      this.#remember(this.#ended, id, { code, why, until: this.#platform.now() + this.topics.limits.forgetAfter });
    }
    const peer = this.#sessions.get(session);
    if (peer !== undefined) this.#onEvent({ kind: "closed", peer, code, why });
    // Its memory and its hold on the logs are free once this turn is over.
    this.#platform.soon(() => this.topics.retryHeld());
  }

  #count(code: Code): void {
    // A peer may say any code: those that this version does not know are counted as one.
    const name = isKnown(code) ? codeName(code) : "unknown";
    this.closes.set(name, (this.closes.get(name) ?? 0) + 1);
  }

  #scheduleTick(): void {
    this.#cancelTick = this.#platform.after(tickInterval, () => {
      this.#scheduleTick();
      this.#tick();
    });
  }

  #tick(): void {
    const now = this.#platform.now();
    for (const session of this.#sessions.keys()) session.tick(now);
    this.topics.tick(now);
    if (now < this.#nextSweep) return;
    this.#nextSweep = now + sweepInterval;
    this.topics.sweep(now);
    this.#users.sweep(now);
    this.#addresses.sweep(now);
    for (const [id, { until }] of this.#ended) if (until <= now) this.#ended.delete(id);
    for (const [id, until] of this.#penalties) if (until <= now) this.#penalties.delete(id);
  }

  /** Remembers something under an id; the oldest goes when there is too much. */
  #remember<V>(map: Map<string, V>, id: string, value: V): void {
    map.delete(id);
    map.set(id, value);
    if (map.size > mostRemembered) map.delete(map.keys().next().value!);
  }

  #closeOldestPin(): boolean {
    let oldest: ServerSession | null = null;
    for (const session of this.#sessions.keys()) {
      if (session.keepsDropped && session.lastProgress < (oldest?.lastProgress ?? Infinity)) oldest = session;
    }
    oldest?.abort(Code.memory);
    return oldest !== null;
  }
}

/** Where a connection comes from, without a port. */
function addressOf({ remote, peer }: Connection): string {
  return remote?.host ?? peer;
}
