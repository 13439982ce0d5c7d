/**
 * The extension of a frame of messages: type-length-value entries, covered by the checksum.
 *
 * ```text
 * 0 u8 type   1 u8 flags (1: a receiver that does not know the type must not use the frame)   2 u16 length   4 value
 * ```
 *
 * Unknown entries are passed on as they are. Of the types below, only the codec is produced yet; the others are reserved.
 *
 * @module
 */

import { type Codec, isCodec } from "./codec.ts";
import { Code } from "./codes.ts";

/** Types of entries. */
export const ExtensionType = {
  /** u32 microseconds a message, counted back from the frame's time: when the source captured each. */
  timeDeltas: 1,
  /** 128-bit id of the server a frame came from, and u8 hop count, so that relays notice loops. */
  origin: 2,
  /** u8 codec and u32 expanded length of the payload. */
  codec: 3,
  /** Names and values, for people and gateways. */
  headers: 4,
  /** The topic that an answer goes to. */
  replyTo: 5,
  /** The group of subscribers of which one shall take each message. */
  queueGroup: 6,
} as const;

/** Flag of an entry: a receiver that does not know the type must not use the frame. */
export const mandatory = 0x01;

/** Bytes before an entry's value. */
export const entryHeader = 4;

/** Bytes of the value of a codec entry: u8 codec, u32 expanded length. */
const codecValue = 5;
/** Bytes of a codec entry. */
export const codecEntry = entryHeader + codecValue;

/**
 * Checks that entries fill the extension exactly, that this version knows every mandatory one, and that there is a codec
 * where the frame is encoded, and only there.
 *
 * @param encoded whether the frame has the flag `encoded`
 * @returns {@linkcode Code.done}, {@linkcode Code.corrupt} or {@linkcode Code.unsupported}
 */
export function checkExtension(view: DataView, start: number, end: number, encoded: boolean): Code {
  let codecs = 0;
  let offset = start;
  while (offset + entryHeader <= end) {
    const length = view.getUint16(offset + 2, true);
    const must = (view.getUint8(offset + 1) & mandatory) !== 0;
    if (view.getUint8(offset) === ExtensionType.codec) {
      if (!must || length !== codecValue || offset + codecEntry > end) return Code.corrupt;
      if (!isCodec(view.getUint8(offset + entryHeader))) return Code.unsupported;
      codecs++;
    } else if (must) return Code.unsupported;
    offset += entryHeader + length;
  }
  return offset === end && codecs === (encoded ? 1 : 0) ? Code.done : Code.corrupt;
}

/** Writes a codec entry: {@linkcode codecEntry} bytes. */
export function writeCodecEntry(view: DataView, offset: number, codec: Codec, expanded: number): void {
  view.setUint8(offset, ExtensionType.codec);
  view.setUint8(offset + 1, mandatory);
  view.setUint16(offset + 2, codecValue, true);
  view.setUint8(offset + entryHeader, codec);
  view.setUint32(offset + entryHeader + 1, expanded, true);
}

/** The codec and the expanded length that an extension names; {@linkcode checkExtension} has found that it names one. */
export function readCodecEntry(view: DataView, start: number): { codec: Codec; expanded: number } {
  let offset = start;
  while (view.getUint8(offset) !== ExtensionType.codec) offset += entryHeader + view.getUint16(offset + 2, true);
  const codec = view.getUint8(offset + entryHeader) as Codec;
  return { codec, expanded: view.getUint32(offset + entryHeader + 1, true) };
}

/** One entry: its type, flags and value. */
export interface Entry {
  readonly type: number;
  readonly flags: number;
  readonly value: Uint8Array;
}

/** The entries of an extension that {@linkcode checkExtension} accepted. Values are views. */
export function* entries(bytes: Uint8Array, start: number, end: number): Generator<Entry> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let offset = start; offset + entryHeader <= end;) {
    const value = offset + entryHeader;
    const length = view.getUint16(offset + 2, true);
    yield {
      type: view.getUint8(offset),
      flags: view.getUint8(offset + 1),
      value: bytes.subarray(value, value + length),
    };
    offset = value + length;
  }
}
