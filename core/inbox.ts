/**
 * What a subscription has received and its reader has not read yet.
 *
 * @module
 */

import type { Code } from "./codes.ts";
import { Queue } from "./queue.ts";
import type { Segment } from "./segment.ts";
import type { SegmentPool } from "./segment_pool.ts";

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

  constructor(pool: SegmentPool) {
    this.#pool = pool;
  }

  /** Bytes of frames that the reader has not read. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes of memory that they keep: the rest of a segment may be what other subscriptions have read already. */
  get memory(): number {
    return this.#memory;
  }

  /** Entries in number. */
  get length(): number {
    return this.#entries.length;
  }

  /** Whether there is nothing to read. */
  get empty(): boolean {
    return this.#entries.length === 0;
  }

  /**
   * Takes a frame, and keeps its segment. It joins the newest run if it stands behind that.
   *
   * @param sequence of its first message
   * @param floor its messages below this sequence are not for the reader
   */
  take(topic: string, segment: Segment, start: number, end: number, sequence: number, floor: number): void {
    this.#bytes += end - start;
    const { newest } = this.#entries;
    const another = newest?.kind === "frames" && newest.segment === segment;
    // A run has one floor: what another sender of a group has under the same name may be below it.
    if (another && newest.end === start && newest.topic === topic && sequence >= Math.max(floor, newest.floor)) {
      newest.end = end;
      return;
    }
    this.#pool.pin(segment);
    const memory = another ? 0 : segment.size;
    this.#memory += memory;
    this.#entries.push({ kind: "frames", topic, segment, start, end, memory, floor });
  }

  /** Messages will not come; a `last` of 0 when it is not known how many. */
  miss(topic: string, first: number, last: number, code: Code): void {
    this.#entries.push({ kind: "gap", topic, first, last, code });
  }

  /** The server was restarted. */
  restart(): void {
    this.#entries.push({ kind: "restarted" });
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
}
