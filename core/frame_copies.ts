/**
 * Keeps frames that are valid during a call alone, one behind the other in segments, as an {@linkcode Inbox} wants them.
 *
 * @module
 */

import type { Segment } from "./segment.ts";
import { type SegmentPool, segmentSizes } from "./segment_pool.ts";

/** The size of a segment, in bytes; a larger frame gets a larger one. */
const size = segmentSizes[3]!;

/** Copies frames into the segments of a pool. Whoever pins a segment keeps what is in it. */
export class FrameCopies {
  /** Where the frame that was copied last stands. */
  segment: Segment | null = null;
  start = 0;
  readonly #pool: SegmentPool;
  #end = 0;

  constructor(pool: SegmentPool) {
    this.#pool = pool;
  }

  /**
   * Copies what stands at `from` to `to`: it is in {@linkcode segment} from {@linkcode start} on then.
   *
   * @returns whether there was memory for it
   */
  add(bytes: Uint8Array, from: number, to: number): boolean {
    const length = to - from;
    const segment = this.#room(length);
    if (segment === null) return false;
    segment.bytes.set(bytes.subarray(from, to), this.#end);
    this.start = this.#end;
    this.#end += length;
    return true;
  }

  /** Lets go of the memory. */
  close(): void {
    if (this.segment !== null) this.#pool.drop(this.segment);
    this.segment = null;
  }

  #room(length: number): Segment | null {
    const { segment } = this;
    if (segment !== null) {
      // Everything in it was read: the memory that is in the processor's cache serves again.
      if (segment.pins === 0) this.#end = segment.start;
      if (segment.limit - this.#end >= length) return segment;
      this.close();
    }
    this.segment = this.#pool.acquire(Math.max(size, length), 0, 0, length);
    this.#end = this.segment?.start ?? 0;
    return this.segment;
  }
}
