/**
 * Sockets of `node:tls`, as those of the runtime are: read into the caller's memory, each write waited for.
 *
 * The runtime's own TLS listener leaves Nagle's algorithm on, and nothing turns it off: a second small write then waits some
 * 40 ms for the peer's delayed acknowledgement of the first.
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import type { TLSSocket } from "node:tls";
import type { Rejection } from "../core/connection.ts";
import type { Socket } from "./socket.ts";
import type { Client } from "./tls_clients.ts";

/** What a reader may leave unread before the peer is made to wait, and go on below; bytes. */
const highWater = 256 * 1024;
const lowWater = 64 * 1024;
/**
 * The most bytes of one write: it is done only when all of it is, and a slow peer is to be seen to move. Three full records:
 * pieces of 64 KiB and more took about a tenth more of the processor's time for a fan-out (measured), and so did smaller ones.
 */
const largestPiece = 48 * 1024;

/** What the TCP socket below a TLS one is made to wait with. `pause` of either would go on reading, without a bound. */
interface Readable {
  readStop?(): void;
  readStart?(): void;
}

/** One connection. */
export class TlsSocket implements Socket {
  /** Where this end is. */
  readonly localAddr: Deno.NetAddr;
  /** Where the other end is. */
  readonly remoteAddr: Deno.NetAddr;
  /** Who the other end is by its certificate, if it was asked for one. */
  readonly user?: string;
  /** Why that certificate is not accepted, if it is not. */
  readonly rejected?: Rejection;
  readonly #socket: TLSSocket;
  readonly #below: Readable;
  /** What came and was not read. */
  #unread: Buffer[] = [];
  #unreadBytes = 0;
  #held = false;
  #ended = false;
  #error: unknown = null;
  #wake: (() => void) | null = null;

  /**
   * Takes the socket over, once its handshake is done.
   *
   * @param below the TCP socket that carries it
   * @param client who the other end is, where it was asked
   */
  constructor(socket: TLSSocket, below: object, client?: Client) {
    this.#socket = socket;
    Object.assign(this, client);
    this.#below = (below as { readonly _handle?: Readable | null })._handle ?? {};
    this.localAddr = { transport: "tcp", hostname: socket.localAddress ?? "", port: socket.localPort ?? 0 };
    this.remoteAddr = { transport: "tcp", hostname: socket.remoteAddress ?? "", port: socket.remotePort ?? 0 };
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => this.#arrived(chunk));
    socket.on("end", () => this.#end(null));
    socket.on("error", (error: Error) => this.#end(error));
    socket.on("close", () => this.#end(closed()));
  }

  /** Reads at least one byte, or gives `null` at the end. */
  async read(into: Uint8Array): Promise<number | null> {
    while (this.#unread.length === 0) {
      if (this.#error !== null) throw this.#error;
      if (this.#ended) return null;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    let length = 0;
    while (this.#unread.length > 0 && length < into.length) {
      const chunk = this.#unread[0]!;
      const count = Math.min(chunk.length, into.length - length);
      into.set(count < chunk.length ? chunk.subarray(0, count) : chunk, length);
      length += count;
      if (count === chunk.length) this.#unread.shift();
      else this.#unread[0] = chunk.subarray(count);
    }
    this.#unreadBytes -= length;
    if (this.#held && this.#unreadBytes < lowWater) this.#hold(false);
    return length;
  }

  /** Writes some of it. */
  write(bytes: Uint8Array): Promise<number> {
    const piece = bytes.length > largestPiece ? bytes.subarray(0, largestPiece) : bytes;
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed || this.#error !== null) reject(this.#error ?? closed());
      else this.#socket.write(piece, (error) => error ? reject(this.#error ?? error) : resolve(piece.length));
    });
  }

  /** Tells the peer that nothing more comes. */
  closeWrite(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#socket.destroyed) resolve();
      else this.#socket.end(resolve);
    });
  }

  /** Ends both directions. */
  close(): void {
    this.#unread = [];
    this.#unreadBytes = 0;
    this.#end(closed());
    this.#socket.destroy();
  }

  #arrived(chunk: Buffer): void {
    this.#unread.push(chunk);
    this.#unreadBytes += chunk.length;
    if (!this.#held && this.#unreadBytes > highWater) this.#hold(true);
    this.#woken();
  }

  #hold(held: boolean): void {
    this.#held = held;
    if (held) this.#below.readStop?.();
    else if (!this.#socket.destroyed) this.#below.readStart?.();
  }

  #end(error: unknown): void {
    // The first one tells: what follows an end or an error is a consequence.
    if (!this.#ended) this.#error = error;
    this.#ended = true;
    this.#woken();
  }

  #woken(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }
}

/** As the runtime's own sockets say it. */
function closed(): Error {
  return new Deno.errors.BadResource("closed");
}
