/**
 * The byte copier: what it delivers is the most that a server can deliver on this machine. It knows no messages.
 *
 * A connection's first three bytes say what it is: `S` and a number, whose bytes are copied; or `R` and the number whose
 * bytes it wants, which is answered with `R` once it gets them. Numbers are of two bytes, little-endian. Everything else
 * is copied as it is, with back-pressure: a receiver that does not read holds back the sender of its number, and no other.
 *
 * @module
 */

import { ExitStatus, Failure } from "../exit.ts";
import { fileReason, printText } from "../stdio.ts";
import { closeSocket, Relay } from "./relay.ts";
import { stdinEnded } from "./self.ts";

/** What a connection may be, as its first byte. */
const sender = "S".charCodeAt(0);
const receiver = "R".charCodeAt(0);
/** Bytes by which a connection says what it is. */
const greetingSize = 3;

/** How a connection to the copier begins, for a sender (`S`) or a receiver (`R`) of a number below 65,536. */
export function greetingOf(role: "S" | "R", index: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(role === "S" ? sender : receiver, index & 0xff, index >> 8);
}

/**
 * Runs a copier on a free port of loopback, which it prints, until stdin ends or the signal aborts.
 *
 * @throws {Failure} when it can accept no more connections
 */
export async function copy(signal: AbortSignal): Promise<ExitStatus> {
  using copier = new Copier(Deno.listen({ hostname: "127.0.0.1", port: 0 }));
  printText(`listening ${copier.endpoint}\n`);
  const close = () => copier.close();
  if (signal.aborted) close();
  else signal.addEventListener("abort", close, { once: true });
  stdinEnded().then(close);
  await copier.serve();
  return ExitStatus.done;
}

/** A copier on a listener, which it takes over. */
export class Copier implements Disposable {
  /** Where it listens. */
  readonly endpoint: string;
  readonly #listener: Deno.TcpListener;
  readonly #relays = new Map<number, Relay>();
  readonly #sockets = new Set<Deno.TcpConn>();
  readonly #running = new Set<Promise<void>>();
  #closed = false;

  constructor(listener: Deno.TcpListener) {
    this.#listener = listener;
    this.endpoint = `tcp://${listener.addr.hostname}:${listener.addr.port}`;
  }

  /** Bytes of memory for what is on its way: so many for each number that is in use, however slow the receivers are. */
  get memory(): number {
    return this.#relays.size * Relay.memory;
  }

  /**
   * Copies until it is closed.
   *
   * @throws {Failure} when it can accept no more connections
   */
  async serve(): Promise<void> {
    while (!this.#closed) {
      let socket: Deno.TcpConn;
      try {
        socket = await this.#listener.accept();
      } catch (error) {
        if (this.#closed) break;
        // It was reset before it was accepted.
        if (error instanceof Deno.errors.ConnectionAborted || error instanceof Deno.errors.ConnectionReset) continue;
        throw new Failure(`cannot accept a connection: ${fileReason(error)}`, undefined, error);
      }
      const running = this.#run(socket).finally(() => this.#running.delete(running));
      this.#running.add(running);
    }
    await Promise.all(this.#running);
  }

  /** Closes the listener and all connections. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#listener.close();
    for (const socket of this.#sockets) closeSocket(socket);
  }

  /** Closes it. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Serves one connection to its end, however it ends: that concerns no other. */
  async #run(socket: Deno.TcpConn): Promise<void> {
    this.#sockets.add(socket);
    try {
      socket.setNoDelay(true);
      const greeting = await readGreeting(socket);
      if (greeting === null || this.#closed) return;
      const index = greeting[1]! + 256 * greeting[2]!;
      if (greeting[0] === sender) await this.#relay(index, (relay) => relay.send(socket));
      else if (greeting[0] === receiver) await this.#relay(index, (relay) => relay.receive(socket));
    } catch {
      // Reset by the peer, or closed here.
    } finally {
      this.#sockets.delete(socket);
      closeSocket(socket);
    }
  }

  /** Does something with the relay of a number, which is there as long as somebody has to do with it. */
  async #relay(index: number, use: (relay: Relay) => Promise<void>): Promise<void> {
    let relay = this.#relays.get(index);
    if (relay === undefined) this.#relays.set(index, relay = new Relay());
    try {
      await use(relay);
    } finally {
      if (relay.unused) this.#relays.delete(index);
    }
  }
}

async function readGreeting(socket: Deno.TcpConn): Promise<Uint8Array | null> {
  const greeting = new Uint8Array(greetingSize);
  for (let length = 0; length < greetingSize;) {
    const count = await socket.read(greeting.subarray(length));
    if (count === null) return null;
    length += count;
  }
  return greeting;
}
