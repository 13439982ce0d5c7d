/**
 * What receivers ask a group's sender for: checks that they may, and remembers what is to be answered.
 *
 * @module
 */

import { type AskedRange, mostAsked, mostRanges } from "./arrivals.ts";
import { BodyReader } from "./body_reader.ts";
import type { Platform } from "./connection.ts";
import { Cookies } from "./cookies.ts";
import { bodyOf, DatagramFlag, eachFrame, inDatagram } from "./datagram.ts";
import { ProtocolError } from "./errors.ts";
import { at } from "./frame.ts";
import type { FrameWriter } from "./frame_writer.ts";
import * as frames from "./group_frames.ts";

/** The most cookies that wait to be sent: who gets none asks again. */
const mostAnswers = 64;
/** The most topics whose names one request asks for. */
export const mostNames = 16;

/** A receiver that is to get a cookie. */
interface Answer<A> {
  readonly to: A;
  readonly nonce: string;
}

/** Who gets what a request asks for. */
export interface Asked<A> {
  /** Datagrams are to be sent again. */
  again(ranges: readonly AskedRange[], from: A, now: number): void;
  /** Topics, by id, are to be named. */
  name(topics: readonly number[]): void;
}

/** Whether a datagram, opened and without its seal, is a request: from a receiver, and not from a sender. */
export function isRequest(bytes: Uint8Array, view: DataView, start: number, end: number): boolean {
  let asks = false;
  if (bytes[start + inDatagram.flags]! & DatagramFlag.numbered) return asks;
  eachFrame(view, bodyOf(bytes, start), end, (frame) => {
    asks ||= view.getUint8(frame + at.type) === frames.GroupFrameType.repair;
  });
  return asks;
}

/** The requests to one session. */
export class GroupRequests<A extends { readonly text: string }> {
  /** Requests with a valid cookie, those without, and what made no sense or was for another session. */
  accepted = 0;
  unproven = 0;
  malformed = 0;
  readonly #session: string;
  readonly #asked: Asked<A>;
  readonly #cookies: Cookies;
  readonly #body = new BodyReader();
  #answers: Answer<A>[] = [];

  /** @param session id of the sender, in hexadecimal */
  constructor(platform: Pick<Platform, "mac" | "random">, session: string, asked: Asked<A>) {
    this.#session = session;
    this.#asked = asked;
    this.#cookies = new Cookies(platform);
  }

  /** Whether a cookie waits to be sent. */
  get pending(): boolean {
    return this.#answers.length > 0;
  }

  /** The frames of a datagram that a receiver sent. */
  received(bytes: Uint8Array, view: DataView, start: number, end: number, from: A, now: number): void {
    const whole = eachFrame(view, start, end, (start, end) => {
      if (view.getUint8(start + at.type) !== frames.GroupFrameType.repair) return;
      try {
        this.#body.open(bytes, view, start + view.getUint8(start + at.header), end);
        this.#request(frames.repair.read(this.#body), from, now);
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        this.malformed++;
      }
    });
    if (!whole) this.malformed++;
  }

  /** Writes the next cookie; returns who gets it. One must wait. */
  answer(writer: FrameWriter, now: number): A {
    const { to, nonce } = this.#answers.shift()!;
    frames.cookie.write(writer, { nonce, cookie: this.#cookies.of(to.text, now) });
    return to;
  }

  #request(request: ReturnType<typeof frames.repair.read>, from: A, now: number): void {
    const { target, cookie, nonce, ranges, topics } = request;
    const count = ranges.reduce((sum, { count }) => sum + count, 0);
    if (target !== this.#session || ranges.length > mostRanges || count > mostAsked || topics.length > mostNames) {
      this.malformed++;
    } else if (!this.#cookies.valid(cookie, from.text, now)) {
      this.unproven++;
      if (this.#answers.length < mostAnswers) this.#answers.push({ to: from, nonce });
    } else {
      this.accepted++;
      if (ranges.length > 0) this.#asked.again(ranges, from, now);
      if (topics.length > 0) this.#asked.name(topics.map(({ topic }) => topic));
    }
  }
}
