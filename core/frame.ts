/**
 * The layout of frames: the prefix that all share, and the header of a frame of messages.
 *
 * One layout serves the connection, the log, datagrams and files. All integers are little-endian.
 *
 * ```text
 *  0 u32 length of the whole frame        8 u32 topic id            24 u64 time, Unix microseconds
 *  4 u8  type                            12 u16 message count       32 u64 publisher's number
 *  5 u8  header length                   14 u16 extension length    40 u32 payload length
 *  6 u16 flags                           16 u64 first sequence      44 u32 CRC-32 of extension and payload
 * ```
 *
 * Control frames have the first 8 bytes only, then their body. See docs/PROTOCOL.md.
 *
 * @module
 */

import type { Platform } from "./connection.ts";
import { largestBatch, largestExtension, largestMessage, largestSequence } from "./limits.ts";
import { varintLength } from "./payload.ts";
import type { Codec } from "./codec.ts";
import { Code } from "./codes.ts";
import { readU64, writeU64 } from "./bytes.ts";
import { checkExtension, readCodecEntry } from "./extension.ts";

/** Frame types. A receiver passes over an unknown type that has {@linkcode optionalFrame}, and closes on another. */
export const FrameType = {
  messages: 1,
  hello: 2,
  welcome: 3,
  declare: 4,
  declared: 5,
  failed: 6,
  ack: 7,
  refuse: 8,
  undeclare: 9,
  subscribe: 10,
  points: 11,
  deliver: 12,
  subscribed: 13,
  announce: 14,
  gap: 15,
  unsubscribe: 16,
  unsubscribed: 17,
  pause: 18,
  resume: 19,
  list: 20,
  listed: 21,
  ping: 22,
  pong: 23,
  drain: 24,
  close: 25,
  datagrams: 26,
  route: 27,
  keys: 28,
  key: 29,
} as const;

/** Bytes that every frame begins with: length, type, header length, flags. */
export const prefixLength = 8;
/** Header length of a frame of messages, as this version writes it. A later one may be longer. */
export const messagesHeader = 48;

/** Offsets of the fields. */
export const at = {
  length: 0,
  type: 4,
  header: 5,
  flags: 6,
  topic: 8,
  count: 12,
  extension: 14,
  sequence: 16,
  time: 24,
  number: 32,
  payload: 40,
  checksum: 44,
} as const;

/** Flag of a frame of messages: the payload is encoded by the codec that the extension names. */
export const encodedFlag = 0x0001;
/** Flag of any frame: a receiver that does not know the type passes over it. */
export const optionalFrame = 0x8000;

/** The largest frame of messages that a server takes, for the largest message it takes. */
export function largestFrame(maxMessage: number): number {
  return messagesHeader + largestExtension + Math.max(largestBatch, varintLength(maxMessage) + maxMessage);
}

/** The largest frame that a publisher should send: of a batch, or of one message where that is all the server takes. */
export function usefulFrame(maxMessage: number): number {
  return Math.min(largestBatch, messagesHeader + varintLength(maxMessage) + maxMessage);
}

/** The largest payload of a frame, expanded: of one message, or of a batch, whose size bounds each message in it. */
export function largestPayload(maxMessage: number, count: number): number {
  return count > 1 ? usefulFrame(maxMessage) - messagesHeader : varintLength(maxMessage) + maxMessage;
}

/** Whether the payload of a frame of messages is encoded. */
export function isEncoded(view: DataView, start: number): boolean {
  return (view.getUint16(start + at.flags, true) & encodedFlag) !== 0;
}

/** The codec and the expanded length of an encoded frame whose extension is in order. */
export function encodingOf(view: DataView, start: number): { codec: Codec; expanded: number } {
  return readCodecEntry(view, start + view.getUint8(start + at.header));
}

/**
 * Whether the lengths inside a frame of messages agree with each other.
 *
 * @param length the whole frame's, from its prefix; those bytes are present
 */
export function messagesAgree(view: DataView, start: number, length: number): boolean {
  const header = view.getUint8(start + at.header);
  return length >= messagesHeader && header >= messagesHeader &&
    header + view.getUint16(start + at.extension, true) + view.getUint32(start + at.payload, true) === length;
}

/**
 * What is wrong with a frame of messages that a publisher sent, or {@linkcode Code.done} if nothing is.
 *
 * Checked once, on receipt: checksum, count, size, and that no extension which must be understood is unknown. Nothing is
 * expanded: the messages inside are the subscriber's to check. The lengths agree already: {@linkcode messagesAgree}.
 *
 * @param maxMessage bytes of the largest message
 */
export function faultOf(
  platform: Pick<Platform, "crc32">,
  bytes: Uint8Array,
  view: DataView,
  start: number,
  length: number,
  maxMessage: number = largestMessage,
): Code {
  const count = view.getUint16(start + at.count, true);
  const payload = view.getUint32(start + at.payload, true);
  const body = start + view.getUint8(start + at.header);
  if (count === 0) return Code.count;
  const encoded = isEncoded(view, start);
  if (!encoded && payload < count) return Code.count;
  if (platform.crc32(bytes.subarray(body, start + length)) !== view.getUint32(start + at.checksum, true)) {
    return Code.checksum;
  }
  const number = readU64(view, start + at.number);
  if (number < 1 || number + count > largestSequence) return Code.number;
  const extension = view.getUint16(start + at.extension, true);
  if (extension > 0 || encoded) {
    const fault = checkExtension(view, body, body + extension, encoded);
    if (fault !== Code.done) return fault;
  }
  const most = largestPayload(maxMessage, count);
  if (payload > most) return Code.messageTooLarge;
  return encoded ? expansionFault(view, start, count, most) : Code.done;
}

/** What is wrong with the length that an encoded frame says its payload has expanded. */
function expansionFault(view: DataView, start: number, count: number, most: number): Code {
  const { expanded } = encodingOf(view, start);
  if (expanded < count) return Code.count;
  return expanded > most ? Code.messageTooLarge : Code.done;
}

/** Stamps a frame in place with its first sequence and the server's time. */
export function stamp(view: DataView, start: number, sequence: number, time: number): void {
  writeU64(view, start + at.sequence, sequence);
  writeU64(view, start + at.time, time);
}

/** Writes the prefix of a frame. */
export function writePrefix(
  view: DataView,
  start: number,
  length: number,
  type: number,
  header: number,
  flags = 0,
): void {
  view.setUint32(start + at.length, length, true);
  view.setUint8(start + at.type, type);
  view.setUint8(start + at.header, header);
  view.setUint16(start + at.flags, flags, true);
}
