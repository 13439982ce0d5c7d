/**
 * The inbox of a subscription that can be resumed: it knows every topic that was announced, and which message comes next.
 *
 * @module
 */

import { readU64 } from "./bytes.ts";
import { Code } from "./codes.ts";
import { at } from "./frame.ts";
import type { FrameReader } from "./frame_reader.ts";
import { Inbox } from "./inbox.ts";
import type { SegmentPool } from "./segment_pool.ts";

/** A topic of a subscription, and the sequence it is to go on with. */
export interface Point {
  readonly topic: string;
  /** Its id on the server of this epoch. */
  readonly id: number;
  /** The sequence with which it began. */
  readonly first: number;
  next: number;
}

/** Frames as a link brings them, with the topics' ids of its server. */
export class ResumableInbox extends Inbox {
  readonly #points = new Map<number, Point>();
  #ordinal = 0;
  /** Messages below this are not wanted in a topic that is announced: the start point `sequence`. */
  #floor: number;

  /** @param floor the lowest sequence that is wanted, in every topic */
  constructor(pool: SegmentPool, floor = 1) {
    super(pool);
    this.#floor = floor;
  }

  /** The ordinal of the newest topic that was announced. */
  get ordinal(): number {
    return this.#ordinal;
  }

  /** Where to resume, in every topic that was announced. */
  points(): IterableIterator<Point> {
    return this.#points.values();
  }

  /** A topic joined the subscription. One that is known goes on where it was. */
  announced(topic: string, id: number, ordinal: number, sequence: number): void {
    this.#ordinal = Math.max(this.#ordinal, ordinal);
    const point = this.#points.get(id);
    if (point === undefined) {
      const first = Math.max(sequence, this.#floor);
      this.#points.set(id, { topic, id, first, next: first });
    } else if (sequence > point.next) this.#gap(point, sequence - 1, Code.lagged);
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
    this.take(point.topic, segment, start, start + length, sequence, point.next);
    point.next = next;
    return true;
  }

  /** The server says what it leaves out. */
  gap(id: number, first: number, last: number, code: Code): void {
    const point = this.#points.get(id);
    if (point === undefined) return;
    if (code === Code.forgotten || code === Code.forbidden) {
      this.#points.delete(id);
      first = Math.max(first, point.next);
      if (last === 0 || last >= first) this.miss(point.topic, first, last, code);
    } else if (last >= point.next) {
      this.#gap(point, last, code);
    }
  }

  /** Another server, or another life of it, has taken over: ids and sequences begin anew. */
  restarted(): void {
    this.#points.clear();
    this.#ordinal = 0;
    this.#floor = 1;
    this.restart();
  }

  #gap(point: Point, last: number, code: Code): void {
    this.miss(point.topic, point.next, last, code);
    point.next = last + 1;
  }
}
