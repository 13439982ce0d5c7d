/**
 * What core needs of the platform, from this one.
 *
 * @module
 */

// From `node:` even where a global would do: examples in core import this file, and there those globals have no types.
import { performance } from "node:perf_hooks";
import { setImmediate } from "node:timers";
import { crc32 } from "node:zlib";
import type { Platform } from "../core/connection.ts";
import { compression } from "./compression.ts";
import { cryptography } from "./cryptography.ts";

/** The runtime's timers go no further, in milliseconds: 24 days. Longer ones are set again. */
const longestTimer = 2 ** 31 - 1;

/** Nobody ever wakes who waits for it. */
const never = new Int32Array(new SharedArrayBuffer(4));

/** How far, in milliseconds, the stamps may be from the wall clock before they are set by it again. */
const largestDrift = 5;

/**
 * Checksums and codecs from zlib, randomness and clocks from the runtime.
 *
 * @example
 * ```ts
 * import { platform } from "../transports/platform.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(platform.crc32(new TextEncoder().encode("123456789")), 0xcbf43926);
 * ```
 */
export const platform: Platform = createPlatform();

/** The platform with clocks other than the runtime's, each in milliseconds: monotonic, and Unix time. */
export function createPlatform(now: () => number = () => performance.now(), wall: () => number = Date.now): Platform {
  // The wall clock ticks in whole milliseconds; the monotonic one gives the digits after them. It alone would drift
  // from the wall clock when that is corrected.
  let origin = wall() - now();
  return {
    crc32: (bytes, seed = 0) => crc32(bytes, seed),
    ...cryptography,
    ...compression,
    now,
    time() {
      const elapsed = now();
      const unix = wall();
      if (Math.abs(unix - origin - elapsed) > largestDrift) origin = unix - elapsed;
      return Math.floor((origin + elapsed) * 1000);
    },
    after(delay, callback) {
      let timer: ReturnType<typeof setTimeout>;
      const arm = (left: number) => {
        timer = setTimeout(
          () => left > longestTimer ? arm(left - longestTimer) : callback(),
          Math.min(left, longestTimer),
        );
      };
      arm(delay);
      return () => clearTimeout(timer);
    },
    turn: (callback) => void setImmediate(callback),
    nap: (milliseconds) => void Atomics.wait(never, 0, 0, milliseconds),
    soon: queueMicrotask,
  };
}
