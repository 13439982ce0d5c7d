/**
 * What a publisher has for one topic: its messages as encoded frames, until the server has acknowledged them.
 *
 * A small log of its own. Messages go into an open frame at the end; a frame is closed when it is full or when it is
 * taken for writing, so that frames grow by themselves while a write is pending. What was written stays until it is
 * acknowledged, and is written again after a reconnect: same payload, same numbers, the new topic id.
 *
 * @module
 */

import { readU64, writeU64 } from "./bytes.ts";
import type { Compressor } from "./compression.ts";
import type { Platform } from "./connection.ts";
import type { Slice } from "./cursor.ts";
import { at, encodedFlag, FrameType, messagesHeader, writePrefix } from "./frame.ts";
import { largestBatch, mostMessages } from "./limits.ts";
import { type Flight, grownFrame } from "./flight.ts";
import type { Source, TakeOutcome } from "./output.ts";
import { varintLength, writeVarint } from "./payload.ts";
import type { Segment } from "./segment.ts";
import type { SegmentPool } from "./segment_pool.ts";

/** The largest segment of an outbox, unless one frame is larger. */
const largestSegment = 256 * 1024;

/** Bytes that one connection, all its topics together, has unacknowledged. */
export class ConnectionCredit {
  limit = 0;
  used = 0;
  /** What the outboxes keep, written or not. */
  kept = 0;
  /** Whether an outbox had something to write and no credit, of its topic or of the connection. Unset by who looks at it. */
  exhausted = false;
  /** What the connection has in flight; `null` while there is none, or where frames need not grow. */
  flight: Flight | null = null;
  /** Outboxes that have something to write, and found no credit: an acknowledgement of another may be what they need. */
  readonly waiting: Set<Outbox> = new Set();
}

/** The outgoing frames of one topic. */
export class Outbox implements Source {
  readonly topic: string;
  queued = false;
  /** The topic's id on this connection; 0 until it is declared. */
  id = 0;
  readonly #platform: Platform;
  readonly #pool: SegmentPool;
  readonly #credit: ConnectionCredit;
  readonly #compressor: Compressor | null;
  /** Segments with frames that are not acknowledged, oldest first. */
  #segments: Segment[] = [];
  /** The last of them, which grows: one look for each message rather than three. */
  #last: Segment | null = null;
  /** Where the oldest frame that is not acknowledged begins, in the first segment. */
  #ackedOffset = 0;
  /** Where the next frame to be written begins, and in which segment. */
  #sentIndex = 0;
  #sentOffset = 0;
  /** Where the open frame begins in the last segment; -1 when there is none. */
  #open = -1;
  #openCount = 0;
  #nextNumber = 1;
  #ackedNumber = 0;
  /** The number of the newest message that was ever given to be written. */
  #sentNumber = 0;
  #topicCredit = 0;
  #unacknowledged = 0;
  #bytes = 0;
  #largestFrame: number;
  /** The size of the newest segment: a topic that was busy does not begin from the smallest again. */
  #lastSize = 0;

  /**
   * @param largestFrame of a batch, until the server says it with the declaration: messages may come before that
   * @param compressor compresses each frame when it is closed; `null` where they go as they are
   */
  constructor(
    topic: string,
    platform: Platform,
    pool: SegmentPool,
    credit: ConnectionCredit,
    largestFrame: number = largestBatch,
    compressor: Compressor | null = null,
  ) {
    this.topic = topic;
    this.#platform = platform;
    this.#pool = pool;
    this.#credit = credit;
    this.#largestFrame = largestFrame;
    this.#compressor = compressor;
  }

  /** Bytes that it keeps: written or not, but not acknowledged. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Messages that are not acknowledged. */
  get pending(): number {
    return this.#nextNumber - 1 - this.#ackedNumber;
  }

  /** The number of the newest message; 0 before the first. */
  get lastNumber(): number {
    return this.#nextNumber - 1;
  }

  /** The number up to which everything is acknowledged. */
  get ackedNumber(): number {
    return this.#ackedNumber;
  }

  /** Messages that may have reached a server, and are not acknowledged. */
  get unconfirmed(): number {
    return Math.max(0, this.#sentNumber - this.#ackedNumber);
  }

  /** The number of the oldest message that may have to be written again; 0 if there is none. */
  get firstPending(): number {
    return this.pending === 0 ? 0 : this.#ackedNumber + 1;
  }

  /**
   * Adds one message.
   *
   * @returns whether there was memory for it; if not, nothing was added
   */
  push(source: Uint8Array, start: number, end: number): boolean {
    const length = end - start;
    const size = varintLength(length) + length;
    const segment = this.#room(size);
    if (segment === null) return false;
    const offset = writeVarint(segment.bytes, segment.end, length);
    copy(source, start, end, segment.bytes, offset);
    segment.end = offset + length;
    this.#openCount++;
    this.#nextNumber++;
    this.#keep(size);
    return true;
  }

  take(most: number, into: Slice): TakeOutcome {
    if (this.id === 0) return "empty";
    let segment = this.#segments[this.#sentIndex];
    if (segment !== undefined && this.#sentOffset === segment.end && this.#sentIndex + 1 < this.#segments.length) {
      segment = this.#segments[++this.#sentIndex]!;
      this.#sentOffset = segment.start;
    }
    if (segment === undefined || this.#sentOffset === segment.end) return "empty";
    const open = segment === this.#last ? this.#open : -1;
    if (open === this.#sentOffset) {
      // Without credit it stays open, and grows; and where so much is on its way that it would only wait elsewhere.
      const length = segment.end - open;
      if (!this.#affords(length)) return "empty";
      if (length < grownFrame && this.#credit.flight?.full === true) return "held";
      this.#close();
    }
    const limit = open > this.#sentOffset ? open : segment.end;
    let end = this.#sentOffset;
    let last = end;
    while (end < limit) {
      const length = segment.lengthAt(end);
      if (end + length - this.#sentOffset > most && end > this.#sentOffset) break;
      if (!this.#affords(length)) break;
      this.#unacknowledged += length;
      this.#credit.used += length;
      segment.view.setUint32(end + at.topic, this.id, true);
      last = end;
      end += length;
    }
    if (end === this.#sentOffset) return "empty";
    this.#credit.flight?.add(end - this.#sentOffset);
    this.#sentNumber = Math.max(this.#sentNumber, lastNumber(segment, last));
    into.segment = segment;
    into.start = this.#sentOffset;
    into.end = this.#sentOffset = end;
    return this.unsent ? "taken" : "drained";
  }

  /** The server granted the topic: what it did not get before is to be written again. */
  declared(id: number, credit: number, largestFrame: number, last: number): void {
    this.id = id;
    this.#topicCredit = credit;
    this.#largestFrame = Math.min(largestBatch, largestFrame);
    this.acknowledge(last);
  }

  /** The connection is gone: everything that is not acknowledged will be written again. */
  reset(): void {
    this.id = 0;
    this.queued = false;
    this.#credit.waiting.delete(this);
    this.#credit.used -= this.#unacknowledged;
    this.#unacknowledged = 0;
    this.#sentIndex = 0;
    this.#sentOffset = this.#ackedOffset;
  }

  /** Everything up to `number` was appended or refused. */
  acknowledge(number: number): void {
    while (this.#ackedNumber < number && this.#segments.length > 0) {
      const segment = this.#segments[0]!;
      if (this.#ackedOffset === segment.end) {
        if (!this.#dropFirst()) return;
        continue;
      }
      if (this.#segments.length === 1 && this.#ackedOffset === this.#open) return;
      const last = lastNumber(segment, this.#ackedOffset);
      if (last > number) return;
      const length = segment.lengthAt(this.#ackedOffset);
      const written = this.#sentIndex > 0 || this.#sentOffset > this.#ackedOffset;
      if (written) {
        this.#unacknowledged -= length;
        this.#credit.used -= length;
      } else {
        this.#sentOffset += length;
      }
      this.#ackedOffset += length;
      this.#keep(-length);
      this.#ackedNumber = last;
      if (this.#ackedOffset === segment.end) this.#dropFirst();
    }
  }

  /** Forgets everything; returns how many messages that were not acknowledged. */
  clear(): number {
    const { pending } = this;
    this.reset();
    for (const segment of this.#segments) this.#pool.drop(segment);
    this.#segments = [];
    this.#last = null;
    this.#open = -1;
    this.#keep(-this.#bytes);
    this.#ackedOffset = this.#sentOffset = 0;
    this.#ackedNumber = this.#nextNumber - 1;
    return pending;
  }

  /** Whether there is something to write, credit permitting. */
  get unsent(): boolean {
    const segment = this.#segments[this.#sentIndex];
    return segment !== undefined &&
      (this.#sentOffset < segment.end || this.#sentIndex + 1 < this.#segments.length);
  }

  /** Whether the server takes that many bytes more; it always takes one frame. */
  #affords(length: number): boolean {
    if (this.#unacknowledged === 0 || this.#unacknowledged + length <= this.#topicCredit) {
      const { used, limit, waiting } = this.#credit;
      if (used === 0 || used + length <= limit) return true;
      waiting.add(this);
    }
    this.#credit.exhausted = true;
    return false;
  }

  /** A segment whose open frame has room for `size` more bytes of payload. */
  #room(size: number): Segment | null {
    let segment = this.#last;
    if (segment !== null && this.#open >= 0) {
      const length = segment.end - this.#open + size;
      if (length <= this.#largestFrame && this.#openCount < mostMessages) {
        if (segment.end + size <= segment.limit) return segment;
        if (length < grownFrame) return this.#move(segment, length);
      }
      this.#close();
    }
    const needed = messagesHeader + size;
    if (segment === null || segment.end + needed > segment.limit) {
      const grown = segment === null ? this.#lastSize / 8 : segment.size * 8;
      const fresh = this.#pool.acquire(Math.max(needed, Math.min(grown, largestSegment)), 0, 0);
      if (fresh === null) return null;
      segment = this.#last = fresh;
      this.#lastSize = segment.size;
      this.#segments.push(segment);
      if (this.#segments.length === 1) {
        this.#ackedOffset = this.#sentOffset = segment.start;
        this.#sentIndex = 0;
      }
    }
    this.#open = segment.end;
    this.#openCount = 0;
    segment.end += messagesHeader;
    this.#keep(messagesHeader);
    return segment;
  }

  /** Moves the open frame to a larger segment: it would end small only because its segment does. */
  #move(segment: Segment, needed: number): Segment | null {
    const fresh = this.#pool.acquire(Math.max(needed, Math.min(segment.size * 8, largestSegment)), 0, 0);
    if (fresh === null) return null;
    this.#lastSize = fresh.size;
    fresh.bytes.set(segment.bytes.subarray(this.#open, segment.end), fresh.start);
    fresh.end = fresh.start + segment.end - this.#open;
    segment.end = this.#open;
    this.#open = fresh.start;
    this.#last = fresh;
    const index = this.#segments.length;
    this.#segments.push(fresh);
    // Nothing stays behind that is not acknowledged: the segment goes, and who stood there stands here.
    const emptied = index === 1 ? this.#ackedOffset === segment.end : segment.end === segment.start;
    if (emptied) {
      this.#segments.splice(index - 1, 1);
      this.#pool.drop(segment);
      if (index === 1) this.#ackedOffset = fresh.start;
      if (this.#sentIndex === index - 1) this.#sentOffset = fresh.start;
    }
    return fresh;
  }

  /** Completes the open frame: compresses it, and fills its header. */
  #close(): void {
    const segment = this.#last!;
    const start = this.#open;
    const body = start + messagesHeader;
    let extension = 0;
    if (this.#compressor !== null) {
      const before = segment.end;
      extension = this.#compressor.compress(segment, body);
      this.#keep(segment.end - before);
    }
    const { bytes, view, end } = segment;
    writePrefix(view, start, end - start, FrameType.messages, messagesHeader, extension > 0 ? encodedFlag : 0);
    view.setUint16(start + at.count, this.#openCount, true);
    view.setUint16(start + at.extension, extension, true);
    writeU64(view, start + at.sequence, 0);
    writeU64(view, start + at.time, 0);
    writeU64(view, start + at.number, this.#nextNumber - this.#openCount);
    view.setUint32(start + at.payload, end - body - extension, true);
    view.setUint32(start + at.checksum, this.#platform.crc32(bytes.subarray(body, end)), true);
    this.#open = -1;
    this.#openCount = 0;
  }

  /** Keeps so many bytes more. */
  #keep(bytes: number): void {
    this.#bytes += bytes;
    this.#credit.kept += bytes;
  }

  /** Lets the first segment go, or begins it anew when it is the only one. Returns whether there is another. */
  #dropFirst(): boolean {
    const segment = this.#segments.shift()!;
    this.#pool.drop(segment);
    const next = this.#segments[0];
    if (next === undefined) this.#last = null;
    this.#ackedOffset = next?.start ?? 0;
    if (this.#sentIndex > 0) this.#sentIndex--;
    else this.#sentOffset = this.#ackedOffset;
    return next !== undefined;
  }
}

/** The number of the last message of the frame at `start`. */
function lastNumber(segment: Segment, start: number): number {
  return readU64(segment.view, start + at.number) + segment.countAt(start) - 1;
}

/** Copies bytes: short ones without the cost of a call, and a whole array without that of a view. */
function copy(source: Uint8Array, start: number, end: number, target: Uint8Array, offset: number): void {
  const length = end - start;
  if (length === source.length && length > 8) target.set(source, offset);
  else if (length > 32) target.set(source.subarray(start, end), offset);
  else while (start < end) target[offset++] = source[start++]!;
}
