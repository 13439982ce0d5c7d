/**
 * `--compress`, and what is said of it.
 *
 * @module
 */

import { type CompressionCounts, type CompressionOptions, highestLevel } from "../core/compression.ts";
import { UsageError } from "../core/errors.ts";
import { parseChoice } from "./program.ts";
import { formatBytes } from "./units.ts";

/**
 * Reads a codec, with a level behind a colon where one is wanted.
 *
 * @throws {UsageError} when it is no codec, or the codec has no such level
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseCompression } from "./compression.ts";
 *
 * assertEquals(parseCompression("auto"), { codec: "auto" });
 * assertEquals(parseCompression("zstd:3"), { codec: "zstd", level: 3 });
 * ```
 */
export function parseCompression(text: string): CompressionOptions {
  const [name, ...levels] = text.split(":");
  const codec = parseChoice(name!, ["zstd", "deflate", "auto"]);
  if (levels.length === 0) return { codec };
  const most = highestLevel[codec === "auto" ? "zstd" : codec];
  const digits = levels.join(":");
  const level = /^\d+$/.test(digits) ? Number(digits) : 0;
  if (level < 1 || level > most) {
    throw new UsageError(
      `"${digits}" is no level of ${codec}`,
      `levels are 1, the fastest, to ${most}: ${codec}:3, for example`,
    );
  }
  return { codec, level };
}

/** `12.0 MiB to 1.5 MiB, 8.0:1`, for people. */
export function formatCompression({ before, after }: CompressionCounts): string {
  return `${formatBytes(before)} to ${formatBytes(after)}, ${formatRatio({ before, after })}`;
}

/** `8.0:1`: what was there before to what was sent; `1.0:1` before anything was. */
export function formatRatio({ before, after }: CompressionCounts): string {
  return `${(after === 0 ? 1 : before / after).toFixed(1)}:1`;
}
