/**
 * Bytes as they come from a server, parsed where they stand.
 *
 * @module
 */

import { Code } from "../../../core/codes.ts";
import { largestMessage } from "../../../core/limits.ts";
import { ProtocolError } from "../../../core/errors.ts";

/** What understands the bytes of one protocol. It makes no use of sockets, and of no bytes but those it is given. */
export interface Parser {
  /** How many bytes the unfinished item needs, from its first; 0 where that is not known yet. Set by {@linkcode parse}. */
  readonly needed: number;
  /**
   * Takes all items that are whole, from `start` to before `end`.
   *
   * @param view of the same memory as `bytes`
   * @returns where the first item begins that is not whole: it is given again, with more behind it
   * @throws {ProtocolError} when this is not the protocol, or a message is larger than 64 MiB
   */
  parse(bytes: Uint8Array, view: DataView, start: number, end: number): number;
  /** From now on nothing is taken; {@linkcode parse} returns after the item that it is at. */
  stop(): void;
}

/** What a connection that hardly receives anything holds. */
const initialCapacity = 16 * 1024;
/** What a connection that is read as fast as it goes holds, when no message is larger. */
const usualCapacity = 256 * 1024;

/** The input buffer of one connection: it begins small, and grows when reads fill it, or for a large message. */
export class Input {
  #bytes = new Uint8Array(initialCapacity);
  #view = new DataView(this.#bytes.buffer);
  #start = 0;
  #end = 0;

  /** How many bytes it holds at most, for now. */
  get capacity(): number {
    return this.#bytes.length;
  }

  /** Where the next read goes. Never empty. Valid until {@linkcode received}. */
  space(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(this.#end);
  }

  /**
   * Has what came parsed, and makes room for more.
   *
   * @param count how many bytes were read into {@linkcode space}
   * @throws {ProtocolError} as the parser does
   */
  received(count: number, parser: Parser): void {
    this.#end += count;
    const full = this.#end === this.#bytes.length;
    this.#start = parser.parse(this.#bytes, this.#view, this.#start, this.#end);
    const kept = this.#end - this.#start;
    const { length } = this.#bytes;
    if (parser.needed > length) this.#move(parser.needed + usualCapacity);
    else if (full && length < usualCapacity) this.#move(2 * length);
    else if (kept === length) this.#move(2 * length);
    else if (kept === 0) this.#start = this.#end = 0;
    // Moved before it has to be, so that no read is short for want of room.
    else if (this.#end > length / 2 && this.#start > 0) this.#move(length);
  }

  /** Moves what is kept to the front, of a larger buffer if need be. */
  #move(capacity: number): void {
    const kept = this.#bytes.subarray(this.#start, this.#end);
    if (capacity > this.#bytes.length) {
      this.#bytes = new Uint8Array(capacity);
      this.#view = new DataView(this.#bytes.buffer);
      this.#bytes.set(kept);
    } else this.#bytes.copyWithin(0, this.#start, this.#end);
    this.#start = 0;
    this.#end = kept.length;
  }
}

/** What is thrown at bytes that are not of the protocol; quotes the first of them. */
export function foreign(protocol: string, bytes: Uint8Array, start: number, end: number): ProtocolError {
  const quote = JSON.stringify(textOf(bytes, start, Math.min(end, start + 40)));
  return new ProtocolError(Code.protocol, `${quote} is not ${protocol}`);
}

/** Bytes as text, one character each. */
export function textOf(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let at = start; at < end; at++) text += String.fromCharCode(bytes[at]!);
  return text;
}

/** Refuses a message that is larger than any that is taken here. */
export function boundMessage(length: number): void {
  if (length <= largestMessage) return;
  throw new ProtocolError(
    Code.messageTooLarge,
    `a message of ${length} bytes came: the largest taken here has ${largestMessage}`,
  );
}
