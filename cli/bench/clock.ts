/**
 * One clock for all processes of the load generator, and waiting by it.
 *
 * @module
 */

import { performance } from "node:perf_hooks";
import { setImmediate } from "node:timers";

/**
 * Milliseconds since 1970, for all processes of this machine alike.
 *
 * The runtime's monotonic clock, from the wall clock's time at its zero: two processes agree to about a microsecond
 * (measured), as long as nobody sets the wall clock between their starts. The coordinator checks that.
 */
export function now(): number {
  return origin + performance.now();
}

/** Ticks of the wall clock that are looked at, at least and at most; and by how many milliseconds the best two may differ. */
const fewestTicks = 5;
const mostTicks = 200;
const agreed = 0.01;

/**
 * The wall clock's time at the zero of the monotonic clock. It is `performance.timeOrigin`, but that comes from two readings
 * between which a busy machine may put the process aside: two processes differed by more than 0.1 ms in one of some hundred
 * runs. Here the second reading follows a tick of the first. A delay makes the origin smaller, so the largest counts, once
 * another tick has confirmed it: on a busy machine, all of the first few ticks may have been late.
 */
const origin = ((): number => {
  let largest = -Infinity;
  let second = -Infinity;
  for (let tick = 0; tick < fewestTicks || (largest - second > agreed && tick < mostTicks); tick++) {
    const before = Date.now();
    let time = before;
    while (time === before) time = Date.now();
    const found = time - performance.now();
    second = Math.max(second, Math.min(found, largest));
    largest = Math.max(largest, found);
  }
  return largest;
})();

/** Lets everything that is pending have its turn: reads, writes, timers. Takes a microsecond or two. */
export function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

/** A timer of the runtime fires up to this many milliseconds late, on an idle machine. */
const timerSlack = 3;
/** A thread that sleeps wakes up to about this many milliseconds late, most of the time. */
const wakeSlack = 0.15;

const never = new Int32Array(new SharedArrayBuffer(4));

/**
 * Waits until a time of {@linkcode now}, to about ten microseconds when the machine is idle. No timer of the runtime can:
 * they have whole milliseconds.
 *
 * The last milliseconds block the thread, and the last tenth of one turns the event loop.
 */
export async function waitUntil(time: number): Promise<void> {
  for (;;) {
    await turn();
    const left = time - now();
    if (left <= 0) return;
    if (left > 2 * timerSlack) await new Promise((resolve) => setTimeout(resolve, left - timerSlack));
    else if (left > wakeSlack) Atomics.wait(never, 0, 0, left - wakeSlack);
  }
}
