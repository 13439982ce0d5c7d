/** The two ends of the group in docs/PROTOCOL.md: the real ones, without I/O, in a world that always is the same. */

import { assertEquals } from "@std/assert";
import { Batch } from "../../core/batch.ts";
import { Code } from "../../core/codes.ts";
import { checksumSeal } from "../../core/datagram.ts";
import { encryptedSeal, type GroupRole } from "../../core/encrypted_seal.ts";
import { GroupReceiver } from "../../core/group_receiver.ts";
import { GroupSender } from "../../core/group_sender.ts";
import type { TopicEvents } from "../../core/group_topics.ts";
import { defaultLimits } from "../../core/limits.ts";
import { Pattern } from "../../core/pattern.ts";
import { Segment } from "../../core/segment.ts";
import { Topics } from "../../core/topics.ts";
import { messagesFrame, opening, viewOf } from "./fixtures.ts";
import { FixedPlatform } from "./protocol_ends.ts";

/** Bytes of the largest datagram. */
const largest = 200;
/** The sender's session. */
const session = Uint8Array.from({ length: 16 }, (_, i) => 0xa0 + i);
const receiverAddress = { text: "192.0.2.7:40000" };
const senderAddress = { text: "192.0.2.1:50000" };
const text = new TextDecoder();

/** A group of one sender and one receiver. Its server keeps messages for 10 seconds. */
export class GroupEnds implements TopicEvents {
  /** What the receiver told, and the document has not mentioned yet. */
  readonly told: string[] = [];
  readonly #platform = new FixedPlatform();
  readonly #topics = new Topics(this.#platform, { ...defaultLimits, retainFor: 10_000 });
  readonly #sender: GroupSender<{ readonly text: string }>;
  readonly #receiver: GroupReceiver<{ readonly text: string }>;
  /** Of the next id that the receiver draws, the first byte. */
  #drawn = 0xb0;
  #lossy = false;

  /** @param key the group's; without one nothing is encrypted */
  constructor(group: number, key: Uint8Array | null) {
    const platform = this.#platform;
    const sealOf = (role: GroupRole) => key === null ? checksumSeal(platform) : encryptedSeal(platform, key, role);
    this.#publish("sensors/kitchen", "20.5", "21");
    this.#sender = new GroupSender(platform, this.#topics, sealOf("sender"), {
      group,
      session,
      patterns: [new Pattern("#")],
      largest,
      rate: Infinity,
      wait: false,
    });
    const clock = { time: () => platform.time(), random: (into: Uint8Array) => this.#draw(into) };
    this.#receiver = new GroupReceiver(clock, sealOf("receiver"), {
      group,
      span: 64,
      largest,
      wait: 20,
      patience: 5_000,
      repair: true,
      largestFrame: 4096,
    }, { joined: () => this, left: () => void this.told.push("the receiver leaves") });
  }

  /** The things that happen, once everything that was to be said before has been. */
  readonly happenings: Record<string, () => void> = {
    "the server gets 21.5 in sensors/kitchen, and hello in chat/lobby, a new topic": () => {
      this.#publish("sensors/kitchen", "21.5");
      this.#publish("chat/lobby", "hello");
    },
    "10 milliseconds pass, with another heartbeat": () => this.#pass(10),
    "the server gets a message of 300 bytes in chat/lobby": () => this.#publish("chat/lobby", "x".repeat(300)),
    "25 milliseconds pass, with three more heartbeats": () => this.#pass(25),
    "the server gets 'anyone?' in chat/lobby; for 11 seconds nothing arrives": () => {
      this.#publish("chat/lobby", "anyone?");
      this.#pass(11_000, true);
    },
    "280 milliseconds pass": () => this.#pass(280),
    "25 milliseconds pass": () => this.#pass(25),
    "5 milliseconds pass": () => this.#pass(5),
    "the sender ends": () => this.#sender.finish(),
  };

  /** The next datagram of the sender will not arrive. */
  lose(): void {
    this.#lossy = true;
  }

  /** The next datagram of the sender, which the receiver gets unless it is lost; `null` for none. */
  sends(): Uint8Array | null {
    const datagram = this.#made((bytes, view, now) => this.#sender.next(bytes, view, now));
    if (datagram !== null && !this.#lossy) this.#hear(datagram);
    if (datagram !== null) this.#lossy = false;
    return datagram;
  }

  /** The next request of the receiver, which the sender gets; `null` for none. */
  asks(): Uint8Array | null {
    const now = this.#platform.now();
    const request = this.#made((bytes, view, now) => this.#receiver.next(bytes, view, now));
    if (request === null) return null;
    const copy = request.slice();
    assertEquals(this.#sender.received(copy, viewOf(copy), 0, copy.length, receiverAddress, now), null);
    assertEquals(this.#sender.requests.malformed, 0);
    return request;
  }

  epoch(epoch: string): void {
    this.told.push(`the receiver learns the epoch, ${epoch}`);
  }

  wants(): boolean {
    return true;
  }

  frame(topic: string, bytes: Uint8Array, view: DataView, start: number, _end: number, floor: number): void {
    const batch = new Batch();
    const segment = new Segment(bytes, view, 0, bytes.length, 0, 1);
    assertEquals(batch.open(topic, segment, start, floor, opening(this.#platform)), Code.done);
    for (let i = 0; i < batch.count; i++) {
      const payload = batch.payload(i);
      const shown = payload.length > 40 ? `${payload.length} bytes` : text.decode(payload);
      this.told.push(`the receiver gives out ${topic} ${batch.sequence + i}: ${shown}`);
    }
  }

  gap(topic: string, first: number, last: number): void {
    this.told.push(`the receiver reports a gap: ${topic} ${first} to ${last}`);
  }

  #publish(name: string, ...messages: string[]): void {
    const topic = this.#topics.declare(name);
    if (typeof topic === "number") throw new Error(`no topic ${name}`);
    if (topic.ordinal === 0) this.#topics.create(topic);
    const payloads = messages.map((message) => new TextEncoder().encode(message));
    const frame = messagesFrame(payloads, { topic: topic.id, number: topic.log.nextSequence });
    assertEquals(topic.append(frame, 0, frame.length, messages.length, this.#platform.time()), "appended");
  }

  /** Lets time pass. What the sender says meanwhile is heard, or lost, and not shown. */
  #pass(milliseconds: number, lossy = false): void {
    for (let i = 0; i < milliseconds; i++) {
      for (;;) {
        const datagram = this.#made((bytes, view, now) => this.#sender.next(bytes, view, now));
        if (datagram === null) break;
        if (!lossy) this.#hear(datagram);
      }
      this.#platform.advance(1);
      this.#topics.tick(this.#platform.now());
    }
  }

  #hear(datagram: Uint8Array): void {
    const copy = datagram.slice();
    const now = this.#platform.now();
    this.#receiver.received(copy, viewOf(copy), 0, copy.length, senderAddress, now);
    this.#receiver.expire(now);
    assertEquals([...this.#receiver.dropped], []);
    for (const { malformed } of this.#receiver.sessions.values()) assertEquals(malformed, 0);
  }

  #made(make: (bytes: Uint8Array, view: DataView, now: number) => number): Uint8Array | null {
    const bytes = new Uint8Array(largest);
    const length = make(bytes, viewOf(bytes), this.#platform.now());
    return length === 0 ? null : bytes.slice(0, length);
  }

  /** Ids of bytes that count up; and a chance that is always the same. */
  #draw(into: Uint8Array): void {
    for (let i = 0; i < into.length; i++) into[i] = this.#drawn + i;
    if (into.length === 16) this.#drawn += 16;
  }
}
