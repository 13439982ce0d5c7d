/**
 * Connections and listeners over the sockets of Deno, whatever is spoken on them (TCP, TLS).
 *
 * @module
 */

import type { Connection, Listener, Rejection } from "../core/connection.ts";
import type { Address } from "../core/datagram_port.ts";
import { TransportError } from "../core/errors.ts";
import { type Endpoint, formatAddress, formatEndpoint } from "./endpoint.ts";
import { connectionFault, dialFault, errorCode } from "./fault.ts";

/** What is used of a Deno connection. */
export type Socket =
  & Pick<Deno.Conn, "read" | "write" | "closeWrite" | "close" | "localAddr" | "remoteAddr">
  & Pick<Connection, "user" | "rejected">;

/** What is used of a Deno listener. */
export interface SocketAcceptor {
  /** Waits for the next connection. */
  accept(): Promise<Socket>;
  /** Ends a pending accept, too. */
  close(): void;
}

/** A connection over one socket. */
export class SocketConnection implements Connection {
  readonly peer: string;
  /** Where this end is. */
  readonly local?: Address;
  /** Where the other end is. */
  readonly remote?: Address;
  /** Whether it is with TLS. */
  readonly encrypted: boolean;
  /** Who the other end has proved to be. */
  readonly user?: string;
  /** Why it is not to be served. */
  readonly rejected?: Rejection;
  readonly #socket: Socket;
  readonly #endpoint: string;
  #closed = false;

  /**
   * Takes the socket over.
   *
   * @param endpoint what was dialled or listened on, for error messages
   */
  constructor(socket: Socket, endpoint: string) {
    this.#socket = socket;
    this.#endpoint = endpoint;
    this.encrypted = endpoint.startsWith("tls:");
    const { localAddr: local, remoteAddr: remote, user, rejected } = socket;
    if (user !== undefined) this.user = user;
    if (rejected !== undefined) this.rejected = rejected;
    if ("hostname" in local) this.local = addressOf(local);
    if ("hostname" in remote) this.remote = addressOf(remote);
    this.peer = this.remote?.text ?? remote.transport;
  }

  read(into: Uint8Array): Promise<number | null> {
    return this.#socket.read(into).catch((error) => {
      throw connectionFault(`read from ${this.peer}`, this.#endpoint, error);
    });
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#socket.write(bytes).catch((error) => {
      throw connectionFault(`write to ${this.peer}`, this.#endpoint, error);
    });
  }

  async closeWrite(): Promise<void> {
    if (this.#closed) return;
    try {
      await this.#socket.closeWrite();
    } catch (error) {
      // A peer that is gone, and a connection closed meanwhile, need not be told.
      if (!this.#closed && errorCode(error) !== "ENOTCONN") {
        throw connectionFault(`end the writing to ${this.peer}`, this.#endpoint, error);
      }
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.close();
  }

  /** Closes it. */
  [Symbol.dispose](): void {
    this.close();
  }
}

function addressOf({ hostname: host, port }: Deno.NetAddr): Address {
  return { host, port, text: formatAddress(host, port) };
}

/** How long, in milliseconds, a dial waits for an answer. The system's own limit is minutes. */
const dialTimeout = 10_000;

/**
 * Opens a connection over a socket, with a limit on the wait.
 *
 * @param open connects; it may give up when its signal aborts
 * @param timeout how long to wait for an answer, in milliseconds
 * @throws {TransportError} when it fails, or there is no answer in time
 * @throws the signal's reason when it aborts
 */
export async function dialSocket(
  endpoint: Endpoint,
  open: (signal: AbortSignal) => Promise<Socket>,
  signal?: AbortSignal,
  timeout = dialTimeout,
): Promise<Connection> {
  signal?.throwIfAborted();
  const text = formatEndpoint(endpoint);
  const ending = new AbortController();
  const late = `no answer within ${timeout / 1000} s: check the address, and what a firewall lets through`;
  const timer = setTimeout(() => ending.abort(new TransportError(`connect to ${text}`, text, late)), timeout);
  const abort = () => ending.abort(signal?.reason);
  signal?.addEventListener("abort", abort);
  try {
    const socket = await open(ending.signal);
    if (ending.signal.aborted) {
      socket.close();
      throw ending.signal.reason;
    }
    return new SocketConnection(socket, text);
  } catch (error) {
    if (ending.signal.aborted) throw ending.signal.reason;
    throw dialFault(endpoint, text, error);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  }
}

/** How long, in milliseconds, accepting rests when the system is short of something, such as open files. */
const acceptPause = 100;

/** How a listener over sockets may be set up. */
export interface SocketListenerOptions {
  /** Told of each connection that failed while it was being accepted; what it throws is a bug. */
  readonly onAcceptError?: (error: Error) => void;
  /** Told of each that was not accepted since its handshake failed. */
  readonly onRejected?: (rejected: Rejection & { readonly peer: string }) => void;
  /** Waits a number of milliseconds, or until the signal aborts; a timer unless given. */
  readonly pause?: (milliseconds: number, signal: AbortSignal) => Promise<void>;
}

/** A listener over one socket. */
export class SocketListener implements Listener {
  readonly endpoint: string;
  readonly #acceptor: SocketAcceptor;
  readonly #onAcceptError: (error: Error) => void;
  readonly #pause: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  readonly #closing = new AbortController();

  /**
   * Takes the acceptor over.
   *
   * @param endpoint as a user would type it, with the real port
   */
  constructor(acceptor: SocketAcceptor, endpoint: string, options: SocketListenerOptions = {}) {
    this.#acceptor = acceptor;
    this.endpoint = endpoint;
    this.#onAcceptError = options.onAcceptError ?? (() => {});
    this.#pause = options.pause ?? pause;
  }

  async accept(): Promise<Connection | null> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        return new SocketConnection(await this.#acceptor.accept(), this.endpoint);
      } catch (error) {
        if (signal.aborted) break;
        this.#onAcceptError(error instanceof Error ? error : new Error(String(error)));
        // One that was reset before it was accepted is gone. Anything else (no open files left, no memory) would fail
        // again at once, and lasts until something is freed.
        if (!["ECONNABORTED", "ECONNRESET", "EPIPE"].includes(errorCode(error))) await this.#pause(acceptPause, signal);
      }
    }
    return null;
  }

  close(): void {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    this.#acceptor.close();
  }

  /** Closes it. */
  [Symbol.dispose](): void {
    this.close();
  }
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener("abort", done);
  });
}
