/**
 * The bytes and frames of docs/PROTOCOL.md, for the programs of the tests that were written from it alone.
 *
 * They are the proof that the document suffices, so nothing of `core/` may be imported here.
 */

import { deflateRawSync, inflateRawSync } from "node:zlib";
import { assertEquals } from "@std/assert";

/** UTF-8, there and back. */
export const utf8 = new TextEncoder();
export const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** CRC-32, bit by bit. */
export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

/** Bytes from fields: `[bytes of the integer, value]`, a text, or bytes. */
export function pack(...fields: ([number, number | bigint] | string | Uint8Array)[]): Uint8Array {
  const parts = fields.flatMap((field) => {
    if (field instanceof Uint8Array) return [...field];
    if (typeof field === "string") return [utf8.encode(field).length, ...utf8.encode(field)];
    return Array.from({ length: field[0] }, (_, i) => Number((BigInt(field[1]) >> BigInt(8 * i)) & 255n));
  });
  return new Uint8Array(parts);
}

/** A whole control frame. */
export function control(type: number, ...fields: Parameters<typeof pack>): Uint8Array {
  const body = pack(...fields);
  return pack([4, 8 + body.length], [1, type], [1, 8], [2, 0], body);
}

function varint(value: number): Uint8Array {
  const bytes = [];
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push(value % 128 + 128);
  return new Uint8Array([...bytes, value]);
}

/** A frame of messages. `sequence` is 0 from a publisher. */
export function messages(topic: number, number: number, payloads: Uint8Array[], sequence = 0): Uint8Array {
  const payload = pack(...payloads.flatMap((bytes) => [varint(bytes.length), bytes]));
  const prefix = pack([4, 48 + payload.length], [1, 1], [1, 48], [2, 0]);
  const numbers = pack([8, sequence], [8, 0], [8, number], [4, payload.length], [4, crc32(payload)]);
  return pack(prefix, [4, topic], [2, payloads.length], [2, 0], numbers, payload);
}

/** The same frame, its payload compressed by deflate. */
export function deflated(frame: Uint8Array): Uint8Array {
  const payload = frame.subarray(48);
  const packed = deflateRawSync(payload);
  const entry = pack([1, 3], [1, 1], [2, 5], [1, 1], [4, payload.length]);
  const prefix = pack([4, 48 + 9 + packed.length], [1, 1], [1, 48], [2, 1]);
  const body = pack(entry, packed);
  return pack(
    prefix,
    frame.subarray(8, 14),
    [2, 9],
    frame.subarray(16, 40),
    [4, packed.length],
    [4, crc32(body)],
    body,
  );
}

/** A frame that is compressed by deflate, as it was before. */
export function inflated(frame: Frame): Frame {
  assertEquals(frame.view.getUint16(6, true), 1);
  assertEquals(frame.bytes.slice(48, 53), pack([1, 3], [1, 1], [2, 5], [1, 1]));
  const expanded = frame.view.getUint32(53, true);
  const payload = inflateRawSync(frame.bytes.subarray(57), { maxOutputLength: expanded });
  assertEquals(payload.length, expanded);
  const numbers = pack(frame.bytes.subarray(16, 40), [4, expanded], [4, crc32(payload)]);
  const prefix = pack([4, 48 + expanded], [1, 1], [1, 48], [2, 0]);
  const bytes = pack(prefix, frame.bytes.subarray(8, 14), [2, 0], numbers, new Uint8Array(payload));
  return { type: frame.type, bytes, view: new DataView(bytes.buffer) };
}

/** A whole frame. */
export interface Frame {
  readonly type: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/** Reads the fields of a body, one after the other. */
export class Fields {
  readonly #frame: Frame;
  #offset: number;

  constructor(frame: Frame) {
    this.#frame = frame;
    this.#offset = frame.view.getUint8(5);
  }

  int(bytes: 1 | 2 | 4 | 8): number {
    const at = this.#offset;
    this.#offset += bytes;
    const { view } = this.#frame;
    if (bytes === 8) return Number(view.getBigUint64(at, true));
    return bytes === 1 ? view.getUint8(at) : bytes === 2 ? view.getUint16(at, true) : view.getUint32(at, true);
  }

  raw(length: number): Uint8Array {
    this.#offset += length;
    return this.#frame.bytes.slice(this.#offset - length, this.#offset);
  }

  text(): string {
    return text(this.raw(this.int(1)));
  }
}

/** The messages of a frame, with their sequences. */
export function read({ bytes, view }: Frame): { topic: number; sequence: number; payload: Uint8Array }[] {
  const [topic, count, extension] = [view.getUint32(8, true), view.getUint16(12, true), view.getUint16(14, true)];
  const first = Number(view.getBigUint64(16, true));
  const header = view.getUint8(5);
  assertEquals(crc32(bytes.subarray(header)), view.getUint32(44, true));
  let offset = header + extension;
  const found = Array.from({ length: count }, (_, index) => {
    let length = 0;
    for (let scale = 1;; scale *= 128) {
      const byte = bytes[offset++]!;
      length += (byte & 127) * scale;
      if (byte < 128) break;
    }
    offset += length;
    return { topic, sequence: first + index, payload: bytes.slice(offset - length, offset) };
  });
  assertEquals(offset, bytes.length);
  return found;
}

/** The frames that stand one behind the other. */
export function frames(bytes: Uint8Array): Frame[] {
  const found: Frame[] = [];
  for (let rest = bytes.slice(); rest.length > 0;) {
    const length = new DataView(rest.buffer).getUint32(0, true);
    const frame = rest.slice(0, length);
    const view = new DataView(frame.buffer);
    found.push({ type: view.getUint8(4), bytes: frame, view });
    rest = rest.slice(length);
  }
  return found;
}
