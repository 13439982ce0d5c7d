/**
 * What cuts input into messages: the interface of every splitter, and the ways that are not lines.
 *
 * A splitter is fed chunks of bytes, cut anywhere, and hands each message on as a range of a buffer, so that a message
 * costs no allocation, and no copy where it lies wholly in one chunk.
 *
 * @module
 */

import { Failure } from "./exit.ts";

/**
 * Takes one message, the bytes of `buffer` from `start` to before `end`. They are only lent: they change after it returns.
 *
 * @returns `false` to stop after this message, anything else to go on
 */
export type TakeMessage = (buffer: Uint8Array, start: number, end: number) => boolean | void;

/**
 * Told of a message that was passed over because it is longer than the limit.
 *
 * @param number which message of the input it was, from 1: the line number, for lines
 * @param length its length in bytes
 */
export type PassedOver = (number: number, length: number) => void;

/** Cuts bytes into messages. Two calls never overlap: the callbacks are called before `push` returns. */
export interface Splitter {
  /**
   * Takes the bytes of `chunk` from `from` on, and hands on each message that they complete.
   *
   * @returns where to go on in this chunk: its length, or less when the callback said to stop; then the caller calls
   * again with this as `from`, for as long as it is less than the length, before the next chunk
   */
  push(chunk: Uint8Array, from?: number): number;
  /**
   * The input has ended: hands on what is left as the last message, if anything is.
   *
   * @throws {Failure} when the input ended inside a message that said how long it is
   */
  finish(): void;
}

/** Collects the parts of one message that chunks cut apart, in a buffer that grows to at most `limit`. */
export class PartialMessage {
  /** Holds the parts, from 0 to `length`. */
  bytes: Uint8Array = new Uint8Array(0);
  /** How many bytes are kept. */
  length = 0;

  /** Appends a range; the caller has seen that it fits. */
  append(chunk: Uint8Array, start: number, end: number, limit: number): void {
    const needed = this.length + end - start;
    if (needed > this.bytes.length) {
      const larger = new Uint8Array(Math.min(limit, Math.max(needed, 2 * this.bytes.length, 1024)));
      larger.set(this.bytes.subarray(0, this.length));
      this.bytes = larger;
    }
    this.bytes.set(chunk.subarray(start, end), this.length);
    this.length = needed;
  }
}

/** `--raw`: bytes as they come, each chunk a message, in pieces of at most `limit` bytes. */
export class RawSplitter implements Splitter {
  readonly #limit: number;
  readonly #take: TakeMessage;

  /** @param limit the longest message, in bytes */
  constructor(limit: number, take: TakeMessage) {
    this.#limit = limit;
    this.#take = take;
  }

  push(chunk: Uint8Array, from = 0): number {
    let start = from;
    while (start < chunk.length) {
      const end = Math.min(chunk.length, start + this.#limit);
      const more = this.#take(chunk, start, end);
      start = end;
      if (more === false) break;
    }
    return start;
  }

  finish(): void {}
}

/** `--chunk N`: pieces of exactly `size` bytes, the last one of what is left. */
export class ChunkSplitter implements Splitter {
  readonly #size: number;
  readonly #take: TakeMessage;
  readonly #partial = new PartialMessage();

  /** @param size how long a piece is, in bytes, from 1 */
  constructor(size: number, take: TakeMessage) {
    this.#size = size;
    this.#take = take;
  }

  push(chunk: Uint8Array, from = 0): number {
    const partial = this.#partial;
    let start = from;
    while (start < chunk.length) {
      const end = start + this.#size - partial.length;
      if (end > chunk.length) {
        partial.append(chunk, start, chunk.length, this.#size);
        return chunk.length;
      }
      const whole = partial.length === 0;
      if (!whole) partial.append(chunk, start, end, this.#size);
      partial.length = 0;
      const more = whole ? this.#take(chunk, start, end) : this.#take(partial.bytes, 0, this.#size);
      start = end;
      if (more === false) break;
    }
    return start;
  }

  finish(): void {
    const { bytes, length } = this.#partial;
    this.#partial.length = 0;
    if (length > 0) this.#take(bytes, 0, length);
  }
}

/** `--whole`: all the input as one message, which for an empty input is one of no bytes. */
export class WholeSplitter implements Splitter {
  readonly #limit: number;
  readonly #take: TakeMessage;
  readonly #passedOver: PassedOver;
  readonly #partial = new PartialMessage();
  #length = 0;

  /** @param limit the longest message, in bytes */
  constructor(limit: number, take: TakeMessage, passedOver: PassedOver) {
    this.#limit = limit;
    this.#take = take;
    this.#passedOver = passedOver;
  }

  push(chunk: Uint8Array, from = 0): number {
    this.#length += chunk.length - from;
    // Past the limit the rest is only counted, so that the report can say how much there was.
    if (this.#length <= this.#limit) this.#partial.append(chunk, from, chunk.length, this.#limit);
    return chunk.length;
  }

  finish(): void {
    if (this.#length > this.#limit) this.#passedOver(1, this.#length);
    else this.#take(this.#partial.bytes, 0, this.#length);
  }
}

const prefixLength = 4;

/**
 * `--delimited`: before each message its length in bytes, an unsigned number of 32 bits in network byte order (big-endian),
 * as Python's `struct.pack(">I", n)` and Java's `DataOutputStream.writeInt` write it.
 */
export class DelimitedSplitter implements Splitter {
  readonly #limit: number;
  readonly #take: TakeMessage;
  readonly #passedOver: PassedOver;
  readonly #partial = new PartialMessage();
  #prefix = 0;
  #prefixRead = 0;
  /** Bytes of a message over the limit that are still to come. */
  #skipping = 0;
  #number = 0;

  /** @param limit the longest message, in bytes */
  constructor(limit: number, take: TakeMessage, passedOver: PassedOver) {
    this.#limit = limit;
    this.#take = take;
    this.#passedOver = passedOver;
  }

  push(chunk: Uint8Array, from = 0): number {
    const partial = this.#partial;
    let at = from;
    for (;;) {
      const skipped = Math.min(this.#skipping, chunk.length - at);
      this.#skipping -= skipped;
      at += skipped;
      while (this.#prefixRead < prefixLength && at < chunk.length) {
        this.#prefix = this.#prefix * 256 + chunk[at++]!;
        this.#prefixRead++;
      }
      if (this.#prefixRead < prefixLength) return at;
      const length = this.#prefix;
      if (length > this.#limit) {
        this.#begin();
        this.#skipping = length;
        this.#passedOver(this.#number, length);
        continue;
      }
      const end = at + length - partial.length;
      if (end > chunk.length) {
        partial.append(chunk, at, chunk.length, length);
        return chunk.length;
      }
      const whole = partial.length === 0;
      if (!whole) partial.append(chunk, at, end, length);
      this.#begin();
      const more = whole ? this.#take(chunk, at, end) : this.#take(partial.bytes, 0, length);
      at = end;
      if (more === false) return at;
    }
  }

  finish(): void {
    const missing = this.#prefixRead > 0 ? this.#prefix - this.#partial.length : this.#skipping;
    if (this.#prefixRead === 0 && this.#skipping === 0) return;
    if (this.#prefixRead > 0 && this.#prefixRead < prefixLength) {
      throw new Failure(
        `the input ends inside the length of message ${this.#number + 1}: ${this.#prefixRead} of ${prefixLength} bytes`,
      );
    }
    const number = this.#skipping > 0 ? this.#number : this.#number + 1;
    throw new Failure(`the input ends inside message ${number}: ${missing} bytes are missing`);
  }

  /** One message is done with: the next prefix comes. */
  #begin(): void {
    this.#prefix = 0;
    this.#prefixRead = 0;
    this.#partial.length = 0;
    this.#number++;
  }
}
