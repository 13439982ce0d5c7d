/**
 * Keys of multicast groups in files.
 *
 * @module
 */

import { hex, unhex } from "../core/bytes.ts";
import { groupKeyLength } from "../core/encrypted_seal.ts";
import { UsageError } from "../core/errors.ts";
import { readBytes } from "./stdio.ts";

/** A key as it stands in a file: hexadecimal, with a line end. */
export function keyText(key: Uint8Array): string {
  return `${hex(key)}\n`;
}

/**
 * Reads a key: 64 hexadecimal digits, as `stream key` writes them, or 32 bytes as they are.
 *
 * @throws {Failure} when the file cannot be read
 * @throws {UsageError} when what is in it is no key
 */
export async function readKey(path: string): Promise<Uint8Array> {
  const bytes = await readBytes(path, "the key");
  if (bytes.length === groupKeyLength) return bytes;
  const text = new TextDecoder().decode(bytes).trim();
  if (/^[0-9a-f]{64}$/i.test(text)) return unhex(text.toLowerCase());
  throw new UsageError(
    `--key-file: ${
      JSON.stringify(path)
    } holds no key: ${bytes.length} bytes, which are neither ${groupKeyLength} nor 64 digits`,
    "stream key group.key makes one",
  );
}
