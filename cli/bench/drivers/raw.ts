/**
 * Connections to servers of other kinds, on raw sockets: as little as possible stands between the load and the server.
 *
 * @module
 */

import { ProtocolError, TransportError } from "../../../core/errors.ts";
import { connectionFault, errorCode } from "../../../transports/fault.ts";
import type { Receiver, Sink } from "../driver.ts";
import type { BenchTrust } from "../tls.ts";
import type { Address } from "./address.ts";
import { connectFault, dial, startTls } from "./dial.ts";
import { Input, type Parser } from "./input.ts";
import { Output } from "./output.ts";

/** Above so many bytes that are not being written yet, a sender is asked to wait. As many again may be in a pending write. */
const enough = 256 * 1024;

/** How long, in milliseconds, a server may say nothing while a connection to it is made. */
const patience = 5_000;

/** A sink for connections that only send. */
export const nowhere: Sink = { arrived() {}, take() {}, damaged() {} };

/** What a connection is opened with. */
export interface RawOptions {
  /** Where the server is. */
  readonly address: Address;
  /** What it is for once it is made, as the beginning of a phrase that the endpoint ends: `receive from`. */
  readonly attempted: string;
  /** What is spoken on it, as people call it: `NATS`. */
  readonly protocol: string;
  /** What is told of reads, and of damage. The parser gives it the messages. */
  readonly sink: Sink;
  /** Whom to trust where TLS is spoken from the first byte; without it, in the clear. */
  readonly trust?: BenchTrust | null;
  /** How long, in milliseconds, the server may say nothing while the connection is made; 5 s without it. */
  readonly patience?: number;
}

/** The state of one protocol on one connection. */
export interface Session {
  /** Understands what the server sends. */
  readonly parser: Parser;
  /** Speaks until the connection is of use. */
  greet(): Promise<void>;
}

interface Wait {
  readonly done: () => boolean;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** A socket with an output buffer, an input buffer and a parser. */
export class RawConnection implements Receiver {
  readonly closed: Promise<void>;
  /** What is to be written: append to it, then call {@linkcode post}. */
  readonly output: Output = new Output();
  /** Whether the connection is made: the server has answered all that had to be asked first. */
  made = false;
  bytes = 0;
  /** Whether TLS has begun that was asked for on the way. */
  encrypted = false;
  #socket: Deno.TcpConn | Deno.TlsConn;
  /** Whom to trust with TLS that is to begin. */
  #trust: BenchTrust | null = null;
  readonly #options: RawOptions;
  readonly #input = new Input();
  readonly #settled = Promise.withResolvers<void>();
  #parser: Parser | undefined;
  #reading: Promise<void> = Promise.resolve();
  #written: Promise<void> = Promise.resolve();
  #writing = false;
  #reads = 0;
  #waits: Wait[] = [];
  /** Why it ended: `undefined` while it has not. */
  #end: unknown;

  /** Takes the socket over. */
  constructor(socket: Deno.TcpConn | Deno.TlsConn, options: RawOptions) {
    this.#socket = socket;
    this.#options = options;
    this.closed = this.#settled.promise;
    this.closed.catch(() => {});
  }

  /** Begins to read. */
  start(parser: Parser): void {
    this.#parser = parser;
    this.#reading = this.#read(parser);
  }

  /** How many reads have brought bytes. */
  get reads(): number {
    return this.#reads;
  }

  /** Whether there is room for more to be sent. */
  get writable(): boolean {
    return this.output.length < enough && this.#end === undefined;
  }

  /** Has what was appended to the output written at the end of this turn, or after the write that is pending. */
  post(): void {
    if (this.#writing) return;
    this.#writing = true;
    queueMicrotask(this.#write);
  }

  /**
   * Waits until `done` says so: it is asked when something came, and when a write begins.
   *
   * @throws why the connection was lost, if it is
   */
  until(done: () => boolean): Promise<void> {
    if (this.#end !== undefined) return Promise.reject(this.#end);
    if (done()) return Promise.resolve();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waits.push({ done, resolve, reject });
    return promise;
  }

  /**
   * Has TLS begin once what came is parsed: the server waits for it, and so must all writes. To be called by the parser; then
   * wait for {@linkcode encrypted}.
   */
  encrypt(trust: BenchTrust): void {
    this.#trust = trust;
  }

  close(): void {
    this.#finish(this.lost("it was closed here"), true);
  }

  /** Ends it, for a reason that {@linkcode closed} and all that wait reject with. */
  fail(error: unknown): void {
    this.#finish(error, false);
  }

  /** The error of a connection that is lost. */
  lost(why: string, cause?: unknown): TransportError {
    return new TransportError(this.attempted, this.#options.address.text, why, cause);
  }

  /** What an error says could not be done: `send to nats://127.0.0.1:4222`. */
  get attempted(): string {
    return `${this.made ? this.#options.attempted : "connect to"} ${this.#options.address.text}`;
  }

  #finish(error: unknown, quiet: boolean): void {
    if (this.#end !== undefined) return;
    this.#end = error;
    this.#parser?.stop();
    this.output.discard();
    this.#socket.close();
    for (const { reject } of this.#waits.splice(0)) reject(error);
    Promise.all([this.#reading, this.#written]).then(() =>
      quiet ? this.#settled.resolve() : this.#settled.reject(error)
    );
  }

  async #read(parser: Parser): Promise<void> {
    const { protocol, sink } = this.#options;
    try {
      for (;;) {
        const count = await this.#socket.read(this.#input.space());
        if (this.#end !== undefined) return;
        if (count === null) {
          const question = this.made ? "" : `: is it ${protocol} that is spoken there?`;
          return this.fail(this.lost(`the other end closed the connection${question}`));
        }
        this.#reads++;
        this.bytes += count;
        sink.arrived();
        this.#input.received(count, parser);
        if (this.#trust !== null) await this.#encrypt(this.#trust);
        if (this.#waits.length > 0) this.#ask();
      }
    } catch (error) {
      if (error instanceof ProtocolError && this.made) sink.damaged(error.message);
      this.fail(this.#fault(error));
    }
  }

  async #encrypt(trust: BenchTrust): Promise<void> {
    this.#trust = null;
    const socket = this.#socket = await startTls(this.#socket as Deno.TcpConn, this.#options.address, trust);
    try {
      await socket.handshake();
    } catch (error) {
      throw connectFault(this.#options.address, error);
    }
    this.encrypted = true;
  }

  readonly #write = (): void => {
    this.#written = this.#writeAll();
  };

  async #writeAll(): Promise<void> {
    try {
      while (this.output.length > 0 && this.#end === undefined) {
        const bytes = this.output.take();
        if (this.#waits.length > 0) this.#ask();
        for (let at = 0; at < bytes.length;) at += await this.#socket.write(at === 0 ? bytes : bytes.subarray(at));
      }
      this.#writing = false;
    } catch (error) {
      // What the server said before it closed the connection may wait to be read: reading comes to its end, too.
      if (["EPIPE", "ECONNRESET"].includes(errorCode(error))) await this.#reading;
      this.fail(this.#fault(error));
    }
  }

  #fault(error: unknown): unknown {
    const { address } = this.#options;
    if (!this.made && errorCode(error) === "ECONNRESET") return connectFault(address, error);
    return connectionFault(this.attempted, address.text, error);
  }

  #ask(): void {
    this.#waits = this.#waits.filter(({ done, resolve }) => {
      const over = done();
      if (over) resolve();
      return !over;
    });
  }
}

/**
 * Opens a connection, and greets the server.
 *
 * @param begin makes the session, which speaks on the connection
 * @throws {TransportError} when nothing listens there, it says nothing for 5 s, or speaks something else
 * @throws {RefusedError} when the session fails the connection with one
 */
export async function open<Opened extends Session>(
  options: RawOptions,
  begin: (connection: RawConnection) => Opened,
): Promise<Opened> {
  const { address, protocol } = options;
  const limit = options.patience ?? patience;
  const connection = new RawConnection(await dial(address, limit, options.trust ?? null), options);
  const session = begin(connection);
  connection.start(session.parser);
  let reads = 0;
  const timer = setInterval(() => {
    if (connection.reads === reads) {
      const why = `what listens there has said nothing for ${limit / 1000} s: is it ${protocol} that is spoken there?`;
      connection.fail(connection.lost(why));
    }
    reads = connection.reads;
  }, limit);
  try {
    await session.greet();
    connection.made = true;
    return session;
  } catch (error) {
    connection.close();
    await connection.closed.catch(() => {});
    if (error instanceof ProtocolError) {
      throw connection.lost(`what answers there does not speak ${protocol}: is the port right?`, error);
    }
    throw error;
  } finally {
    clearInterval(timer);
  }
}
