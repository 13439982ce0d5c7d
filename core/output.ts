/**
 * What a session has to write: control frames, and slices of logs in turn.
 *
 * @module
 */

import { type ReadOutcome, Slice } from "./cursor.ts";
import { FrameWriter } from "./frame_writer.ts";
import { largestWrite } from "./limits.ts";
import { Queue } from "./queue.ts";
import type { SegmentPool } from "./segment_pool.ts";

/** Small slices are copied together into one write of at most this many bytes. */
const gatherSize = 64 * 1024;
/** A slice of at least this many bytes is worth a write of its own, with no copy. */
const directSize = 16 * 1024;

/**
 * What taking gave: what a read gives; `drained`, when something was taken and there is nothing more; or `held`, when
 * nothing of this source or those behind it is to be written yet.
 */
export type TakeOutcome = ReadOutcome | "drained" | "held";

/** Something with frames to write: a subscriber's cursor, or a publisher's outbox. */
export interface Source {
  /** Whether it stands in the queue of an {@linkcode Output}. Set by the output alone. */
  queued: boolean;
  /**
   * Takes the next frames, and may write control frames before them.
   *
   * @param most bytes; one larger frame may come alone
   * @returns `lagged` when only control frames were written and there is more to take
   */
  take(most: number, into: Slice, control: FrameWriter): TakeOutcome;
}

/**
 * Decides what one connection writes next.
 *
 * Control frames go first, but for the {@linkcode last}. Sources take turns; what several of them have in small pieces
 * goes into one write, while a large piece is written from where it stands, without a copy. There is one write at a time:
 * {@linkcode next}, then {@linkcode written} until all of it went.
 */
export class Output {
  /** Where control frames are written. */
  control: FrameWriter = new FrameWriter();
  /**
   * Has the last word, once: control frames that go behind what was taken, when nothing more is left to take now. It is not
   * asked if nothing was taken since another had it.
   */
  last: ((control: FrameWriter) => void) | null = null;
  readonly #pool: SegmentPool;
  /** Sources that have something, in turn. */
  readonly #queue = new Queue<Source>();
  readonly #slice = new Slice();
  /** A slice that was taken while other bytes had to go first. It is pinned. */
  #carried = false;
  /** Whether something was taken since the last word. */
  #taken = false;
  /** What is being written: the control buffer in flight, or the slice. */
  #flying: FrameWriter | null = null;
  #spare: FrameWriter | null = null;
  #writing: Uint8Array | null = null;

  constructor(pool: SegmentPool) {
    this.#pool = pool;
  }

  /** Whether a write is pending. */
  get writing(): boolean {
    return this.#writing !== null;
  }

  /** The segment that the pending write, or the next, keeps; `null` if it keeps none. */
  get pinned(): Slice["segment"] {
    return this.#slice.segment;
  }

  /** Whether there is nothing to write, and no write pending. */
  get idle(): boolean {
    return this.#writing === null && !this.#carried && this.control.length === 0 && this.#queue.length === 0;
  }

  /** Puts a source at the end of the queue, if it is not in it. */
  add(source: Source): void {
    if (source.queued) return;
    source.queued = true;
    this.#queue.push(source);
  }

  /** Forgets the sources that `keep` does not want. */
  filter(keep: (source: Source) => boolean): void {
    this.#queue.filter((source) => source.queued = keep(source));
  }

  /**
   * What to write now, or `null` for nothing. No write may be pending.
   *
   * Valid until {@linkcode written} has accounted for all of it.
   */
  next(): Uint8Array | null {
    const slice = this.#slice;
    if (this.#carried) {
      this.#carried = false;
      return this.#writeSlice();
    }
    let held = false;
    // Room for what is not worth a write of its own is left, so that no such slice is carried.
    while (this.#queue.length > 0 && this.control.length <= gatherSize - directSize) {
      const source = this.#shift();
      const room = this.control.length === 0 ? largestWrite : gatherSize - this.control.length;
      const alone = this.#queue.length === 0 && this.last === null;
      const outcome = source.take(room, slice, this.control);
      if (outcome === "empty") continue;
      if (outcome === "held") {
        this.#putBack(source);
        held = true;
        break;
      }
      // In turn: a source that may have more goes to the end.
      if (outcome !== "drained") this.add(source);
      if (outcome === "lagged") continue;
      this.#taken = true;
      if (this.control.length === 0 && (alone || slice.length >= directSize)) {
        this.#pool.pin(slice.segment!);
        return this.#writeSlice();
      }
      if (slice.length > gatherSize - this.control.length) {
        this.#pool.pin(slice.segment!);
        this.#carried = true;
        break;
      }
      this.control.raw(slice.segment!.bytes.subarray(slice.start, slice.end));
      slice.segment = null;
    }
    if (this.last !== null && (held || this.#queue.length === 0)) {
      if (this.#taken) this.last(this.control);
      this.#taken = false;
      this.last = null;
    }
    return this.#writeControl();
  }

  /**
   * Takes note that the first `count` bytes of the pending write went.
   *
   * @returns what is left of it, or `null` when it is done
   */
  written(count: number): Uint8Array | null {
    const bytes = this.#writing!;
    if (count < bytes.length) return this.#writing = bytes.subarray(count);
    this.#finish();
    return null;
  }

  /** Forgets everything but the write that is pending: its memory stays until {@linkcode settle}. */
  close(): void {
    this.abandon();
    this.control.clear(false);
  }

  /** The pending write has ended, whatever became of it. */
  settle(): void {
    if (this.#writing !== null) this.#finish();
  }

  /** Forgets what was not begun: the write that is pending goes on, and only control frames follow it. */
  abandon(): void {
    this.filter(() => false);
    this.last = null;
    if (!this.#carried) return;
    this.#carried = false;
    this.#unpin();
  }

  #writeSlice(): Uint8Array {
    const { segment, start, end } = this.#slice;
    return this.#writing = segment!.bytes.subarray(start, end);
  }

  #writeControl(): Uint8Array | null {
    if (this.control.length === 0) return null;
    this.#flying = this.control;
    this.control = this.#spare ?? new FrameWriter();
    this.#spare = null;
    return this.#writing = this.#flying.bytes();
  }

  #finish(): void {
    this.#writing = null;
    if (this.#flying !== null) {
      // Buffers that were filled are kept while more is waiting, so that a busy session does not allocate.
      const busy = this.#queue.length > 0;
      this.#flying.clear(busy);
      if (!busy && this.control.length === 0) this.control.clear(false);
      this.#spare = this.#flying;
      this.#flying = null;
    } else {
      this.#unpin();
    }
  }

  #unpin(): void {
    if (this.#slice.segment === null) return;
    this.#pool.unpin(this.#slice.segment);
    this.#slice.segment = null;
  }

  /** It was shifted, and stays the first. */
  #putBack(source: Source): void {
    source.queued = true;
    this.#queue.unshift(source);
  }

  #shift(): Source {
    const source = this.#queue.shift()!;
    source.queued = false;
    return source;
  }
}
