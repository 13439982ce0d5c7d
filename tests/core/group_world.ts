/** A multicast group in a world of its own: one sender, receivers, a network that loses, doubles and reorders. */

import { assert, assertEquals } from "@std/assert";
import { checksumSeal, datagramHeader, type Seal } from "../../core/datagram.ts";
import { GroupSender } from "../../core/group_sender.ts";
import { encryptedSeal } from "../../core/encrypted_seal.ts";
import type { GroupSessionOptions } from "../../core/group_session.ts";
import { defaultLimits, type ServerLimits } from "../../core/limits.ts";
import { Pattern } from "../../core/pattern.ts";
import type { Topic } from "../../core/topic.ts";
import { Topics } from "../../core/topics.ts";
import { messagesFrame, Random, viewOf, VirtualPlatform } from "./fixtures.ts";
import { Calendar, calm, carry, group, largest, type Weather } from "./group_network.ts";
import { type Address, payloadOf, WorldReceiver } from "./group_world_receiver.ts";

export interface WorldOptions {
  readonly seed: number;
  readonly receivers?: number;
  readonly weather?: Weather;
  /** Bytes a second. */
  readonly rate?: number;
  readonly limits?: Partial<ServerLimits>;
  readonly session?: Partial<GroupSessionOptions>;
  readonly wants?: (topic: string) => boolean;
  readonly wait?: boolean;
  /** By how much the sender's clock is before the receivers'; microseconds. */
  readonly skew?: number;
  /** 32 bytes; without them nothing is encrypted. */
  readonly key?: Uint8Array;
  readonly onLagged?: (topic: string, first: number, last: number) => void;
}

export class GroupWorld {
  readonly random: Random;
  readonly platform: VirtualPlatform;
  readonly topics: Topics;
  /** The sender's, and a receiver's. */
  readonly seal: Seal;
  readonly receiverSeal: Seal;
  /** The sender's. */
  readonly address: Address = { text: "sender" };
  readonly sender: GroupSender<Address>;
  readonly sessionId: Uint8Array;
  readonly receivers: WorldReceiver[] = [];
  weather: Weather;
  readonly options: WorldOptions;
  readonly #bytes = new Uint8Array(largest);
  readonly #view = viewOf(this.#bytes);
  /** Given a copy of each datagram that the sender makes. */
  onSend: (bytes: Uint8Array) => void = () => {};
  /** Given a copy of each request that a receiver makes. */
  onRequest: (bytes: Uint8Array) => void = () => {};
  readonly #onTheWay = new Calendar();
  /** How large each datagram was, and the last of them. */
  readonly sizes: number[] = [];
  last: Uint8Array = new Uint8Array(0);

  constructor(options: WorldOptions) {
    this.options = options;
    this.random = new Random(options.seed);
    this.platform = new VirtualPlatform(options.seed);
    this.topics = new Topics(this.platform, { ...defaultLimits, ...options.limits });
    const { key } = options;
    this.seal = key ? encryptedSeal(this.platform, key, "sender") : checksumSeal(this.platform);
    this.receiverSeal = key ? encryptedSeal(this.platform, key, "receiver") : this.seal;
    this.sessionId = this.random.bytes(16);
    this.weather = options.weather ?? calm;
    this.sender = new GroupSender<Address>(this.platform, this.topics, this.seal, {
      group,
      session: this.sessionId,
      patterns: [new Pattern("#")],
      largest,
      rate: options.rate ?? 12_500_000,
      wait: options.wait ?? true,
      ...(options.onLagged && { onLagged: options.onLagged }),
    });
    for (let i = 0; i < (options.receivers ?? 1); i++) this.join();
  }

  join(): WorldReceiver {
    const options = {
      span: 4096,
      largest,
      wait: 20,
      patience: 5_000,
      repair: true,
      largestFrame: 1024 * 1024,
      ...this.options.session,
    };
    const receiver = new WorldReceiver(this, this.receivers.length, options, this.options.wants ?? (() => true));
    this.receivers.push(receiver);
    return receiver;
  }

  topic(name: string): Topic {
    const topic = this.topics.declare(name);
    assert(typeof topic !== "number");
    if (topic.ordinal === 0) this.topics.create(topic);
    return topic;
  }

  /** Publishes some messages in one frame. Returns whether there was room. */
  publish(name: string, count: number): boolean {
    const topic = this.topic(name);
    const messages = Array.from({ length: count }, (_, i) => payloadOf(name, topic.log.nextSequence + i));
    const frame = messagesFrame(messages, { topic: topic.id });
    return topic.append(frame, 0, frame.length, count, this.platform.time()) === "appended";
  }

  /** A receiver's request is on its way. */
  request(bytes: Uint8Array, receiver: WorldReceiver): void {
    this.onRequest(bytes.slice());
    this.#send(receiver, () => {
      if (this.sender.finished) return;
      const from = receiver.address;
      const copy = bytes.slice();
      const fault = this.sender.received(copy, viewOf(copy), 0, copy.length, from, this.platform.now());
      assert(fault === null || fault === "repeated");
    });
  }

  /** Lets time pass, in steps of whole milliseconds; those in which nothing is due are passed over. */
  run(milliseconds: number): void {
    const until = this.platform.now() + milliseconds;
    for (;;) {
      const before = this.platform.now();
      let due = Math.min(this.#onTheWay.dueAt, this.sender.finished ? Infinity : this.sender.dueAt(before));
      for (const { dueAt } of this.receivers) due = Math.min(due, dueAt);
      const now = Math.max(before + 1, Math.ceil(due));
      if (now > until) break;
      this.platform.advance(now - before);
      this.#transmit(now);
      this.#onTheWay.run(now);
      for (const receiver of this.receivers) receiver.poll(now);
    }
    this.platform.advance(until - this.platform.now());
  }

  /** Every receiver has everything from where it began on, or was told that it has not. */
  assertComplete(): void {
    for (const receiver of this.receivers) {
      for (const topic of this.topics.matching([new Pattern("#")])) {
        if (!receiver.wants(topic.name) || topic.log.nextSequence === 1) continue;
        const known = receiver.messages.get(topic.name);
        assert(known !== undefined, `${receiver.address.text} knows nothing of ${topic.name}`);
        assertEquals(known.next, topic.log.nextSequence, `${receiver.address.text} ${topic.name}`);
      }
    }
  }

  #transmit(now: number): void {
    while (!this.sender.finished) {
      const length = this.sender.next(this.#bytes, this.#view, now);
      if (length === 0) break;
      assert(length <= largest && length > datagramHeader);
      this.sizes.push(length);
      this.last = this.#bytes.slice(0, length);
      this.onSend(this.last.slice());
      const { to } = this.sender;
      for (const receiver of this.receivers) {
        if (to !== null && to.text !== receiver.address.text) continue;
        const datagram = this.#bytes.slice(0, length);
        this.#send(receiver, () => receiver.received(datagram.slice(), this.platform.now()));
      }
    }
    assert(this.sender.dueAt(now) > now - 1e-9, "what may go now went");
  }

  /** What a receiver gets, or sends. */
  #send({ weather }: WorldReceiver, arrive: () => void): void {
    carry(this.#onTheWay, this.random, weather ?? this.weather, this.platform.now(), arrive);
  }
}

/** What each receiver got and lost, in messages. */
export function totals(world: GroupWorld): { got: number; lost: number }[] {
  return world.receivers.map(({ messages }) => {
    const all = [...messages.values()];
    return { got: all.reduce((sum, { got }) => sum + got, 0), lost: all.reduce((sum, { lost }) => sum + lost, 0) };
  });
}

/** Publishes for a while. Returns how many messages. */
export function traffic(world: GroupWorld, milliseconds: number, perMillisecond = 5, topics = 4): number {
  let published = 0;
  for (let i = 0; i < milliseconds; i++) {
    const count = world.random.below(2 * perMillisecond + 1);
    const name = `t/${world.random.below(topics)}`;
    if (count > 0 && world.publish(name, count)) published += count;
    world.run(1);
  }
  return published;
}

/** Publishes more than the rate, for a while. Returns how often there was no room. */
export function flood(world: GroupWorld, milliseconds: number): number {
  let held = 0;
  for (let i = 0; i < milliseconds; i++) {
    for (let k = 0; k < 4; k++) if (!world.publish("a", 10)) held++;
    world.run(1);
  }
  return held;
}
