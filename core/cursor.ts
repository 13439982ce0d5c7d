/**
 * A reader's place in a log.
 *
 * @module
 */

import type { TopicLog } from "./log.ts";
import type { Segment } from "./segment.ts";

/** Bytes of a log to be written: whole frames of one segment. Filled by {@linkcode Cursor.read}; pins nothing. */
export class Slice {
  segment: Segment | null = null;
  start = 0;
  end = 0;

  /** Bytes in it. */
  get length(): number {
    return this.end - this.start;
  }
}

/**
 * What a read gave: `taken`; `empty`, when the reader has everything; or `lagged`, when frames it had not read are no
 * longer kept: it now stands at the oldest that is, and `missedFirst` to `missedLast` are what it will not get.
 */
export type ReadOutcome = "taken" | "empty" | "lagged";

/** Reads frames in order, in slices as large as the reader is behind. */
export class Cursor {
  readonly log: TopicLog;
  #segment: Segment | null = null;
  #offset = 0;
  #sequence: number;
  /** After `lagged`: the first and the last sequence that were missed. */
  missedFirst = 0;
  missedLast = 0;

  /** @param sequence of the first message to read; the frame that holds it is read whole */
  constructor(log: TopicLog, sequence: number) {
    this.log = log;
    this.#sequence = Math.max(1, Math.min(sequence, log.nextSequence));
    if (this.#sequence >= log.firstSequence) this.#seek(this.#sequence);
  }

  /** Sequence of the next message to be read; of a message inside the next frame until the first read. */
  get sequence(): number {
    return this.#sequence;
  }

  /** Whether there is nothing to read. */
  get caughtUp(): boolean {
    return this.#sequence === this.log.nextSequence;
  }

  /**
   * Reads the next frames: at most `most` bytes, or one larger frame alone.
   *
   * @param into receives the slice when the outcome is `taken`
   */
  read(most: number, into: Slice): ReadOutcome {
    const log = this.log;
    if (this.#sequence < log.firstSequence) {
      this.missedFirst = this.#sequence;
      this.missedLast = log.firstSequence - 1;
      this.#segment = log.first;
      this.#offset = log.firstOffset;
      this.#sequence = log.firstSequence;
      return "lagged";
    }
    if (this.#sequence === log.nextSequence) return "empty";
    const segment = this.#current();
    into.segment = segment;
    into.start = this.#offset;
    if (segment.end - this.#offset <= most) {
      into.end = segment.end;
      this.#sequence = segment.nextSequence;
    } else {
      this.#cut(segment, this.#offset + most);
      into.end = this.#offset;
    }
    this.#offset = into.end;
    return "taken";
  }

  /** Moves on to the next segment where this one is read or gone. There is something to read. */
  #current(): Segment {
    const segment = this.#segment;
    if (segment !== null && !segment.dropped) {
      if (this.#offset < segment.end) return segment;
      this.#segment = segment.next!;
      this.#offset = this.#segment.start;
      return this.#segment;
    }
    this.#seek(this.#sequence);
    return this.#segment!;
  }

  /** Moves to the last frame boundary known at or before `limit`, and over one frame at least. */
  #cut(segment: Segment, limit: number): void {
    const mark = segment.markBefore(limit);
    if (mark >= 0 && segment.markOffsets[mark]! > this.#offset) {
      this.#offset = segment.markOffsets[mark]!;
      this.#sequence = segment.markSequences[mark]!;
      return;
    }
    let offset = this.#offset;
    do {
      offset += segment.lengthAt(offset);
    } while (offset < segment.end && offset + segment.lengthAt(offset) <= limit);
    this.#offset = offset;
    this.#sequence = offset === segment.end ? segment.nextSequence : segment.sequenceAt(offset);
  }

  /** Stands before the frame that holds `sequence`, which is kept or is the next one. */
  #seek(sequence: number): void {
    const log = this.log;
    let segment = log.first;
    while (segment !== null && segment.nextSequence <= sequence) segment = segment.next;
    this.#segment = segment;
    if (segment === null) return;
    let offset = segment === log.first ? log.firstOffset : segment.start;
    const marks = segment.markSequences;
    for (let index = marks.length - 1; index >= 0; index--) {
      if (marks[index]! <= sequence && segment.markOffsets[index]! >= offset) {
        offset = segment.markOffsets[index]!;
        break;
      }
    }
    while (segment.sequenceAt(offset) + segment.countAt(offset) <= sequence) offset += segment.lengthAt(offset);
    this.#offset = offset;
  }
}
