/**
 * What a receiver knows of the topics of one sender: their names, and which message of each comes next.
 *
 * @module
 */

import { readU64 } from "./bytes.ts";
import { at } from "./frame.ts";
import type { BeatTopic } from "./group_frames.ts";

/** The most bytes of frames that are kept until their topic is announced. */
const mostHeld = 1024 * 1024;

/** Who gets what is found out. Frames are valid during the call alone. */
export interface TopicEvents {
  /** The epoch of the server whose topics these are: the first thing that is told, if it is told. */
  epoch?(epoch: string): void;
  /** Whether a topic's messages are wanted at all. */
  wants(topic: string): boolean;
  /** A frame of messages; those below `floor` came before. */
  frame(topic: string, bytes: Uint8Array, view: DataView, start: number, end: number, floor: number): void;
  /** Messages will not come; a `last` of 0 when it is not known how many. */
  gap(topic: string, first: number, last: number): void;
}

interface KnownTopic {
  readonly name: string;
  readonly wanted: boolean;
  /** Sequence of the next message; 0 while nothing is known of it. */
  next: number;
}

/** Frames of a topic that has no name yet, as they came. */
interface HeldFrames {
  readonly frames: Uint8Array[];
  bytes: number;
}

/** The topics of one sender. */
export class GroupTopics {
  readonly #events: TopicEvents;
  readonly #first: number;
  readonly #hasRoom: () => boolean;
  readonly #known = new Map<number, KnownTopic>();
  readonly #held = new Map<number, HeldFrames>();
  #heldBytes = 0;
  /** Whether datagrams were lost: a topic of which nothing was known may have been among them. */
  #lost = false;

  /**
   * @param first number of the datagram with which this receiver began
   * @param hasRoom whether one more topic may be remembered
   */
  constructor(events: TopicEvents, first: number, hasRoom: () => boolean) {
    this.#events = events;
    this.#first = first;
    this.#hasRoom = hasRoom;
  }

  /** Topics that are remembered, in number. */
  get size(): number {
    return this.#known.size;
  }

  /** Whether there are frames of topics that have no name. */
  get awaitsNames(): boolean {
    return this.#held.size > 0;
  }

  /** Ids of such topics: at most `most` of them. */
  unknown(most: number): number[] {
    return [...this.#held.keys().take(most)];
  }

  /** Bytes of frames that are kept for those. */
  get held(): number {
    return this.#heldBytes;
  }

  /** Some datagrams will not come: what was in them is seen from what comes after. */
  lost(): void {
    this.#lost = true;
  }

  /** A frame of messages, in its turn; its lengths agree. */
  frame(bytes: Uint8Array, view: DataView, start: number, end: number): void {
    const id = view.getUint32(start + at.topic, true);
    const topic = this.#known.get(id);
    if (topic === undefined) this.#hold(id, bytes.slice(start, end));
    else if (topic.wanted) this.#take(topic, bytes, view, start, end);
  }

  /** Rows of the sender's table: only their names count, since other datagrams are to come that were sent before them. */
  named(rows: Iterable<BeatTopic>): void {
    for (const row of rows) if (!this.#known.has(row.id) && this.#hasRoom()) this.#name(row);
  }

  /** Rows of the sender's table, and everything that was sent before them has come or is lost. */
  reached(rows: Iterable<BeatTopic>): void {
    for (const { id, next } of rows) {
      const topic = this.#known.get(id);
      if (topic === undefined || !topic.wanted || topic.next >= next) continue;
      if (topic.next > 0) this.#events.gap(topic.name, topic.next, next - 1);
      topic.next = next;
    }
  }

  /** Forgets everything. */
  clear(): void {
    this.#known.clear();
    this.#held.clear();
    this.#heldBytes = 0;
  }

  #name({ id, name, born, start }: BeatTopic): void {
    // What joined when this receiver was there is to come from its first message on.
    const topic = { name, wanted: this.#events.wants(name), next: born >= this.#first ? start : 0 };
    this.#known.set(id, topic);
    const held = this.#held.get(id);
    if (held === undefined) return;
    this.#forget(id, held);
    if (!topic.wanted) return;
    for (const frame of held.frames) {
      this.#take(topic, frame, new DataView(frame.buffer, frame.byteOffset, frame.length), 0, frame.length);
    }
  }

  #take(topic: KnownTopic, bytes: Uint8Array, view: DataView, start: number, end: number): void {
    const sequence = readU64(view, start + at.sequence);
    const next = sequence + view.getUint16(start + at.count, true);
    if (next <= topic.next) return;
    if (topic.next === 0) {
      if (this.#lost && sequence > 1) this.#events.gap(topic.name, sequence, 0);
    } else if (sequence > topic.next) this.#events.gap(topic.name, topic.next, sequence - 1);
    const floor = Math.max(sequence, topic.next);
    topic.next = next;
    this.#events.frame(topic.name, bytes, view, start, end, floor);
  }

  #hold(id: number, frame: Uint8Array): void {
    const held = this.#held.get(id) ?? { frames: [], bytes: 0 };
    this.#held.set(id, held);
    held.frames.push(frame);
    held.bytes += frame.length;
    this.#heldBytes += frame.length;
    while (this.#heldBytes > mostHeld) {
      // The topic that has waited longest: its next frame shows what it lost.
      const [oldest, frames] = this.#held.entries().next().value!;
      this.#forget(oldest, frames);
      this.#lost = true;
    }
  }

  #forget(id: number, held: HeldFrames): void {
    this.#held.delete(id);
    this.#heldBytes -= held.bytes;
  }
}
