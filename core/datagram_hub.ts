/**
 * Delivers subscriptions by datagrams, each to one address, all from one port: the sending half of `subscribe --udp`.
 *
 * Each is a session of the multicast protocol, with a group id of its own that tells whose a request is.
 *
 * @module
 */

import { hex, idLength } from "./bytes.ts";
import type { Platform } from "./connection.ts";
import { checksumSeal, datagramHeader, inDatagram } from "./datagram.ts";
import type { Address, Arrived, DatagramPort } from "./datagram_port.ts";
import { GroupSender } from "./group_sender.ts";
import { GroupTransmitter } from "./group_transmitter.ts";
import type { Pattern } from "./pattern.ts";
import { Queue } from "./queue.ts";
import type { Topics } from "./topics.ts";

/** Bytes of datagrams that are received: requests are far smaller. */
const largestRequest = 2048;
/** The most requests of one subscriber that wait to be read; more are dropped, and come again. */
const mostWaiting = 64;

/** What is to be delivered. */
export interface DeliveryOptions {
  readonly patterns: readonly Pattern[];
  /** Bytes of the largest datagram. */
  readonly largest: number;
  /** Whether publishers are held rather than that retention overtakes it. */
  readonly wait: boolean;
}

/** One subscription that is delivered by datagrams, from when its subscriber has proven its address. */
export class Delivery {
  readonly group: number;
  /** Id of the session, in hexadecimal. Who has not been told it cannot ask for anything. */
  readonly session: string;
  readonly #sender: GroupSender<Address>;
  readonly #transmitter: GroupTransmitter;

  /** @internal */
  constructor(group: number, session: string, sender: GroupSender<Address>, transmitter: GroupTransmitter) {
    this.group = group;
    this.session = session;
    this.#sender = sender;
    this.#transmitter = transmitter;
  }

  /** Whether everything was sent, once it was to finish. */
  get finished(): boolean {
    return this.#sender.finished;
  }

  /** Sends nothing new, or again. */
  pause(paused: boolean): void {
    this.#sender.paused = paused;
    this.#sender.wake();
  }

  /** Nothing more is published: it ends when everything was sent. */
  finish(): void {
    this.#sender.finish();
  }

  /** Ends it. */
  close(): void {
    this.#transmitter[Symbol.dispose]();
  }
}

/** The deliveries of one server. The port is opened when it is needed. */
export class DatagramHub implements Disposable {
  readonly #platform: Platform;
  readonly #topics: Topics;
  readonly #open: () => DatagramPort;
  /** Bytes a second, to each subscriber. */
  readonly #rate: number;
  readonly #ports = new Map<number, HubPort>();
  #port: DatagramPort | null = null;
  #nextGroup = 1;

  /**
   * @param open opens the port; may throw a `TransportError`
   * @param rate bytes a second, to each subscriber
   */
  constructor(platform: Platform, topics: Topics, open: () => DatagramPort, rate: number) {
    this.#platform = platform;
    this.#topics = topics;
    this.#open = open;
    this.#rate = rate;
  }

  /**
   * The number of the port that deliveries come from.
   *
   * @throws {TransportError} when there is none to be had
   */
  get port(): number {
    if (this.#port === null) {
      this.#port = this.#open();
      this.#listen(this.#port);
    }
    return this.#port.address.port;
  }

  /** Begins a delivery. {@linkcode port} must have been asked for. */
  deliver({ patterns, largest, wait }: DeliveryOptions): Delivery {
    const group = this.#nextGroup++;
    const session = new Uint8Array(idLength);
    this.#platform.random(session);
    const seal = checksumSeal(this.#platform);
    const rate = this.#rate;
    const options = { group, session, patterns, largest, rate, wait, unicast: true };
    const sender = new GroupSender<Address>(this.#platform, this.#topics, seal, options);
    const port = new HubPort(this.#port!, () => this.#ports.delete(group));
    this.#ports.set(group, port);
    const transmitter = new GroupTransmitter(this.#platform, sender, port, null);
    transmitter.run();
    return new Delivery(group, hex(session), sender, transmitter);
  }

  /** Ends everything. */
  [Symbol.dispose](): void {
    this.#port?.close();
    for (const port of this.#ports.values()) port.close();
  }

  async #listen(port: DatagramPort): Promise<void> {
    const bytes = new Uint8Array(largestRequest);
    const view = new DataView(bytes.buffer);
    for (;;) {
      const arrived = await port.receive(bytes).catch(() => null);
      if (arrived === null) return;
      if (arrived.length < datagramHeader) continue;
      this.#ports.get(view.getUint32(inDatagram.group, true))?.arrived(bytes.slice(0, arrived.length), arrived.from);
    }
  }
}

/** One subscriber's part of the port. */
class HubPort implements DatagramPort {
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

  /** A request for this subscriber's session came. */
  arrived(bytes: Uint8Array, from: Address): void {
    if (this.#came.length >= mostWaiting) return;
    this.#came.push({ bytes, from });
    this.#wake();
  }
}
