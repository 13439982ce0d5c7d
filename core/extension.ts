/**
 * The extension of a frame of messages: type-length-value entries, covered by the checksum.
 *
 * ```text
 * 0 u8 type   1 u8 flags (1: a receiver that does not know the type must not use the frame)   2 u16 length   4 value
 * ```
 *
 * Unknown entries are passed on as they are. The types below are reserved; none is produced yet.
 *
 * @module
 */

import { Code } from "./codes.ts";

/** Reserved types. */
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

/**
 * Checks that entries fill the extension exactly and that this version knows every mandatory one.
 *
 * @returns {@linkcode Code.done}, {@linkcode Code.corrupt} or {@linkcode Code.unsupported}
 */
export function checkExtension(view: DataView, start: number, end: number): Code {
  let offset = start;
  while (offset + entryHeader <= end) {
    // No type is understood yet, so that a mandatory entry of any type makes the frame useless.
    if (view.getUint8(offset + 1) & mandatory) return Code.unsupported;
    offset += entryHeader + view.getUint16(offset + 2, true);
  }
  return offset === end ? Code.done : Code.corrupt;
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
