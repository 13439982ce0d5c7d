/** Links to a test server: connections in memory that are cut where a test says. */

import type { Connection } from "../../core/connection.ts";
import { preamble, welcome } from "../../core/control.ts";
import { TransportError } from "../../core/errors.ts";
import { Link, type LinkEvent, type LinkOptions } from "../../core/link.ts";
import type { SubscriptionEvent } from "../../core/events.ts";
import { type MemoryOptions, memoryPair } from "../../transports/memory.ts";
import { controlFrame, idOf, Peer, serverAddress, type TestServer, turn, type World } from "./world.ts";

/** How one connection behaves: it is cut once so many bytes were read, or written, at the client's end. */
export interface Cut extends MemoryOptions {
  readonly read?: number;
  readonly written?: number;
}

/** The client's end of a connection, counting. */
class CutConnection implements Connection {
  readonly peer: string;
  readonly remote = serverAddress;
  readonly #inner: Connection;
  readonly #gone: () => void;
  #toRead: number;
  #toWrite: number;

  constructor(inner: Connection, { read = Infinity, written = Infinity }: Cut, gone: () => void) {
    this.peer = inner.peer;
    this.#inner = inner;
    this.#toRead = read;
    this.#toWrite = written;
    this.#gone = gone;
  }

  async read(into: Uint8Array): Promise<number | null> {
    const count = await this.#inner.read(into.subarray(0, Math.max(1, Math.min(into.length, this.#toRead))));
    if (count !== null) this.#toRead -= count;
    if (this.#toRead <= 0) this.#cut();
    return count;
  }

  async write(bytes: Uint8Array): Promise<number> {
    const count = await this.#inner.write(bytes.subarray(0, Math.max(1, Math.min(bytes.length, this.#toWrite))));
    this.#toWrite -= count;
    if (this.#toWrite <= 0) this.#cut();
    return count;
  }

  closeWrite(): Promise<void> {
    return this.#inner.closeWrite();
  }

  close(): void {
    this.#gone();
    this.#inner.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** What was written still arrives; nothing else does. */
  #cut(): void {
    this.#gone();
    this.#inner.close();
  }
}

/** Dials a test server. */
export class Network {
  readonly test: TestServer;
  /** How the next connections behave, in turn; those after them as {@linkcode usual}. */
  cuts: Cut[] = [];
  usual: Cut = {};
  /** Whether nobody answers. */
  down = false;
  /** Connections that were asked for. */
  dialled = 0;
  readonly #open = new Set<Connection>();
  /** Where the connections go. */
  target: TestServer;

  constructor(test: TestServer) {
    this.test = this.target = test;
  }

  get world(): World {
    return this.test.world;
  }

  /** Connections that are open. */
  get open(): number {
    return this.#open.size;
  }

  readonly dial = (endpoint: string, signal?: AbortSignal): Promise<Connection> => {
    this.dialled++;
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.down) return Promise.reject(new TransportError(`connect to ${endpoint}`, endpoint, "connection refused"));
    const cut = this.cuts.shift() ?? this.usual;
    const [here, there] = memoryPair(cut, `c${this.dialled}`);
    this.target.server.accept(Object.assign(there, { local: serverAddress }));
    const connection: Connection = new CutConnection(here, cut, () => this.#open.delete(connection));
    this.#open.add(connection);
    if (cut.read === 0 || cut.written === 0) connection.close();
    return Promise.resolve(connection);
  };

  /** Cuts every connection. */
  async cut(): Promise<void> {
    for (const connection of this.#open) connection.close();
    await turn();
  }

  /** A link that is not open. */
  link(options: Partial<LinkOptions> = {}): { link: Link; events: LinkEvent[] } {
    const events: LinkEvent[] = [];
    const link = new Link("memory://test", {
      dial: this.dial,
      platform: this.world,
      onEvent: (event) => events.push(event),
      ...options,
    });
    return { link, events };
  }

  /** A link that is open. */
  async connect(options: Partial<LinkOptions> = {}): Promise<{ link: Link; events: LinkEvent[] }> {
    const made = this.link(options);
    await this.world.wait(made.link.open());
    return made;
  }

  /** Closes links while the clock moves on. */
  async close(...links: Link[]): Promise<void> {
    await this.world.wait(Promise.all(links.map((link) => link.close())));
  }
}

/** A server that is played by the test: it says what it wants to, frame by frame. */
export class PlayedServer {
  readonly peers: Peer[] = [];

  readonly dial = (): Promise<Connection> => {
    const peer = new Peer(`server ${this.peers.length + 1}`);
    this.peers.push(peer);
    return Promise.resolve(peer.connection);
  };

  /** Opens a link to it, and forgets what that brought. */
  async open(platform: World, options: Partial<LinkOptions> = {}): Promise<Link> {
    const link = new Link("memory://played", { dial: this.dial, platform, ...options });
    const opening = link.open();
    await turn();
    await this.welcome();
    await opening;
    this.peer.frames();
    return link;
  }

  /** The newest connection. */
  get peer(): Peer {
    return this.peers.at(-1)!;
  }

  /** Greets. */
  async welcome(change: Partial<Parameters<typeof welcome.write>[1]> = {}): Promise<void> {
    await this.peer.send(preamble, welcomeFrame(change));
  }
}

export function welcomeFrame(change: Partial<Parameters<typeof welcome.write>[1]> = {}): Uint8Array {
  return controlFrame(welcome, {
    features: 0,
    epoch: idOf(99),
    time: 0,
    maxMessage: 1024 * 1024,
    ownMessage: change.maxMessage ?? 1024 * 1024,
    connectionCredit: 16 * 1024 * 1024,
    idleTimeout: 45_000,
    closed: 0,
    why: "",
    agent: "played",
    ...change,
  });
}

/** What went wrong first, where a disposal that found something too has hidden it. */
export function firstError(error: unknown): unknown {
  return error instanceof SuppressedError ? firstError(error.suppressed) : error;
}

/** Collects what happens to a subscription, as lines: `topic sequence text`, `topic first-last reason`, `restarted`. */
export function collect(events: AsyncIterable<SubscriptionEvent>): { lines: string[]; done: Promise<void> } {
  const lines: string[] = [];
  const decoder = new TextDecoder();
  const read = async () => {
    for await (const event of events) {
      if (event.kind === "gap") lines.push(`${event.topic} ${event.first}-${event.last} ${event.reason}`);
      else if (event.kind === "restarted") lines.push("restarted");
      else {
        for (let i = 0; i < event.count; i++) {
          lines.push(`${event.topic} ${event.sequence + i} ${decoder.decode(event.payload(i))}`);
        }
      }
    }
  };
  return { lines, done: read() };
}
