/**
 * Bytes on their way to a server.
 *
 * @module
 */

/** What writes messages in one protocol. */
export interface Encoder {
  /** Appends one message. `topic` is its index in the topics that the connection was opened with. */
  message(output: Output, topic: number, message: Uint8Array): void;
}

const initialCapacity = 1024;
/** What an emptied buffer keeps, so that one huge message does not hold its memory for ever. */
const keptCapacity = 2 * 1024 * 1024;
/** Up to here a loop copies faster than `set`, which of a whole array, without a view of a part of it, takes 9 ns. */
const shortCopy = 8;

const encoder = new TextEncoder();

/**
 * Gathers what is sent in two buffers that take turns: one is written while the other is appended to.
 *
 * Encoders write at {@linkcode bytes} themselves: {@linkcode room} first, for all of a message at once, and
 * {@linkcode length} last.
 */
export class Output {
  /** The buffer that is appended to. Another one after {@linkcode room} or {@linkcode take}. */
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(initialCapacity);
  /** How many bytes of it are in use. */
  length = 0;
  #spare = new Uint8Array(initialCapacity);
  #discarding = false;

  /** Makes room for at least so many bytes more. */
  room(count: number): void {
    if (this.length + count > this.bytes.length) this.#grow(count);
  }

  /** Appends bytes. */
  append(source: Uint8Array): void {
    this.room(source.length);
    this.length = copy(this.bytes, this.length, source);
  }

  /** Appends a text as UTF-8. */
  text(text: string): void {
    this.append(encoder.encode(text));
  }

  /** Takes all out. It is valid until the next call, which must wait until it was written. */
  take(): Uint8Array<ArrayBuffer> {
    const taken = this.bytes;
    const { length } = this;
    this.bytes = this.#spare;
    this.#spare = taken.length > keptCapacity ? new Uint8Array(initialCapacity) : taken;
    this.length = 0;
    return taken.subarray(0, length);
  }

  /** From now on nothing is kept: it will not be written any more. */
  discard(): void {
    this.#discarding = true;
  }

  #grow(count: number): void {
    if (this.#discarding) this.length = 0;
    if (this.length + count <= this.bytes.length) return;
    const larger = new Uint8Array(Math.max(2 * this.bytes.length, this.length + count));
    larger.set(this.bytes.subarray(0, this.length));
    this.bytes = larger;
  }
}

/** Copies all of `source` to `at`, where there is room for it. Returns where it ends. */
export function copy(into: Uint8Array, at: number, source: Uint8Array): number {
  const { length } = source;
  if (length > shortCopy) {
    into.set(source, at);
    return at + length;
  }
  for (let from = 0; from < length; from++) into[at++] = source[from]!;
  return at;
}

/** Writes a whole number of at most 2^31 - 1 in decimal, where there is room for ten digits. Returns where it ends. */
export function decimal(into: Uint8Array, at: number, value: number): number {
  let end = at + 1;
  for (let bound = 10; bound <= value; bound *= 10) end++;
  let rest = value;
  for (let digit = end - 1; digit >= at; digit--) {
    const next = rest / 10 | 0;
    into[digit] = 0x30 + rest - next * 10;
    rest = next;
  }
  return end;
}

/** Bytes of a text, as UTF-8. */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text);
}
