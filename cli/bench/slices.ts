/**
 * How a run went over time.
 *
 * @module
 */

import type { RunResult } from "./result.ts";

/** Messages received a second, in a part of a run. */
export interface RatePart {
  /** When it begins and ends, in milliseconds from the beginning of the measurement. */
  readonly from: number;
  readonly until: number;
  readonly rate: number;
}

/** Messages received a second over the time of a run. A last slice that was cut short tells nothing, and is left out. */
export function ratesOverTime({ slices, seconds }: RunResult): RatePart[] {
  return slices.flatMap(({ at, received }, index) => {
    const usual = index > 0 ? at - slices[index - 1]!.at : 0;
    const length = (slices[index + 1]?.at ?? seconds * 1000) - at;
    if (length <= 0 || length < usual / 2) return [];
    return [{ from: at, until: at + length, rate: (received * 1000) / length }];
  });
}
