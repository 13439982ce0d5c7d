/**
 * Sending on raw sockets, in any protocol.
 *
 * @module
 */

import type { Sender } from "../driver.ts";
import type { Encoder } from "./output.ts";
import type { RawConnection } from "./raw.ts";

/** A connection that sends. */
export class RawSender implements Sender {
  readonly closed: Promise<void>;
  readonly #connection: RawConnection;
  readonly #encoder: Encoder;
  readonly #confirm: () => Promise<void>;

  /**
   * Takes the connection over.
   *
   * @param confirm waits until the server has taken all that was sent; what it asks the server for is written by it
   */
  constructor(connection: RawConnection, encoder: Encoder, confirm: () => Promise<void>) {
    this.#connection = connection;
    this.#encoder = encoder;
    this.#confirm = confirm;
    this.closed = connection.closed;
  }

  get writable(): boolean {
    return this.#connection.writable;
  }

  send(topic: number, message: Uint8Array): boolean {
    this.#encoder.message(this.#connection.output, topic, message);
    this.#connection.post();
    return this.#connection.writable;
  }

  ready(): Promise<void> {
    return this.#connection.until(() => this.#connection.writable);
  }

  flush(): Promise<void> {
    return this.#confirm();
  }

  /** Closes it at once: what was not flushed may be lost. */
  async close(): Promise<void> {
    this.#connection.close();
    await this.#connection.closed.catch(() => {});
  }
}
