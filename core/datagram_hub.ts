/**
 * Delivers subscriptions by datagrams, each to one address: the sending half of `subscribe --udp`.
 *
 * Each is a session of the multicast protocol, with a group id of its own that tells whose a request is.
 *
 * @module
 */

import { hex, idLength } from "./bytes.ts";
import type { Platform } from "./connection.ts";
import { checksumSeal } from "./datagram.ts";
import type { Address, OpenDatagrams } from "./datagram_port.ts";
import { GroupSender } from "./group_sender.ts";
import { GroupTransmitter } from "./group_transmitter.ts";
import type { Pattern } from "./pattern.ts";
import { SharedPort } from "./shared_port.ts";
import type { Topics } from "./topics.ts";

/** What is to be delivered. */
export interface DeliveryOptions {
  /** The address that the subscriber is connected to. */
  readonly at: Address;
  readonly patterns: readonly Pattern[];
  /** Bytes of the largest datagram. */
  readonly largest: number;
  /** Whether publishers are held rather than that retention overtakes it. */
  readonly wait: boolean;
}

/** One subscription that is delivered by datagrams, from when its subscriber has proven its address. */
export class Delivery {
  /** The number of the port that it comes from. */
  readonly port: number;
  readonly group: number;
  /** Id of the session, in hexadecimal. Who has not been told it cannot ask for anything. */
  readonly session: string;
  readonly #sender: GroupSender<Address>;
  readonly #transmitter: GroupTransmitter;

  /** @internal */
  constructor(
    port: number,
    group: number,
    session: string,
    sender: GroupSender<Address>,
    transmitter: GroupTransmitter,
  ) {
    this.port = port;
    this.group = group;
    this.session = session;
    this.#sender = sender;
    this.#transmitter = transmitter;
  }

  /** Whether everything was sent, once it was to finish. */
  get finished(): boolean {
    return this.#sender.finished;
  }

  /** Whether it keeps memory that the logs have given up. */
  get keepsDropped(): boolean {
    return this.#sender.keepsDropped;
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

/** The deliveries of one server: from each address that subscribers are connected to, over one port of its own. */
export class DatagramHub implements Disposable {
  readonly #platform: Platform;
  readonly #topics: Topics;
  readonly #open: OpenDatagrams;
  /** Bytes a second, to each subscriber. */
  readonly #rate: number;
  /** By address. They stay open: who connects again finds its port again. */
  readonly #ports = new Map<string, SharedPort>();
  #nextGroup = 1;

  /** @param rate bytes a second, to each subscriber */
  constructor(platform: Platform, topics: Topics, open: OpenDatagrams, rate: number) {
    this.#platform = platform;
    this.#topics = topics;
    this.#open = open;
    this.#rate = rate;
  }

  /**
   * Begins a delivery.
   *
   * @throws {TransportError} when there is no port to be had
   */
  deliver({ at, patterns, largest, wait }: DeliveryOptions): Delivery {
    const port = this.#portAt(at);
    const group = this.#nextGroup++;
    const session = new Uint8Array(idLength);
    this.#platform.random(session);
    const seal = checksumSeal(this.#platform);
    const rate = this.#rate;
    const options = { group, session, patterns, largest, rate, wait, unicast: true };
    const sender = new GroupSender<Address>(this.#platform, this.#topics, seal, options);
    const transmitter = new GroupTransmitter(this.#platform, sender, port.part(group), null);
    transmitter.run();
    return new Delivery(port.address.port, group, hex(session), sender, transmitter);
  }

  /** Closes the ports. */
  [Symbol.dispose](): void {
    for (const port of this.#ports.values()) port[Symbol.dispose]();
  }

  #portAt(at: Address): SharedPort {
    let port = this.#ports.get(at.text);
    if (port === undefined) this.#ports.set(at.text, port = new SharedPort(this.#platform, this.#open(at)));
    return port;
  }
}
