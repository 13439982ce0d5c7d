/**
 * Where a subscription starts: the value of `--from`.
 *
 * @module
 */

import { UsageError } from "../core/errors.ts";
import { nearest } from "./suggest.ts";
import { parseCount, parseDuration } from "./units.ts";

/** Where a subscription starts in each topic. */
export type StartPoint =
  | { readonly at: "latest" | "earliest" }
  /** At that sequence. */
  | { readonly at: "sequence"; readonly sequence: number }
  /** That many messages before the end. */
  | { readonly at: "last"; readonly count: number }
  /** At the first message of that time or later; Unix microseconds. */
  | { readonly at: "time"; readonly micros: number }
  /** At the first message that is not older; milliseconds. */
  | { readonly at: "ago"; readonly milliseconds: number };

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
 * assertEquals(parseStartPoint("seq:1041"), { at: "sequence", sequence: 1041 });
 * assertEquals(parseStartPoint("ago:30s"), { at: "ago", milliseconds: 30_000 });
 * ```
 */
export function parseStartPoint(text: string): StartPoint {
  if (text === "latest" || text === "earliest") return { at: text };
  const [, kind, value] = /^([a-z]+):(.*)$/s.exec(text) ?? [];
  if (kind === "seq" && value !== undefined) return { at: "sequence", sequence: parseCount(value) };
  if (kind === "last" && value !== undefined) return { at: "last", count: parseCount(value) };
  if (kind === "time" && value !== undefined) return { at: "time", micros: parseTime(value) };
  if (kind === "ago" && value !== undefined) return { at: "ago", milliseconds: parseDuration(value) };
  const near = nearest(kind ?? text, ["latest", "earliest", "seq", "last", "time", "ago"]);
  throw new UsageError(`"${text}" is not a start point`, near === undefined ? forms : `did you mean ${near}? ${forms}`);
}

/** Reads ISO 8601 with up to six digits after the second, as `--json` writes it. Returns Unix microseconds. */
function parseTime(text: string): number {
  const [, digits] = /\.(\d{1,6})(?!\d)/.exec(text) ?? [];
  const milliseconds = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text.replace(/\.\d+/, "")) : NaN;
  if (Number.isNaN(milliseconds) || milliseconds < 0 || (digits === undefined && text.includes("."))) {
    throw new UsageError(
      `"${text}" is not a time`,
      "give one such as 2026-01-31T12:00:00Z or 2026-01-31T12:00:00.123456Z",
    );
  }
  return milliseconds * 1000 + Number((digits ?? "").padEnd(6, "0"));
}
