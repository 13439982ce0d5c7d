/** A server in a world of its own: a clock that only tests move, and peers that speak to it in frames or in any bytes. */

import { setImmediate } from "node:timers";
import { assertEquals } from "@std/assert";
import { BodyReader } from "../../core/body_reader.ts";
import { readU64 } from "../../core/bytes.ts";
import { codeName } from "../../core/codes.ts";
import type { Connection } from "../../core/connection.ts";
import {
  type Control,
  controls,
  declare,
  type Fields,
  hello,
  ping,
  Policy,
  preamble,
  type subscribe,
  type Values,
} from "../../core/control.ts";
import type { Address } from "../../core/datagram_port.ts";
import { TransportError } from "../../core/errors.ts";
import { at, FrameType } from "../../core/frame.ts";
import { FrameWriter } from "../../core/frame_writer.ts";
import { findMessages } from "../../core/payload.ts";
import { Server, type ServerEvent, type ServerOptions } from "../../core/server.ts";
import { concat, type FrameParts, framesIn, messagesFrame, viewOf, VirtualPlatform } from "./fixtures.ts";

/** Lets everything happen that needs no time. */
export function turn(): Promise<void> {
  // A task of its own: all microtasks run before it.
  return new Promise((resolve) => setImmediate(resolve));
}

/** A virtual platform for what is asynchronous: its turns are the runtime's. */
export class World extends VirtualPlatform {
  readonly #dues: number[] = [];

  override soon(callback: () => void): void {
    queueMicrotask(callback);
  }

  override after(delay: number, callback: () => void): () => void {
    const due = this.now() + delay;
    this.#dues.push(due);
    const gone = () => {
      const index = this.#dues.indexOf(due);
      if (index >= 0) this.#dues.splice(index, 1);
    };
    const cancel = super.after(delay, () => {
      gone();
      callback();
    });
    return () => {
      gone();
      cancel();
    };
  }

  /** Moves the clock on, timer by timer, with all that follows from each. */
  async run(milliseconds: number): Promise<void> {
    const until = this.now() + milliseconds;
    await turn();
    for (;;) {
      const due = Math.min(...this.#dues);
      if (due > until) break;
      this.advance(Math.max(0, due - this.now()));
      await turn();
    }
    this.advance(until - this.now());
    await turn();
  }

  /** Moves the clock on until something holds, at most so long. */
  async until(what: () => boolean, most = 600_000): Promise<void> {
    const last = this.now() + most;
    await turn();
    while (!what()) {
      const due = Math.min(...this.#dues);
      if (due > last) throw new Error(`it did not come about within ${most} ms: ${what}`);
      this.advance(Math.max(0, due - this.now()));
      await turn();
    }
  }

  /** Waits for a promise while the clock moves on. */
  async wait<T>(promise: Promise<T>, most?: number): Promise<T> {
    let done = false;
    const settled = () => done = true;
    promise.then(settled, settled);
    await this.until(() => done, most);
    return promise;
  }
}

/** A frame as the tests look at it: its name and values, or its messages as text. */
export type Seen = Record<string, unknown> & { readonly frame: string };

const readers = new Map(controls.map((control) => [control.type, control]));
const decoder = new TextDecoder();

/** What a whole frame says. */
export function seen(bytes: Uint8Array): Seen {
  const view = viewOf(bytes);
  const type = view.getUint8(at.type);
  const header = view.getUint8(at.header);
  if (type !== FrameType.messages) {
    const control = readers.get(type)!;
    return { frame: control.name, ...control.read(new BodyReader().open(bytes, view, header, bytes.length)) };
  }
  const count = view.getUint16(at.count, true);
  const bounds = new Uint32Array(2 * count);
  const start = header + view.getUint16(at.extension, true);
  const whole = findMessages(bytes, start, bytes.length, count, bounds);
  return {
    frame: "MESSAGES",
    topic: view.getUint32(at.topic, true),
    sequence: readU64(view, at.sequence),
    count,
    messages: whole
      ? Array.from({ length: count }, (_, i) => decoder.decode(bytes.subarray(bounds[2 * i], bounds[2 * i + 1])))
      : null,
  };
}

/** The bytes of a control frame. */
export function controlFrame<F extends Fields>(control: Control<F>, values: Values<F>): Uint8Array {
  const writer = new FrameWriter();
  control.write(writer, values);
  return writer.bytes();
}

/** A frame of messages of these texts. */
export function textFrame(texts: readonly string[], parts: FrameParts = {}): Uint8Array {
  return messagesFrame(texts.map((text) => new TextEncoder().encode(text)), parts);
}

/** An id of 128 bits in hexadecimal. */
export function idOf(number: number): string {
  return number.toString(16).padStart(32, "0");
}

/** What a SUBSCRIBE says unless a test says otherwise. */
export const subscribing: Values<typeof subscribe.fields> = {
  subscription: 1,
  policy: Policy.server,
  start: 1,
  value: 0,
  epoch: idOf(0),
  patterns: [{ pattern: "#" }],
};

/** Where connections to the server of a test go. */
export const serverAddress = addressOf("192.0.2.1", 7070);

export function addressOf(host: string, port: number): Address {
  return { host, port, text: `${host}:${port}` };
}

/** The other end of a connection to a server, byte by byte. It accepts as many bytes as its `window` says. */
export class Peer {
  /** Bytes that it still accepts. */
  window = Infinity;
  /** Whether the server has closed the connection, or its side of it. */
  closed = false;
  ended = false;
  /** Whole frames that came, and were not taken yet. */
  readonly #bytes: Uint8Array[] = [];
  #greeted = false;
  #incoming: Uint8Array[] = [];
  #incomingEnded = false;
  #fault: TransportError | null = null;
  #wakeRead: () => void = () => {};
  #wakeWrite: () => void = () => {};

  /** The server's end. */
  readonly connection: Connection;

  constructor(name: string) {
    this.connection = {
      peer: name,
      local: serverAddress,
      read: (into) => this.#read(into),
      write: (bytes) => this.#write(bytes),
      closeWrite: () => {
        this.ended = true;
        return Promise.resolve();
      },
      close: () => this.#close(),
      [Symbol.dispose]: () => this.#close(),
    };
  }

  /** Sends bytes, and lets all happen that follows. */
  async send(...parts: Uint8Array[]): Promise<void> {
    this.push(...parts);
    await turn();
  }

  /** Sends bytes. */
  push(...parts: Uint8Array[]): void {
    for (const part of parts) if (part.length > 0) this.#incoming.push(part.slice());
    this.#wakeRead();
  }

  /** Sends one control frame. */
  request<F extends Fields>(control: Control<F>, values: Values<F>): Promise<void> {
    return this.send(controlFrame(control, values));
  }

  /** Ends its side of the connection. */
  async end(): Promise<void> {
    this.#incomingEnded = true;
    this.#wakeRead();
    await turn();
  }

  /** Breaks the connection. */
  async reset(): Promise<void> {
    this.#fault = new TransportError("read from the test", "test", "the other end reset the connection");
    this.#wakeRead();
    this.#wakeWrite();
    await turn();
  }

  /** Accepts so many bytes more. */
  async accept(bytes: number): Promise<void> {
    this.window += bytes;
    this.#wakeWrite();
    await turn();
  }

  /** The bytes that came since the last look. */
  bytes(): Uint8Array {
    return concat(this.#bytes.splice(0));
  }

  /** The frames that came since the last look. */
  frames(): Seen[] {
    let bytes = this.bytes();
    if (!this.#greeted && bytes.length > 0) {
      assertEquals(bytes.subarray(0, preamble.length), preamble);
      this.#greeted = true;
      bytes = bytes.subarray(preamble.length);
    }
    return framesIn(bytes).map(seen);
  }

  /** The frames of one name that came since the last look. */
  named(name: string): Seen[] {
    return this.frames().filter(({ frame }) => frame === name);
  }

  /** The names of the frames that came since the last look. */
  names(): string[] {
    return this.frames().map(({ frame }) => frame);
  }

  /** Asks for the acknowledgements that are due; returns the frames that came since the last look, but for the PONG. */
  async asked(): Promise<Seen[]> {
    await this.request(ping, { token: 99 });
    const frames = this.frames();
    const pong = frames.findIndex(({ frame, token }) => frame === "PONG" && token === 99);
    if (pong < 0) throw new Error("PING was not answered");
    frames.splice(pong, 1);
    return frames;
  }

  /** The texts that came since the last look. */
  texts(): string[] {
    return this.named("MESSAGES").flatMap(({ messages }) => messages as string[]);
  }

  /** How the server said that it closed the session, by name. */
  reason(): string | null {
    const [close] = this.named("CLOSE");
    return close === undefined ? null : codeName(close.code as number);
  }

  async #read(into: Uint8Array): Promise<number | null> {
    for (;;) {
      if (this.#fault !== null) throw this.#fault;
      const [first] = this.#incoming;
      if (first !== undefined) {
        const part = first.subarray(0, into.length);
        into.set(part);
        if (part.length === first.length) this.#incoming.shift();
        else this.#incoming[0] = first.subarray(part.length);
        return part.length;
      }
      if (this.#incomingEnded) return null;
      await new Promise<void>((resolve) => this.#wakeRead = resolve);
    }
  }

  async #write(bytes: Uint8Array): Promise<number> {
    for (;;) {
      if (this.#fault !== null) throw this.#fault;
      if (this.window > 0) break;
      await new Promise<void>((resolve) => this.#wakeWrite = resolve);
    }
    const part = bytes.slice(0, Math.min(bytes.length, this.window));
    this.window -= part.length;
    this.#bytes.push(part);
    return part.length;
  }

  #close(): void {
    this.closed = this.ended = true;
    this.#fault ??= new TransportError("use the connection", "test", "it was closed here");
    this.#wakeRead();
    this.#wakeWrite();
  }
}

/** A server, its world and what happened to it. */
export class TestServer implements AsyncDisposable {
  readonly world: World;
  readonly server: Server;
  readonly events: ServerEvent[] = [];
  #peers = 0;

  constructor(options: Omit<Partial<ServerOptions>, "platform"> = {}, world: World = new World()) {
    this.world = world;
    this.server = new Server({ ...options, platform: this.world, onEvent: (event) => this.events.push(event) });
  }

  /** A peer that has not said anything. */
  connect(): Peer {
    const peer = new Peer(`peer ${++this.#peers}`);
    this.server.accept(peer.connection);
    return peer;
  }

  /** A peer that was greeted. */
  async peer(id: number = 1000 + this.#peers): Promise<Peer> {
    const peer = this.connect();
    await peer.send(
      preamble,
      controlFrame(hello, { features: 0, session: idOf(id), agent: "test", user: "", secret: "" }),
    );
    return peer;
  }

  /** A peer that was greeted, past its WELCOME. */
  async greeted(id?: number): Promise<Peer> {
    const peer = await this.peer(id);
    assertEquals(peer.names(), ["WELCOME"]);
    return peer;
  }

  /** How often sessions ended for a reason. */
  closes(name: string): number {
    return this.server.closes.get(name) ?? 0;
  }

  /** Closes the server, and checks that nothing stays behind. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.server.close();
    await turn();
    const bug = this.events.find((event) => event.kind === "bug");
    if (bug?.kind === "bug") throw bug.error;
    assertEquals(this.server.connections, 0, "sessions stay behind");
    const { topics } = this.server;
    assertEquals(topics.inputs.used, 0, "memory for input stays behind");
    assertEquals(this.world.timers, 0, "timers stay behind");
    assertEquals(topics.blocked.size, 0, "topics stay blocked");
    for (let id = 1, left = topics.size; left > 0; id++) {
      const topic = topics.byId(id);
      if (topic === undefined) continue;
      left--;
      assertEquals(topic.guarded.length, 0, "a guarded reader stays behind");
      assertEquals(topic.waiting.length, 0, "a reader stays behind");
      assertEquals(topic.readers, 0, "readers stay behind");
      assertEquals(topic.held.length, 0, "a held frame stays behind");
      for (const { sessions } of topic.publishers.values()) assertEquals(sessions, 0, "a publisher stays behind");
      topic.log.clear();
    }
    topics.pool.trim(0);
    assertEquals(topics.pool.budget.used, 0, "segments stay behind");
  }
}

/** A publisher of texts, a frame each. */
export class Texts {
  readonly peer: Peer;
  readonly #topics = new Map<string, { id: number; number: number }>();

  constructor(peer: Peer) {
    this.peer = peer;
  }

  async publish(topic: string, ...texts: string[]): Promise<void> {
    let known = this.#topics.get(topic);
    if (!known) {
      await this.peer.request(declare, { request: 1, first: 0, topic });
      known = { id: this.peer.named("DECLARED")[0]!.topic as number, number: 1 };
      this.#topics.set(topic, known);
    }
    for (const text of texts) await this.peer.send(textFrame([text], { topic: known.id, number: known.number++ }));
  }
}

export async function publisher(test: TestServer, id?: number): Promise<Texts> {
  return new Texts(await test.greeted(id));
}
