/**
 * A relay of TCP connections that is up to no good.
 *
 * @module
 */

import { connectTo } from "../cutting_proxy.ts";

/** What a relay does. */
export interface RelayOptions {
  /** Where each connection goes to, as `host:port`: the first to the first, those behind the last to the last. */
  readonly targets: readonly string[];
  /** Changes what a server says; it is asked about each piece that came. */
  readonly change?: (piece: Uint8Array) => Uint8Array;
}

/** Passes bytes between clients and servers. */
export class Relay implements AsyncDisposable {
  /** Where clients connect to, as `host:port`. */
  readonly address: string;
  /** What came from clients. */
  readonly heard: Uint8Array[] = [];
  readonly #options: RelayOptions;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #open: Deno.TcpConn[] = [];
  readonly #running: Promise<void>[] = [];

  constructor(options: RelayOptions) {
    this.#options = options;
    this.address = `127.0.0.1:${this.#listener.addr.port}`;
    this.#running.push(this.#accept());
  }

  /** Says something to the client of the latest connection as its server, or to its server as the client. */
  async say(to: "client" | "server", bytes: Uint8Array): Promise<void> {
    await this.#open.at(to === "client" ? -2 : -1)!.write(bytes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#open) connection.close();
    await Promise.all(this.#running);
  }

  async #accept(): Promise<void> {
    const { targets, change = (piece) => piece } = this.#options;
    try {
      for (let at = 0;; at++) {
        const client = await this.#listener.accept();
        const server = await connectTo(`tcp://${targets[Math.min(at, targets.length - 1)]}`);
        this.#open.push(client, server);
        const hear = (piece: Uint8Array) => {
          this.heard.push(piece);
          return piece;
        };
        this.#running.push(pump(client, server, hear), pump(server, client, change));
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
  }
}

async function pump(from: Deno.TcpConn, to: Deno.TcpConn, change: (piece: Uint8Array) => Uint8Array): Promise<void> {
  const buffer = new Uint8Array(65_536);
  try {
    for (let count; (count = await from.read(buffer)) !== null;) {
      const piece = change(buffer.slice(0, count));
      for (let at = 0; at < piece.length;) at += await to.write(piece.subarray(at));
    }
    await to.closeWrite();
  } catch {
    // One end is gone, or the relay is closed.
  }
}
