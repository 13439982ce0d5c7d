/**
 * The layout of datagrams: a header, then whole frames or one fragment of a frame, then a seal.
 *
 * All integers are little-endian.
 *
 * ```text
 *  0 u8  0xd5             4 u32 group id                           24 u64 counter
 *  1 u8  version          8 16 bytes: session id of the sender     32 u64 number
 *  2 u8  header length                                             40 frames
 *  3 u8  flags
 * ```
 *
 * The counter says which transmission of its session a datagram is, from 1: no two have the same, repairs included. The
 * number is that of what it carries: numbered datagrams carry messages and count from 1, one more each, and a repair has
 * the number of what it repairs. A datagram that is not numbered says which number the next will have.
 *
 * @module
 */

import { encodeText, readU64, writeU64 } from "./bytes.ts";
import type { Platform } from "./connection.ts";
import { at, prefixLength } from "./frame.ts";
import { largestSequence } from "./limits.ts";

/** What every datagram begins with. */
export const datagramMagic = 0xd5;
/** The version of this layout. */
export const datagramVersion = 1;
/** Header length, as this version writes it. A later one may be longer. */
export const datagramHeader = 40;

/** Bytes before a fragment: a u32, how long the whole frame is, and a u32, where in it the fragment begins. */
export const fragmentHeader = 8;

/** Offsets of the fields. */
export const inDatagram = {
  magic: 0,
  version: 1,
  header: 2,
  flags: 3,
  group: 4,
  session: 8,
  counter: 24,
  number: 32,
} as const;

/** Flags of a datagram. */
export const DatagramFlag = {
  /** It carries messages and has a number of its own. */
  numbered: 1,
  /** It was sent before. */
  repair: 2,
  /** It carries a fragment of a frame that is larger than a datagram. */
  fragment: 4,
  /** It is encrypted. */
  encrypted: 8,
} as const;

/** What protects a datagram: a checksum, or encryption with the header authenticated. */
export interface Seal {
  /** Bytes that it takes behind the frames. */
  readonly length: number;
  /** The flag that its datagrams have, if any. */
  readonly flag: number;
  /** Seals what stands at `start` to `end`, header included; the seal itself goes behind that. */
  close(bytes: Uint8Array, view: DataView, start: number, end: number): void;
  /** Whether what stands at `start` to `end`, the seal included, is as it was sealed. The frames can be read after that. */
  open(bytes: Uint8Array, view: DataView, start: number, end: number): boolean;
}

/**
 * The id of a group, from its address and port as an endpoint has them: `239.255.70.70:7071`, `[ff15::7070]:7071`. Ports that are
 * shared bring other groups' datagrams.
 */
export function groupId({ crc32 }: Pick<Platform, "crc32">, address: string): number {
  return crc32(encodeText(address));
}

/** What the fields of a header are. */
export interface DatagramHeader {
  readonly flags: number;
  readonly group: number;
  /** 16 bytes. */
  readonly session: Uint8Array;
  readonly counter: number;
  readonly number: number;
}

/** Writes a header. Returns where the frames begin. */
export function writeDatagramHeader(bytes: Uint8Array, view: DataView, start: number, header: DatagramHeader): number {
  bytes[start + inDatagram.magic] = datagramMagic;
  bytes[start + inDatagram.version] = datagramVersion;
  bytes[start + inDatagram.header] = datagramHeader;
  bytes[start + inDatagram.flags] = header.flags;
  view.setUint32(start + inDatagram.group, header.group, true);
  bytes.set(header.session, start + inDatagram.session);
  writeU64(view, start + inDatagram.counter, header.counter);
  writeU64(view, start + inDatagram.number, header.number);
  return start + datagramHeader;
}

/** Makes the datagrams of one session. It alone counts them: with a key, no counter may ever come twice. */
export class DatagramWriter {
  readonly #seal: Seal;
  readonly #group: number;
  readonly #session: Uint8Array;
  #counter = 1;

  /** @param session id: 16 bytes */
  constructor(seal: Seal, group: number, session: Uint8Array) {
    this.#seal = seal;
    this.#group = group;
    this.#session = session;
  }

  /**
   * Completes a datagram: its frames stand behind where its header goes, which is at the beginning.
   *
   * @param end where the frames end
   * @returns how long the datagram is
   */
  finish(bytes: Uint8Array, view: DataView, end: number, flags: number, number: number): number {
    writeDatagramHeader(bytes, view, 0, {
      flags: flags | this.#seal.flag,
      group: this.#group,
      session: this.#session,
      counter: this.#counter++,
      number,
    });
    this.#seal.close(bytes, view, 0, end);
    return end + this.#seal.length;
  }

  /** Makes a datagram of control frames. `next` is the number that the session's next numbered one will have. */
  control(bytes: Uint8Array, view: DataView, frames: Uint8Array, next: number): number {
    bytes.set(frames, datagramHeader);
    return this.finish(bytes, view, datagramHeader + frames.length, 0, next);
  }
}

/**
 * Why a datagram is of no use; they are counted. `foreign`: of another protocol or group, which ports that are shared bring;
 * `version`: of one that is not known; `damaged`: the seal is wrong, which with a key is also what a wrong key looks like;
 * `plain`: not encrypted, though a key is set; `encrypted`: the other way round; `repeated`: it came before, or is too old to
 * tell.
 */
export type DatagramFault = "foreign" | "version" | "plain" | "encrypted" | "damaged" | "repeated";

/**
 * What is wrong with a datagram that came, or `null` if nothing is: then its frames begin behind its header, and end before
 * its seal.
 *
 * @param group whose datagrams are wanted
 */
export function openDatagram(
  seal: Seal,
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  group: number,
): DatagramFault | null {
  const length = end - start;
  if (length < datagramHeader || bytes[start + inDatagram.magic] !== datagramMagic) return "foreign";
  if (view.getUint32(start + inDatagram.group, true) !== group) return "foreign";
  if (bytes[start + inDatagram.version] !== datagramVersion) return "version";
  const flags = bytes[start + inDatagram.flags]!;
  if ((flags & DatagramFlag.encrypted) !== seal.flag) return seal.flag === 0 ? "encrypted" : "plain";
  const header = bytes[start + inDatagram.header]!;
  if (header < datagramHeader || header + seal.length > length) return "damaged";
  if (!seal.open(bytes, view, start, end)) return "damaged";
  const counter = readU64(view, start + inDatagram.counter);
  const number = readU64(view, start + inDatagram.number);
  const valid = counter >= 1 && counter <= largestSequence && number >= 1 && number <= largestSequence;
  return valid ? null : "damaged";
}

/** Where the frames begin of a datagram that was opened. */
export function bodyOf(bytes: Uint8Array, start: number): number {
  return start + bytes[start + inDatagram.header]!;
}

/**
 * Tells the frames that stand one after the other, each where it begins and ends.
 *
 * @returns whether they fill the space: what comes behind one that cannot be is not told
 */
export function eachFrame(
  view: DataView,
  start: number,
  end: number,
  take: (start: number, end: number) => void,
): boolean {
  while (start < end) {
    if (end - start < prefixLength) return false;
    const length = view.getUint32(start + at.length, true);
    const header = view.getUint8(start + at.header);
    if (header < prefixLength || header > length || length > end - start) return false;
    take(start, start + length);
    start += length;
  }
  return true;
}

/** The seal of datagrams that are not encrypted: the CRC-32 of all before it, 4 bytes. */
export function checksumSeal({ crc32 }: Pick<Platform, "crc32">): Seal {
  const length = 4;
  return {
    length,
    flag: 0,
    close(bytes, view, start, end) {
      view.setUint32(end, crc32(bytes.subarray(start, end)), true);
    },
    open(bytes, view, start, end) {
      return crc32(bytes.subarray(start, end - length)) === view.getUint32(end - length, true);
    },
  };
}
