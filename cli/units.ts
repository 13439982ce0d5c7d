/**
 * Values as people write and read them: SIZE, DURATION, RATE and COUNT.
 *
 * A parser takes what stands on the command line and throws a `UsageError` that quotes it and shows right forms.
 *
 * @module
 */

import { UsageError } from "../core/errors.ts";

const sizeForms = "give bytes, or a number with a unit, such as 64KiB or 8MB";
const durationForms = "give a number with a unit, such as 250ms, 10s, 5m or 1h";
const countForms = "give a whole number, such as 1000, 10k or 2M";
const rateForms = "give messages or bits over time, such as 1000/s or 20Mbit/s";

/** Bytes in one of each unit of size, by its name in lower case. */
const sizeUnits: ReadonlyMap<string, number> = new Map([
  ["", 1],
  ["b", 1],
  ["kb", 1e3],
  ["mb", 1e6],
  ["gb", 1e9],
  ["tb", 1e12],
  ["kib", 2 ** 10],
  ["mib", 2 ** 20],
  ["gib", 2 ** 30],
  ["tib", 2 ** 40],
]);

/** Milliseconds in one of each unit of time. Case counts: `m` is a minute, `M` is nothing. */
const durationUnits: ReadonlyMap<string, number> = new Map([
  ["us", 1e-3],
  ["µs", 1e-3],
  ["ms", 1],
  ["s", 1e3],
  ["m", 60e3],
  ["h", 3600e3],
  ["d", 86400e3],
]);

const multipliers: ReadonlyMap<string, number> = new Map([["", 1], ["k", 1e3], ["K", 1e3], ["M", 1e6], ["G", 1e9]]);

/**
 * Reads a SIZE.
 *
 * @returns whole bytes
 * @throws {UsageError} when it is not a size
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { parseSize } from "./units.ts";
 *
 * assert(parseSize("64KiB") === 65_536);
 * assert(parseSize("8MB") === 8_000_000);
 * assert(parseSize("512") === 512);
 * ```
 */
export function parseSize(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?) ?([a-z]*)$/i.exec(text) ?? [];
  if (number === undefined || unit === undefined) throw new UsageError(`"${text}" is not a size`, sizeForms);
  const factor = sizeUnits.get(unit.toLowerCase());
  if (factor === undefined) {
    // A bare K is 1000 to some and 1024 to others: ask.
    const both = /^[kmgt]$/i.test(unit) ? `write ${number}${unit.toUpperCase()}iB or ${number}${unit}B` : sizeForms;
    throw new UsageError(`"${text}" is not a size`, both);
  }
  return exactly(Math.round(Number(number) * factor), text, "size");
}

/**
 * Reads a DURATION; parts may be put together, as in `1m30s`.
 *
 * @returns milliseconds, which are not whole for `us`
 * @throws {UsageError} when it is not a duration
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { parseDuration } from "./units.ts";
 *
 * assert(parseDuration("250ms") === 250);
 * assert(parseDuration("1m30s") === 90_000);
 * ```
 */
export function parseDuration(text: string): number {
  if (text === "0") return 0;
  if (/^\d+(\.\d+)?$/.test(text)) {
    throw new UsageError(`"${text}" is not a duration: it has no unit`, `write ${text}s or ${text}ms`);
  }
  if (!/^(\d+(\.\d+)?(us|µs|ms|s|m|h|d))+$/.test(text)) {
    throw new UsageError(`"${text}" is not a duration`, durationForms);
  }
  let milliseconds = 0;
  for (const [, number, unit] of text.matchAll(/(\d+(?:\.\d+)?)(us|µs|ms|s|m|h|d)/g)) {
    milliseconds += Number(number) * (durationUnits.get(unit ?? "") ?? NaN);
  }
  return exactly(milliseconds, text, "duration");
}

/**
 * Reads a COUNT, a whole number of at least `least`.
 *
 * @throws {UsageError} when it is not a count, or too small
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { parseCount } from "./units.ts";
 *
 * assert(parseCount("10k") === 10_000);
 * ```
 */
export function parseCount(text: string, least = 1): number {
  const [, digits, unit] = /^(\d+(?:_\d+)*)([kKMG]?)$/.exec(text) ?? [];
  if (digits === undefined || unit === undefined) throw new UsageError(`"${text}" is not a count`, countForms);
  const count = exactly(Number(digits.replaceAll("_", "")) * (multipliers.get(unit) ?? NaN), text, "count");
  if (count < least) throw new UsageError(`"${text}" is too small a count: the least is ${least}`);
  return count;
}

/**
 * Reads a part of a whole: `1%`, `0.5%`, or without the sign.
 *
 * @returns of a hundred
 * @throws {UsageError} when it is none, or more than 100
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { parsePercent } from "./units.ts";
 *
 * assert(parsePercent("0.5%") === 0.5);
 * ```
 */
export function parsePercent(text: string): number {
  const [, digits] = /^(\d+(?:\.\d+)?) ?%?$/.exec(text) ?? [];
  if (digits !== undefined && Number(digits) <= 100) return Number(digits);
  throw new UsageError(`"${text}" is not a part of a hundred`, "give such as 1% or 0.5%");
}

/** How fast: messages, or bytes, a second. Above 0. */
export type Rate = { readonly messages: number } | { readonly bytes: number };

/**
 * Reads a RATE.
 *
 * @returns messages a second for `1000/s`, bytes a second for `20Mbit/s` and `8MB/s`
 * @throws {UsageError} when it is not a rate, or 0
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { parseRate } from "./units.ts";
 *
 * assert("messages" in parseRate("1000/s"));
 * assert("bytes" in parseRate("20Mbit/s"));
 * ```
 */
export function parseRate(text: string): Rate {
  const [, number, unit, time] = /^(\d+(?:\.\d+)?) ?([a-z]*)\/(s|m|h)$/i.exec(text) ?? [];
  if (number === undefined || unit === undefined || time === undefined) {
    const bare = /^\d+(\.\d+)?$/.test(text);
    throw new UsageError(
      `"${text}" is not a rate${bare ? ": it has no time" : ""}`,
      bare ? `write ${text}/s` : rateForms,
    );
  }
  const seconds = (durationUnits.get(time) ?? NaN) / 1000;
  const amount = Number(number) / seconds;
  if (amount === 0) throw new UsageError(`"${text}" is not a rate: it never ends`, rateForms);
  const messages = multipliers.get(unit);
  if (messages !== undefined) return { messages: amount * messages };
  const bits = multipliers.get(/^([kKMG]?)bit$/.exec(unit)?.[1] ?? "none");
  if (bits !== undefined) return { bytes: (amount * bits) / 8 };
  const bytes = sizeUnits.get(unit.toLowerCase());
  if (bytes !== undefined) return { bytes: amount * bytes };
  throw new UsageError(`"${text}" is not a rate`, rateForms);
}

/** `1.5 MiB`, for people. */
export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${Math.round(bytes)} B`;
  const units = ["KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let unit = "B";
  for (const next of units) {
    // What would print as 1024.0 belongs to the next unit.
    if (value < 1023.95) break;
    value /= 1024;
    unit = next;
  }
  return `${value.toFixed(1)} ${unit}`;
}

/** `8MiB`: a size as it is typed, and exact, unlike {@linkcode formatBytes}. */
export function spellSize(bytes: number): string {
  for (const [unit, factor] of [["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 2 ** 10]] as const) {
    if (bytes > 0 && bytes % factor === 0) return `${bytes / factor}${unit}`;
  }
  return `${bytes}B`;
}

/** `1 message`, `1,234 messages`, for people. */
export function formatMessages(count: number): string {
  return `${formatCount(count)} ${count === 1 ? "message" : "messages"}`;
}

/** `1,234,567`, for people. */
export function formatCount(count: number): string {
  return Math.round(count).toString().replace(/\B(?=(\d{3})+$)/g, ",");
}

/** `12,345/s` for messages, `1.5 MiB/s` for bytes. */
export function formatRate(rate: Rate): string {
  return "messages" in rate ? `${formatCount(rate.messages)}/s` : `${formatBytes(rate.bytes)}/s`;
}

/** `250ms`, `1.5s`, `2m5s`, `1h2m`, of milliseconds, for people. */
export function formatDuration(milliseconds: number): string {
  const whole = Math.round(milliseconds);
  if (whole < 1000) return `${whole}ms`;
  const tenths = Math.round(milliseconds / 100) / 10;
  if (tenths < 60) return `${tenths}s`;
  const seconds = Math.round(milliseconds / 1000);
  const [large, small, names] = seconds < 3600
    ? [Math.floor(seconds / 60), seconds % 60, ["m", "s"]]
    : [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60), ["h", "m"]];
  return small === 0 ? `${large}${names[0]}` : `${large}${names[0]}${small}${names[1]}`;
}

/** What a double cannot hold exactly is refused, not rounded in silence. */
function exactly(value: number, text: string, what: string): number {
  if (value <= Number.MAX_SAFE_INTEGER) return value;
  throw new UsageError(`"${text}" is too large a ${what}: the most is ${Number.MAX_SAFE_INTEGER}`);
}
