/**
 * One port for datagrams that several sessions share: what comes is told apart by the group id in it.
 *
 * @module
 */

import type { Platform } from "./connection.ts";
import { datagramHeader, inDatagram } from "./datagram.ts";
import type { Address, Arrived, DatagramPort } from "./datagram_port.ts";
import { Queue } from "./queue.ts";
import { sleep } from "./sleep.ts";

/** Bytes of datagrams that are received: requests are far smaller. */
const largestRequest = 2048;
/** The most datagrams of one session that wait to be read; more are dropped: what was asked for in them is asked for again. */
const mostWaiting = 64;
/** How long receiving rests when the system failed to, in milliseconds. */
const pause = 100;

/** A port, and the parts of it. */
export class SharedPort implements Disposable {
  readonly #platform: Platform;
  readonly #port: DatagramPort;
  readonly #parts = new Map<number, PortPart>();
  readonly #closing = new AbortController();

  /** Takes the port over, and receives from now on. */
  constructor(platform: Platform, port: DatagramPort) {
    this.#platform = platform;
    this.#port = port;
    this.#listen();
  }

  /** Where it can be reached. */
  get address(): Address {
    return this.#port.address;
  }

  /** The part that gets what comes for a group, until it is closed. */
  part(group: number): DatagramPort {
    const part = new PortPart(this.#port, () => this.#parts.delete(group));
    this.#parts.set(group, part);
    return part;
  }

  /** Closes it. Its parts can be closed before or after that. */
  [Symbol.dispose](): void {
    this.#closing.abort();
    this.#port.close();
  }

  async #listen(): Promise<void> {
    const bytes = new Uint8Array(largestRequest);
    const view = new DataView(bytes.buffer);
    const { signal } = this.#closing;
    while (!signal.aborted) {
      let arrived: Arrived | null;
      try {
        arrived = await this.#port.receive(bytes);
      } catch {
        // Of one datagram, or of a network that is gone for a while: either way others will come.
        await sleep(this.#platform, pause, signal);
        continue;
      }
      if (arrived === null) return;
      const { length, from } = arrived;
      if (length < datagramHeader) continue;
      this.#parts.get(view.getUint32(inDatagram.group, true))?.arrived(bytes.slice(0, length), from);
    }
  }
}

/** What one session has of a port. */
class PortPart implements DatagramPort {
  readonly #port: DatagramPort;
  readonly #onClose: () => void;
  readonly #came = new Queue<{ readonly bytes: Uint8Array; readonly from: Address }>();
  #wake: () => void = () => {};
  #closed = false;

  constructor(port: DatagramPort, onClose: () => void) {
    this.#port = port;
    this.#onClose = onClose;
  }

  get address(): Address {
    return this.#port.address;
  }

  send(bytes: Uint8Array, to: Address): Promise<void> {
    return this.#port.send(bytes, to);
  }

  async receive(into: Uint8Array): Promise<Arrived | null> {
    while (!this.#closed) {
      const next = this.#came.shift();
      if (next !== undefined) {
        into.set(next.bytes);
        return { length: next.bytes.length, from: next.from };
      }
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    return null;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#onClose();
    this.#wake();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** A datagram for this session came. */
  arrived(bytes: Uint8Array, from: Address): void {
    if (this.#came.length >= mostWaiting) return;
    this.#came.push({ bytes, from });
    this.#wake();
  }
}
