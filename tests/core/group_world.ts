/** A multicast group in a world of its own: one sender, receivers, a network that loses, doubles and reorders. */

import { assert, assertEquals } from "@std/assert";
import { Batch } from "../../core/batch.ts";
import { Code } from "../../core/codes.ts";
import { checksumSeal, datagramHeader, type Seal } from "../../core/datagram.ts";
import { GroupReceiver } from "../../core/group_receiver.ts";
import { GroupSender } from "../../core/group_sender.ts";
import { encryptedSeal } from "../../core/encrypted_seal.ts";
import type { GroupSessionOptions } from "../../core/group_session.ts";
import { defaultLimits, type ServerLimits } from "../../core/limits.ts";
import { Pattern } from "../../core/pattern.ts";
import { Segment } from "../../core/segment.ts";
import type { Topic } from "../../core/topic.ts";
import { Topics } from "../../core/topics.ts";
import { messagesFrame, Random, viewOf, VirtualPlatform } from "./fixtures.ts";

export const group = 7;
/** Bytes of the largest datagram. */
export const largest = 1400;

/** What the network does to each datagram, on its own for each receiver. */
export interface Weather {
  /** Of a hundred. */
  readonly loss: number;
  readonly doubled: number;
  /** Milliseconds that a datagram may take beyond the one that it takes at least. */
  readonly jitter: number;
}

export const calm: Weather = { loss: 0, doubled: 0, jitter: 0 };

interface Address {
  readonly text: string;
}

/** What a message is: its topic and sequence decide. */
export function payloadOf(topic: string, sequence: number): Uint8Array {
  const random = new Random(sequence * 31 + topic.length);
  return random.bytes(random.chance(0.02) ? random.between(1000, 6000) : random.between(0, 80));
}

export class WorldReceiver {
  readonly address: Address;
  /** Of each topic what it got and lost, in order: sequences, and gaps. */
  readonly messages = new Map<string, { first: number; next: number; got: number; lost: number }>();
  readonly group: GroupReceiver<Address>;
  joins = 0;
  leaves = 0;
  readonly options: GroupSessionOptions;
  readonly #world: GroupWorld;
  readonly #wants: (topic: string) => boolean;

  constructor(world: GroupWorld, index: number, options: GroupSessionOptions, wants: (topic: string) => boolean) {
    this.#world = world;
    this.address = { text: `receiver ${index}` };
    this.options = options;
    this.#wants = wants;
    const { platform } = world;
    const clock = {
      random: (into: Uint8Array) => platform.random(into),
      time: () => platform.time() - (world.options.skew ?? 0),
    };
    this.group = new GroupReceiver<Address>(clock, world.receiverSeal, { group, ...options }, this);
  }

  received(bytes: Uint8Array, now: number): void {
    this.group.received(bytes, viewOf(bytes), 0, bytes.length, this.#world.address, now);
    const { key } = this.#world.options;
    if (key === undefined) assertEquals([...this.group.dropped.keys()].filter((reason) => reason !== "unproven"), []);
  }

  /** Gives up what is late, and sends its requests. */
  poll(now: number): void {
    this.group.expire(now);
    const bytes = new Uint8Array(largest);
    for (;;) {
      const length = this.group.next(bytes, viewOf(bytes), now);
      if (length === 0) break;
      assertEquals(this.group.to, this.#world.address);
      this.#world.request(bytes.slice(0, length), this.address);
    }
    assert(this.group.dueAt > now - 1e-9, "what may be asked for now was");
  }

  joined(): this {
    this.joins++;
    return this;
  }

  left(): void {
    this.leaves++;
  }

  wants(topic: string): boolean {
    return this.#wants(topic);
  }

  frame(topic: string, bytes: Uint8Array, view: DataView, start: number, end: number, floor: number): void {
    const batch = new Batch();
    const segment = new Segment(bytes, view, 0, bytes.length, 0, 1);
    assertEquals(batch.open(topic, segment, start, floor, this.#world.platform), Code.done);
    assert(end <= bytes.length);
    const known = this.#of(topic, batch.sequence);
    assertEquals(batch.sequence, known.next, `${this.address.text} ${topic}: in order, once`);
    for (let i = 0; i < batch.count; i++) {
      assertEquals(batch.payload(i), payloadOf(topic, batch.sequence + i), `${topic} ${batch.sequence + i}`);
    }
    known.next += batch.count;
    known.got += batch.count;
  }

  gap(topic: string, first: number, last: number): void {
    const known = this.#of(topic, first);
    if (last === 0) return;
    assertEquals(first, known.next, `${topic}: a gap begins where the messages end`);
    assert(last >= first);
    known.next = last + 1;
    known.lost += last - first + 1;
  }

  #of(topic: string, sequence: number) {
    let known = this.messages.get(topic);
    if (known === undefined) this.messages.set(topic, known = { first: sequence, next: sequence, got: 0, lost: 0 });
    return known;
  }
}

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
  #onTheWay: { at: number; order: number; arrive: () => void }[] = [];
  #order = 0;
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
  request(bytes: Uint8Array, from: Address): void {
    this.onRequest(bytes.slice());
    this.#send(() => {
      const copy = bytes.slice();
      const fault = this.sender.received(copy, viewOf(copy), 0, copy.length, from, this.platform.now());
      assert(fault === null || fault === "repeated");
    });
  }

  /** Lets time pass. */
  run(milliseconds: number): void {
    for (let i = 0; i < milliseconds; i++) {
      this.platform.advance(1);
      const now = this.platform.now();
      this.topics.retryHeld();
      this.#transmit(now);
      const arriving = this.#onTheWay.filter(({ at }) => at <= now).sort((a, b) => a.at - b.at || a.order - b.order);
      this.#onTheWay = this.#onTheWay.filter(({ at }) => at > now);
      for (const { arrive } of arriving) arrive();
      for (const receiver of this.receivers) receiver.poll(now);
    }
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
    for (;;) {
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
        this.#send(() => receiver.received(datagram.slice(), this.platform.now()));
      }
    }
    assert(this.sender.dueAt(now) > now - 1e-9, "what may go now went");
  }

  #send(arrive: () => void): void {
    const { loss, doubled, jitter } = this.weather;
    const copies = this.random.chance(doubled / 100) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      if (this.random.chance(loss / 100)) continue;
      const at = this.platform.now() + 1 + this.random.below(jitter + 1);
      this.#onTheWay.push({ at, order: this.#order++, arrive });
    }
  }
}
