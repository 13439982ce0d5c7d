/**
 * A port whose datagrams are lost, late and doubled on purpose: what a bad network does, the same each time.
 *
 * @module
 */

import type { Address, Arrived, DatagramPort } from "./datagram_port.ts";

/** How much goes wrong, each in percent of the datagrams that come. */
export interface Faults {
  /** They never come. */
  readonly loss: number;
  /** They come after others that were sent later: at most {@linkcode mostLate} of them. */
  readonly reorder: number;
  /** They come twice: the second one after others, too. */
  readonly duplicate: number;
}

/** The most datagrams that may overtake one. */
export const mostLate = 8;

/** A datagram that was held back, and how many are to come before it. */
interface Held {
  readonly bytes: Uint8Array;
  readonly from: Address;
  left: number;
}

/**
 * Does to what another port receives what faults say; what is sent goes as it is.
 *
 * The random numbers and the place of a datagram among those that came decide what becomes of it, and nothing else. What is
 * late waits for others, not for a time: where nothing comes any more, it does not come either. At most
 * 2 × {@linkcode mostLate} datagrams are held.
 */
export class FaultyPort implements DatagramPort {
  /** Datagrams that came, and what was done to them. */
  readonly counts = { received: 0, lost: 0, reordered: 0, duplicated: 0 };
  readonly #port: DatagramPort;
  readonly #faults: Faults;
  readonly #random: () => number;
  readonly #held: Held[] = [];
  #closed = false;

  /**
   * Takes the port over.
   *
   * @param random at least 0, less than 1
   */
  constructor(port: DatagramPort, faults: Faults, random: () => number) {
    this.#port = port;
    this.#faults = faults;
    this.#random = random;
  }

  /** As of the port. */
  get address(): Address {
    return this.#port.address;
  }

  /** Sends one datagram. */
  send(bytes: Uint8Array, to: Address): Promise<void> {
    return this.#port.send(bytes, to);
  }

  /** Receives the next one that is not lost. */
  async receive(into: Uint8Array): Promise<Arrived | null> {
    for (;;) {
      const late = this.#due();
      if (late !== null) {
        const length = Math.min(late.bytes.length, into.length);
        into.set(late.bytes.subarray(0, length));
        return { length, from: late.from };
      }
      const arrived = await this.#port.receive(into);
      if (arrived === null || this.#closed) return null;
      if (this.#passes(into, arrived)) return arrived;
    }
  }

  /** Ends it: what is late does not come any more. */
  close(): void {
    this.#closed = true;
    this.#held.length = 0;
    this.#port.close();
  }

  /** As {@linkcode close}. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Whether a datagram that came goes on now. */
  #passes(into: Uint8Array, arrived: Arrived): boolean {
    const { counts } = this;
    counts.received++;
    for (const held of this.#held) held.left--;
    const { loss, reorder, duplicate } = this.#faults;
    // Always as many numbers: what becomes of one datagram changes nothing for the next.
    const [lost, late, doubled] = [this.#happens(loss), this.#happens(reorder), this.#happens(duplicate)];
    const [lateBy, doubledBy] = [this.#lateness(), this.#lateness()];
    if (lost) {
      counts.lost++;
      return false;
    }
    if (late) {
      counts.reordered++;
      this.#hold(into, arrived, lateBy);
    }
    if (doubled) {
      counts.duplicated++;
      this.#hold(into, arrived, doubledBy);
    }
    return !late;
  }

  #happens(percent: number): boolean {
    return this.#random() * 100 < percent;
  }

  #lateness(): number {
    return 1 + Math.floor(this.#random() * mostLate);
  }

  #hold(into: Uint8Array, { length, from }: Arrived, left: number): void {
    this.#held.push({ bytes: into.slice(0, length), from, left });
  }

  /** Takes out the first of those whose turn it is. */
  #due(): Held | null {
    const index = this.#held.findIndex(({ left }) => left <= 0);
    return index < 0 ? null : this.#held.splice(index, 1)[0]!;
  }
}
