/**
 * A server that is not what it should be, or does what a server may do at an unlucky moment.
 *
 * @module
 */

import { assertInstanceOf } from "@std/assert";
import { bytesOf, latin1 } from "./codec.ts";

/** One connection to a {@linkcode Stranger}. */
export class Guest {
  /** The end of what has come. */
  text = "";
  /** How many bytes have come. */
  length = 0;
  readonly #socket: Deno.TcpConn;

  constructor(socket: Deno.TcpConn) {
    this.#socket = socket;
  }

  async says(text: string): Promise<void> {
    const bytes = bytesOf(text);
    for (let at = 0; at < bytes.length;) at += await this.#socket.write(bytes.subarray(at));
  }

  /** Waits until what has come matches at its end. */
  async hears(pattern: RegExp): Promise<void> {
    const buffer = new Uint8Array(65_536);
    while (!pattern.test(this.text)) {
      const count = await this.#socket.read(buffer);
      if (count === null) throw new Error(`the connection ended after ${JSON.stringify(this.text)}`);
      this.length += count;
      this.text = (this.text + latin1(buffer.subarray(Math.max(0, count - 1000), count))).slice(-1000);
    }
  }
}

/** A server that follows a script on each connection, then closes it. */
export class Stranger implements AsyncDisposable {
  readonly address: string;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #serving: Promise<void>;
  readonly #open = new Set<Deno.TcpConn>();

  constructor(script: (guest: Guest) => Promise<void>) {
    this.address = `127.0.0.1:${this.#listener.addr.port}`;
    this.#serving = this.#serve(script);
  }

  async #serve(script: (guest: Guest) => Promise<void>): Promise<void> {
    const scripts: Promise<void>[] = [];
    try {
      for (;;) {
        const socket = await this.#listener.accept();
        this.#open.add(socket);
        const over = script(new Guest(socket)).finally(() => {
          if (this.#open.delete(socket)) socket.close();
        });
        // One that is cut off by the end of the test is in order.
        scripts.push(over.catch(() => {}));
      }
    } catch (error) {
      assertInstanceOf(error, Deno.errors.BadResource);
    }
    await Promise.all(scripts);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const socket of this.#open) socket.close();
    this.#open.clear();
    await this.#serving;
  }
}

/** The end of a script that says nothing more, until the other end or the test closes. */
export const silence = (guest: Guest) => guest.hears(/^\b$/);
