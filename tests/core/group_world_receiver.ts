/** A receiver of a group that a test has made, which checks what it gets. */

import { assert, assertEquals } from "@std/assert";
import { Batch } from "../../core/batch.ts";
import { Code } from "../../core/codes.ts";
import { GroupReceiver } from "../../core/group_receiver.ts";
import type { GroupSessionOptions } from "../../core/group_session.ts";
import { Segment } from "../../core/segment.ts";
import { opening, Random, viewOf } from "./fixtures.ts";
import { group, largest, type Weather } from "./group_network.ts";
import type { GroupWorld } from "./group_world.ts";

export interface Address {
  readonly text: string;
}

/** What a message is: its topic and sequence decide. */
export function payloadOf(topic: string, sequence: number): Uint8Array {
  const random = new Random(sequence * 31 + topic.length);
  return random.bytes(random.chance(0.02) ? random.between(1000, 6000) : random.between(0, 80));
}

/** Datagrams that wait for a receiver that is paused; more are lost. */
const receiveBuffer = 90;

export class WorldReceiver {
  readonly address: Address;
  /** Its own, if it has another than the world. */
  weather: Weather | null = null;
  #pausedUntil = 0;
  readonly #waiting: Uint8Array[] = [];
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

  /** Does nothing for a while. */
  pause(milliseconds: number): void {
    this.#pausedUntil = this.#world.platform.now() + milliseconds;
  }

  /** When to poll it. */
  get dueAt(): number {
    return Math.max(this.group.dueAt, this.#pausedUntil);
  }

  received(bytes: Uint8Array, now: number): void {
    if (now < this.#pausedUntil) {
      if (this.#waiting.length < receiveBuffer) this.#waiting.push(bytes);
      return;
    }
    this.group.received(bytes, viewOf(bytes), 0, bytes.length, this.#world.address, now);
    const { key } = this.#world.options;
    if (key === undefined) assert(this.group.dropped.keys().every((reason) => reason === "unproven"));
  }

  /** Gives up what is late, and sends its requests. */
  poll(now: number): void {
    if (now < this.#pausedUntil) return;
    for (const bytes of this.#waiting.splice(0)) this.received(bytes, now);
    this.group.expire(now);
    const bytes = new Uint8Array(largest);
    for (;;) {
      const length = this.group.next(bytes, viewOf(bytes), now);
      if (length === 0) break;
      assertEquals(this.group.to, this.#world.address);
      this.#world.request(bytes.slice(0, length), this);
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
    assertEquals(batch.open(topic, segment, start, floor, opening(this.#world.platform)), Code.done);
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
