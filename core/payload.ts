/**
 * Messages inside a frame's payload: each is its length as a varint, then its bytes.
 *
 * The varint is unsigned LEB128 (as in DWARF and Protocol Buffers) of at most four bytes: 7 bits a byte, low bits
 * first, the top bit set on all but the last.
 *
 * @module
 */

/** Bytes that the length of a message of `length` bytes takes: 1 to 4. */
export function varintLength(length: number): number {
  return length < 0x80 ? 1 : length < 0x4000 ? 2 : length < 0x20_0000 ? 3 : 4;
}

/**
 * Writes a length as a varint.
 *
 * @returns the offset behind it
 */
export function writeVarint(bytes: Uint8Array, offset: number, value: number): number {
  while (value >= 0x80) {
    bytes[offset++] = (value & 0x7f) | 0x80;
    value >>>= 7;
  }
  bytes[offset++] = value;
  return offset;
}

/**
 * Finds the messages of a payload and checks that `count` of them fill it exactly.
 *
 * @param bounds receives start and end of message `i` at `2 * i` and `2 * i + 1`; at least `2 * count` long
 * @returns whether the payload is well formed
 *
 * @example
 * ```ts
 * import { findMessages } from "../core/payload.ts";
 * import { assert, assertEquals } from "@std/assert";
 *
 * const bounds = new Uint32Array(4);
 * assert(findMessages(new Uint8Array([2, 104, 105, 0]), 0, 4, 2, bounds));
 * assertEquals([...bounds], [1, 3, 4, 4]);
 * ```
 */
export function findMessages(
  bytes: Uint8Array,
  start: number,
  end: number,
  count: number,
  bounds: Uint32Array,
): boolean {
  let offset = start;
  for (let i = 0; i < count; i++) {
    if (offset >= end) return false;
    let length = bytes[offset++]!;
    if (length >= 0x80) {
      length &= 0x7f;
      let shift = 7;
      for (;;) {
        if (offset >= end || shift > 21) return false;
        const byte = bytes[offset++]!;
        length |= (byte & 0x7f) << shift;
        if (byte < 0x80) break;
        shift += 7;
      }
    }
    bounds[2 * i] = offset;
    offset += length;
    bounds[2 * i + 1] = offset;
    if (offset > end) return false;
  }
  return offset === end;
}
