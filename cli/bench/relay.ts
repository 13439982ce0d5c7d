/**
 * The bytes of one sender on their way to its receivers: one ring of memory, and a position in it for each receiver.
 *
 * @module
 */

/** What is read into at once, in bytes, and how many of those there are: while one is written from, another is filled. */
// Measured, 1 to 10 and 1 to 100: this has nine tenths of what a C program has that does the same. At 1 to 100, 64 KiB have
// a seventh less; 512 KiB a quarter less, and 1 MiB a third: a ring that is written a hundred times has to stay in the cache.
const slotSize = 256 * 1024;
const slots = 2;
const ringSize = slots * slotSize;

/** What is used of a Deno connection. */
export type RelaySocket = Pick<Deno.Conn, "read" | "write" | "close">;

/** Copies what a sender sends to all receivers, in order, and holds the sender back while one of them takes nothing. */
export class Relay {
  readonly #ring = new Uint8Array(ringSize);
  readonly #taps = new Set<Tap>();
  /** Bytes that were ever read. */
  #head = 0;
  /** The senders, one after the other. */
  #last: Promise<void> = Promise.resolve();
  #senders = 0;
  /** While reading waits: which position all receivers must have passed, how many have not, and what goes on then. */
  #needed = 0;
  #behind = 0;
  #resume: (() => void) | null = null;

  /** Bytes of memory that it takes. */
  static readonly memory: number = ringSize;

  /** Whether nobody sends and nobody receives. */
  get unused(): boolean {
    return this.#senders === 0 && this.#taps.size === 0;
  }

  /** Bytes that were ever read. */
  get head(): number {
    return this.#head;
  }

  /**
   * Reads a sender to its end. Two at the same time take turns: their bytes are never mixed.
   *
   * @returns when the last byte was read; it may not be written yet
   * @throws what the system says when the connection is lost
   */
  send(socket: RelaySocket): Promise<void> {
    this.#senders++;
    const reading = this.#last.then(() => this.#read(socket)).finally(() => this.#senders--);
    this.#last = reading.catch(() => {});
    return reading;
  }

  /**
   * Adds a receiver, of everything that is read from now on: one byte `R` tells it so.
   *
   * @returns when it is gone; that is no failure
   */
  receive(socket: RelaySocket): Promise<void> {
    const tap = new Tap(this, socket);
    this.#taps.add(tap);
    tap.begin();
    return tap.gone.then(() => {
      this.#taps.delete(tap);
      this.passed(tap.position, Infinity);
    });
  }

  /** What there is to write from a position on, as far as it is in one piece. */
  from(position: number): Uint8Array {
    const offset = position % ringSize;
    return this.#ring.subarray(offset, Math.min(ringSize, offset + this.#head - position));
  }

  /** A receiver has come from one position to another. */
  passed(before: number, after: number): void {
    if (this.#resume === null || before >= this.#needed || after < this.#needed) return;
    if (--this.#behind > 0) return;
    this.#resume();
    this.#resume = null;
  }

  async #read(socket: RelaySocket): Promise<void> {
    for (;;) {
      const offset = this.#head % ringSize;
      if (offset % slotSize === 0) await this.#room();
      const count = await socket.read(this.#ring.subarray(offset, offset - offset % slotSize + slotSize));
      if (count === null) return;
      this.#head += count;
      for (const tap of this.#taps) tap.go();
    }
  }

  /** Waits until nobody needs any more what the next slot holds. */
  async #room(): Promise<void> {
    const needed = this.#head + slotSize - ringSize;
    let behind = 0;
    for (const { position } of this.#taps) if (position < needed) behind++;
    if (behind === 0) return;
    this.#needed = needed;
    this.#behind = behind;
    await new Promise<void>((resolve) => this.#resume = resolve);
  }
}

const registered = new TextEncoder().encode("R");

/** One receiver: at most one write is pending, of as much as it is behind. */
class Tap {
  /** How far it has got. */
  position: number;
  /** Resolves when its connection has ended, and no write from the ring is pending. */
  readonly gone: Promise<void>;
  readonly #relay: Relay;
  readonly #socket: RelaySocket;
  readonly #end = Promise.withResolvers<void>();
  #writing = true;
  #closed = false;

  constructor(relay: Relay, socket: RelaySocket) {
    this.#relay = relay;
    this.#socket = socket;
    this.position = relay.head;
    this.gone = this.#end.promise;
  }

  /** Tells the receiver that it is registered, and watches for its end: it has nothing to say. */
  begin(): void {
    this.#socket.write(registered).then(() => this.#wrote(0), this.#failed);
    this.#socket.read(new Uint8Array(1)).then(this.#closing, this.#closing);
  }

  /** There is more to write. */
  go(): void {
    if (this.#writing || this.position === this.#relay.head) return;
    this.#writing = true;
    this.#socket.write(this.#relay.from(this.position)).then(this.#wrote, this.#failed);
  }

  readonly #wrote = (count: number): void => {
    this.#writing = false;
    const before = this.position;
    this.position += count;
    this.#relay.passed(before, this.position);
    if (this.#closed) this.#end.resolve();
    else this.go();
  };

  readonly #failed = (): void => {
    this.#closing();
    this.#end.resolve();
  };

  readonly #closing = (): void => {
    if (this.#closed) return;
    this.#closed = true;
    // Rejects a pending write, whose memory must not be used again before.
    closeSocket(this.#socket);
    if (!this.#writing) this.#end.resolve();
  };
}

/** Closes a connection, unless it is closed. */
export function closeSocket(socket: Pick<Deno.Conn, "close">): void {
  try {
    socket.close();
  } catch {
    // Somebody else has closed it.
  }
}
