/**
 * A growing buffer of frames to be written: control frames field by field, and frames copied whole.
 *
 * @module
 */

import { encodeText, unhex, writeU64 } from "./bytes.ts";
import { prefixLength, writePrefix } from "./frame.ts";

/** What a buffer begins with, and what an idle one may keep, in bytes. */
const smallest = 1024;
const keep = 4096;

/** Writes frames one after the other. Its bytes are valid until the next write. */
export class FrameWriter {
  #bytes: Uint8Array = none;
  #view: DataView = noneView;
  #length = 0;
  #frame = 0;

  /** Bytes written. */
  get length(): number {
    return this.#length;
  }

  /** What was written. */
  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Forgets what was written; keeps the memory if it is small, or `reuse` says so. */
  clear(reuse: boolean): void {
    this.#length = 0;
    if (!reuse && this.#bytes.length > keep) {
      this.#bytes = none;
      this.#view = noneView;
    }
  }

  /** Begins a control frame; fields follow, then {@linkcode end}. */
  begin(type: number, flags = 0): this {
    this.#frame = this.#length;
    this.#grow(prefixLength);
    writePrefix(this.#view, this.#frame, 0, type, prefixLength, flags);
    return this;
  }

  /** Ends the control frame. */
  end(): void {
    this.#view.setUint32(this.#frame, this.#length - this.#frame, true);
  }

  /** Bytes of the frame that was begun. */
  get frameLength(): number {
    return this.#length - this.#frame;
  }

  u8(value: number): this {
    const offset = this.#grow(1);
    this.#view.setUint8(offset, value);
    return this;
  }

  u16(value: number): this {
    const offset = this.#grow(2);
    this.#view.setUint16(offset, value, true);
    return this;
  }

  u32(value: number): this {
    const offset = this.#grow(4);
    this.#view.setUint32(offset, value, true);
    return this;
  }

  u64(value: number): this {
    const offset = this.#grow(8);
    writeU64(this.#view, offset, value);
    return this;
  }

  /** A 128-bit id, given in hexadecimal. */
  id(value: string): this {
    return this.raw(unhex(value));
  }

  /** A text of at most 255 bytes, after its length as a u8; a longer one is cut at a character. */
  text(value: string): this {
    let bytes = encodeText(value);
    if (bytes.length > 255) {
      let end = 255;
      while ((bytes[end]! & 0xc0) === 0x80) end--;
      bytes = bytes.subarray(0, end);
    }
    this.u8(bytes.length);
    return this.raw(bytes);
  }

  /** Bytes as they are: whole frames, or the rest of a field. */
  raw(source: Uint8Array): this {
    const offset = this.#grow(source.length);
    this.#bytes.set(source, offset);
    return this;
  }

  /** Writes a u16 at an offset counted from the beginning of the frame. */
  setU16(offset: number, value: number): void {
    this.#view.setUint16(this.#frame + offset, value, true);
  }

  /** Makes room behind what was written; returns where that was. */
  #grow(length: number): number {
    const offset = this.#length;
    this.#length += length;
    if (this.#length > this.#bytes.length) {
      const bytes = new Uint8Array(Math.max(smallest, 2 ** Math.ceil(Math.log2(this.#length))));
      bytes.set(this.#bytes.subarray(0, offset));
      this.#bytes = bytes;
      this.#view = new DataView(bytes.buffer);
    }
    return offset;
  }
}

const none = new Uint8Array(0);
const noneView = new DataView(none.buffer);
