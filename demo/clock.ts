/**
 * The clock that the demo's processes have in common.
 *
 * @module
 */

/**
 * Unix microseconds.
 *
 * It is the machine's wall clock as it was when the process began, carried on by the monotonic clock: finer than
 * `Date.now()`, and within a few microseconds the same in processes that were started together.
 */
export function now(): number {
  return Math.round((performance.timeOrigin + performance.now()) * 1000);
}
