/**
 * Latencies as an HdrHistogram of microseconds, with three digits.
 *
 * @module
 */

import { build, decodeFromCompressedBase64, encodeIntoCompressedBase64, type Histogram } from "hdr-histogram-js";
import type { Latency } from "./result.ts";

/** The largest latency that is told from larger ones: an hour, in microseconds. */
const largest = 3_600_000_000;

/** Records latencies, and adds up those of several processes. */
export class Latencies {
  readonly #histogram: Histogram = build({
    bitBucketSize: 32,
    autoResize: true,
    lowestDiscernibleValue: 1,
    highestTrackableValue: 2_000_000,
    numberOfSignificantValueDigits: 3,
    useWebAssembly: false,
  });
  #least = Infinity;

  /** How many were recorded. */
  get count(): number {
    return this.#histogram.totalCount;
  }

  /** Records one, in milliseconds. Less than nothing, of clocks that differ by a microsecond, is nothing. */
  record(milliseconds: number): void {
    const value = Math.min(largest, Math.max(0, Math.round(milliseconds * 1000)));
    this.#histogram.recordValue(value);
    if (value < this.#least) this.#least = value;
  }

  /** The latency that a part of all does not exceed, in microseconds: `percentile(99)`. 0 when there is none. */
  percentile(part: number): number {
    return this.count === 0 ? 0 : this.#histogram.getValueAtPercentile(part);
  }

  /** The largest, in microseconds; 0 when there is none. */
  get most(): number {
    return this.count === 0 ? 0 : this.#histogram.maxValue;
  }

  /** Adds what another process has recorded, as it was summarised. */
  add(other: Latency): void {
    if (other.count === 0) return;
    this.#histogram.add(decodeFromCompressedBase64(other.histogram, 32, false));
    this.#least = Math.min(this.#least, other.min);
  }

  /** Forgets everything. */
  clear(): void {
    this.#histogram.reset();
    this.#least = Infinity;
  }

  /** What a result tells of them; `null` when there is none. */
  summary(): Latency | null {
    if (this.count === 0) return null;
    const at = (part: number) => this.#histogram.getValueAtPercentile(part);
    return {
      count: this.count,
      min: this.#least,
      mean: this.#histogram.mean,
      p50: at(50),
      p90: at(90),
      p99: at(99),
      p999: at(99.9),
      p9999: at(99.99),
      max: this.most,
      histogram: encodeIntoCompressedBase64(this.#histogram),
    };
  }
}
