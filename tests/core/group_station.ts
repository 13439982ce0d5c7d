/** What senders and receivers of a simulated group have in common: they may be paused, and things keep repairs from coming. */

import { assert } from "@std/assert";
import { checksumSeal, type Seal } from "../../core/datagram.ts";
import { encryptedSeal, type GroupRole } from "../../core/encrypted_seal.ts";
import type { VirtualPlatform } from "./fixtures.ts";
import type { Plan } from "./group_plan.ts";
import type { SentDatagram, SentSession } from "./group_truth.ts";

/** Datagrams that wait for one who is paused; more are lost. */
const receiveBuffer = 90;

export interface Address {
  readonly text: string;
}

/** What a receiver gets: bytes, and what they are in truth; `null` for what no sender has sent. */
export interface Datagram {
  readonly bytes: Uint8Array;
  readonly truth: SentDatagram | null;
}

/** What a sender gets: bytes, and whether a receiver has sent them. */
export interface Request {
  readonly bytes: Uint8Array;
  readonly from: Address;
  readonly real: boolean;
}

/** Where stations are. */
export interface Surroundings {
  readonly plan: Plan;
  readonly platform: VirtualPlatform;
  /** Brings a datagram to one receiver, or to all for `null`. */
  toReceivers(datagram: Datagram, to: Address | null): void;
  toSender(request: Request, to: Address): void;
  /** For how long a session has no sender any more; `-Infinity` while it has one. */
  overFor(session: SentSession): number;
  /** Whether a sender is there, and nothing kept it from repairing what was lost since then. */
  repairs(session: SentSession, since: number): boolean;
  /** Something happened, to be traced. */
  note(what: string, ...values: number[]): void;
}

export function sealOf({ plan: { key }, platform }: Surroundings, role: GroupRole): Seal {
  return key === null ? checksumSeal(platform) : encryptedSeal(platform, key, role);
}

/** A sender or a receiver. `T` is what comes for it. */
export abstract class Station<T> {
  readonly address: Address;
  /** When there is something to do for it. */
  dueAt = 0;
  /** Until when something was wrong that keeps repairs from coming. */
  troubledUntil = -Infinity;
  protected pausedUntil = -Infinity;
  readonly #waiting: T[] = [];

  constructor(address: string) {
    this.address = { text: address };
  }

  /** It does nothing for a while. */
  pause(now: number, milliseconds: number): void {
    this.pausedUntil = this.dueAt = Math.max(this.pausedUntil, now + milliseconds);
    this.trouble(this.pausedUntil);
  }

  trouble(until: number): void {
    this.troubledUntil = Math.max(this.troubledUntil, until);
  }

  /** Something came for it. */
  arrive(what: T, now: number): void {
    if (now >= this.pausedUntil) {
      this.take(what, now);
      this.dueAt = Math.min(this.dueAt, now);
    } else if (this.#waiting.length < receiveBuffer) this.#waiting.push(what);
  }

  /** Does what is due. */
  attend(now: number): void {
    if (now < this.dueAt) return;
    for (const what of this.#waiting.splice(0)) this.take(what, now);
    this.dueAt = this.work(now);
    assert(this.dueAt > now - 1e-9, "what could be done now was");
  }

  protected abstract take(what: T, now: number): void;
  /** Does all that is due; returns when there is more. */
  protected abstract work(now: number): number;
}
