/**
 * Cuts a byte stream into frames, in place, however the bytes come.
 *
 * @module
 */

import { Code } from "./codes.ts";
import { ProtocolError } from "./errors.ts";
import { at, FrameType, prefixLength } from "./frame.ts";
import { idleRead, largestControl } from "./limits.ts";
import type { MemoryBudget } from "./memory.ts";
import type { Segment } from "./segment.ts";
import type { SegmentPool } from "./segment_pool.ts";

/** The most bytes of one read. */
const largestRead = 256 * 1024;
/** How fast the memory of an input grows with what was received. */
const growth = 8;
/** Memory is kept for reads to come while all inputs take less than this part of their budget. */
const roomy = 4;

/**
 * Memory for incoming bytes and the frames found in it.
 *
 * The memory starts at {@linkcode idleRead} and grows when a read fills it or a frame needs it. Between frames it shrinks
 * step by step, when a read filled little of it; and at once, where all inputs together have taken much of their budget.
 * While somebody pins the segment, what was read stays where it is and later bytes go elsewhere.
 */
export class FrameReader {
  /** The largest frame of messages; set once the limits of the session are known. */
  mostMessages = 0;
  /** The largest control frame. */
  mostControl = largestControl;
  /** The frame that {@linkcode next} found: where it begins in {@linkcode segment}, how long it is, and its type. */
  start = 0;
  length = 0;
  type = 0;

  readonly #pool: SegmentPool;
  readonly #inputs: MemoryBudget;
  #segment: Segment;
  /** Where unread bytes begin and end. */
  #from: number;
  #to: number;
  /** Bytes of the last read, and whether it filled the memory. */
  #last = 0;
  #filled = false;
  /** What a pending read writes into: pinned, so that it cannot become somebody else's before the read ends. */
  #reading: Segment | null = null;
  #closed = false;

  /**
   * @param inputs what all inputs together may take of the pool
   * @throws {ProtocolError} `input-memory`, when there is not even memory for an idle read
   */
  constructor(pool: SegmentPool, inputs: MemoryBudget) {
    this.#pool = pool;
    this.#inputs = inputs;
    this.#segment = this.#acquire(idleRead);
    this.#from = this.#to = this.#segment.start;
  }

  /** The memory that the current frame is in. Pin it to keep the frame. */
  get segment(): Segment {
    return this.#segment;
  }

  /** Bytes received that are not a whole frame yet. */
  get pending(): number {
    return this.#to - this.#from;
  }

  /** Bytes of memory it holds. */
  get memory(): number {
    return this.#segment.size;
  }

  /**
   * Where the next bytes go: at least one byte of room. Valid until {@linkcode settle}.
   *
   * @throws {ProtocolError} `input-memory`, when the budget has no room
   */
  space(): Uint8Array {
    const pending = this.pending;
    if (pending === 0) this.#restart();
    else this.#makeRoom(pending);
    this.#reading = this.#segment;
    this.#pool.pin(this.#segment);
    return this.#segment.bytes.subarray(this.#to, Math.min(this.#segment.limit, this.#to + largestRead));
  }

  /** The read into {@linkcode space} has ended, one way or the other. */
  settle(): void {
    if (this.#reading === null) return;
    this.#pool.unpin(this.#reading);
    this.#reading = null;
  }

  /** Takes note of bytes that were put into {@linkcode space}, after {@linkcode settle}. */
  received(count: number): void {
    this.#to += count;
    this.#last = count;
    this.#filled = this.#to === this.#segment.limit;
  }

  /** The received bytes that belong to no frame: how a connection begins. At most `most` of them. */
  peek(most: number): Uint8Array {
    return this.#segment.bytes.subarray(this.#from, Math.min(this.#to, this.#from + most));
  }

  /** Passes over bytes that {@linkcode peek} showed. */
  skip(count: number): void {
    this.#from += count;
  }

  /**
   * Moves to the next whole frame.
   *
   * @returns whether there is one; then `start`, `length` and `type` describe it until the next call
   * @throws {ProtocolError} when the lengths in the prefix are impossible or too large
   */
  next(): boolean {
    const start = this.#from;
    if (this.#to - start < prefixLength) return false;
    const view = this.#segment.view;
    const length = view.getUint32(start + at.length, true);
    const type = view.getUint8(start + at.type);
    const header = view.getUint8(start + at.header);
    const most = type === FrameType.messages ? this.mostMessages : this.mostControl;
    if (header < prefixLength || header > length) {
      throw new ProtocolError(Code.protocol, `a frame of type ${type} has ${length} bytes, ${header} of them header`);
    }
    if (length > most) {
      throw new ProtocolError(Code.frameTooLarge, `a frame of type ${type} has ${length} bytes, the most is ${most}`);
    }
    if (this.#to - start < length) return false;
    this.start = start;
    this.length = length;
    this.type = type;
    this.#from = start + length;
    return true;
  }

  /** Gives the memory back. Nothing else may be called afterwards. */
  close(): void {
    this.#closed = true;
    this.#release();
  }

  /** Between frames: back to the beginning, in memory as large as the last read calls for. */
  #restart(): void {
    const size = this.#fitting();
    this.#filled = false;
    const { pins, limit } = this.#segment;
    // What is pinned is filled up, or a few small frames would each keep a segment of their own.
    if (pins > 0 && limit - this.#to >= idleRead / 4) return;
    if (pins > 0 || this.#segment.size !== size) this.#replace(size, 0);
    this.#from = this.#to = this.#segment.start;
  }

  #fitting(): number {
    const { size } = this.#segment;
    if (this.#filled) return Math.min(size * growth, largestRead);
    // A waiting read holds its memory: many that wait for more than they will get would leave none for the others.
    if (this.#inputs.used > this.#inputs.limit / roomy) return idleRead;
    const needed = this.#last * growth > size ? size : size / growth;
    return Math.max(idleRead, Math.min(needed, largestRead));
  }

  /** Inside a frame: room for more of it. */
  #makeRoom(pending: number): void {
    const segment = this.#segment;
    const length = pending < prefixLength ? prefixLength : segment.view.getUint32(this.#from + at.length, true);
    const missing = Math.max(1, length - pending);
    if (segment.limit - this.#to >= Math.min(missing, segment.size / 4)) return;
    const grown = Math.max(idleRead, Math.min(length, pending * growth));
    const size = this.#filled ? Math.max(grown, Math.min(segment.size * growth, largestRead)) : grown;
    if (segment.pins > 0 || size > segment.size) {
      this.#replace(size, pending);
    } else {
      segment.bytes.copyWithin(segment.start, this.#from, this.#to);
      this.#from = segment.start;
      this.#to = segment.start + pending;
    }
  }

  #replace(size: number, pending: number): void {
    const segment = this.#acquire(size);
    if (pending > 0) segment.bytes.set(this.#segment.bytes.subarray(this.#from, this.#to), segment.start);
    this.#release();
    this.#segment = segment;
    this.#from = segment.start;
    this.#to = segment.start + pending;
  }

  #acquire(size: number): Segment {
    const segment = this.#pool.acquire(size, 0, 0);
    if (segment !== null) {
      // Room for it may have cost this very session its life.
      if (!this.#closed && this.#inputs.reserve(segment.size)) return segment;
      this.#pool.drop(segment);
    }
    throw new ProtocolError(Code.inputMemory);
  }

  /** Lets go of the segment; whoever has pinned it releases it last. */
  #release(): void {
    this.#inputs.release(this.#segment.size);
    this.#pool.drop(this.#segment);
  }
}
