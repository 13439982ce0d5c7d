/**
 * Numbers and names in bytes: unsigned 64-bit integers as doubles, UTF-8, 128-bit ids.
 *
 * All integers on the wire are little-endian. A u64 is read into a double; this version refuses or never
 * produces values above 2^53 - 1.
 *
 * @module
 */

const upper = 2 ** 32;

/** Bytes of an id. */
export const idLength = 16;

/** Reads a u64. Values of 2^53 and above lose their low bits; callers bound them. */
export function readU64(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * upper + view.getUint32(at, true);
}

/** Writes a u64 from a whole number of at most 2^53 - 1. */
export function writeU64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true);
  view.setUint32(at + 4, Math.floor(value / upper), true);
}

const encoder = new TextEncoder();
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** UTF-8 bytes of a text. */
export function encodeText(text: string): Uint8Array {
  return encoder.encode(text);
}

/** The text of UTF-8 bytes, or `null` where they are not UTF-8. */
export function decodeText(bytes: Uint8Array): string | null {
  try {
    return strict.decode(bytes);
  } catch {
    return null;
  }
}

/** Bytes as lower-case hexadecimal: how 128-bit ids are shown and used as keys. */
export function hex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}

/** The bytes of {@linkcode hex}. */
export function unhex(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length >> 1);
  for (let i = 0; i < bytes.length; i++) bytes[i] = parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

/** 128 bits that nobody can guess. */
export function randomBytes(platform: { random(into: Uint8Array): void }): Uint8Array {
  const bytes = new Uint8Array(idLength);
  platform.random(bytes);
  return bytes;
}

/** The same, in hexadecimal. */
export function randomId(platform: { random(into: Uint8Array): void }): string {
  return hex(randomBytes(platform));
}

/** Whether an id stands at `at`. */
export function idStandsAt(id: Uint8Array, bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < idLength; i++) if (id[i] !== bytes[at + i]) return false;
  return true;
}

/** The id that stands for "none": 16 zero bytes. */
export const noId = "00000000000000000000000000000000";
