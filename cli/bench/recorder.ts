/**
 * What a process measures of all that its connections receive: how much, when, and how late.
 *
 * @module
 */

import { now } from "./clock.ts";
import { Latencies } from "./latencies.ts";
import type { Latency } from "./result.ts";

/** When a run is measured, in milliseconds of the clock that all processes share. */
export interface Window {
  /** What the times in messages count from. */
  readonly origin: number;
  readonly from: number;
  readonly until: number;
  /** How long the slices are into which it is cut. */
  readonly slice: number;
}

/** A part of the time that is measured. */
export interface RecordedSlice {
  received: number;
  latency: Latency | null;
}

/** The most slices that are kept: the rest of a longer run has none. */
const mostSlices = 1_000;

/** One for all connections of a process. */
export class Recorder {
  /** Messages received in the time that is measured. */
  measured = 0;
  /** Messages received in all. */
  received = 0;
  readonly latencies: Latencies = new Latencies();
  readonly slices: RecordedSlice[] = [];
  /** When bytes came last. */
  lastArrival = 0;
  /** Whether latencies are measured: then messages have a time. */
  readonly timing: boolean;
  readonly #current = new Latencies();
  readonly #interval = new Latencies();
  #window: Window = { origin: 0, from: Infinity, until: Infinity, slice: Infinity };
  /** Where the slice that is being filled ends. */
  #sliceEnd = Infinity;
  /** Where the last bytes came, and what it had received before. */
  #connection: { readonly received: number } = { received: 0 };
  #before = 0;
  /** Messages of the slice that is being filled. */
  #inSlice = 0;
  /** How many had come when {@linkcode Recorder.interval} was asked for last. */
  #told = 0;

  readonly #clock: () => number;

  /**
   * @param timing whether latencies are measured
   * @param clock milliseconds
   */
  constructor(timing: boolean, clock: () => number = now) {
    this.timing = timing;
    this.#clock = clock;
  }

  /** Begins: from now on messages are of this run. */
  start(window: Window): void {
    this.#window = window;
    this.#sliceEnd = window.from + window.slice;
  }

  /**
   * Bytes came on a connection: what it receives from now on was all there by now.
   *
   * Only the connection counts messages; what it has received since is added up when the next bytes come.
   */
  arrived(connection: { readonly received: number }): void {
    this.#settle();
    this.#connection = connection;
    this.#before = connection.received;
    this.lastArrival = this.#clock();
    while (this.lastArrival >= this.#sliceEnd && this.#sliceEnd <= this.#window.until) this.#closeSlice();
  }

  /** The latency of a message. `due` is when it was to be sent, in milliseconds from the run's origin. */
  time(due: number): void {
    const { origin, from, until } = this.#window;
    const time = origin + due;
    const latency = this.lastArrival - time;
    this.#interval.record(latency);
    if (!(time >= from && time < until)) return;
    this.latencies.record(latency);
    this.#current.record(latency);
  }

  /** What came since this was asked last: how many, and their latencies. */
  interval(): { received: number; p50: number; p99: number } {
    this.#settle();
    const latencies = this.#interval;
    const recent = {
      received: this.received - this.#told,
      p50: latencies.percentile(50),
      p99: latencies.percentile(99),
    };
    this.#told = this.received;
    latencies.clear();
    return recent;
  }

  /** Nothing more comes. */
  finish(): void {
    this.#settle();
    const { until, slice } = this.#window;
    while (this.#inSlice > 0 || this.#sliceEnd <= Math.min(until, this.lastArrival) + slice / 2) this.#closeSlice();
  }

  /** Counts what came with the last read. */
  #settle(): void {
    const count = this.#connection.received - this.#before;
    const { from, until } = this.#window;
    this.#before += count;
    this.received += count;
    if (this.lastArrival >= from && this.lastArrival < until) {
      this.measured += count;
      this.#inSlice += count;
    }
  }

  #closeSlice(): void {
    if (this.slices.length < mostSlices) {
      this.slices.push({ received: this.#inSlice, latency: this.#current.summary() });
    }
    this.#inSlice = 0;
    this.#current.clear();
    this.#sliceEnd += this.#window.slice;
  }
}
