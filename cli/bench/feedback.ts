/**
 * How far the receivers are, told to those who send as fast as they can: straight from process to process, since it goes by
 * hundreds of times a second while others are measured.
 *
 * One update is a 64-bit float for each publisher: how many of its messages every connection of the telling process has.
 * Where publishers spread their messages over topics it is one float, how many messages the process has received.
 *
 * @module
 */

/** Told how far one receiving process is. */
export type TakeProgress = (process: number, received: Float64Array) => void;

/** The sending side: one listener, and a connection from each receiving process. */
export class FeedbackListener implements Disposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #connections: Deno.Conn[] = [];

  /** Where receiving processes connect to. */
  get port(): number {
    return this.#listener.addr.port;
  }

  /**
   * Takes updates until it is closed.
   *
   * @param floats in one update
   */
  async take(floats: number, tell: TakeProgress): Promise<void> {
    try {
      for await (const connection of this.#listener) {
        const process = this.#connections.push(connection) - 1;
        this.#read(connection, process, floats, tell).catch(() => {});
      }
    } catch {
      // It was closed.
    }
  }

  /** Closes everything. */
  [Symbol.dispose](): void {
    this.#listener.close();
    for (const connection of this.#connections) connection.close();
  }

  async #read(connection: Deno.Conn, process: number, floats: number, tell: TakeProgress): Promise<void> {
    const bytes = new Uint8Array(64 * floats * 8);
    const view = new DataView(bytes.buffer);
    const received = new Float64Array(floats);
    let filled = 0;
    for (;;) {
      const count = await connection.read(bytes.subarray(filled));
      if (count === null) return;
      filled += count;
      const whole = filled - filled % (floats * 8);
      if (whole === 0) continue;
      // Only the newest is of interest.
      for (let i = 0; i < floats; i++) received[i] = view.getFloat64(whole - (floats - i) * 8, true);
      bytes.copyWithin(0, whole, filled);
      filled -= whole;
      tell(process, received);
    }
  }
}

/** The receiving side: a connection to each sending process. */
export class FeedbackSender implements Disposable {
  readonly #connections: Deno.TcpConn[] = [];
  readonly #busy: boolean[] = [];
  #newest: Uint8Array<ArrayBuffer> | null = null;

  /** Connects to the listeners of the sending processes. */
  async connect(ports: readonly number[]): Promise<void> {
    for (const port of ports) {
      const connection = await Deno.connect({ hostname: "127.0.0.1", port });
      connection.setNoDelay(true);
      this.#connections.push(connection);
      this.#busy.push(false);
    }
  }

  /** Tells all of them. While one update is being written the next ones are not, but for the newest. */
  tell(received: readonly number[]): void {
    const update = new Uint8Array(received.length * 8);
    const view = new DataView(update.buffer);
    for (const [index, count] of received.entries()) view.setFloat64(index * 8, count, true);
    this.#newest = update;
    for (let index = 0; index < this.#connections.length; index++) if (!this.#busy[index]) this.#write(index);
  }

  /** Closes everything. */
  [Symbol.dispose](): void {
    for (const connection of this.#connections) connection.close();
  }

  async #write(index: number): Promise<void> {
    this.#busy[index] = true;
    try {
      for (let update: Uint8Array | null = null; update !== this.#newest;) {
        update = this.#newest!;
        for (let written = 0; written < update.length;) {
          written += await this.#connections[index]!.write(update.subarray(written));
        }
      }
    } catch {
      // The other process is gone: it waits for nothing any more.
      return;
    }
    this.#busy[index] = false;
  }
}
