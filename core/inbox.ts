/**
 * What a subscription has received and its reader has not read yet, and where it is to resume.
 *
 * @module
 */

import { readU64 } from "./bytes.ts";
import { Code } from "./codes.ts";
import { at } from "./frame.ts";
import type { FrameReader } from "./frame_reader.ts";
import { Queue } from "./queue.ts";
import type { Segment } from "./segment.ts";
import type { SegmentPool } from "./segment_pool.ts";

/** A topic of a subscription, and the sequence it is to go on with. */
export interface Point {
  readonly topic: string;
  /** Its id on the server of this epoch. */
  readonly id: number;
  next: number;
}

/** Frames of one topic that stand one after the other in a pinned segment. */
export interface Run {
  readonly kind: "frames";
  readonly topic: string;
  readonly segment: Segment;
  readonly start: number;
  end: number;
  /** Bytes of memory that it keeps, if it is the first of its segment; else 0. */
  readonly memory: number;
  /** Messages below this sequence are not for the reader. */
  readonly floor: number;
}

/** Messages that the reader will not get. `last` is 0 when it is not known how many they are. */
export interface Gap {
  readonly kind: "gap";
  readonly topic: string;
  readonly first: number;
  readonly last: number;
  readonly code: Code;
}

/** The server was restarted: what it had not delivered is gone, what follows may partly have come before. */
export interface Restarted {
  /** Tells it from the other events of a subscription. */
  readonly kind: "restarted";
}

/** What stands in an inbox, in the order in which it came. */
export type Entry = Run | Gap | Restarted;

/** The incoming frames of one subscription. */
export class Inbox {
  readonly #pool: SegmentPool;
  readonly #entries = new Queue<Entry>();
  #bytes = 0;
  #memory = 0;
  readonly #points = new Map<number, Point>();
  #ordinal = 0;
  /** Messages below this are not wanted in a topic that is announced: the start point `sequence`. */
  #floor: number;

  /** @param floor the lowest sequence that is wanted, in every topic */
  constructor(pool: SegmentPool, floor = 1) {
    this.#pool = pool;
    this.#floor = floor;
  }

  /** Bytes of frames that the reader has not read. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes of memory that they keep: the rest of a segment may be what other subscriptions have read already. */
  get memory(): number {
    return this.#memory;
  }

  /** Whether there is nothing to read. */
  get empty(): boolean {
    return this.#entries.length === 0;
  }

  /** The ordinal of the newest topic that was announced. */
  get ordinal(): number {
    return this.#ordinal;
  }

  /** Where to resume, in every topic that was announced. */
  points(): Iterable<Point> {
    return this.#points.values();
  }

  /** A topic joined the subscription. One that is known goes on where it was. */
  announced(topic: string, id: number, ordinal: number, sequence: number): void {
    this.#ordinal = Math.max(this.#ordinal, ordinal);
    const point = this.#points.get(id);
    if (point === undefined) this.#points.set(id, { topic, id, next: Math.max(sequence, this.#floor) });
    else if (sequence > point.next) this.#gap(point, sequence - 1, Code.lagged);
  }

  /**
   * Takes a frame, as it stands in the input.
   *
   * @returns whether its topic is one that was announced
   */
  frame(reader: FrameReader): boolean {
    const { segment, start, length } = reader;
    const point = this.#points.get(segment.view.getUint32(start + at.topic, true));
    if (point === undefined) return false;
    const sequence = readU64(segment.view, start + at.sequence);
    const next = sequence + segment.view.getUint16(start + at.count, true);
    if (next <= point.next) return true;
    // A server says what it leaves out; one that does not must not go unnoticed.
    if (sequence > point.next) this.#gap(point, sequence - 1, Code.lagged);
    this.#push(segment, start, start + length, point, sequence);
    point.next = next;
    return true;
  }

  /** The server says what it leaves out. */
  gap(id: number, first: number, last: number, code: Code): void {
    const point = this.#points.get(id);
    if (point === undefined) return;
    if (code === Code.forgotten) {
      this.#points.delete(id);
      first = Math.max(first, point.next);
      if (last === 0 || last >= first) this.#add({ kind: "gap", topic: point.topic, first, last, code });
    } else if (last >= point.next) {
      this.#gap(point, last, code);
    }
  }

  /** Another server, or another life of it, has taken over: ids and sequences begin anew. */
  restarted(): void {
    this.#points.clear();
    this.#ordinal = 0;
    this.#floor = 1;
    this.#add({ kind: "restarted" });
  }

  /** Takes out the oldest entry, or `null` when there is none. A run is to be given to {@linkcode release}. */
  shift(): Entry | null {
    return this.#entries.shift() ?? null;
  }

  /** The reader has read a run. */
  release(run: Run): void {
    this.#bytes -= run.end - run.start;
    this.#memory -= run.memory;
    this.#pool.unpin(run.segment);
  }

  /**
   * What the reader took and did not read comes out again, before everything else.
   *
   * @param start where the first frame that was not read begins
   * @param floor messages below this sequence were read, or are not for the reader
   */
  putBack({ kind, topic, segment, end, memory }: Run, start: number, floor: number): void {
    this.#pool.pin(segment);
    this.#bytes += end - start;
    this.#memory += memory;
    const run: Run = { kind, topic, segment, start, end, memory, floor };
    this.#entries.unshift(run);
  }

  /** Lets go of everything that was not read. */
  clear(): void {
    for (let entry = this.shift(); entry !== null; entry = this.shift()) {
      if (entry.kind === "frames") this.release(entry);
    }
  }

  #gap(point: Point, last: number, code: Code): void {
    this.#add({ kind: "gap", topic: point.topic, first: point.next, last, code });
    point.next = last + 1;
  }

  /** Adds a frame to the newest run if it stands behind it, or begins another. */
  #push(segment: Segment, start: number, end: number, point: Point, sequence: number): void {
    this.#bytes += end - start;
    const { newest } = this.#entries;
    const another = newest?.kind === "frames" && newest.segment === segment;
    if (another && newest.end === start && newest.topic === point.topic && sequence === point.next) {
      newest.end = end;
      return;
    }
    this.#pool.pin(segment);
    const memory = another ? 0 : segment.size;
    this.#memory += memory;
    this.#add({ kind: "frames", topic: point.topic, segment, start, end, memory, floor: point.next });
  }

  #add(entry: Entry): void {
    this.#entries.push(entry);
  }
}
