/**
 * Bytes on their way out, gathered so that a batch of messages is one write.
 *
 * @module
 */

const initialCapacity = 64 * 1024;
/** What an emptied buffer keeps, so that one huge batch does not hold its memory for ever. */
const keptCapacity = 4 * 1024 * 1024;
/** Up to here a loop copies faster than `set`, which needs a view of the range. */
const shortCopy = 48;

const encoder = new TextEncoder();

/**
 * A byte buffer that grows as it is written to.
 *
 * It is bounded by its user, who writes it out and clears it when it holds enough. What {@linkcode bytes} returned must
 * not change while it is being written: `clear` only afterwards, or take turns with two buffers.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { OutputBuffer } from "./output_buffer.ts";
 *
 * const output = new OutputBuffer();
 * output.text("seq ");
 * output.decimal(42);
 * output.byte(0x0a);
 * assert(new TextDecoder().decode(output.bytes()) === "seq 42\n");
 * ```
 */
export class OutputBuffer {
  #bytes = new Uint8Array(initialCapacity);
  #length = 0;

  /** How many bytes are held. */
  get length(): number {
    return this.#length;
  }

  /** A view of what is held, valid until the next change. */
  bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Forgets what is held. */
  clear(): void {
    this.#length = 0;
    if (this.#bytes.length > keptCapacity) this.#bytes = new Uint8Array(initialCapacity);
  }

  /** Exchanges contents with another buffer. */
  swap(other: OutputBuffer): void {
    [this.#bytes, other.#bytes] = [other.#bytes, this.#bytes];
    [this.#length, other.#length] = [other.#length, this.#length];
  }

  /** Appends one byte. */
  byte(value: number): void {
    if (this.#length === this.#bytes.length) this.#grow(1);
    this.#bytes[this.#length++] = value;
  }

  /** Appends the bytes of `buffer` from `start` to before `end`. */
  copy(buffer: Uint8Array, start: number, end: number): void {
    const count = end - start;
    if (this.#length + count > this.#bytes.length) this.#grow(count);
    const bytes = this.#bytes;
    let at = this.#length;
    this.#length += count;
    if (count <= shortCopy) {
      for (let from = start; from < end; from++) bytes[at++] = buffer[from]!;
    } else bytes.set(buffer.subarray(start, end), at);
  }

  /** Appends all of `bytes`. */
  all(bytes: Uint8Array): void {
    this.copy(bytes, 0, bytes.length);
  }

  /** Appends a string as UTF-8. */
  text(text: string): void {
    // A UTF-16 unit never takes more than three bytes.
    if (this.#length + text.length * 3 > this.#bytes.length) this.#grow(text.length * 3);
    this.#length += encoder.encodeInto(text, this.#bytes.subarray(this.#length)).written;
  }

  /** Appends a whole number from 0 to `Number.MAX_SAFE_INTEGER` in decimal. */
  decimal(value: number): void {
    let digits = 1;
    for (let bound = 10; bound <= value; bound *= 10) digits++;
    if (this.#length + digits > this.#bytes.length) this.#grow(digits);
    this.#length += digits;
    let rest = value;
    for (let at = this.#length - 1; digits > 0; at--, digits--) {
      const next = Math.floor(rest / 10);
      // In this order: the largest numbers would not survive an addition.
      this.#bytes[at] = 0x30 + (rest - next * 10);
      rest = next;
    }
  }

  /** Appends a number of 32 bits in network byte order. */
  uint32(value: number): void {
    this.byte(value >>> 24);
    this.byte(value >>> 16 & 0xff);
    this.byte(value >>> 8 & 0xff);
    this.byte(value & 0xff);
  }

  #grow(count: number): void {
    const larger = new Uint8Array(Math.max(2 * this.#bytes.length, this.#length + count));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}
