/**
 * One contiguous block of a log: whole frames, one after the other, each where it was first copied to.
 *
 * @module
 */

import { readU64 } from "./bytes.ts";
import { at } from "./frame.ts";

/** How far apart the marks of a segment are, in bytes. A write is a few of these. */
export const markSpacing = 32 * 1024;

/**
 * A block of memory that holds frames from `start` to `end`, and may hold them up to `limit`.
 *
 * Invariants: a frame never spans segments; bytes between `start` and `end` never change while the segment is in a
 * log or has a pin; only the pool reuses the memory, after the log dropped the segment and the last pin went.
 */
export class Segment {
  /** The memory. Small segments share it with others: only `start` to `limit` is this one's. */
  bytes: Uint8Array;
  view: DataView;
  readonly start: number;
  readonly limit: number;
  /** Where the next frame goes. */
  end: number;
  /** Position in the log of `start`. */
  readonly base: number;
  /** Sequence of the first message, and of the message after the last. */
  readonly firstSequence: number;
  nextSequence: number;
  /** Times of the first and the last frame, Unix microseconds. */
  firstTime = 0;
  lastTime = 0;
  /** The segment after this one; `null` for the last, and for a dropped one. */
  next: Segment | null = null;
  /** Whether the log has let go of it. */
  dropped = false;
  /** Writes from it that are pending. */
  pins = 0;
  /** Frame boundaries about every {@linkcode markSpacing} bytes, ascending, and the sequences that begin there. */
  readonly markOffsets: number[] = noMarks;
  readonly markSequences: number[] = noMarks;

  constructor(bytes: Uint8Array, view: DataView, start: number, limit: number, base: number, sequence: number) {
    this.bytes = bytes;
    this.view = view;
    this.start = start;
    this.limit = limit;
    this.end = start;
    this.base = base;
    this.firstSequence = sequence;
    this.nextSequence = sequence;
    if (limit - start > markSpacing) {
      this.markOffsets = [];
      this.markSequences = [];
    }
  }

  /** Bytes of memory. */
  get size(): number {
    return this.limit - this.start;
  }

  /** Lets go of the memory: cursors that stand here may not look at it any more, but would keep it. */
  vacate(): void {
    this.bytes = noBytes;
    this.view = noView;
  }

  /** Takes note of a frame that was copied to `end`. */
  extend(length: number, count: number, time: number): void {
    if (this.end === this.start) this.firstTime = time;
    const marks = this.markOffsets;
    if (marks !== noMarks) {
      const last = marks.length === 0 ? this.start : marks[marks.length - 1]!;
      if (this.end - last >= markSpacing) {
        marks.push(this.end);
        this.markSequences.push(this.nextSequence);
      }
    }
    this.lastTime = time;
    this.nextSequence += count;
    this.end += length;
  }

  /** Index of the last mark at or before `offset`; -1 where there is none. */
  markBefore(offset: number): number {
    const marks = this.markOffsets;
    // Marks are at least a spacing apart, so that no later one can qualify.
    let index = Math.min(marks.length, Math.floor((offset - this.start) / markSpacing)) - 1;
    while (index >= 0 && marks[index]! > offset) index--;
    return index;
  }

  /** Length of the frame at `offset`. */
  lengthAt(offset: number): number {
    return this.view.getUint32(offset + at.length, true);
  }

  /** Messages in the frame at `offset`. */
  countAt(offset: number): number {
    return this.view.getUint16(offset + at.count, true);
  }

  /** First sequence of the frame at `offset`. */
  sequenceAt(offset: number): number {
    return readU64(this.view, offset + at.sequence);
  }

  /** Time of the frame at `offset`. */
  timeAt(offset: number): number {
    return readU64(this.view, offset + at.time);
  }
}

const noMarks: number[] = [];
const noBytes = new Uint8Array(0);
const noView = new DataView(noBytes.buffer);
