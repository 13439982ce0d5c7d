/**
 * Sessions that may be recorded ones. With a key, a session that was not heard before is taken once it says the time, which
 * must be about that of this machine; or once it answers a request with the nonce that was in it.
 *
 * @module
 */

import { BodyReader } from "./body_reader.ts";
import { randomId } from "./bytes.ts";
import type { Platform } from "./connection.ts";
import { bodyOf, DatagramFlag, eachFrame, inDatagram } from "./datagram.ts";
import { ProtocolError } from "./errors.ts";
import { at } from "./frame.ts";
import { beat, cookie, GroupFrameType } from "./group_frames.ts";

/** The most sessions that are asked whether they are there. */
const mostSuspects = 16;
/** A sender's clock may be so far from this one for its session to be taken at its word; microseconds. */
const mostSkew = 30_000_000;
/** How long before one is asked again, at first and at most; one that is not heard for so long is forgotten; milliseconds. */
const firstPause = 50;
const longestPause = 1_000;
const silence = 30_000;

/** Whom to ask, and with what. */
export interface Question<A> {
  readonly target: string;
  readonly from: A;
  readonly nonce: string;
}

interface Suspect<A> extends Question<A> {
  heardAt: number;
  askAt: number;
  pause: number;
}

/** The sessions of one group that have not proven themselves. */
export class GroupSuspects<A> {
  readonly #platform: Pick<Platform, "random" | "time">;
  readonly #suspects = new Map<string, Suspect<A>>();
  readonly #body = new BodyReader();

  constructor(platform: Pick<Platform, "random" | "time">) {
    this.#platform = platform;
  }

  /**
   * A datagram of a session that was not heard before, opened and without its seal.
   *
   * @returns the nonce that requests to it have, once it is known to go on now; else `null`
   */
  met(
    target: string,
    bytes: Uint8Array,
    view: DataView,
    start: number,
    end: number,
    from: A,
    now: number,
  ): string | null {
    const suspect = this.#suspects.get(target);
    if (this.#proves(bytes, view, start, end, suspect?.nonce)) {
      this.#suspects.delete(target);
      return suspect?.nonce ?? randomId(this.#platform);
    }
    if (suspect !== undefined) suspect.heardAt = now;
    else if (this.#suspects.size < mostSuspects) {
      const nonce = randomId(this.#platform);
      this.#suspects.set(target, { target, from, nonce, heardAt: now, askAt: now, pause: firstPause });
    }
    return null;
  }

  /** Whom to ask now; `null` for nobody. */
  ask(now: number): Question<A> | null {
    for (const suspect of this.#suspects.values()) {
      if (now < suspect.askAt) continue;
      suspect.askAt = now + suspect.pause;
      suspect.pause = Math.min(longestPause, 2 * suspect.pause);
      return suspect;
    }
    return null;
  }

  /** When to {@linkcode ask} next. */
  get dueAt(): number {
    let due = Infinity;
    for (const { askAt } of this.#suspects.values()) due = Math.min(due, askAt);
    return due;
  }

  /** Forgets who is silent. */
  expire(now: number): void {
    for (const [target, { heardAt }] of this.#suspects) if (now - heardAt >= silence) this.#suspects.delete(target);
  }

  #proves(bytes: Uint8Array, view: DataView, start: number, end: number, nonce: string | undefined): boolean {
    if (bytes[start + inDatagram.flags]! & DatagramFlag.numbered) return false;
    const body = this.#body;
    let proven = false;
    eachFrame(view, bodyOf(bytes, start), end, (start, end) => {
      body.open(bytes, view, start + view.getUint8(start + at.header), end);
      const type = view.getUint8(start + at.type);
      try {
        if (type === GroupFrameType.cookie) proven ||= cookie.read(body).nonce === nonce;
        if (type !== GroupFrameType.beat) return;
        proven ||= Math.abs(beat.read(body).time - this.#platform.time()) <= mostSkew;
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
      }
    });
    return proven;
  }
}
