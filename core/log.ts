/**
 * The log of a topic: its encoded frames, as far back as retention goes.
 *
 * Publishers append, readers hold a {@linkcode Cursor}; nothing else queues messages. A log has one writer. Readers
 * learn of new frames from `nextSequence` and the last segment's `end`, which only `append` moves.
 *
 * @module
 */

import { stamp } from "./frame.ts";
import type { Segment } from "./segment.ts";
import { type SegmentPool, segmentSize, segmentSizes } from "./segment_pool.ts";

/** How much a log keeps. */
export interface Retention {
  /** Bytes of frames that are kept at least, while memory allows. */
  readonly bytes: number;
  /** Milliseconds that a frame is kept at most; `Infinity` for no such bound. */
  readonly age: number;
}

/**
 * What became of an append: `appended`; `held`, when it would overtake a reader that must not be overtaken; or `full`,
 * when there is no memory for it. What is not appended may be tried again.
 */
export type AppendOutcome = "appended" | "held" | "full";

/** A bounded log of frames. */
export class TopicLog {
  readonly #pool: SegmentPool;
  readonly #retention: Retention;
  readonly #largestSegment: number;
  #first: Segment | null = null;
  #last: Segment | null = null;
  #firstOffset = 0;
  #firstSequence = 1;
  #nextSequence = 1;
  #bytes = 0;
  #memory = 0;
  #position = 0;
  #lastTime = 0;

  /**
   * Asked before retention drops the messages below `sequence`: whether a reader forbids it. Set by the topic.
   */
  guards: ((sequence: number) => boolean) | null = null;
  /** Told of each segment that comes or goes: `first`, `last` and `memory` have changed. */
  resized: (() => void) | null = null;

  constructor(pool: SegmentPool, retention: Retention) {
    this.#pool = pool;
    this.#retention = retention;
    // An eighth of what is kept, so that retention by whole segments stays close to what was asked for.
    this.#largestSegment = segmentSizes.findLast((size) => size <= retention.bytes / 8) ?? segmentSizes[0]!;
  }

  /** The oldest segment, or `null` for an empty log. Frames before {@linkcode firstOffset} are no longer kept. */
  get first(): Segment | null {
    return this.#first;
  }

  /** The segment that grows. */
  get last(): Segment | null {
    return this.#last;
  }

  /** Where the oldest frame that is kept begins in {@linkcode first}. */
  get firstOffset(): number {
    return this.#firstOffset;
  }

  /** Sequence of the oldest message that is kept; equal to {@linkcode nextSequence} when none is. */
  get firstSequence(): number {
    return this.#firstSequence;
  }

  /** Sequence that the next message will have; 1 in a new log. */
  get nextSequence(): number {
    return this.#nextSequence;
  }

  /** Bytes of the frames that are kept. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes of memory that its segments take, those that only a pending write keeps not counted. */
  get memory(): number {
    return this.#memory;
  }

  /** Bytes ever appended: the position of the next frame. */
  get position(): number {
    return this.#position;
  }

  /** Time of the newest frame ever appended, Unix microseconds; 0 if there was none. */
  get lastTime(): number {
    return this.#lastTime;
  }

  /**
   * Copies one whole frame to the end of the log and stamps the copy.
   *
   * @param count messages in it
   * @param time Unix microseconds; what is earlier than the frame before is raised to that
   * @param beyond bytes that are kept beyond retention rather than that the frame is held for a reader
   */
  append(source: Uint8Array, start: number, length: number, count: number, time: number, beyond = 0): AppendOutcome {
    while (this.#exceeds(length)) {
      if (this.guards?.(this.#first!.nextSequence)) {
        if (this.#bytes + length > this.#retention.bytes + beyond) return "held";
        break;
      }
      this.dropFirst();
    }
    const segment = this.#room(length);
    if (segment === null) return "full";
    const offset = segment.end;
    segment.bytes.set(source.subarray(start, start + length), offset);
    if (time < this.#lastTime) time = this.#lastTime;
    stamp(segment.view, offset, this.#nextSequence, time);
    segment.extend(length, count, time);
    this.#lastTime = time;
    this.#bytes += length;
    this.#position += length;
    this.#nextSequence += count;
    return "appended";
  }

  /** Whether a frame of that length would be `held`. */
  holds(length: number): boolean {
    return this.#exceeds(length) && this.guards !== null && this.guards(this.#first!.nextSequence);
  }

  /** Drops the oldest segment. The log must not be empty. */
  dropFirst(): void {
    const segment = this.#first!;
    this.#first = segment.next;
    if (this.#first === null) this.#last = null;
    this.#bytes -= segment.end - this.#firstOffset;
    this.#firstOffset = this.#first?.start ?? 0;
    this.#firstSequence = segment.nextSequence;
    this.#memory -= segment.size;
    segment.next = null;
    this.#pool.drop(segment);
    this.resized?.();
  }

  /**
   * Drops frames older than retention allows.
   *
   * @param now Unix microseconds
   */
  expire(now: number): void {
    const oldest = now - this.#retention.age * 1000;
    while (this.#first !== null && this.#first.lastTime < oldest) this.dropFirst();
    const segment = this.#first;
    if (segment === null) return;
    while (segment.timeAt(this.#firstOffset) < oldest) {
      const length = segment.lengthAt(this.#firstOffset);
      this.#firstSequence += segment.countAt(this.#firstOffset);
      this.#firstOffset += length;
      this.#bytes -= length;
    }
  }

  /** Drops everything, for a topic that ends. */
  clear(): void {
    while (this.#first !== null) this.dropFirst();
  }

  /** Sequence of the first message of the first frame at or after `time`, Unix microseconds. */
  sequenceAtTime(time: number): number {
    let segment = this.#first;
    while (segment !== null && segment.lastTime < time) segment = segment.next;
    if (segment === null) return this.#nextSequence;
    let offset = segment === this.#first ? this.#firstOffset : segment.start;
    while (segment.timeAt(offset) < time) offset += segment.lengthAt(offset);
    return segment.sequenceAt(offset);
  }

  /** Whether the oldest segment can go without keeping less than retention asks, once `length` bytes are added. */
  #exceeds(length: number): boolean {
    const bytes = this.#bytes + length;
    if (bytes < this.#retention.bytes) return false;
    const first = this.#first;
    return first !== null && first !== this.#last &&
      bytes - (first.end - this.#firstOffset) >= this.#retention.bytes;
  }

  #room(length: number): Segment | null {
    const full = this.#last;
    if (full !== null && full.end + length <= full.limit) return full;
    const larger = full === null ? 0 : Math.min(this.#largestSegment, full.size * 8, segmentSize);
    const segment = this.#pool.acquire(Math.max(length, larger), this.#position, this.#nextSequence, length);
    if (segment === null) return null;
    // Making room may have dropped segments of this very log, the last one too.
    const last = this.#last;
    if (last === null) {
      this.#first = segment;
      this.#firstOffset = segment.start;
    } else {
      last.next = segment;
    }
    this.#last = segment;
    this.#memory += segment.size;
    this.resized?.();
    return segment;
  }
}
