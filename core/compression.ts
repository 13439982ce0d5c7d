/**
 * How a publisher compresses its frames: once, when a frame is closed, and where it gets smaller by that.
 *
 * @module
 */

import { Codec, type CodecName, featureOf } from "./codec.ts";
import type { Platform } from "./connection.ts";
import { UsageError } from "./errors.ts";
import { codecEntry, writeCodecEntry } from "./extension.ts";
import type { Segment } from "./segment.ts";

/** How a publisher compresses. */
export interface CompressionOptions {
  /** `auto`: zstd, or deflate where the server grants no other; and not what does not get much smaller. */
  readonly codec: CodecName | "auto";
  /** From 1, the fastest, to {@linkcode highestLevel}; 3 of deflate and 1 of zstd unless given. */
  readonly level?: number;
}

/** What was compressed, in bytes of payloads; those that were sent as they are count the same in both. */
export interface CompressionCounts {
  /** As they were given. */
  readonly before: number;
  /** As they were sent, with the entry that names the codec. */
  readonly after: number;
}

/** The highest level of each codec. */
export const highestLevel: Readonly<Record<CodecName, number>> = { deflate: 9, zstd: 19 };

/**
 * Where no level is given: of those that compress at hundreds of megabytes a second, the one that leaves least. In frames of
 * 64 KiB, deflate leaves a third less at 3 than at 1; zstd at 3 leaves as much as at 1 (`bench/compression.ts`).
 */
const usualLevel: Readonly<Record<CodecName, number>> = { deflate: 3, zstd: 1 };

/**
 * Smaller payloads go as they are. Of 128 bytes of JSON next to nothing is saved, beside a header of 48 that the frame has
 * anyway, and to compress and expand them takes as long as 2 KiB.
 */
const leastPayload = 192;
/** `auto`: what does not lose this part of its bytes is not worth the time of whoever expands it. */
const worthwhile = 1 / 8;
/** `auto`: the most frames of a topic that go as they are before another is tried. */
const longestRest = 255;

/** The compression of one publisher. */
export class Compression implements CompressionCounts {
  before = 0;
  after = 0;
  /** The codec that the server grants; `null` while there is none. */
  codec: Codec | null = null;
  readonly auto: boolean;
  readonly #platform: Pick<Platform, "compress">;
  readonly #wanted: readonly CodecName[];
  readonly #level: number | undefined;

  /** @throws {UsageError} for a level that the codec does not have */
  constructor(platform: Pick<Platform, "compress">, { codec, level }: CompressionOptions) {
    this.#platform = platform;
    this.auto = codec === "auto";
    this.#wanted = codec === "auto" ? ["zstd", "deflate"] : [codec];
    this.#level = level;
    const most = highestLevel[this.#wanted[0]!];
    if (level !== undefined && (!Number.isInteger(level) || level < 1 || level > most)) {
      throw new UsageError(`there is no level ${level} of ${codec}`, `levels are whole numbers from 1 to ${most}`);
    }
  }

  /** The server grants these features. Returns whether a codec that is wanted is among them. */
  granted(features: number): boolean {
    const name = this.#wanted.find((name) => features & featureOf(Codec[name]));
    this.codec = name === undefined ? null : Codec[name];
    return name !== undefined;
  }

  /** Compresses, at its level or the highest that the codec has. */
  compress(codec: Codec, bytes: Uint8Array): Uint8Array {
    const name = codec === Codec.deflate ? "deflate" : "zstd";
    return this.#platform.compress(codec, Math.min(this.#level ?? usualLevel[name], highestLevel[name]), bytes);
  }
}

/**
 * The compression of one topic.
 *
 * `auto` is decided here, by what the topic's frames lose: after one that loses too little the next goes as it is, then
 * three, then seven, up to {@linkcode longestRest}; one that loses enough ends that. What does not compress costs the time
 * for one frame of 256, and what begins to compress is found out within as many.
 */
export class Compressor {
  readonly #compression: Compression;
  #rest = 0;
  #resting = 0;

  constructor(compression: Compression) {
    this.#compression = compression;
  }

  /**
   * Compresses the payload of a frame in place, if it gets smaller: a codec entry goes before it, and the segment ends
   * where it ends.
   *
   * @param payload where it begins; it goes to the segment's end
   * @returns bytes of the entry, 0 where the payload is as it was
   */
  compress(segment: Segment, payload: number): number {
    const compression = this.#compression;
    const before = segment.end - payload;
    const compressed = this.#try(segment.bytes.subarray(payload, segment.end));
    compression.before += before;
    if (compressed === null) {
      compression.after += before;
      return 0;
    }
    writeCodecEntry(segment.view, payload, compression.codec!, before);
    segment.bytes.set(compressed, payload + codecEntry);
    segment.end = payload + codecEntry + compressed.length;
    compression.after += segment.end - payload;
    return codecEntry;
  }

  /** What a payload becomes; `null` where it is not smaller, with its entry, or was not tried. */
  #try(payload: Uint8Array): Uint8Array | null {
    const { codec, auto } = this.#compression;
    if (codec === null || payload.length < leastPayload) return null;
    if (this.#resting > 0) {
      this.#resting--;
      return null;
    }
    const compressed = this.#compression.compress(codec, payload);
    const saved = payload.length - codecEntry - compressed.length;
    if (auto) {
      this.#rest = saved < payload.length * worthwhile ? Math.min(2 * this.#rest + 1, longestRest) : 0;
      this.#resting = this.#rest;
    }
    return saved > 0 ? compressed : null;
  }
}
