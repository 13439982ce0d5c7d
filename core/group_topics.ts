/**
 * What a receiver knows of the topics of one sender: their names, and which message of each comes next.
 *
 * @module
 */

import { readU64 } from "./bytes.ts";
import { Code } from "./codes.ts";
import { at } from "./frame.ts";
import type { BeatTopic } from "./group_frames.ts";
import { topicFault } from "./pattern.ts";

/** The most bytes of frames that are kept until their topic is announced. */
const mostHeld = 1024 * 1024;

/** Who gets what is found out. Frames are valid during the call alone. */
export interface TopicEvents {
  /** The epoch of the server whose topics these are: the first thing that is told, if it is told. */
  epoch?(epoch: string): void;
  /** Whether a topic's messages are wanted at all. */
  wants(topic: string): boolean;
  /** A topic that is wanted has this id on the server: told before anything else of it. One that comes again has another. */
  named?(topic: string, id: number): void;
  /** All messages of a topic come from this one on, as the sender says: what was before was not for this session. */
  begins?(topic: string, sequence: number): void;
  /** A frame of messages; those below `floor` came before. */
  frame(topic: string, bytes: Uint8Array, view: DataView, start: number, end: number, floor: number): void;
  /** Messages will not come; a `last` of 0 when it is not known how many. `code` says why. */
  gap(topic: string, first: number, last: number, code: Code): void;
}

interface KnownTopic {
  readonly name: string;
  readonly wanted: boolean;
  /** Whether it joined the group when this receiver was there: then it is to come from its first message on. */
  readonly born: boolean;
  /** Sequence of the next message; 0 while nothing is known of it. */
  next: number;
  /** How many losses of datagrams there had been by then. */
  losses: number;
}

/** What the sender has said of a topic: which message comes next, before the datagram of that number. */
interface Told {
  readonly number: number;
  readonly next: number;
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
  /** How often datagrams were lost: a topic of which nothing was known may have been among them. */
  #losses = 0;
  /** What was told and cannot be compared yet: other datagrams are to come that were sent before; and the first of those. */
  readonly #told = new Map<KnownTopic, Told>();
  #toldFirst = Infinity;

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

  /** Nothing has come yet: topics that were there begin with what comes, whatever heartbeats said of it. */
  begin(): void {
    for (const topic of this.#known.values()) if (!topic.born) topic.next = 0;
  }

  /** Some datagrams will not come: what was in them is seen from what comes after. */
  lost(): void {
    this.#losses++;
  }

  /** A frame of messages, in its turn; its lengths agree. */
  frame(bytes: Uint8Array, view: DataView, start: number, end: number): void {
    const id = view.getUint32(start + at.topic, true);
    const topic = this.#known.get(id);
    if (topic === undefined) this.#hold(id, bytes.slice(start, end));
    else if (topic.wanted) this.#take(topic, bytes, view, start, end);
  }

  /**
   * Rows of the sender's table. Their names are known at once; what is next shows what was lost, once everything has come or
   * is lost that was sent before.
   *
   * @param number of the datagram that follows
   */
  told(rows: Iterable<BeatTopic>, number: number): void {
    for (const row of rows) {
      if (!this.#known.has(row.id) && this.#hasRoom()) this.#name(row);
      const topic = this.#known.get(row.id);
      // What was sent before this receiver began is not missed.
      if (topic === undefined || !topic.wanted || row.next <= topic.next || number < this.#first) continue;
      if (number < (this.#told.get(topic)?.number ?? 0)) continue;
      this.#told.set(topic, { number, next: row.next });
      this.#toldFirst = Math.min(this.#toldFirst, number);
    }
  }

  /**
   * Everything below a number has come or is lost.
   *
   * @param midway whether this receiver began in the middle of a frame that goes on: to heartbeats that is one that is to come
   */
  reached(number: number, midway: boolean): void {
    if (number < this.#toldFirst) return;
    this.#toldFirst = Infinity;
    for (const [topic, told] of this.#told) {
      if (told.number > number) this.#toldFirst = Math.min(this.#toldFirst, told.number);
      else {
        this.#told.delete(topic);
        if (topic.born || !midway) this.#compare(topic, told.next);
      }
    }
  }

  /** All messages of a topic before `next` have come or are lost. */
  #compare(topic: KnownTopic, next: number): void {
    if (topic.next >= next) return;
    if (topic.next > 0) this.#gap(topic, next - 1);
    else if (this.#losses > 0 && next > 1) this.#events.gap(topic.name, next, 0, Code.unrepaired);
    topic.next = next;
  }

  #name({ id, name, start, ...row }: BeatTopic): void {
    // What a stranger calls a topic goes no further unless it is a name.
    const wanted = topicFault(name) === null && this.#events.wants(name);
    const born = row.born >= this.#first;
    const topic = { name, wanted, born, next: born ? start : 0, losses: 0 };
    if (wanted) this.#events.named?.(name, id);
    this.#known.set(id, topic);
    if (topic.wanted && topic.next > 0) this.#events.begins?.(name, topic.next);
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
    this.#compare(topic, sequence);
    const floor = Math.max(sequence, topic.next);
    topic.next = next;
    topic.losses = this.#losses;
    this.#events.frame(topic.name, bytes, view, start, end, floor);
  }

  /** Where no datagram was lost, it is the sender that has left something out: retention was faster. */
  #gap(topic: KnownTopic, last: number): void {
    const code = this.#losses > topic.losses ? Code.unrepaired : Code.lagged;
    this.#events.gap(topic.name, topic.next, last, code);
    topic.losses = this.#losses;
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
      this.#losses++;
    }
  }

  #forget(id: number, held: HeldFrames): void {
    this.#held.delete(id);
    this.#heldBytes -= held.bytes;
  }
}
