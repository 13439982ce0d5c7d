/**
 * Reads the fields of a control frame's body, in order.
 *
 * @module
 */

import { decodeText, hex, readU64 } from "./bytes.ts";
import { Code } from "./codes.ts";
import { ProtocolError } from "./errors.ts";
import { largestSequence } from "./limits.ts";

/** A cursor over one body. Every read checks the bound; bytes that are left over belong to a later minor version. */
export class BodyReader {
  #bytes: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(this.#bytes.buffer);
  #offset = 0;
  #end = 0;

  /** Begins with the body that stands at `start` to `end`. */
  open(bytes: Uint8Array, view: DataView, start: number, end: number): this {
    this.#bytes = bytes;
    this.#view = view;
    this.#offset = start;
    this.#end = end;
    return this;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  u64(): number {
    const value = readU64(this.#view, this.#take(8));
    if (value > largestSequence) throw new ProtocolError(Code.protocol, `a number is above 2^53 - 1`);
    return value;
  }

  /** A 128-bit id, in hexadecimal. */
  id(): string {
    const start = this.#take(16);
    return hex(this.#bytes.subarray(start, start + 16));
  }

  /** A text after its length as a u8. */
  text(): string {
    const length = this.u8();
    const start = this.#take(length);
    const text = decodeText(this.#bytes.subarray(start, start + length));
    if (text === null) throw new ProtocolError(Code.protocol, "a text is not UTF-8");
    return text;
  }

  #take(length: number): number {
    const start = this.#offset;
    if (start + length > this.#end) {
      throw new ProtocolError(Code.protocol, "a control frame is shorter than its fields");
    }
    this.#offset = start + length;
    return start;
  }
}
