/**
 * Who of many that miss the same asks for it.
 *
 * @module
 */

/**
 * How long a receiver waits before it asks, so that of many that miss the same only a few do: most wait nearly as long as they
 * may, and hear the repair that one of the few asked for. The truncated exponential distribution of RFC 5740, 4.2.2.
 *
 * @param chance at least 0, less than 1
 * @param most milliseconds
 */
export function backoff(chance: number, most: number): number {
  return most / steepness * Math.log(1 + chance * (Math.exp(steepness) - 1));
}

/** For about a hundred receivers: the natural logarithm of their number, and one. */
const steepness = Math.log(100) + 1;
