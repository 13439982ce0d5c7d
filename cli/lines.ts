/**
 * Lines as messages, the way `publish` reads unless it is told otherwise.
 *
 * @module
 */

import { PartialMessage, type PassedOver, type Splitter, type TakeMessage } from "./split.ts";

const lineFeed = 0x0a;
/** How many bytes are looked at one by one before `indexOf`, whose call costs as much as that. */
const nearby = 24;

/**
 * `--lines`: the line end is the LF alone, and not part of the message.
 *
 * A CR stays, NUL and bytes that are not UTF-8 pass, an empty line is a message of no bytes, and a last line without a
 * line end is a message. A line longer than `limit` is passed over up to its end, holding no more than `limit` of it.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { LineSplitter } from "./lines.ts";
 *
 * const lengths: number[] = [];
 * const lines = new LineSplitter(1024, (_buffer, start, end) => void lengths.push(end - start), () => {});
 * lines.push(new TextEncoder().encode("one\n\nth"));
 * lines.push(new TextEncoder().encode("ree"));
 * lines.finish();
 * assert(lengths.join() === "3,0,5");
 * ```
 */
export class LineSplitter implements Splitter {
  readonly #limit: number;
  readonly #take: TakeMessage;
  readonly #passedOver: PassedOver;
  readonly #partial = new PartialMessage();
  /** The length so far of a line that is longer than the limit; 0 when the line is not. */
  #excess = 0;
  #lines = 0;

  /** @param limit the longest line, in bytes without its LF */
  constructor(limit: number, take: TakeMessage, passedOver: PassedOver) {
    this.#limit = limit;
    this.#take = take;
    this.#passedOver = passedOver;
  }

  push(chunk: Uint8Array, from = 0): number {
    const take = this.#take;
    const limit = this.#limit;
    let start = from;
    if (this.#partial.length > 0 || this.#excess > 0) {
      const end = findLineFeed(chunk, start);
      this.#keep(chunk, start, end < 0 ? chunk.length : end);
      if (end < 0) return chunk.length;
      start = end + 1;
      if (this.#endPartial() === false) return start;
    }
    let lines = this.#lines;
    let more: boolean | void = true;
    while (more !== false) {
      const end = findLineFeed(chunk, start);
      if (end < 0) break;
      lines++;
      if (end - start <= limit) more = take(chunk, start, end);
      else this.#passedOver(lines, end - start);
      start = end + 1;
    }
    this.#lines = lines;
    if (more !== false && start < chunk.length) {
      this.#keep(chunk, start, chunk.length);
      start = chunk.length;
    }
    return start;
  }

  finish(): void {
    if (this.#partial.length > 0 || this.#excess > 0) this.#endPartial();
  }

  /** Keeps a part of a line whose end has not come, unless that makes the line too long. */
  #keep(chunk: Uint8Array, start: number, end: number): void {
    const length = this.#excess + this.#partial.length + end - start;
    if (length > this.#limit) {
      this.#excess = length;
      this.#partial.length = 0;
    } else this.#partial.append(chunk, start, end, this.#limit);
  }

  /** Hands on the line of which parts were kept. */
  #endPartial(): boolean | void {
    const excess = this.#excess;
    const { bytes, length } = this.#partial;
    this.#excess = 0;
    this.#partial.length = 0;
    this.#lines++;
    if (excess === 0) return this.#take(bytes, 0, length);
    this.#passedOver(this.#lines, excess);
  }
}

/** Where the next LF is, or -1. */
function findLineFeed(bytes: Uint8Array, from: number): number {
  const near = Math.min(bytes.length, from + nearby);
  for (let at = from; at < near; at++) {
    if (bytes[at] === lineFeed) return at;
  }
  return near === bytes.length ? -1 : bytes.indexOf(lineFeed, near);
}
