/**
 * Messages as a subscriber gets them: one by one, or as batches that are a view of what was received.
 *
 * @module
 */

import { readU64 } from "./bytes.ts";
import { Code } from "./codes.ts";
import type { Platform } from "./connection.ts";
import { checkExtension } from "./extension.ts";
import { at, encodingOf, isEncoded, largestPayload } from "./frame.ts";
import type { Segment } from "./segment.ts";
import { findMessages } from "./payload.ts";

const nothing = new Uint8Array(0);
const noView = new DataView(nothing.buffer);

/** How frames are opened. */
export interface Opening {
  /** Expands what is compressed, and computes checksums. */
  readonly platform: Pick<Platform, "crc32" | "expand">;
  /** Whether the checksum of each frame is computed. */
  readonly verify: boolean;
  /** Bytes of the largest message there may be: nothing is expanded beyond what a frame of it, or of several, may be. */
  readonly maxMessage: number;
}

/** One message. Its payload is the receiver's own. */
export interface Message {
  /** The topic it was published to. */
  readonly topic: string;
  /** Its number in its topic, from 1. */
  readonly sequence: number;
  /** When the server got it: Unix microseconds. */
  readonly time: number;
  /** What was published. */
  readonly payload: Uint8Array;
}

/**
 * Messages of one topic that came in one frame. A view: valid until the next one is asked for, then its memory is
 * used again.
 */
export class Batch {
  /** Tells it from the other events of a subscription. */
  readonly kind = "batch";
  /** The topic of all of them. */
  topic = "";
  /** Sequence of the first. */
  sequence = 0;
  /** When the server got them: Unix microseconds. */
  time = 0;
  /** How many they are. */
  count = 0;
  /** The memory that their payloads are in. */
  bytes: Uint8Array = nothing;
  /**
   * The frame that it is made of.
   *
   * @internal
   */
  readonly frame: { bytes: Uint8Array; view: DataView; start: number; end: number } = {
    bytes: nothing,
    view: noView,
    start: 0,
    end: 0,
  };
  #bounds: Uint32Array = new Uint32Array(256);
  #first = 0;

  /** Where the payload of message `index` begins in {@linkcode bytes}. */
  start(index: number): number {
    return this.#bounds[2 * (this.#first + index)]!;
  }

  /** Where the payload of message `index` ends in {@linkcode bytes}. */
  end(index: number): number {
    return this.#bounds[2 * (this.#first + index) + 1]!;
  }

  /** The payload of message `index`, as a view. */
  payload(index: number): Uint8Array {
    return this.bytes.subarray(this.start(index), this.end(index));
  }

  /** Message `index`, with a copy of its payload. */
  message(index: number): Message {
    return {
      topic: this.topic,
      sequence: this.sequence + index,
      time: this.time,
      payload: this.bytes.slice(this.start(index), this.end(index)),
    };
  }

  /** Leaves out all but the first `count` messages. */
  truncate(count: number): void {
    this.count = Math.min(this.count, count);
  }

  /**
   * Becomes the messages of a frame.
   *
   * @internal
   * @param floor messages below this sequence are left out
   * @returns {@linkcode Code.done}, or why the frame is of no use: the batch is empty then, `sequence` and `count` say
   *   what is missing
   */
  open(topic: string, segment: Segment, start: number, floor: number, opening: Opening): Code {
    const { bytes, view } = segment;
    const count = view.getUint16(start + at.count, true);
    const sequence = readU64(view, start + at.sequence);
    const body = start + view.getUint8(start + at.header);
    const payload = body + view.getUint16(start + at.extension, true);
    const end = start + view.getUint32(start + at.length, true);
    this.frame.bytes = bytes;
    this.frame.view = view;
    this.frame.start = start;
    this.frame.end = end;
    if (this.#bounds.length < 2 * count) this.#bounds = new Uint32Array(4 * count);
    this.#first = Math.max(0, floor - sequence);
    this.topic = topic;
    this.bytes = bytes;
    this.time = readU64(view, start + at.time);
    this.sequence = sequence + this.#first;
    this.count = count - this.#first;
    if (opening.verify) {
      const checksum = opening.platform.crc32(bytes.subarray(body, end));
      if (checksum !== view.getUint32(start + at.checksum, true)) return Code.corrupt;
    }
    const encoded = isEncoded(view, start);
    const fault = checkExtension(view, body, payload, encoded);
    if (fault !== Code.done) return fault;
    if (encoded) return this.#expand(segment, start, payload, end, opening);
    return findMessages(bytes, payload, end, count, this.#bounds) ? Code.done : Code.corrupt;
  }

  /** Finds the messages of a payload that is encoded: in memory of their own. */
  #expand({ bytes, view }: Segment, start: number, payload: number, end: number, opening: Opening): Code {
    const count = view.getUint16(start + at.count, true);
    const { codec, expanded } = encodingOf(view, start);
    if (expanded > largestPayload(opening.maxMessage, count)) return Code.corrupt;
    const plain = opening.platform.expand(codec, bytes.subarray(payload, end), expanded);
    if (plain === null) return Code.corrupt;
    this.bytes = plain;
    return findMessages(plain, 0, expanded, count, this.#bounds) ? Code.done : Code.corrupt;
  }
}
