/**
 * Delivers subscriptions by datagrams, each to one address: the sending half of `subscribe --udp`.
 *
 * Each is a session of the multicast protocol, with a group id of its own that tells whose a request is.
 *
 * @module
 */

import { hex, randomBytes } from "./bytes.ts";
import type { Platform } from "./connection.ts";
import { checksumSeal } from "./datagram.ts";
import type { Address, OpenDatagrams } from "./datagram_port.ts";
import { GroupSender } from "./group_sender.ts";
import { GroupTransmitter } from "./group_transmitter.ts";
import type { Pattern } from "./pattern.ts";
import { SharedPort } from "./shared_port.ts";
import type { Topic } from "./topic.ts";
import type { Topics } from "./topics.ts";

/** Bytes that one delivery takes besides its largest datagram: nearly all for where what it has sent stands in the logs. */
const deliveryMemory = 192 * 1024;

/** What is to be delivered. */
export interface DeliveryOptions {
  /** The address that the subscriber is connected to. */
  readonly at: Address;
  readonly patterns: readonly Pattern[];
  /** Bytes of the largest datagram. */
  readonly largest: number;
  /** Topics that were created after this ordinal are wanted from their first message on, others from the next. */
  readonly since: number;
  /** Whether publishers are held rather than that retention overtakes it. */
  readonly wait: boolean;
  /** Told of a topic that begins to have frames of another codec. */
  readonly onEncoded: (topic: Topic) => void;
}

/** Where a delivery comes from: what its subscriber is told. */
export interface DeliverySource {
  /** The number of the port. */
  readonly port: number;
  readonly group: number;
  /** Id of the session, in hexadecimal. Who has not been told it cannot ask for anything. */
  readonly session: string;
  /** Of the newest topic when it began. */
  readonly ordinal: number;
}

/** One subscription that is delivered by datagrams, from when its subscriber has proven its address. */
export class Delivery {
  readonly source: DeliverySource;
  readonly #sender: GroupSender<Address>;
  readonly #transmitter: GroupTransmitter;
  #release: () => void;

  /**
   * Sends from now on.
   *
   * @internal
   * @param release called once, when it ends
   * @param onBug told of what went wrong here: it has ended
   */
  constructor(
    source: DeliverySource,
    sender: GroupSender<Address>,
    transmitter: GroupTransmitter,
    release: () => void,
    onBug: (error: unknown) => void,
  ) {
    this.source = source;
    this.#sender = sender;
    this.#transmitter = transmitter;
    this.#release = release;
    transmitter.run().catch((error) => {
      this.close();
      onBug(error);
    });
  }

  /** What it delivers. */
  get patterns(): readonly Pattern[] {
    return this.#sender.patterns;
  }

  /** Whether everything was sent, once it was to finish. */
  get finished(): boolean {
    return this.#sender.finished;
  }

  /** Whether it keeps memory that the logs have given up. */
  get keepsDropped(): boolean {
    return this.#sender.keepsDropped;
  }

  /** Sends nothing new, or goes on. */
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
    this.#release();
    this.#release = () => {};
  }
}

/** How deliveries are made. */
export interface HubOptions {
  readonly open: OpenDatagrams;
  /** Bytes a second to each subscriber, by the address that it is connected to. */
  readonly rate: (at: Address) => number;
  /** Told of what went wrong here in a delivery from an address: it has ended. */
  readonly onBug: (at: Address, error: unknown) => void;
}

/** The deliveries of one server: from each address that subscribers are connected to, over one port of its own. */
export class DatagramHub implements Disposable {
  readonly topics: Topics;
  readonly #platform: Platform;
  readonly #options: HubOptions;
  /** By address. They stay open: who connects again finds its port again. */
  readonly #ports = new Map<string, SharedPort>();
  #nextGroup = 1;

  constructor(platform: Platform, topics: Topics, options: HubOptions) {
    this.#platform = platform;
    this.topics = topics;
    this.#options = options;
  }

  /**
   * Begins a delivery.
   *
   * @returns `null` when there is no memory for it
   * @throws {TransportError} when there is no port to be had
   */
  deliver({ at, ...wanted }: DeliveryOptions): Delivery | null {
    const port = this.#portAt(at);
    const { inputs } = this.topics;
    const memory = deliveryMemory + wanted.largest;
    if (!inputs.reserve(memory)) return null;
    const group = this.#nextGroup++;
    const session = randomBytes(this.#platform);
    const seal = checksumSeal(this.#platform);
    const rate = this.#options.rate(at);
    const options = { group, session, ...wanted, rate, unicast: true };
    const sender = new GroupSender<Address>(this.#platform, this.topics, seal, options);
    const transmitter = new GroupTransmitter(this.#platform, sender, port.part(group), []);
    const source = { port: port.address.port, group, session: hex(session), ordinal: this.topics.ordinal };
    const release = () => inputs.release(memory);
    return new Delivery(source, sender, transmitter, release, (error) => this.#options.onBug(at, error));
  }

  /** Closes the ports. */
  [Symbol.dispose](): void {
    for (const port of this.#ports.values()) port[Symbol.dispose]();
  }

  #portAt(at: Address): SharedPort {
    let port = this.#ports.get(at.text);
    if (port === undefined) {
      this.#ports.set(at.text, port = new SharedPort(this.#platform, this.#options.open(at)));
    }
    return port;
  }
}
