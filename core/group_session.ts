/**
 * One sender of a multicast group, as a receiver sees it.
 *
 * @module
 */

import { type ArrivalOptions, Arrivals } from "./arrivals.ts";
import { BodyReader } from "./body_reader.ts";
import { noId, readU64 } from "./bytes.ts";
import type { Values } from "./control.ts";
import { bodyOf, DatagramFlag, eachFrame, fragmentHeader, inDatagram } from "./datagram.ts";
import { ProtocolError } from "./errors.ts";
import { at, FrameType, messagesAgree, messagesHeader } from "./frame.ts";
import * as frames from "./group_frames.ts";
import { GroupFrameType } from "./group_frames.ts";
import { GroupTopics, type TopicEvents } from "./group_topics.ts";
import { largestSequence } from "./limits.ts";

/** How a session is received. */
export interface GroupSessionOptions extends ArrivalOptions {
  /** Bytes of the largest frame that is put together from fragments. */
  readonly largestFrame: number;
}

/** What a session needs of its receiver. */
export interface SessionOwner {
  /** A random number, at least 0 and less than 1. */
  chance(): number;
  /** Whether one more topic may be remembered. */
  hasRoom(): boolean;
}

/** A session's datagrams in, its messages out. */
export class GroupSession {
  readonly arrivals: Arrivals;
  /** Whether a heartbeat has come. */
  begun = false;
  /** Datagrams that were sealed rightly and make no sense. */
  malformed = 0;
  /** What this receiver has from the sender, to be sent with each request; zero before that. */
  cookie: string = noId;
  /** What the sender has to send with it. */
  readonly nonce: string;
  readonly #options: GroupSessionOptions;
  readonly #events: TopicEvents;
  readonly #topics: GroupTopics;
  readonly #body = new BodyReader();
  /** The last number of the session, once the sender has said so. */
  #last = Infinity;
  /** Number of the datagram with which this receiver began. */
  readonly #first: number;
  /** Whether it began in the middle of a frame, and that goes on: to heartbeats the frame is one that is to come. */
  #midway = false;
  /** A frame that is being put together: its bytes, and how many there are. */
  #frame: Uint8Array = new Uint8Array(0);
  #frameLength = 0;
  #filled = 0;

  /**
   * @param number of the first datagram that came, which is where this receiver begins
   * @param nonce 128 random bits, in hexadecimal
   */
  constructor(
    number: number,
    options: GroupSessionOptions,
    events: TopicEvents,
    nonce: string,
    owner: SessionOwner,
  ) {
    this.#options = options;
    this.#events = events;
    this.nonce = nonce;
    this.#first = number;
    this.#topics = new GroupTopics(events, number, () => owner.hasRoom());
    this.arrivals = new Arrivals(number, options, this, () => owner.chance());
  }

  /** Topics that are remembered, in number. */
  get topics(): number {
    return this.#topics.size;
  }

  /** Bytes of memory that it takes, but for its topics: datagrams that came early, frames without a name, fragments. */
  get memory(): number {
    return this.arrivals.memory + this.#topics.held + this.#frame.length;
  }

  /** Whether the sender has ended, and everything it sent has come or is lost. */
  get finished(): boolean {
    return this.arrivals.next > this.#last && !this.awaitsNames;
  }

  /** Whether there are frames of topics that have no name. */
  get awaitsNames(): boolean {
    return this.#topics.awaitsNames;
  }

  /** Whether there is something to ask for that takes a cookie. */
  get needsCookie(): boolean {
    return this.arrivals.missing > 0 || this.awaitsNames;
  }

  /** Ids of such topics: at most `most` of them. */
  unknown(most: number): number[] {
    return this.#topics.unknown(most);
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
    this.#topics.reached(this.arrivals.next, this.#midway);
  }

  /** Nothing more is received. */
  close(): void {
    this.arrivals.close();
    this.#dropFragments();
  }

  /** Gives up what is missing for too long. */
  expire(now: number): void {
    this.arrivals.expire(now);
    this.#topics.reached(this.arrivals.next, this.#midway);
  }

  deliver(bytes: Uint8Array, view: DataView, start: number, end: number): void {
    const body = bodyOf(bytes, start);
    if (bytes[start + inDatagram.flags]! & DatagramFlag.fragment) {
      this.#fragment(bytes, view, body, end, readU64(view, start + inDatagram.number) === this.#first);
    } else {
      this.#midway = false;
      this.#frames(bytes, view, body, end, 0);
    }
  }

  lost(): void {
    this.#dropFragments();
    this.#topics.lost();
  }

  /** @param number of the datagram that follows, for control frames; 0 for a numbered datagram, which has none */
  #frames(bytes: Uint8Array, view: DataView, start: number, end: number, number: number): void {
    if (number === 0) this.#dropFragments();
    const whole = eachFrame(view, start, end, (start, end) => {
      if (number === 0) this.#messages(bytes, view, start, end);
      else this.#control(bytes, view, start, end, number);
    });
    if (!whole) this.malformed++;
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
    const body = this.#body.open(bytes, view, start + view.getUint8(start + at.header), end);
    try {
      switch (view.getUint8(start + at.type)) {
        case GroupFrameType.beat:
          this.#beaten(frames.beat.read(body), number);
          break;
        case GroupFrameType.cookie: {
          const { nonce, cookie } = frames.cookie.read(body);
          if (nonce === this.nonce) this.cookie = cookie;
          break;
        }
        case GroupFrameType.gone:
          for (const { first, count } of frames.gone.read(body).ranges) this.arrivals.gone(first, first + count - 1);
          break;
        case GroupFrameType.finish:
          this.#last = number - 1;
          break;
        default:
          // What a later version says besides is passed over.
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.malformed++;
    }
  }

  #beaten({ epoch, topics }: Values<typeof frames.beat.fields>, number: number): void {
    if (!this.begun) this.#events.epoch?.(epoch);
    this.begun = true;
    this.#topics.told(topics.map(({ topic, ...row }) => ({ id: topic, ...row })), number);
  }

  /** Fragments come in order: each follows the one before, or begins a frame. `first`: nothing has come before this one. */
  #fragment(bytes: Uint8Array, view: DataView, start: number, end: number, first: boolean): void {
    const from = start + fragmentHeader;
    const length = from > end ? 0 : view.getUint32(start, true);
    const offset = from > end ? 0 : view.getUint32(start + 4, true);
    const count = end - from;
    if (offset === 0) {
      this.#midway = false;
      this.#begin(length);
    }
    const follows = count > 0 && length === this.#frameLength && offset === this.#filled && offset + count <= length;
    if (!follows) {
      // The rest of a frame whose beginning is lost says nothing new.
      this.#dropFragments();
      if (first) this.#topics.begin();
      this.#midway = (first || this.#midway) && offset + count < length;
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
