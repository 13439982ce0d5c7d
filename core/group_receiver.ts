/**
 * The receiving side of a multicast group: tells its senders apart, and asks each for what is missing.
 *
 * No sockets and no timers: it is given datagrams, asked for requests, and says when to ask again.
 *
 * @module
 */

import { hex, noId, readU64 } from "./bytes.ts";
import type { Platform } from "./connection.ts";
import { type DatagramFault, inDatagram, openDatagram, type Seal, writeDatagramHeader } from "./datagram.ts";
import { FrameWriter } from "./frame_writer.ts";
import { repair } from "./group_frames.ts";
import { mostNames } from "./group_requests.ts";
import { GroupSession, type GroupSessionOptions } from "./group_session.ts";
import type { TopicEvents } from "./group_topics.ts";

/** The most senders of one group at a time; one that is silent makes room for another. */
export const mostSenders = 64;
/** A sender that is silent for so long is gone; its heartbeats come every second. Milliseconds. */
const silence = 30_000;
/** A receiver gets its cookie within so many milliseconds, so that a first repair need not wait for it. */
const cookieWithin = 1_000;
/** How long before a cookie is asked for again, at first and at most; and names; milliseconds. */
const firstPause = 50;
const longestPause = 1_000;
const namePause = 50;

/** How a group is received. */
export interface GroupReceiverOptions extends GroupSessionOptions {
  readonly group: number;
}

/** Why a datagram was dropped, besides what {@linkcode DatagramFault} has: there are too many senders. */
export type DropReason = DatagramFault | "senders";

/** Who is told what happens in a group. */
export interface GroupEvents<A> {
  /** A sender was heard for the first time. Returns who gets what it sends. */
  joined(sender: string, from: A): TopicEvents;
  /** A sender has ended, or was not heard for long. */
  left(sender: string): void;
}

/** What is known of one sender. */
interface Sender<A> {
  /** Its session id: 16 bytes, and in hexadecimal. */
  readonly id: Uint8Array;
  readonly name: string;
  readonly from: A;
  readonly session: GroupSession;
  heardAt: number;
  /** It has ended. It is remembered until it is silent, or what it still says would be taken for a new one. */
  ended: boolean;
  /** When to ask for a cookie, if it is not needed before that; and when the answer to the last request should be there. */
  cookieAt: number;
  answerAt: number;
  pause: number;
  /** When names may be asked for. */
  namesAt: number;
}

/** Receives one group. `A` is what addresses are. */
export class GroupReceiver<A> {
  /** Datagrams that were dropped, by reason. */
  readonly dropped: Map<DropReason, number> = new Map();
  /** Datagrams and bytes that were taken, and requests that were made. */
  datagrams = 0;
  bytes = 0;
  requests = 0;
  /** Who gets the datagram that {@linkcode next} made. */
  to: A | null = null;
  readonly #platform: Platform;
  readonly #seal: Seal;
  readonly #options: GroupReceiverOptions;
  readonly #events: GroupEvents<A>;
  readonly #senders: Sender<A>[] = [];
  readonly #id = new Uint8Array(16);
  readonly #writer = new FrameWriter();
  readonly #random = new Uint32Array(1);
  #counter = 1;

  constructor(platform: Platform, seal: Seal, options: GroupReceiverOptions, events: GroupEvents<A>) {
    this.#platform = platform;
    this.#seal = seal;
    this.#options = options;
    this.#events = events;
    platform.random(this.#id);
  }

  /** The senders that are heard: their sessions, by id. */
  get sessions(): ReadonlyMap<string, GroupSession> {
    return new Map(this.#senders.filter(({ ended }) => !ended).map(({ name, session }) => [name, session]));
  }

  /** A datagram came, on the group's port or this receiver's own. It is changed where it is encrypted. */
  received(bytes: Uint8Array, view: DataView, start: number, end: number, from: A, now: number): void {
    const fault = openDatagram(this.#seal, bytes, view, start, end, this.#options.group);
    if (fault !== null) {
      this.#drop(fault);
      return;
    }
    const sender = this.#find(bytes, start) ?? this.#join(bytes, view, start, from, now);
    if (sender === null) {
      this.#drop("senders");
      return;
    }
    sender.heardAt = now;
    this.datagrams++;
    this.bytes += end - start;
    if (sender.ended) return;
    sender.session.received(bytes, view, start, end - this.#seal.length, now);
    if (sender.session.finished) this.#end(sender);
  }

  /** Gives up what is missing for too long, and whom was not heard for long. */
  expire(now: number): void {
    for (const sender of this.#senders.slice()) {
      if (!sender.ended) sender.session.expire(now);
      const silent = now - sender.heardAt >= silence;
      if (sender.session.finished || silent) this.#end(sender);
      if (silent) this.#senders.splice(this.#senders.indexOf(sender), 1);
    }
  }

  /**
   * Makes the next request, if there is one; {@linkcode to} says who gets it.
   *
   * @param bytes where it is made, from the beginning; at least as long as the largest datagram
   * @returns its length, or 0 for none
   */
  next(bytes: Uint8Array, view: DataView, now: number): number {
    if (!this.#options.repair) return 0;
    for (const sender of this.#senders) {
      if (sender.ended) continue;
      const length = this.#request(sender, bytes, view, now);
      if (length > 0) return length;
    }
    return 0;
  }

  /** When to call {@linkcode expire} and {@linkcode next}, if nothing comes before. */
  get dueAt(): number {
    let due = Infinity;
    for (const { session, heardAt, ended, cookieAt, answerAt, namesAt } of this.#senders) {
      due = Math.min(due, heardAt + silence);
      if (ended) continue;
      if (!this.#options.repair) due = Math.min(due, session.arrivals.endAt);
      else if (session.cookie === noId) {
        due = Math.min(due, session.arrivals.endAt, needsCookie(session) ? answerAt : Math.max(cookieAt, answerAt));
      } else due = Math.min(due, session.arrivals.dueAt, session.awaitsNames ? namesAt : Infinity);
    }
    return due;
  }

  /** Forgets everything. */
  close(): void {
    for (const sender of this.#senders.splice(0)) this.#end(sender);
  }

  #request(sender: Sender<A>, bytes: Uint8Array, view: DataView, now: number): number {
    const { session } = sender;
    const writer = this.#writer;
    writer.clear(true);
    const { cookie, nonce, arrivals } = session;
    const target = sender.name;
    if (cookie === noId) {
      if (now < sender.answerAt || (now < sender.cookieAt && !needsCookie(session))) return 0;
      sender.answerAt = now + sender.pause;
      sender.pause = Math.min(longestPause, 2 * sender.pause);
      repair.write(writer, { target, cookie, nonce, ranges: [], topics: [] });
    } else {
      const ranges = arrivals.ask(now);
      const topics = now >= sender.namesAt ? session.unknown(mostNames) : [];
      if (ranges.length === 0 && topics.length === 0) return 0;
      if (topics.length > 0) sender.namesAt = now + namePause;
      repair.write(writer, {
        target,
        cookie,
        nonce,
        ranges: ranges.map((range) => ({ ...range })),
        topics: topics.map((topic) => ({ topic })),
      });
    }
    this.requests++;
    this.to = sender.from;
    return this.#finish(bytes, view);
  }

  #finish(bytes: Uint8Array, view: DataView): number {
    const { group } = this.#options;
    const header = { flags: this.#seal.flag, group, session: this.#id, counter: this.#counter++, number: 1 };
    const start = writeDatagramHeader(bytes, view, 0, header);
    bytes.set(this.#writer.bytes(), start);
    const end = start + this.#writer.length;
    this.#seal.close(bytes, view, 0, end);
    return end + this.#seal.length;
  }

  #find(bytes: Uint8Array, start: number): Sender<A> | null {
    const at = start + inDatagram.session;
    for (const sender of this.#senders) {
      const { id } = sender;
      let same = 0;
      while (same < 16 && id[same] === bytes[at + same]) same++;
      if (same === 16) return sender;
    }
    return null;
  }

  #join(bytes: Uint8Array, view: DataView, start: number, from: A, now: number): Sender<A> | null {
    const id = bytes.slice(start + inDatagram.session, start + inDatagram.session + 16);
    if (this.#senders.length === mostSenders) return null;
    const name = hex(id);
    const nonce = new Uint8Array(16);
    this.#platform.random(nonce);
    const number = readU64(view, start + inDatagram.number);
    const events = this.#events.joined(name, from);
    const session = new GroupSession(number, this.#options, events, hex(nonce), () => this.#chance());
    const cookieAt = now + this.#chance() * cookieWithin;
    const sender = {
      id,
      name,
      from,
      session,
      heardAt: now,
      ended: false,
      cookieAt,
      answerAt: now,
      pause: firstPause,
      namesAt: now,
    };
    this.#senders.push(sender);
    return sender;
  }

  #end(sender: Sender<A>): void {
    if (sender.ended) return;
    sender.ended = true;
    this.#events.left(sender.name);
  }

  #drop(reason: DropReason): void {
    this.dropped.set(reason, (this.dropped.get(reason) ?? 0) + 1);
  }

  /** A random number, at least 0 and less than 1. */
  #chance(): number {
    this.#platform.random(new Uint8Array(this.#random.buffer));
    return this.#random[0]! / 2 ** 32;
  }
}

/** Whether there is something to ask for that takes a cookie. */
function needsCookie({ arrivals, awaitsNames }: GroupSession): boolean {
  return arrivals.missing > 0 || awaitsNames;
}
