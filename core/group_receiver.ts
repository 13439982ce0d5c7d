/**
 * The receiving side of a multicast group: tells its senders apart, and asks each for what is missing.
 *
 * No sockets and no timers: it is given datagrams, asked for requests, and says when to ask again.
 *
 * @module
 */

import { backoff } from "./backoff.ts";
import { hex, idLength, idStandsAt, noId, randomBytes, randomId, readU64 } from "./bytes.ts";
import type { Platform } from "./connection.ts";
import type { Values } from "./control.ts";
import { type DatagramFault, DatagramFlag, DatagramWriter, inDatagram, openDatagram, type Seal } from "./datagram.ts";
import { FrameWriter } from "./frame_writer.ts";
import { repair } from "./group_frames.ts";
import { isRequest, mostNames } from "./group_requests.ts";
import { GroupSession, type GroupSessionOptions, type SessionOwner } from "./group_session.ts";
import { GroupSuspects } from "./group_suspects.ts";
import type { TopicEvents } from "./group_topics.ts";
import { MemoryBudget } from "./memory.ts";
import { ReplayWindow } from "./replay_window.ts";
import { replaySpan } from "./replays.ts";

/** The most senders of one group at a time; one that is silent makes room for another. */
export const mostSenders = 64;
/** Bytes of memory, at most, for the datagrams of all of them together that came early: 64 MiB. */
const mostEarly = 67_108_864;
/** The most topics of all of them together that are remembered, unless another number is set. */
const mostTopics = 1_000_000;
/** A sender that is silent for so long is gone; its heartbeats come every second. Milliseconds. */
const silence = 30_000;
/** A receiver gets its cookie within so many milliseconds, so that a first repair need not wait for it. */
const cookieWithin = 1_000;
/** How often a unicast sender is told that this receiver is there, in milliseconds: NAT forgets after half a minute. */
const keepalive = 10_000;
/** How long before a cookie or names are asked for again: at first, at most, and at most where they are needed; milliseconds. */
const firstPause = 50;
const longestPause = 1_000;
const urgentPause = 200;

/** How a group is received. */
export interface GroupReceiverOptions extends GroupSessionOptions {
  readonly group: number;
  /** Whether only one session is heard, which is {@linkcode GroupReceiver.expect}ed: nobody else sends here. */
  readonly unicast?: boolean;
  /** The most topics of all senders together that are remembered; a million unless it is set. */
  readonly topics?: number;
}

/**
 * Why a datagram was dropped, besides what {@linkcode DatagramFault} has. `large`: this receiver was made for smaller ones;
 * `request`: what another receiver asks for has come astray. Of a session that was not heard before: `senders`, when there
 * are too many; `unproven`, a repair, since it may be of long ago; and with a key what may be recorded, until the session says
 * the time or answers to this receiver.
 */
export type DropReason = DatagramFault | "large" | "request" | "senders" | "unproven";

/** Who is told what happens in a group. */
export interface GroupEvents<A> {
  /** A sender was heard for the first time. Returns who gets what it sends. */
  joined(sender: string, from: A): TopicEvents;
  /** A sender has ended; or was not heard for long, and had not said that it ends. */
  left(sender: string, ended: boolean): void;
}

/** What is known of one sender. */
interface Sender<A> {
  /** Its session id: 16 bytes, and in hexadecimal. */
  readonly id: Uint8Array;
  readonly name: string;
  readonly from: A;
  readonly session: GroupSession;
  /** With a key: which of its datagrams came. */
  readonly replay: ReplayWindow;
  heardAt: number;
  /** It has ended. It is remembered until it is silent, or what it still says would be taken for a new one. */
  ended: boolean;
  /** When to ask for a cookie, if it is not needed before that; and when the answer to the last request should be there. */
  cookieAt: number;
  answerAt: number;
  pause: number;
  /** When names may be asked for, and how long after that again. */
  namesAt: number;
  namesPause: number;
  /** When to say again that this receiver is where it was; `Infinity` for a group's sender, which need not know. */
  proofAt: number;
}

/** Receives one group. `A` is what addresses are. */
export class GroupReceiver<A> implements SessionOwner {
  /** Datagrams that were dropped, by reason. */
  readonly dropped: Map<DropReason, number> = new Map();
  /** Datagrams and bytes that were taken, and requests that were made. */
  datagrams = 0;
  bytes = 0;
  requests = 0;
  /** Who gets the datagram that {@linkcode next} made. */
  to: A | null = null;
  readonly #platform: Pick<Platform, "random" | "time">;
  readonly #seal: Seal;
  readonly #options: GroupReceiverOptions;
  readonly #events: GroupEvents<A>;
  readonly #senders: Sender<A>[] = [];
  /** With a key: sessions that have not proven that they are not recorded ones. */
  readonly #suspects: GroupSuspects<A>;
  #group: number;
  #datagrams: DatagramWriter;
  readonly #writer = new FrameWriter();
  readonly #random = new Uint32Array(1);

  constructor(
    platform: Pick<Platform, "random" | "time">,
    seal: Seal,
    options: GroupReceiverOptions,
    events: GroupEvents<A>,
  ) {
    this.#platform = platform;
    this.#seal = seal;
    this.#options = { ...options, early: new MemoryBudget(mostEarly) };
    this.#events = events;
    this.#suspects = new GroupSuspects(platform);
    this.#group = options.group;
    this.#datagrams = this.#ownSession();
  }

  /** The senders that are heard: their sessions, by id. */
  get sessions(): ReadonlyMap<string, GroupSession> {
    return new Map(this.#senders.filter(({ ended }) => !ended).map(({ name, session }) => [name, session]));
  }

  /**
   * From now on a session is heard that sends to this receiver alone, once it has proven its address; the one before is
   * over.
   *
   * @param id 16 bytes, which nobody else was told
   * @param from whom to ask
   */
  expect(group: number, id: Uint8Array, from: A, now: number): void {
    for (const sender of this.#senders.splice(0)) this.#end(sender, true);
    this.#group = group;
    this.#datagrams = this.#ownSession();
    const sender = this.#join(id, hex(id), randomId(this.#platform), 1, from, now);
    sender.cookieAt = sender.proofAt = now;
  }

  /** A datagram came, on the group's port or this receiver's own. It is changed where it is encrypted. */
  received(bytes: Uint8Array, view: DataView, start: number, end: number, from: A, now: number): void {
    const fault = openDatagram(this.#seal, bytes, view, start, end, this.#group);
    if (fault !== null) {
      this.#drop(fault);
      return;
    }
    if (end - start > this.#options.largest) {
      this.#drop("large");
      return;
    }
    const sender = this.#find(bytes, start) ?? this.#meet(bytes, view, start, end - this.#seal.length, from, now);
    if (sender === null) return;
    if (this.#seal.flag !== 0 && !sender.replay.accept(readU64(view, start + inDatagram.counter))) {
      this.#drop("repeated");
      return;
    }
    sender.heardAt = now;
    this.datagrams++;
    this.bytes += end - start;
    if (sender.ended) return;
    const { session } = sender;
    const { awaitsNames, cookie } = session;
    session.received(bytes, view, start, end - this.#seal.length, now);
    // The address is new to the sender, as when a NAT has forgotten the way: it goes on here once that is proven.
    if (session.cookie !== cookie && sender.proofAt !== Infinity) sender.proofAt = now;
    // A heartbeat may be on its way that tells them, and others may be as quick to ask.
    if (session.awaitsNames && !awaitsNames) {
      sender.namesAt = Math.max(sender.namesAt, now + backoff(this.chance(), this.#options.wait));
      sender.namesPause = firstPause;
    }
    if (session.finished) this.#end(sender, true);
  }

  /** Gives up what is missing for too long, and whom was not heard for long. */
  expire(now: number): void {
    this.#suspects.expire(now);
    for (const sender of this.#senders.slice()) {
      if (!sender.ended) sender.session.expire(now);
      const silent = now >= this.#goneAt(sender);
      if (sender.session.finished || silent) this.#end(sender, sender.session.finished);
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
    const question = this.#suspects.ask(now);
    if (question === null) return 0;
    const { target, from, nonce } = question;
    return this.#make(bytes, view, from, { target, cookie: noId, nonce, ranges: [], topics: [] });
  }

  /** When to call {@linkcode expire} and {@linkcode next}, if nothing comes before. */
  get dueAt(): number {
    let due = this.#options.repair ? this.#suspects.dueAt : Infinity;
    for (const sender of this.#senders) {
      const { session, ended, cookieAt, answerAt, namesAt, proofAt } = sender;
      due = Math.min(due, this.#goneAt(sender));
      if (ended) continue;
      if (!this.#options.repair) due = Math.min(due, session.arrivals.endAt);
      else if (session.cookie === noId) {
        due = Math.min(due, session.arrivals.endAt, session.needsCookie ? answerAt : Math.max(cookieAt, answerAt));
      } else due = Math.min(due, session.arrivals.dueAt, session.awaitsNames ? namesAt : Infinity, proofAt);
    }
    return due;
  }

  /** Forgets everything. */
  close(): void {
    for (const sender of this.#senders.splice(0)) this.#end(sender, true);
  }

  #request(sender: Sender<A>, bytes: Uint8Array, view: DataView, now: number): number {
    const { session } = sender;
    const { cookie, nonce, arrivals } = session;
    const target = sender.name;
    if (cookie === noId) {
      if (now < sender.answerAt || (now < sender.cookieAt && !session.needsCookie)) return 0;
      sender.answerAt = now + pauseOf(sender);
      return this.#make(bytes, view, sender.from, { target, cookie, nonce, ranges: [], topics: [] });
    }
    const ranges = arrivals.ask(now).map((range) => ({ ...range }));
    const topics = now >= sender.namesAt ? session.unknown(mostNames).map((topic) => ({ topic })) : [];
    if (ranges.length === 0 && topics.length === 0 && now < sender.proofAt) return 0;
    if (sender.proofAt !== Infinity) sender.proofAt = now + (session.begun ? keepalive : pauseOf(sender));
    if (topics.length > 0) {
      sender.namesAt = now + sender.namesPause;
      sender.namesPause = Math.min(urgentPause, 2 * sender.namesPause);
    }
    return this.#make(bytes, view, sender.from, { target, cookie, nonce, ranges, topics });
  }

  /** When a sender that is not heard is gone. The one that was expected stays: it may be the way that is blocked. */
  #goneAt({ heardAt }: Sender<A>): number {
    return this.#options.unicast === true ? Infinity : heardAt + silence;
  }

  /** What this receiver's requests are sent as. */
  #ownSession(): DatagramWriter {
    return new DatagramWriter(this.#seal, this.#group, randomBytes(this.#platform));
  }

  /** A datagram with one request. */
  #make(bytes: Uint8Array, view: DataView, to: A, values: Values<typeof repair.fields>): number {
    this.requests++;
    this.to = to;
    this.#writer.clear(true);
    repair.write(this.#writer, values);
    // Nothing that a receiver sends is numbered.
    return this.#datagrams.control(bytes, view, this.#writer.bytes(), 1);
  }

  #find(bytes: Uint8Array, start: number): Sender<A> | null {
    const at = start + inDatagram.session;
    for (const sender of this.#senders) if (idStandsAt(sender.id, bytes, at)) return sender;
    return null;
  }

  /** A session that was not heard before. */
  #meet(bytes: Uint8Array, view: DataView, start: number, end: number, from: A, now: number): Sender<A> | null {
    const id = bytes.slice(start + inDatagram.session, start + inDatagram.session + idLength);
    const name = hex(id);
    if (this.#options.unicast === true) {
      this.#drop("foreign");
      return null;
    }
    if (isRequest(bytes, view, start, end)) {
      this.#drop("request");
      return null;
    }
    if (this.#senders.length === mostSenders) {
      this.#drop("senders");
      return null;
    }
    const isRepair = (bytes[start + inDatagram.flags]! & DatagramFlag.repair) !== 0;
    let nonce: string | null = null;
    if (this.#seal.flag !== 0) nonce = this.#suspects.met(name, bytes, view, start, end, from, now);
    else if (!isRepair) nonce = randomId(this.#platform);
    if (nonce === null) {
      this.#drop("unproven");
      return null;
    }
    return this.#join(id, name, nonce, readU64(view, start + inDatagram.number), from, now);
  }

  #join(id: Uint8Array, name: string, nonce: string, number: number, from: A, now: number): Sender<A> {
    const session = new GroupSession(number, this.#options, this.#events.joined(name, from), nonce, this);
    const replay = new ReplayWindow(replaySpan);
    const cookieAt = now + this.chance() * cookieWithin;
    const sender = {
      id,
      name,
      from,
      session,
      replay,
      heardAt: now,
      ended: false,
      cookieAt,
      answerAt: now,
      pause: firstPause,
      namesAt: now,
      namesPause: firstPause,
      proofAt: Infinity,
    };
    this.#senders.push(sender);
    return sender;
  }

  #end(sender: Sender<A>, ended: boolean): void {
    if (sender.ended) return;
    sender.ended = true;
    sender.session.close();
    this.#events.left(sender.name, ended);
  }

  #drop(reason: DropReason): void {
    this.dropped.set(reason, (this.dropped.get(reason) ?? 0) + 1);
  }

  /** See {@linkcode SessionOwner}. */
  hasRoom(): boolean {
    const { topics = mostTopics } = this.#options;
    return this.#senders.reduce((sum, { session }) => sum + session.topics, 0) < topics;
  }

  /** See {@linkcode SessionOwner}. */
  chance(): number {
    this.#platform.random(new Uint8Array(this.#random.buffer));
    return this.#random[0]! / 2 ** 32;
  }
}

/** How long to wait for the answer to a request without which nothing goes on: longer each time. */
function pauseOf<A>(sender: Sender<A>): number {
  const { pause, session } = sender;
  sender.pause = Math.min(session.needsCookie ? urgentPause : longestPause, 2 * pause);
  return pause;
}
