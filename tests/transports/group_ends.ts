/** The ends of a multicast group over real sockets: a server that sends to it, and receivers that check what they get. */

import { Buffer } from "node:buffer";
import { assert } from "@std/assert";
import type { Batch } from "../../core/batch.ts";
import { checksumSeal, type Seal } from "../../core/datagram.ts";
import type { Platform } from "../../core/connection.ts";
import type { Address } from "../../core/datagram_port.ts";
import type { SubscriptionEvent } from "../../core/events.ts";
import { GroupSender } from "../../core/group_sender.ts";
import { GroupSubscription } from "../../core/group_subscription.ts";
import { GroupTransmitter } from "../../core/group_transmitter.ts";
import { encryptedSeal, type GroupRole } from "../../core/encrypted_seal.ts";
import type { ServerLimits } from "../../core/limits.ts";
import { Link } from "../../core/link.ts";
import { Pattern } from "../../core/pattern.ts";
import { Server } from "../../core/server.ts";
import { findInterface } from "../../transports/interfaces.ts";
import { memoryListener } from "../../transports/memory.ts";
import { platform } from "../../transports/platform.ts";
import { joinGroup, openGroup, openUdp, udpAddress } from "../../transports/udp.ts";
import { Random } from "../core/fixtures.ts";
import { type Losses, LossyPort } from "./lossy_port.ts";

const loopback = "127.0.0.1";
/** Bytes of the largest datagram. */
export const largest = 1400;
/** Bytes of each message. */
export const messageLength = 1000;
/** Milliseconds after which a receiver that is still there fails, instead of waiting for ever. */
const longestRun = 240_000;
/** The topic that messages are of. */
export const topic = "a";

/** A group on loopback that nobody else has. */
export interface Place {
  readonly id: number;
  readonly host: string;
  readonly port: number;
  /** The clock of all its ends. */
  readonly clock: Platform;
  /** Makes what protects its datagrams. */
  readonly seal: (role: GroupRole) => Seal;
}

/**
 * Finds a place for a group.
 *
 * @param key 32 bytes; without them nothing is encrypted
 * @param clock another than the machine's
 */
export async function findPlace(key?: Uint8Array, clock: Platform = platform): Promise<Place> {
  const random = new Uint32Array(1);
  platform.random(new Uint8Array(random.buffer));
  const id = random[0]!;
  const host = `239.255.${id & 255}.${id >> 8 & 255}`;
  using probe = await joinGroup(host, 0, [findInterface(loopback)]);
  const seal = (role: GroupRole) => key === undefined ? checksumSeal(platform) : encryptedSeal(platform, key, role);
  return { id, host, port: probe.address.port, clock, seal };
}

/** A clock that goes slower, by a factor: the pauses of the machine count so much less. */
export function slowMotion(factor: number): Platform {
  return {
    ...platform,
    now: () => platform.now() / factor,
    after: (delay, callback) => platform.after(delay * factor, callback),
  };
}

const pool = new Random(1).bytes(65_536 + messageLength);

/** The message with a sequence: part of what is random, so that another one is another. */
export function messageOf(sequence: number): Uint8Array {
  const start = sequence * 7919 % 65_536;
  return pool.subarray(start, start + messageLength);
}

/** A server whose topics go to a group, and a publisher to it. */
export class SendingEnd implements AsyncDisposable {
  readonly sender: GroupSender<Address>;
  /** Where datagrams come from, and requests go to. */
  readonly address: Address;
  readonly #server: Server;
  readonly #link: Link;
  readonly #transmitter: GroupTransmitter;
  readonly #running: Promise<void>;
  #published = 0;

  private constructor(
    server: Server,
    link: Link,
    sender: GroupSender<Address>,
    address: Address,
    transmitter: GroupTransmitter,
  ) {
    this.#server = server;
    this.#link = link;
    this.sender = sender;
    this.address = address;
    this.#transmitter = transmitter;
    this.#running = transmitter.run();
  }

  /** Begins to send. @param rate bytes a second */
  static async start(
    { id, host, port, clock, seal }: Place,
    rate: number,
    limits: Partial<ServerLimits> = {},
  ): Promise<SendingEnd> {
    const server = new Server({ platform: clock, limits });
    const session = new Uint8Array(16);
    platform.random(session);
    const sender = new GroupSender<Address>(clock, server.topics, seal("sender"), {
      group: id,
      session,
      patterns: [new Pattern("#")],
      largest,
      rate,
      wait: true,
    });
    const socket = await openGroup({ host, port, interface: findInterface(loopback), ttl: 0 });
    const transmitter = new GroupTransmitter(clock, sender, socket, [udpAddress(host, port)]);
    const listener = memoryListener();
    server.serve(listener);
    const link = await new Link(listener.endpoint, { dial: listener.dial, platform: clock }).open();
    return new SendingEnd(server, link, sender, socket.address, transmitter);
  }

  /** Publishes messages, each as {@linkcode messageOf} has it, and waits until the server has them. */
  async publish(count: number): Promise<void> {
    const { publisher } = this.#link;
    for (const end = this.#published + count; this.#published < end;) {
      if (!publisher.send(topic, messageOf(++this.#published))) await publisher.ready();
    }
    await publisher.flush();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#transmitter[Symbol.dispose]();
    await this.#running;
    await this.#link.close();
    await this.#server.close();
  }
}

/** What a receiver loses on purpose: of the group's port, and of its own. */
export interface ReceiverLosses {
  readonly group?: Losses;
  readonly own?: Losses;
}

/** A receiver that counts what it gets, and fails when it is not what was sent, or not in order. */
export class ReceivingEnd implements AsyncDisposable {
  readonly subscription: GroupSubscription;
  /** Settles when a sender is heard. */
  readonly heard: Promise<void>;
  /** Messages that came, and that will not come. */
  got = 0;
  lost = 0;
  readonly #group: LossyPort;
  readonly #own: LossyPort;
  readonly #failed = Promise.withResolvers<never>();
  readonly #cancelGuard: () => void;
  #next = 1;
  #arrived: () => void = () => {};

  private constructor({ id, clock, seal }: Place, group: LossyPort, own: LossyPort) {
    this.#group = group;
    this.#own = own;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.heard = promise;
    this.#failed.promise.catch(() => {});
    this.#cancelGuard = platform.after(longestRun, () => {
      this.#failed.reject(new Error(`after ${this.got} messages and ${this.lost} lost ones nothing more came`));
    });
    this.subscription = new GroupSubscription(clock, { group: [group], own }, {
      group: id,
      seal: seal("receiver"),
      patterns: [],
      repair: true,
      largest,
      onSender: (_from, heard) => heard && resolve(),
      onEvent: (event) => this.#happened(event),
    });
  }

  /** Joins, and waits until the sender is heard. */
  static async join(place: Place, losses: ReceiverLosses = {}): Promise<ReceivingEnd> {
    const { host, port } = place;
    const group = new LossyPort(await joinGroup(host, port, [findInterface(loopback)]), losses.group ?? {});
    const own = new LossyPort(openUdp(loopback, 0), losses.own ?? {});
    const end = new ReceivingEnd(place, group, own);
    await Promise.race([end.heard, end.#failed.promise]);
    return end;
  }

  /** Where repairs come to, and requests from. */
  get address(): Address {
    return this.#own.address;
  }

  /** Datagrams that were lost on purpose. */
  get dropped(): number {
    return this.#group.lost + this.#own.lost;
  }

  /** Datagrams that it noticed were missing. */
  get missed(): number {
    return this.subscription.receiver.sessions.values().reduce((sum, { arrivals }) => sum + arrivals.missed, 0);
  }

  /** Waits until so many messages have come or are lost. */
  complete(count: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#arrived = () => this.got + this.lost >= count && resolve();
    this.#arrived();
    return Promise.race([promise, this.#failed.promise]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#cancelGuard();
    await this.subscription.close();
  }

  #happened(event: SubscriptionEvent): void {
    try {
      if (event.kind === "batch") this.#take(event);
      else if (event.kind === "gap") {
        this.lost += event.lost;
        this.#next = event.last + 1;
      }
    } catch (error) {
      this.#failed.reject(error);
    }
    this.#arrived();
  }

  #take(batch: Batch): void {
    const { topic: of, sequence } = batch;
    assert(of === topic && sequence === this.#next, `${of} ${sequence} instead of ${topic} ${this.#next}`);
    for (let index = 0; index < batch.count; index++) {
      const message = messageOf(sequence + index);
      assert(Buffer.compare(batch.payload(index), message) === 0, `message ${sequence + index} is another`);
    }
    this.got += batch.count;
    this.#next += batch.count;
  }
}
