/**
 * Latencies, counted in buckets.
 *
 * @module
 */

/** Buckets in each doubling: a value is known to one part in sixteen. */
const perDoubling = 16;
/** The largest value that is told from larger ones: about 67 seconds, in microseconds. */
const largest = 2 ** 26 - 1;

/** Counts whole microseconds. What it tells is never less than what was counted. */
export class Histogram {
  readonly #counts = new Uint32Array(bucketOf(largest) + 1);
  #count = 0;
  #most = 0;

  /** How many values were counted. */
  get count(): number {
    return this.#count;
  }

  /** The largest value that was counted. */
  get most(): number {
    return this.#most;
  }

  /** Counts a value; one below 0, of two clocks that differ a little, as 0. */
  add(microseconds: number): void {
    const value = Math.min(largest, Math.max(0, Math.round(microseconds)));
    const bucket = bucketOf(value);
    this.#counts[bucket] = this.#counts[bucket]! + 1;
    this.#count++;
    if (value > this.#most) this.#most = value;
  }

  /** The value that a part of all values does not exceed: `percentile(0.99)`. 0 when there is none. */
  percentile(part: number): number {
    const rank = Math.ceil(part * this.#count);
    let seen = 0;
    for (let bucket = 0; bucket < this.#counts.length && rank > 0; bucket++) {
      seen += this.#counts[bucket]!;
      if (seen >= rank) return Math.min(endOf(bucket), this.#most);
    }
    return 0;
  }

  /** Forgets everything. */
  clear(): void {
    this.#counts.fill(0);
    this.#count = 0;
    this.#most = 0;
  }
}

function bucketOf(value: number): number {
  if (value < perDoubling) return value;
  const doubling = 31 - Math.clz32(value) - 4;
  return perDoubling * doubling + (value >>> doubling);
}

/** The largest value of a bucket. */
function endOf(bucket: number): number {
  if (bucket < perDoubling) return bucket;
  const doubling = Math.floor(bucket / perDoubling) - 1;
  return (perDoubling + (bucket % perDoubling) + 1) * 2 ** doubling - 1;
}
