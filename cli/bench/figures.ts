/**
 * How results write numbers: three digits and a unit.
 *
 * @module
 */

/** A kind of number, and how people read it. */
export interface Quantity {
  /** `28.4 M/s`. */
  text(value: number): string;
  /** `26.1..29.9 M/s`: both in the unit of the larger one. */
  range(least: number, most: number): string;
  /** `5 M/s`: for axes, without zeros that say nothing. */
  tick(value: number): string;
  /** What round numbers are powers of: 10 unless this says otherwise. */
  readonly base?: 2;
}

type Unit = readonly [name: string, size: number];

/** A quantity in these units, the smallest first, whose values are whole ones of the smallest from ten on. */
function quantity(units: readonly Unit[]): Quantity {
  const unitOf = (value: number): Unit => {
    // What would print as 1000 belongs to the next unit, if that is a thousand.
    const fitting = units.filter(([, size]) => size === 1 || Math.abs(value) >= size * 0.9995);
    return fitting.at(-1)!;
  };
  const written = (value: number, [, size]: Unit) => {
    if (size === 1 && value >= 10) return String(Math.round(value));
    return size === 1 ? trimmed(threeDigits(value)) : threeDigits(value / size);
  };
  return {
    text(value) {
      const unit = unitOf(value);
      return written(value, unit) + unit[0];
    },
    range(least, most) {
      const unit = unitOf(most);
      const upper = written(most, unit);
      const decimals = upper.split(".")[1]?.length ?? 0;
      return `${(least / unit[1]).toFixed(decimals)}..${upper}${unit[0]}`;
    },
    tick(value) {
      const unit = unitOf(value);
      return trimmed(threeDigits(value / unit[1])) + unit[0];
    },
  };
}

/** Three digits of a number below 1000, two of one below 0.1: `284`, `28.4`, `2.84`, `0.28`, `0.028`. */
function threeDigits(value: number): string {
  if (Math.abs(value) < 0.0005) return "0";
  if (Math.abs(value) < 0.0995) return String(Number(value.toPrecision(2)));
  const rounded = Number(value.toPrecision(3));
  return rounded.toFixed(Math.abs(rounded) >= 100 ? 0 : Math.abs(rounded) >= 10 ? 1 : 2);
}

function trimmed(number: string): string {
  return number.includes(".") ? number.replace(/\.?0+$/, "") : number;
}

/** A number of things: `28.4 M`. */
export const amount: Quantity = quantity([["", 1], [" k", 1e3], [" M", 1e6], [" G", 1e9]]);
/** Things a second: `28.4 M/s`. */
export const perSecond: Quantity = quantity([["/s", 1], [" k/s", 1e3], [" M/s", 1e6], [" G/s", 1e9]]);
/** Microseconds: `83 µs`, `1.23 ms`. */
export const micros: Quantity = quantity([[" µs", 1], [" ms", 1e3], [" s", 1e6]]);
/** Seconds: `152 ms`. */
export const processorTime: Quantity = {
  text: (seconds) => micros.text(seconds * 1e6),
  range: (least, most) => micros.range(least * 1e6, most * 1e6),
  tick: (seconds) => micros.tick(seconds * 1e6),
};
/** Bytes of memory: `88.1 MiB`. */
export const memory: Quantity = {
  ...quantity([[" B", 1], [" KiB", 2 ** 10], [" MiB", 2 ** 20], [" GiB", 2 ** 30]]),
  base: 2,
};

/** A part of a whole: `0.52 %`. */
export const percent: Quantity = {
  text: (part) => `${threeDigits(part * 100)} %`,
  range: (least, most) => `${threeDigits(least * 100)}..${threeDigits(most * 100)} %`,
  tick: (part) => `${trimmed(threeDigits(part * 100))} %`,
};

/** How many times: `123`, `4.51`, `0.66`, `0.113`, `0.031`. */
export function formatTimes(value: number): string {
  return value >= 0.0995 && value < 0.2 ? value.toFixed(3) : threeDigits(value);
}

/** How much of a processor: `0.98 of a core`, `2.40 cores`. */
export function formatCores(cores: number): string {
  return cores < 1.005 ? `${cores.toFixed(2)} of a core` : `${cores.toFixed(2)} cores`;
}
