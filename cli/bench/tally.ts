/**
 * Counts what one connection receives, and finds what is lost, doubled, out of order or broken.
 *
 * @module
 */

import type { Sink } from "./driver.ts";
import { field, headerSize, leastSize, type Messages } from "./message.ts";
import type { Recorder } from "./recorder.ts";

/** The most runs of missing messages that are remembered: what comes late after that counts as a double. */
const mostMissing = 10_000;

/** Messages of one source that are missing: from `first` up to, and without, `end`. */
interface Missing {
  readonly source: number;
  first: number;
  end: number;
}

/** The sink of one connection. */
export class Tally implements Sink {
  /** Messages received, each counted once. */
  received = 0;
  /** Messages that came again. */
  duplicated = 0;
  /** Messages that came after a later one of their source. */
  reordered = 0;
  /** Messages that are not what was sent. */
  corrupt = 0;
  /** Messages that the receiver said will not come. */
  reported = 0;
  /** Called when bytes came, before they are counted. */
  onArrival: (() => void) | null = null;
  /** What the server or the connection said of damage, the first few. */
  readonly damages: string[] = [];
  readonly #next: Uint32Array;
  readonly #recorder: Recorder;
  /** The least bytes that a message of this run has. */
  readonly #least: number;
  readonly #verify: Messages | null;
  readonly #missing: Missing[] = [];
  /** Messages that are missing, and are no longer in `#missing`. */
  #forgotten = 0;

  /**
   * @param sources how many there are in the run
   * @param verify compares each message whole with what this makes
   */
  constructor(sources: number, recorder: Recorder, verify: Messages | null = null) {
    this.#next = new Uint32Array(sources);
    this.#recorder = recorder;
    this.#least = recorder.timing ? headerSize : leastSize;
    this.#verify = verify;
  }

  arrived(): void {
    this.#recorder.arrived(this);
    this.onArrival?.();
  }

  take(bytes: Uint8Array, view: DataView, start: number, end: number): void {
    if (end - start < this.#least) {
      this.corrupt++;
      return;
    }
    const source = view.getUint32(start + field.source, true);
    const count = view.getUint32(start + field.count, true);
    if (count !== this.#next[source]) {
      if (!this.#irregular(source, count)) return;
    } else this.#next[source] = count + 1;
    this.received++;
    if (this.#recorder.timing) this.#recorder.time(view.getFloat64(start + field.due, true));
    if (this.#verify !== null && !this.#verify.matches(bytes, start, end, source, count)) this.corrupt++;
  }

  damaged(why: string): void {
    if (this.damages.length < 10) this.damages.push(why);
  }

  missed(count: number): void {
    this.reported += count;
  }

  /** The number of the message that is next from a source: so many came, or are missing. */
  next(source: number): number {
    return this.#next[source]!;
  }

  /**
   * Messages that never came.
   *
   * @param sent how many each source has sent
   * @param expects whether the messages of a source are for this connection
   */
  lost(sent: Uint32Array, expects: (source: number) => boolean): number {
    let lost = this.#forgotten;
    for (let source = 0; source < sent.length; source++) {
      if (expects(source)) lost += Math.max(0, sent[source]! - this.#next[source]!);
    }
    for (const { first, end } of this.#missing) lost += end - first;
    return lost;
  }

  /** A message that is not the next of its source. Returns whether it counts as received. */
  #irregular(source: number, count: number): boolean {
    const next = this.#next[source];
    if (next === undefined) {
      this.corrupt++;
      return false;
    }
    if (count > next) {
      this.#missing.push({ source, first: next, end: count });
      if (this.#missing.length > mostMissing) this.#forget();
      this.#next[source] = count + 1;
      return true;
    }
    const index = this.#missing.findIndex((run) => run.source === source && run.first <= count && count < run.end);
    if (index < 0) {
      this.duplicated++;
      return false;
    }
    this.reordered++;
    const run = this.#missing[index]!;
    const rest = { source, first: count + 1, end: run.end };
    run.end = count;
    this.#missing.splice(index, run.first === run.end ? 1 : 0);
    if (rest.first < rest.end) this.#missing.push(rest);
    return true;
  }

  /** Forgets the older half of what is missing: so many stay lost, though none of them is recognised when it comes late. */
  #forget(): void {
    for (const { first, end } of this.#missing.splice(0, mostMissing / 2)) this.#forgotten += end - first;
  }
}
