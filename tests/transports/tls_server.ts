/**
 * A server for TLS that keeps what happens to it until a test asks.
 *
 * @module
 */

import type { Connection, Listener, Rejection } from "../../core/connection.ts";
import { type Endpoint, parseEndpoint } from "../../transports/endpoint.ts";
import { listenTls, type TlsListenerOptions } from "../../transports/tls.ts";
import { TlsIdentity, type TlsServing } from "../../transports/tls_identity.ts";

/** Things that come one after the other, each of which is waited for. */
export class Arrivals<T> {
  /** Those that have come and were not asked for. */
  readonly waiting: T[] = [];
  #arrived: (() => void) | null = null;

  /** One has come. */
  add(one: T): void {
    this.waiting.push(one);
    this.#arrived?.();
  }

  /** Waits for the next one. */
  async next(): Promise<T> {
    while (this.waiting.length === 0) await new Promise<void>((resolve) => this.#arrived = resolve);
    return this.waiting.shift()!;
  }

  /** Waits for the next ones. */
  async take(count: number): Promise<T[]> {
    const taken: T[] = [];
    while (taken.length < count) taken.push(await this.next());
    return taken;
  }
}

/** A listener, and what came to it. */
export class TlsServer implements AsyncDisposable {
  /** What it shows; may be renewed. */
  readonly identity: TlsIdentity;
  /** The connections that were accepted. They are closed with the server. */
  readonly accepted = new Arrivals<Connection>();
  /** What it was told of handshakes that failed. */
  readonly rejections = new Arrivals<Rejection & { readonly peer: string }>();
  readonly #connections: Connection[] = [];
  #listener!: Listener;
  #accepting!: Promise<void>;

  private constructor(identity: TlsIdentity) {
    this.identity = identity;
  }

  /** Listens on a free port; on `127.0.0.1` unless an endpoint is given. */
  static async start(
    serving: TlsServing,
    options: TlsListenerOptions = {},
    endpoint = "tls://127.0.0.1:0",
  ): Promise<TlsServer> {
    const server = new TlsServer(new TlsIdentity(serving));
    const onRejected = (rejected: Rejection & { readonly peer: string }) => server.rejections.add(rejected);
    server.#listener = await listenTls(parseEndpoint(endpoint), server.identity, { onRejected, ...options });
    server.#accepting = server.#accept();
    return server;
  }

  /** Where it listens. */
  get endpoint(): Endpoint {
    return parseEndpoint(this.#listener.endpoint);
  }

  /** Where it listens, as `host:port`. */
  get address(): string {
    return this.#listener.endpoint.slice("tls://".length);
  }

  /** Opens a connection to its port that speaks no TLS. */
  connectPlain(): Promise<Deno.TcpConn> {
    return Deno.connect({ hostname: this.endpoint.host, port: this.endpoint.port });
  }

  /** Stops listening: what was not accepted by then never is. */
  async close(): Promise<void> {
    this.#listener.close();
    await this.#accepting;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
    for (const connection of this.#connections) connection.close();
  }

  async #accept(): Promise<void> {
    for (let connection; (connection = await this.#listener.accept()) !== null;) {
      this.#connections.push(connection);
      this.accepted.add(connection);
    }
  }
}

/** Reads to the end, or until the connection is reset. */
export async function readToEnd(connection: Deno.Conn): Promise<Uint8Array> {
  const parts: number[] = [];
  const buffer = new Uint8Array(16_384);
  try {
    for (let count; (count = await connection.read(buffer)) !== null;) parts.push(...buffer.subarray(0, count));
  } catch (error) {
    if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
  }
  return Uint8Array.from(parts);
}
