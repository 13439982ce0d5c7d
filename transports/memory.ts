/**
 * Connections in memory: no sockets, no system buffers, every property chosen. For tests and simulations, and for a
 * server and its clients in one program.
 *
 * @module
 */

import type { Connection, Dial, Listener } from "../core/connection.ts";
import { TransportError } from "../core/errors.ts";

/** Runs a callback after a number of milliseconds, of whatever clock. */
export type After = (milliseconds: number, run: () => void) => void;

/** How a connection in memory behaves, in both directions alike. */
export interface MemoryOptions {
  /** Bytes that are taken before a write waits for the reader; 64 KiB unless given. */
  readonly capacity?: number;
  /** The most bytes a read gives at once, or what decides it from the number there are; no limit unless given. */
  readonly readChunk?: number | ((available: number) => number);
  /** The most bytes a write takes at once; no limit unless given. */
  readonly writeChunk?: number | ((free: number) => number);
  /** How long bytes travel, and the clock they travel by; no time at all unless given. */
  readonly delay?: { readonly milliseconds: number; readonly after: After };
  /** Once so many bytes have been read in one direction, both ends fail, as when a connection is reset. */
  readonly failAfter?: number;
}

const defaultCapacity = 65_536;

/**
 * Two connections, each the other's peer.
 *
 * @example
 * ```ts
 * import { memoryPair } from "../transports/memory.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const [here, there] = memoryPair({ readChunk: 2 });
 * await here.write(new Uint8Array([1, 2, 3]));
 * assertEquals(await there.read(new Uint8Array(16)), 2);
 * assertEquals(await there.read(new Uint8Array(16)), 1);
 * ```
 */
export function memoryPair(
  options: MemoryOptions = {},
  name = "memory",
): [dialled: Connection, accepted: Connection] {
  const out = new Pipe(options, `${name}:dialled`, `${name}:accepted`);
  const back = new Pipe(options, `${name}:accepted`, `${name}:dialled`);
  out.onLimit = back.onLimit = () => [out, back].forEach((pipe) => pipe.reset());
  return [new MemoryConnection(`${name}:accepted`, back, out), new MemoryConnection(`${name}:dialled`, out, back)];
}

/** What accepts connections in memory, and how to open them. */
export interface MemoryListener extends Listener {
  /** Opens a connection, which the next `accept` gives. The endpoint is not looked at. */
  readonly dial: Dial;
}

/** Listens in memory. Every connection has the properties given. */
export function memoryListener(options: MemoryOptions = {}, name = "memory"): MemoryListener {
  const arrived: Connection[] = [];
  const waiting: ((connection: Connection | null) => void)[] = [];
  let dialled = 0;
  let closed = false;
  const close = () => {
    closed = true;
    waiting.splice(0).forEach((resolve) => resolve(null));
    arrived.splice(0).forEach((connection) => connection.close());
  };
  return {
    endpoint: `memory://${name}`,
    dial(_endpoint, signal) {
      if (signal?.aborted) return Promise.reject(signal.reason);
      const endpoint = `memory://${name}`;
      if (closed) {
        return Promise.reject(
          new TransportError(`connect to ${endpoint}`, endpoint, "connection refused: it was closed"),
        );
      }
      const [here, there] = memoryPair(options, `${name}:${++dialled}`);
      const resolve = waiting.shift();
      if (resolve === undefined) arrived.push(there);
      else resolve(there);
      return Promise.resolve(here);
    },
    accept() {
      const first = arrived.shift();
      if (first !== undefined || closed) return Promise.resolve(first ?? null);
      return new Promise((resolve) => waiting.push(resolve));
    },
    close,
    [Symbol.dispose]: close,
  };
}

/** One direction: bytes written at one end and read at the other. */
class Pipe {
  onLimit: () => void = () => {};
  readonly #options: MemoryOptions;
  readonly #writer: string;
  readonly #reader: string;
  readonly #capacity: number;
  /** What has arrived, the oldest first. */
  readonly #arrived: Uint8Array[] = [];
  /** The sum of its lengths. */
  #available = 0;
  /** Bytes that were taken and not read yet: arrived or travelling. */
  #held = 0;
  /** Bytes that may be read before the connection fails. */
  #left: number;
  #ended = false;
  #readFault: string | null = null;
  #writeFault: string | null = null;
  #wakeReader = () => {};
  #wakeWriter = () => {};

  constructor(options: MemoryOptions, writer: string, reader: string) {
    this.#options = options;
    this.#writer = writer;
    this.#reader = reader;
    this.#capacity = options.capacity ?? defaultCapacity;
    this.#left = options.failAfter ?? Infinity;
  }

  async read(into: Uint8Array): Promise<number | null> {
    for (;;) {
      if (this.#readFault !== null) throw fault("read from", this.#writer, this.#readFault);
      if (this.#available > 0) break;
      if (this.#ended) return null;
      await new Promise<void>((resolve) => this.#wakeReader = resolve);
    }
    const limit = Math.min(into.length, this.#available, this.#left, chunkOf(this.#options.readChunk, this.#available));
    for (let count = 0; count < limit;) {
      const head = this.#arrived[0]!;
      const taken = head.subarray(0, limit - count);
      into.set(taken, count);
      count += taken.length;
      if (taken.length === head.length) this.#arrived.shift();
      else this.#arrived[0] = head.subarray(taken.length);
    }
    this.#available -= limit;
    this.#held -= limit;
    this.#left -= limit;
    this.#wakeWriter();
    if (this.#left === 0) this.onLimit();
    return limit;
  }

  async write(bytes: Uint8Array): Promise<number> {
    for (;;) {
      if (this.#writeFault !== null) throw fault("write to", this.#reader, this.#writeFault);
      if (this.#held < this.#capacity) break;
      await new Promise<void>((resolve) => this.#wakeWriter = resolve);
    }
    const free = this.#capacity - this.#held;
    const taken = bytes.slice(0, Math.min(free, chunkOf(this.#options.writeChunk, free)));
    this.#held += taken.length;
    this.#travel(() => {
      if (this.#readFault !== null) return;
      this.#arrived.push(taken);
      this.#available += taken.length;
      this.#wakeReader();
    });
    return taken.length;
  }

  /** Nothing more is written; what was written is still read, and then the end. */
  end(why: string): void {
    if (this.#writeFault !== null) return;
    this.#writeFault = why;
    this.#wakeWriter();
    this.#travel(() => {
      this.#ended = true;
      this.#wakeReader();
    });
  }

  /** Nothing more is read, and whoever writes learns of it. */
  abandon(): void {
    this.#fail("it was closed here", "the other end closed the connection");
  }

  /** Both ends fail, and what is under way is lost. */
  reset(): void {
    this.#fail("the other end reset the connection", "the other end reset the connection");
  }

  #fail(readFault: string, writeFault: string): void {
    this.#readFault ??= readFault;
    this.#writeFault ??= writeFault;
    this.#arrived.length = 0;
    this.#available = 0;
    this.#wakeReader();
    this.#wakeWriter();
  }

  #travel(arrive: () => void): void {
    const { delay } = this.#options;
    if (delay === undefined) arrive();
    else delay.after(delay.milliseconds, arrive);
  }
}

function fault(attempted: string, peer: string, why: string): TransportError {
  return new TransportError(`${attempted} ${peer}`, peer, why);
}

function chunkOf(chunk: number | ((there: number) => number) | undefined, there: number): number {
  return Math.max(1, typeof chunk === "function" ? chunk(there) : chunk ?? there);
}

class MemoryConnection implements Connection {
  readonly peer: string;
  readonly #in: Pipe;
  readonly #out: Pipe;

  constructor(peer: string, input: Pipe, output: Pipe) {
    this.peer = peer;
    this.#in = input;
    this.#out = output;
  }

  read(into: Uint8Array): Promise<number | null> {
    return this.#in.read(into);
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#out.write(bytes);
  }

  closeWrite(): Promise<void> {
    this.#out.end("its writing was ended here");
    return Promise.resolve();
  }

  close(): void {
    this.#out.end("it was closed here");
    this.#in.abandon();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
