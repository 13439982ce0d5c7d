/**
 * The topic of a message that is JSON, from one of its fields.
 *
 * @module
 */

import { UsageError } from "../core/errors.ts";

const decoder = new TextDecoder("utf-8", { fatal: true });

/**
 * Takes the topic from a field, after a prefix.
 *
 * @throws {UsageError} when the message is not a JSON object, or the field is no text and no number
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { topicOf } from "./topic_field.ts";
 *
 * const tick = new TextEncoder().encode('{"symbol":"ACME","price":12.5}');
 * assertEquals(topicOf(tick, { field: "symbol", prefix: "ticks/" }), "ticks/ACME");
 * ```
 */
export function topicOf(message: Uint8Array, { field, prefix }: { field: string; prefix: string }): string {
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(message));
  } catch {
    throw new UsageError("a message is not JSON, so that --topic-from finds no topic in it: it was not sent");
  }
  const found = typeof value === "object" && value !== null ? (value as Record<string, unknown>)[field] : undefined;
  if (typeof found !== "string" && typeof found !== "number") {
    throw new UsageError(`a message has no field "${field}" that names a topic: it was not sent`);
  }
  return `${prefix}${found}`;
}
