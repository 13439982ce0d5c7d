/** What the tests of core share: frames, seeded randomness, and a platform with a clock that only tests move. */

import { constants, crc32, deflateRawSync } from "node:zlib";
import type { Opening } from "../../core/batch.ts";
import { largestMessage } from "../../core/limits.ts";
import { Codec } from "../../core/codec.ts";
import { codecEntry, writeCodecEntry } from "../../core/extension.ts";
import { MemoryBudget } from "../../core/memory.ts";
import type { Platform } from "../../core/connection.ts";
import { Cursor, type Slice } from "../../core/cursor.ts";
import { at, encodedFlag, FrameType, messagesHeader, writePrefix } from "../../core/frame.ts";
import type { FrameWriter } from "../../core/frame_writer.ts";
import { type Retention, TopicLog } from "../../core/log.ts";
import type { Source, TakeOutcome } from "../../core/output.ts";
import { varintLength, writeVarint } from "../../core/payload.ts";
import { SegmentPool } from "../../core/segment_pool.ts";
import { writeU64 } from "../../core/bytes.ts";
import { compression } from "../../transports/compression.ts";
import { cryptography } from "../../transports/cryptography.ts";

export const KiB = 1024;
export const MiB = 1024 * KiB;

/** Numbers that look random and are the same for the same seed (mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A whole number of 32 bits. */
  u32(): number {
    let t = this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }

  /** A whole number from 0 to `limit - 1`. */
  below(limit: number): number {
    return Math.floor(this.u32() / 2 ** 32 * limit);
  }

  /** A whole number from `least` to `most`. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1);
  }

  /** Whether something of this probability happens now. */
  chance(probability: number): boolean {
    return this.u32() < probability * 2 ** 32;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!;
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) bytes[i] = this.u32();
    return bytes;
  }
}

/** A platform in a world of its own: seeded randomness, a clock and timers that only {@linkcode advance} moves. */
export class VirtualPlatform implements Platform {
  /** Unix microseconds at monotonic time 0. */
  readonly origin: number;
  /** How often somebody left the processor to others. Time stands still meanwhile. */
  naps = 0;
  #now = 0;
  #random: Random;
  #timers: { due: number; callback: () => void }[] = [];
  #turns = 0;
  #soon: (() => void)[] = [];

  constructor(seed = 1, origin = 1_700_000_000_000_000) {
    this.#random = new Random(seed);
    this.origin = origin;
  }

  crc32(bytes: Uint8Array, seed = 0): number {
    return crc32(bytes, seed);
  }

  readonly compress = compression.compress;
  readonly expand = compression.expand;
  readonly mac = cryptography.mac;
  readonly hkdf = cryptography.hkdf;
  readonly encrypt = cryptography.encrypt;
  readonly decrypt = cryptography.decrypt;

  random(into: Uint8Array): void {
    into.set(this.#random.bytes(into.length));
  }

  now(): number {
    return this.#now;
  }

  time(): number {
    return this.origin + Math.floor(this.#now * 1000);
  }

  after(delay: number, callback: () => void): () => void {
    const timer = { due: this.#now + delay, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  turn(callback: () => void): void {
    // Time goes on in each: who waits turn by turn for a moment to come would wait for ever.
    this.#turns++;
    this.after(0.05, () => {
      this.#turns--;
      callback();
    });
  }

  nap(): void {
    this.naps++;
  }

  soon(callback: () => void): void {
    this.#soon.push(callback);
  }

  /** Timers that have not run. A turn comes soon by itself, and cannot be taken back. */
  get timers(): number {
    return this.#timers.length - this.#turns;
  }

  /** Ends this turn: what was asked for `soon` happens, and what that asks for. */
  settle(): void {
    for (let callback = this.#soon.shift(); callback; callback = this.#soon.shift()) callback();
  }

  /** Moves the clock on, with all that happens on the way, in order. */
  advance(milliseconds: number): void {
    const until = this.#now + milliseconds;
    for (;;) {
      this.settle();
      const due = this.#timers.reduce((least, timer) => Math.min(least, timer.due), Infinity);
      if (due > until) break;
      this.#now = Math.max(this.#now, due);
      const timer = this.#timers.find((timer) => timer.due === due)!;
      this.#timers = this.#timers.filter((other) => other !== timer);
      timer.callback();
    }
    this.#now = until;
    this.settle();
  }
}

/** How frames are opened whose checksums are looked at, whatever their size. */
export function opening(platform: Platform): Opening {
  return { platform, verify: true, maxMessage: largestMessage };
}

/** What a frame of messages is made from; all but the payloads has a default. */
export interface FrameParts {
  readonly topic?: number;
  readonly number?: number;
  readonly flags?: number;
  /** Header length: more than 48 for a frame of a later version. */
  readonly header?: number;
  readonly extension?: Uint8Array;
}

/** A valid frame of these messages, as a publisher sends it. */
export function messagesFrame(messages: readonly Uint8Array[], parts: FrameParts = {}): Uint8Array {
  const { topic = 1, number = 1, flags = 0, header = messagesHeader, extension = new Uint8Array(0) } = parts;
  const payload = messages.reduce((sum, message) => sum + varintLength(message.length) + message.length, 0);
  const bytes = new Uint8Array(header + extension.length + payload);
  const view = new DataView(bytes.buffer);
  bytes.set(extension, header);
  let offset = header + extension.length;
  for (const message of messages) {
    offset = writeVarint(bytes, offset, message.length);
    bytes.set(message, offset);
    offset += message.length;
  }
  writePrefix(view, 0, bytes.length, FrameType.messages, header, flags);
  view.setUint32(at.topic, topic, true);
  view.setUint16(at.count, messages.length, true);
  view.setUint16(at.extension, extension.length, true);
  writeU64(view, at.number, number);
  view.setUint32(at.payload, payload, true);
  view.setUint32(at.checksum, crc32(bytes.subarray(header)), true);
  return bytes;
}

/** The extension of an encoded frame: one entry that names a codec. */
export function codecOf(codec: number, expanded: number): Uint8Array {
  const bytes = new Uint8Array(codecEntry);
  writeCodecEntry(viewOf(bytes), 0, codec as Codec, expanded);
  return bytes;
}

/** The same frame, with its payload compressed; `expanded` is the length that it claims to have. */
export function compressed(frame: Uint8Array, codec: Codec, expanded?: number): Uint8Array {
  const header = frame[at.header]!;
  const payload = frame.subarray(header);
  return encodedFrame(frame, codec, compression.compress(codec, 1, payload), expanded ?? payload.length);
}

/** The same frame, with these bytes as its encoded payload. */
export function encodedFrame(frame: Uint8Array, codec: number, payload: Uint8Array, expanded: number): Uint8Array {
  const header = frame[at.header]!;
  const bytes = concat([frame.subarray(0, header), codecOf(codec, expanded), payload]);
  const view = viewOf(bytes);
  view.setUint32(at.length, bytes.length, true);
  view.setUint16(at.flags, encodedFlag, true);
  view.setUint16(at.extension, codecEntry, true);
  view.setUint32(at.payload, payload.length, true);
  view.setUint32(at.checksum, crc32(bytes.subarray(header)), true);
  return bytes;
}

/** A frame of Zstandard by hand: so many blocks of 128 KiB, each a repeated zero; and how large a window it asks for. */
export function zstdBomb(blocks: number, windowLog = 17): Uint8Array {
  const bytes = new Uint8Array(6 + 4 * blocks);
  bytes.set([0x28, 0xb5, 0x2f, 0xfd, 0, (windowLog - 10) << 3]);
  const repeated = (128 * KiB << 3) | 2;
  for (let block = 0; block < blocks; block++) {
    const last = block === blocks - 1 ? 1 : 0;
    viewOf(bytes).setUint32(6 + 4 * block, repeated | last, true);
  }
  return bytes;
}

/** Of each codec, a payload of so many zeros, 10 GB unless given; a multiple of 16 MiB of them for one that is exact. */
export function bombs(size = 10e9): [Codec, Uint8Array][] {
  // A stream of DEFLATE that is flushed at a byte may be repeated: the first has no end, and what repeats it needs none.
  const piece = deflateRawSync(new Uint8Array(16 * MiB), { finishFlush: constants.Z_FULL_FLUSH });
  const deflate = new Uint8Array(piece.length * Math.ceil(size / (16 * MiB)) + 2);
  for (let offset = 0; offset + piece.length < deflate.length; offset += piece.length) deflate.set(piece, offset);
  deflate.set([3, 0], deflate.length - 2);
  return [[Codec.deflate, deflate], [Codec.zstd, zstdBomb(Math.ceil(size / (128 * KiB)))]];
}

/** A frame of messages of a given length, with anything inside: for what looks at the header alone. */
export function blankFrame(length: number, count = 1, fill = 0): Uint8Array {
  const bytes = new Uint8Array(length).fill(fill);
  const view = new DataView(bytes.buffer);
  bytes.fill(0, 0, messagesHeader);
  writePrefix(view, 0, length, FrameType.messages, messagesHeader);
  view.setUint16(at.count, count, true);
  view.setUint32(at.payload, length - messagesHeader, true);
  return bytes;
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}

/** Whether bytes are the same; a quicker comparison than `assertEquals` for megabytes of them. */
export function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

/** A pool with as much memory as it may want. */
export function roomyPool(limit = 1024 * MiB): SegmentPool {
  return new SegmentPool(new MemoryBudget(limit));
}

/** A log with a pool of its own. */
export function newLog(retention: Partial<Retention> = {}, pool: SegmentPool = roomyPool()): TopicLog {
  return new TopicLog(pool, { bytes: 8 * MiB, age: Infinity, ...retention });
}

/** Appends a blank frame. */
export function append(log: TopicLog, length: number, count = 1, time = 1): void {
  const outcome = log.append(blankFrame(length, count), 0, length, count, time);
  if (outcome !== "appended") throw new Error(`the frame was not appended: ${outcome}`);
}

/** The whole frames that stand one after the other in bytes. Throws when they do not fill them. */
export function framesIn(bytes: Uint8Array): Uint8Array[] {
  const frames: Uint8Array[] = [];
  const view = viewOf(bytes);
  for (let offset = 0; offset < bytes.length;) {
    const length = view.getUint32(offset + at.length, true);
    if (length < 8 || offset + length > bytes.length) throw new Error(`no whole frame at ${offset} of ${bytes.length}`);
    frames.push(bytes.subarray(offset, offset + length));
    offset += length;
  }
  return frames;
}

/** A source of an output that reads a log and does nothing else. */
export class LogSource implements Source {
  queued = false;
  readonly cursor: Cursor;

  constructor(log: TopicLog) {
    this.cursor = new Cursor(log, log.firstSequence);
  }

  take(most: number, into: Slice, _control: FrameWriter): TakeOutcome {
    return this.cursor.read(most, into);
  }
}

/** Waits for an error that nobody catches, from now until it is disposed of. */
export function uncaughtError(): { readonly error: Promise<unknown> } & Disposable {
  const { promise: error, resolve } = Promise.withResolvers<unknown>();
  const listen = (event: ErrorEvent) => {
    event.preventDefault();
    resolve(event.error);
  };
  addEventListener("error", listen);
  return { error, [Symbol.dispose]: () => removeEventListener("error", listen) };
}
