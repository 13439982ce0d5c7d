/**
 * Waits that a signal can end.
 *
 * @module
 */

import type { Platform } from "./connection.ts";

/**
 * Waits for a number of milliseconds.
 *
 * @returns `false` when the signal came first
 */
export function sleep(platform: Platform, pause: number, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return Promise.resolve(false);
  return new Promise((resolve) => {
    const stop = () => {
      cancel();
      resolve(false);
    };
    const cancel = platform.after(pause, () => {
      signal.removeEventListener("abort", stop);
      resolve(true);
    });
    signal.addEventListener("abort", stop, { once: true });
  });
}
