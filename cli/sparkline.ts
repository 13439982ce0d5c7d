/**
 * Numbers as a row of small bars.
 *
 * @module
 */

const bars = "▁▂▃▄▅▆▇█";

/**
 * A bar a number; a blank for what is not known.
 *
 * @param least what has the lowest bar
 * @param most what has the highest
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { sparkline } from "./sparkline.ts";
 *
 * assertEquals(sparkline([0, 5, NaN, 10], 0, 10), "▁▅ █");
 * ```
 */
export function sparkline(values: readonly number[], least: number, most: number): string {
  return values.map((value) => {
    if (!Number.isFinite(value)) return " ";
    const part = most > least ? (value - least) / (most - least) : 0;
    return bars[Math.min(bars.length - 1, Math.max(0, Math.round(part * (bars.length - 1))))];
  }).join("");
}

/** The smallest and the largest of the values that are known. */
export function range(values: readonly number[]): [least: number, most: number] {
  const known = values.filter(Number.isFinite);
  return [Math.min(...known), Math.max(...known)];
}
