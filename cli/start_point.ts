/**
 * Where a subscription starts: the value of `--from`.
 *
 * @module
 */

import { UsageError } from "../core/errors.ts";
import type { StartPoint } from "../core/subscription.ts";
import { nearest } from "./suggest.ts";
import { parseCount, parseDuration } from "./units.ts";

const forms = "give latest, earliest, seq:N, last:N, time:2026-01-31T12:00:00Z or ago:30s";

/**
 * Reads the value of `--from`.
 *
 * @throws {UsageError} when it is none
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseStartPoint } from "./start_point.ts";
 *
 * assertEquals(parseStartPoint("seq:1041"), { sequence: 1041 });
 * assertEquals(parseStartPoint("ago:30s"), { ago: 30_000 });
 * ```
 */
export function parseStartPoint(text: string): StartPoint {
  if (text === "latest" || text === "earliest") return text;
  const [, kind, value] = /^([a-z]+):(.*)$/s.exec(text) ?? [];
  if (kind === "seq" && value !== undefined) return { sequence: parseCount(value) };
  if (kind === "last" && value !== undefined) return { last: parseCount(value) };
  if (kind === "time" && value !== undefined) return { time: parseTime(value) };
  if (kind === "ago" && value !== undefined) return { ago: parseDuration(value) };
  const near = nearest(kind ?? text, ["latest", "earliest", "seq", "last", "time", "ago"]);
  throw new UsageError(`"${text}" is not a start point`, near === undefined ? forms : `did you mean ${near}? ${forms}`);
}

/** Reads ISO 8601 with up to six digits after the second, as `--json` writes it. Returns Unix milliseconds, with the rest behind the point. */
function parseTime(text: string): number {
  const [, digits] = /\.(\d{1,6})(?!\d)/.exec(text) ?? [];
  const milliseconds = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text.replace(/\.\d+/, "")) : NaN;
  if (Number.isNaN(milliseconds) || milliseconds < 0 || (digits === undefined && text.includes("."))) {
    throw new UsageError(
      `"${text}" is not a time`,
      "give one such as 2026-01-31T12:00:00Z or 2026-01-31T12:00:00.123456Z",
    );
  }
  return milliseconds + Number((digits ?? "").padEnd(6, "0")) / 1000;
}
