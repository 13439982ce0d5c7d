/**
 * Waits that end.
 *
 * @module
 */

import { platform } from "../../transports/platform.ts";

/** What a promise gives, or `null` if it takes longer than so many milliseconds. */
export async function within<T>(milliseconds: number, promise: Promise<T>): Promise<T | null> {
  let cancel = () => {};
  const late = new Promise<null>((resolve) => cancel = platform.after(milliseconds, () => resolve(null)));
  try {
    return await Promise.race([promise, late]);
  } finally {
    cancel();
  }
}
