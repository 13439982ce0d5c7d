/**
 * The axes of charts: where a value lies, and which values are written beside it.
 *
 * @module
 */

import type { Quantity } from "./figures.ts";

/** A value that is written at an axis. */
export interface Tick {
  readonly value: number;
  readonly text: string;
}

/** An axis. */
export interface Scale {
  /** Where a value lies, from 0 at the beginning of the axis to 1 at its end. */
  at(value: number): number;
  readonly ticks: readonly Tick[];
}

/** More than this between the least and the most, and a scale of latencies is logarithmic. */
const linearUpTo = 20;

/** From 0 to at least `most`, with about so many ticks. */
export function linearScale(most: number, quantity: Pick<Quantity, "tick" | "base">, count = 5): Scale {
  const whole = most > 0 ? most : 1;
  const step = quantity.base === 2 ? 2 ** Math.ceil(Math.log2(whole / count)) : niceStep(whole / count);
  const steps = Math.ceil(whole / step - 1e-9);
  const ticks = Array.from({ length: steps + 1 }, (_, index) => index * step);
  return {
    at: (value) => value / (steps * step),
    ticks: ticks.map((value) => ({ value, text: value === 0 ? "0" : quantity.tick(value) })),
  };
}

/** From below `least` to above `most`, with a tick at 1, 2 and 5 of each decade, or at 1 alone where there are many. */
export function logScale(least: number, most: number, quantity: Pick<Quantity, "tick">): Scale {
  const low = Math.max(1, least);
  const high = Math.max(low * 1.01, most);
  const candidates = (digits: readonly number[]) => {
    const ticks: number[] = [];
    for (let decade = 10 ** Math.floor(Math.log10(low)); decade <= high * 10; decade *= 10) {
      for (const digit of digits) ticks.push(digit * decade);
    }
    const from = ticks.findLastIndex((tick) => tick <= low);
    const until = ticks.findIndex((tick) => tick >= high);
    return ticks.slice(Math.max(0, from), until + 1);
  };
  const fine = candidates([1, 2, 5]);
  const begin = Math.log(fine[0]!);
  const length = Math.log(fine.at(-1)!) - begin;
  const written = fine.length <= 9 ? fine : fine.filter((tick) => /^1/.test(String(Math.round(tick))));
  return {
    at: (value) => (Math.log(Math.max(fine[0]!, value)) - begin) / length,
    ticks: written.map((value) => ({ value, text: quantity.tick(value) })),
  };
}

/** An axis of latencies. */
export interface LatencyScale extends Scale {
  /** Whether it is logarithmic. */
  readonly log: boolean;
}

/** From 0 where that shows all of them well; else logarithmic. */
export function latencyScale(values: readonly number[], quantity: Pick<Quantity, "tick">): LatencyScale {
  const positive = values.filter((value) => value > 0);
  const [least, most] = [Math.min(...positive), Math.max(...positive)];
  if (positive.length === 0) return { ...linearScale(1, quantity, 1), log: false };
  const log = most / least > linearUpTo;
  return { ...(log ? logScale(least, most, quantity) : linearScale(most, quantity)), log };
}

/** How far out a percentile is: 0 for 0 %, 1 for 90 %, 2 for 99 %, 3 for 99.9 %. */
export function nines(percentile: number): number {
  return -Math.log10(1 - percentile / 100);
}

/** Percentiles up to so many nines, each nine as wide as the one before. */
export function percentileScale(most: number): Scale {
  const percentiles = [0, 50, 90, 99, 99.9, 99.99, 99.999].filter((value) => nines(value) <= most + 1e-6);
  return {
    at: (value) => value / most,
    ticks: percentiles.map((value) => ({ value: nines(value), text: `${value}%` })),
  };
}

/** 1, 2 or 5 times a power of ten: the least that is not below `step`. */
function niceStep(step: number): number {
  const power = 10 ** Math.floor(Math.log10(step));
  const digit = [1, 2, 5, 10].find((digit) => digit * power >= step * (1 - 1e-9))!;
  return digit * power;
}
