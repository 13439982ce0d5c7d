/**
 * One sender of a multicast group, as a receiver sees it.
 *
 * @module
 */

import { type ArrivalOptions, Arrivals, type AskedRange } from "./arrivals.ts";
import { BodyReader } from "./body_reader.ts";
import { readU64 } from "./bytes.ts";
import { DatagramFlag, fragmentHeader, inDatagram } from "./datagram.ts";
import { ProtocolError } from "./errors.ts";
import { at, FrameType, messagesAgree, messagesHeader, prefixLength } from "./frame.ts";
import { beat, type BeatTopic, GroupFrameType } from "./group_frames.ts";
import { GroupTopics, type TopicEvents } from "./group_topics.ts";
import { largestSequence } from "./limits.ts";

/** How a session is received. */
export interface GroupSessionOptions extends ArrivalOptions {
  /** Bytes of the largest frame that is put together from fragments. */
  readonly largestFrame: number;
}

/** A session's datagrams in, its messages out. */
export class GroupSession {
  readonly arrivals: Arrivals;
  /** Datagrams that were sealed rightly and make no sense. */
  malformed = 0;
  readonly #options: GroupSessionOptions;
  readonly #topics: GroupTopics;
  readonly #body = new BodyReader();
  /** The newest heartbeat that waits until what was sent before it has come. */
  #beat: { readonly number: number; readonly rows: readonly BeatTopic[] } | null = null;
  /** A frame that is being put together: its bytes, and how many there are. */
  #frame: Uint8Array = new Uint8Array(0);
  #frameLength = 0;
  #filled = 0;

  /** @param number of the first datagram that came, which is where this receiver begins */
  constructor(number: number, options: GroupSessionOptions, events: TopicEvents, random: () => number) {
    this.#options = options;
    this.#topics = new GroupTopics(events, number);
    this.arrivals = new Arrivals(number, options, this, random);
  }

  /** Ids of topics that have frames and no name. */
  get unknown(): number[] {
    return this.#topics.unknown;
  }

  /** A datagram of this session, opened and without its seal. `now` in monotonic milliseconds. */
  received(bytes: Uint8Array, view: DataView, start: number, end: number, now: number): void {
    const number = readU64(view, start + inDatagram.number);
    const flags = bytes[start + inDatagram.flags]!;
    if (flags & DatagramFlag.numbered) {
      this.arrivals.received(number, (flags & DatagramFlag.repair) !== 0, bytes, view, start, end, now);
    } else {
      this.arrivals.announced(number, now);
      this.#frames(bytes, view, bodyOf(bytes, start), end, number);
    }
    this.#reach();
  }

  /** Gives up what is missing for too long, and says what to ask for. */
  poll(now: number): AskedRange[] {
    const asked = this.arrivals.poll(now);
    this.#reach();
    return asked;
  }

  deliver(bytes: Uint8Array, view: DataView, start: number, end: number): void {
    const body = bodyOf(bytes, start);
    if (bytes[start + inDatagram.flags]! & DatagramFlag.fragment) this.#fragment(bytes, view, body, end);
    else this.#frames(bytes, view, body, end, 0);
  }

  lost(): void {
    this.#dropFragments();
    this.#topics.lost();
  }

  /** @param number of the datagram that follows, for control frames; 0 for a numbered datagram, which has none */
  #frames(bytes: Uint8Array, view: DataView, start: number, end: number, number: number): void {
    if (number === 0) this.#dropFragments();
    while (start < end) {
      const length = end - start < prefixLength ? 0 : view.getUint32(start + at.length, true);
      const header = length === 0 ? 0 : view.getUint8(start + at.header);
      if (header < prefixLength || header > length || length > end - start) {
        this.malformed++;
        return;
      }
      if (number === 0) this.#messages(bytes, view, start, start + length);
      else this.#control(bytes, view, start, start + length, number);
      start += length;
    }
  }

  #messages(bytes: Uint8Array, view: DataView, start: number, end: number): void {
    const length = end - start;
    const valid = length >= messagesHeader && view.getUint8(start + at.type) === FrameType.messages &&
      messagesAgree(view, start, length) && view.getUint16(start + at.count, true) > 0 &&
      readU64(view, start + at.sequence) >= 1 && readU64(view, start + at.sequence) < largestSequence;
    if (valid) this.#topics.frame(bytes, view, start, end);
    else this.malformed++;
  }

  #control(bytes: Uint8Array, view: DataView, start: number, end: number, number: number): void {
    // What a later version says besides is passed over.
    if (view.getUint8(start + at.type) !== GroupFrameType.beat) return;
    try {
      const body = this.#body.open(bytes, view, start + view.getUint8(start + at.header), end);
      const rows = beat.read(body).topics.map(({ topic, ...row }) => ({ id: topic, ...row }));
      this.#topics.named(rows);
      if (number >= this.arrivals.next && (this.#beat === null || number >= this.#beat.number)) {
        this.#beat = { number, rows };
        this.#reach();
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.malformed++;
    }
  }

  /** Everything before the heartbeat that waits has come, or is lost: what it says can be compared. */
  #reach(): void {
    const waiting = this.#beat;
    if (waiting === null || waiting.number > this.arrivals.next) return;
    this.#beat = null;
    if (waiting.number === this.arrivals.next) this.#topics.reached(waiting.rows);
  }

  /** Fragments come in order: each follows the one before, or begins a frame. */
  #fragment(bytes: Uint8Array, view: DataView, start: number, end: number): void {
    const from = start + fragmentHeader;
    const length = from > end ? 0 : view.getUint32(start, true);
    const offset = from > end ? 0 : view.getUint32(start + 4, true);
    const count = end - from;
    if (offset === 0) this.#begin(length);
    const follows = count > 0 && length === this.#frameLength && offset === this.#filled && offset + count <= length;
    if (!follows) {
      // The rest of a frame whose beginning is lost says nothing new.
      this.#dropFragments();
      return;
    }
    this.#growTo(offset + count);
    this.#frame.set(bytes.subarray(from, end), offset);
    this.#filled += count;
    if (this.#filled < length) return;
    const whole = this.#frame;
    const frameView = new DataView(whole.buffer);
    this.#dropFragments();
    if (frameView.getUint32(at.length, true) !== length) this.malformed++;
    else this.#messages(whole, frameView, 0, length);
  }

  #begin(length: number): void {
    this.#dropFragments();
    if (length >= messagesHeader && length <= this.#options.largestFrame) this.#frameLength = length;
    else this.malformed++;
  }

  /** Memory grows with what has come, not with what was announced. */
  #growTo(size: number): void {
    if (size <= this.#frame.length) return;
    const grown = new Uint8Array(Math.min(this.#frameLength, Math.max(size, 2 * this.#frame.length)));
    grown.set(this.#frame.subarray(0, this.#filled));
    this.#frame = grown;
  }

  #dropFragments(): void {
    if (this.#frameLength === 0) return;
    this.#frame = new Uint8Array(0);
    this.#frameLength = this.#filled = 0;
  }
}

function bodyOf(bytes: Uint8Array, start: number): number {
  return start + bytes[start + inDatagram.header]!;
}
