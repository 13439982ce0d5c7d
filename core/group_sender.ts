/**
 * The sending side of a multicast group: one queue over the cursors of its topics, one number for all datagrams.
 *
 * No sockets and no timers: it is asked for the next datagram and says when to ask again.
 *
 * @module
 */

import { type AskedRange, mostAsked, mostRanges } from "./arrivals.ts";
import { hex, readU64 } from "./bytes.ts";
import type { Platform } from "./connection.ts";
import {
  bodyOf,
  type DatagramFault,
  datagramHeader,
  DatagramWriter,
  inDatagram,
  openDatagram,
  type Seal,
} from "./datagram.ts";
import { prefixLength } from "./frame.ts";
import { FrameWriter } from "./frame_writer.ts";
import { type CursorOwner, GroupCursor } from "./group_cursor.ts";
import * as frames from "./group_frames.ts";
import { GroupPacker } from "./group_packer.ts";
import { GroupPacing } from "./group_pacing.ts";
import { type Asked, GroupRequests } from "./group_requests.ts";
import { GroupTable } from "./group_table.ts";
import { Heartbeat } from "./heartbeat.ts";
import type { Pattern } from "./pattern.ts";
import { RepairQueue } from "./repair_queue.ts";
import { Replays } from "./replays.ts";
import type { Topic } from "./topic.ts";
import type { Interest, Topics } from "./topics.ts";

/** The part of the configured rate that heartbeats may take. */
const beatShare = 0.2;
/** The part of what a topic keeps that may be kept for repairs while publishers are held. */
const historyPart = 0.75;
/** While datagrams go without a pause, a heartbeat comes between them so often; milliseconds. */
const busyBeat = 100;
/** The most receivers whose requests are known when they come again. */
const mostReceivers = 1024;
/** The most ranges of datagrams that wait to be told that they cannot be sent again. */
const mostGone = 1024;
/** Who is sent to alone and has not asked for anything for so many milliseconds is sent nothing more, until it does. */
const unicastSilence = 60_000;
/** Datagrams that can be sent to it again: what is older it gets over its connection, which a group's receiver may not have. */
const unicastIndexed = 2048;
/** How often a sender says that it ends. */
const mostFinishes = 8;
/** It does not end before nobody has asked for anything for so many milliseconds. */
const linger = 1_000;
/** Having held publishers for too long, it does not for so many milliseconds. */
const penalty = 60_000;

/** How a group sends. */
export interface GroupSenderOptions {
  readonly group: number;
  /** 16 random bytes. */
  readonly session: Uint8Array;
  readonly patterns: readonly Pattern[];
  /** Bytes of the largest datagram: header, frames and seal. */
  readonly largest: number;
  /** Bytes a second of datagrams; `Infinity` for no limit. */
  readonly rate: number;
  /** Whether publishers are held rather than that retention overtakes the group. */
  readonly wait: boolean;
  /**
   * Whether everything goes to one receiver instead of a group: to who knows the session's id and has proven its address, as
   * long as it goes on asking.
   */
  readonly unicast?: boolean;
  /**
   * Of topics that were created after this ordinal the receiver is told that everything was to come: what was before is
   * missing. Without it, topics that are there are to come from the next message on.
   */
  readonly since?: number;
  /** Told of messages that were not sent, since retention was faster than the rate. */
  readonly onLagged?: (topic: string, first: number, last: number) => void;
  /** Told of a topic that begins to have frames of another codec. */
  readonly onEncoded?: (topic: Topic) => void;
}

/** What was done, in number. */
export interface GroupSenderCounts {
  /** New datagrams with messages. */
  sent: number;
  /** Datagrams that were asked for and sent again, and those that could not be: the logs have dropped them. */
  repaired: number;
  expired: number;
  beats: number;
  /** Bytes of all of them. */
  bytes: number;
}

/** Sends what topics get to one multicast group. `A` is what addresses are. */
export class GroupSender<A extends { readonly text: string }> implements Interest, CursorOwner, Asked<A> {
  readonly patterns: readonly Pattern[];
  readonly wholeFrame?: number;
  readonly counts: GroupSenderCounts = { sent: 0, repaired: 0, expired: 0, beats: 0, bytes: 0 };
  /** What receivers ask for. */
  readonly requests: GroupRequests<A>;
  /** Datagrams that came and were dropped, by reason. */
  readonly dropped: Map<DatagramFault, number> = new Map();
  /** Who gets the datagram that {@linkcode next} made: one address, or the group for `null`. */
  to: A | null = null;
  /** The number of that datagram; 0 for one of control frames. */
  number = 0;
  /** Called when there may be something to send before {@linkcode dueAt}. */
  wake: () => void = () => {};
  /** Whether nothing new is sent; repairs and heartbeats are. */
  paused = false;
  movedAt: number;
  readonly platform: Platform;
  readonly historyBytes: number;
  /** Bytes of the largest datagram. */
  readonly largest: number;
  readonly #topics: Topics;
  readonly #options: GroupSenderOptions;
  readonly #seal: Seal;
  readonly #datagrams: DatagramWriter;
  readonly #cursors = new Map<Topic, GroupCursor>();
  readonly #packer: GroupPacker;
  readonly #table: GroupTable;
  readonly #repairs = new RepairQueue<A>();
  readonly #writer = new FrameWriter();
  /** Which of the datagrams that receivers send came before. */
  readonly #replays = new Replays(mostReceivers);
  readonly #pacing: GroupPacing;
  /** Where everything goes, if not to a group; `null` until that is proven. */
  #receiver: A | null = null;
  readonly #heartbeat: Heartbeat;
  #penaltyUntil = 0;
  #finishing = false;
  /** How often it has said so, since it sent the last message. */
  #finishes = 0;
  /** When somebody last asked for something; at first, when this began. */
  #askedAt: number;
  /** What was asked for and cannot be sent again, to be told. */
  readonly #gone: { first: number; count: number }[] = [];

  constructor(platform: Platform, topics: Topics, seal: Seal, options: GroupSenderOptions) {
    const now = platform.now();
    const { largest, rate } = options;
    this.platform = platform;
    this.largest = largest;
    this.historyBytes = topics.limits.retain * historyPart;
    this.#topics = topics;
    this.#seal = seal;
    this.#datagrams = new DatagramWriter(seal, options.group, options.session);
    this.#options = options;
    this.patterns = options.patterns;
    // One subscriber is no reason to make small frames for all.
    if (options.unicast !== true) this.wholeFrame = largest - datagramHeader - seal.length;
    this.requests = new GroupRequests(platform, hex(options.session), this);
    this.#packer = new GroupPacker(topics.pool, largest - seal.length, options.unicast ? unicastIndexed : undefined);
    this.#table = new GroupTable((cursor) => this.#packer.nextOf(cursor));
    this.#pacing = new GroupPacing(rate, largest, this.historyBytes, now);
    this.#heartbeat = new Heartbeat(largest, rate * beatShare, now);
    this.#askedAt = this.movedAt = now;
    const { since = Infinity } = options;
    for (const topic of topics.matching(this.patterns)) {
      const { nextSequence } = topic.log;
      this.#join(topic, nextSequence, topic.ordinal > since ? 1 : undefined);
    }
    topics.addInterest(this);
  }

  get holds(): boolean {
    const now = this.platform.now();
    return this.#options.wait && now >= this.#penaltyUntil && !this.#silent(now);
  }

  expelled(): void {
    this.#penaltyUntil = this.platform.now() + penalty;
  }

  created(topic: Topic): void {
    this.#join(topic, 1);
  }

  encoded(topic: Topic): void {
    this.#options.onEncoded?.(topic);
  }

  forgotten(topic: Topic): void {
    const cursor = this.#cursors.get(topic);
    if (cursor === undefined) return;
    cursor.close();
    this.#cursors.delete(topic);
    this.#table.remove(cursor);
    this.#packer.remove(cursor);
  }

  lagged(topic: Topic, first: number, last: number): void {
    this.#options.onLagged?.(topic.name, first, last);
  }

  add(cursor: GroupCursor): void {
    this.#packer.add(cursor);
    this.wake();
  }

  /**
   * A datagram from a receiver.
   *
   * @returns what is wrong with it, or `null` if nothing is
   */
  received(bytes: Uint8Array, view: DataView, start: number, end: number, from: A, now: number): DatagramFault | null {
    const fault = this.#open(bytes, view, start, end);
    if (fault !== null) {
      this.dropped.set(fault, (this.dropped.get(fault) ?? 0) + 1);
      return fault;
    }
    this.requests.received(bytes, view, bodyOf(bytes, start), end - this.#seal.length, from, now);
    if (this.requests.pending) this.wake();
    return null;
  }

  proven(from: A, now: number): void {
    if (this.#options.unicast !== true) return;
    const waited = this.#mute(now);
    this.#receiver = from;
    this.#askedAt = now;
    if (waited) this.#beatBy(now);
  }

  again(ranges: readonly AskedRange[], from: A, now: number): void {
    this.#pacing.asked(ranges, from.text);
    this.#askedAt = now;
    if (this.#repairs.ask(ranges, from, now) > 0) this.wake();
  }

  name(topics: readonly number[]): void {
    for (const id of topics) {
      const topic = this.#topics.byId(id);
      const cursor = topic === undefined ? undefined : this.#cursors.get(topic);
      if (cursor !== undefined) this.#table.ask(cursor);
    }
    const now = this.#askedAt = this.platform.now();
    if (this.#table.asked) this.#beatBy(now + this.#heartbeat.soon);
  }

  /**
   * Ends the session: when everything was sent, receivers are told how far all topics are, and then a few times that nothing
   * comes any more.
   */
  finish(): void {
    this.#finishing = true;
    if (!this.#packer.unsent) this.#table.askAll();
    this.#heartbeat.quicken();
    this.#beatBy(this.platform.now());
  }

  /** Whether everything was sent, that it ends was said often enough, and nobody has asked for anything meanwhile. */
  get finished(): boolean {
    const now = this.platform.now();
    if (this.#finishing && this.#mute(now)) return true;
    return this.#finishes >= mostFinishes && now - this.#askedAt >= linger;
  }

  /** Whether it keeps memory that the logs have given up, for what it has begun to send. */
  get keepsDropped(): boolean {
    return this.#packer.keepsDropped;
  }

  /**
   * Makes the next datagram, if one may go now; {@linkcode to} says who gets it.
   *
   * @param bytes where it is made, from the beginning; at least as long as the largest
   * @returns its length, or 0 for none
   */
  next(bytes: Uint8Array, view: DataView, now: number): number {
    const length = this.#next(bytes, view, now);
    if (length > 0 || this.#topics.blocked.size === 0) return length;
    // Cursors have moved: that may be what held frames wait for.
    this.#topics.retryHeld();
    return this.#next(bytes, view, now);
  }

  #next(bytes: Uint8Array, view: DataView, now: number): number {
    if (this.#mute(now)) return this.requests.pending ? this.#answer(bytes, view, now) : 0;
    this.#pacing.adapt(this.#packer.next, this.#repairs.length, now);
    this.to = this.#receiver;
    if (!this.#pacing.allows(now)) return 0;
    if (now >= this.#heartbeat.dueAt) return this.#beat(bytes, view, now);
    if (this.requests.pending) return this.#answer(bytes, view, now);
    if (this.#repairs.length > 0 && this.#pacing.allowsRepair(now)) {
      const length = this.#repair(bytes, view, now);
      if (length > 0) return length;
    }
    return !this.paused && this.#pacing.allowsNew(now) ? this.#new(bytes, view, now) : 0;
  }

  /** Whether there is something to send that only waits for the rate. */
  get paced(): boolean {
    return this.requests.pending || this.#repairs.length > 0 || (this.#packer.unsent && !this.paused);
  }

  /** When {@linkcode next} may have something, if nothing comes before. */
  dueAt(now: number): number {
    if (this.#mute(now)) return this.requests.pending ? now : Infinity;
    let due = Math.max(this.#heartbeat.dueAt, this.#pacing.allowedAt(now));
    if (this.requests.pending) due = Math.min(due, this.#pacing.someAt(now));
    if (this.#repairs.length > 0) due = Math.min(due, this.#pacing.repairsAt(now));
    if (this.#packer.unsent && !this.paused) due = Math.min(due, this.#pacing.newAt(now));
    return due;
  }

  /** Sends nothing more, and lets go of the logs. */
  close(): void {
    this.#topics.removeInterest(this);
    for (const cursor of this.#cursors.values()) cursor.close();
    this.#cursors.clear();
    this.#table.clear();
    this.#packer.close();
  }

  /** Whether there is nobody to send to. */
  #mute(now: number): boolean {
    return this.#options.unicast === true && (this.#receiver === null || this.#silent(now));
  }

  /** Whether the one that everything goes to has not been heard for long. */
  #silent(now: number): boolean {
    return this.#options.unicast === true && now - this.#askedAt > unicastSilence;
  }

  #open(bytes: Uint8Array, view: DataView, start: number, end: number): DatagramFault | null {
    const fault = openDatagram(this.#seal, bytes, view, start, end, this.#options.group);
    if (fault !== null) return fault;
    const session = bytes.subarray(start + inDatagram.session, start + inDatagram.session + 16);
    return this.#replays.accept(hex(session), readU64(view, start + inDatagram.counter)) ? null : "repeated";
  }

  #join(topic: Topic, sequence: number, start?: number): void {
    const cursor = new GroupCursor(this, topic, this.#packer.next, sequence, start);
    this.#cursors.set(topic, cursor);
    this.#table.add(cursor);
    // The sooner receivers know it, the less they have to keep.
    this.#heartbeat.quicken();
    this.#beatBy(this.platform.now());
  }

  #beatBy(time: number): void {
    this.#heartbeat.by(time);
    this.wake();
  }

  /** A datagram of new messages. */
  #new(bytes: Uint8Array, view: DataView, now: number): number {
    const end = this.#packer.pack(bytes, view);
    if (end === 0) return 0;
    this.counts.sent++;
    const length = this.#numbered(bytes, view, end);
    this.#pacing.spendNew(length);
    this.movedAt = now;
    this.#heartbeat.quicken();
    this.#heartbeat.by(now + (this.#packer.unsent ? busyBeat : this.#heartbeat.soon));
    this.#finishes = 0;
    if (this.#finishing && !this.#packer.unsent) this.#table.askAll();
    return length;
  }

  /** A datagram that was asked for again; 0 when none of those can be made. */
  #repair(bytes: Uint8Array, view: DataView, now: number): number {
    for (let repair = this.#repairs.shift(now); repair !== null; repair = this.#repairs.shift(now)) {
      const end = this.#packer.repack(repair.number, bytes, view);
      if (end === 0) {
        this.counts.expired++;
        this.#isGone(repair.number, now);
        continue;
      }
      this.to = repair.to ?? this.#receiver;
      this.counts.repaired++;
      const length = this.#numbered(bytes, view, end);
      this.#pacing.spendRepair(length);
      return length;
    }
    return 0;
  }

  /** A datagram cannot be sent again: who misses it need not wait for it. */
  #isGone(number: number, now: number): void {
    const newest = this.#gone.at(-1);
    if (newest !== undefined && newest.first + newest.count === number && newest.count < mostAsked) newest.count++;
    else if (this.#gone.length < mostGone) this.#gone.push({ first: number, count: 1 });
    this.#heartbeat.by(now + this.#heartbeat.soon);
  }

  #beat(bytes: Uint8Array, view: DataView, now: number): number {
    this.#heartbeat.beat(now);
    const writer = this.#writer;
    writer.clear(true);
    if (this.#gone.length > 0) frames.gone.write(writer, { ranges: this.#gone.splice(0, mostRanges) });
    const room = this.#options.largest - this.#seal.length - datagramHeader - writer.length - prefixLength;
    const { epoch } = this.#topics;
    this.#table.told(frames.writeBeat(writer, room, this.platform.time(), epoch, this.#table.rows()));
    if (this.#table.asked || this.#gone.length > 0) {
      if (this.#finishing) this.#heartbeat.quicken();
      this.#heartbeat.by(now + this.#heartbeat.soon);
    } else if (this.#finishing && !this.#packer.unsent) {
      frames.finish.write(writer, {});
      this.#finishes++;
    }
    this.counts.beats++;
    const length = this.#control(bytes, view);
    this.#pacing.spend(length);
    return length;
  }

  /** A cookie for who asked without one. */
  #answer(bytes: Uint8Array, view: DataView, now: number): number {
    this.#writer.clear(true);
    this.to = this.requests.answer(this.#writer, now);
    const length = this.#control(bytes, view);
    this.#pacing.spend(length);
    return length;
  }

  /** The datagram that was packed last. */
  #numbered(bytes: Uint8Array, view: DataView, end: number): number {
    const { flags, number } = this.#packer;
    this.number = number;
    return this.#count(this.#datagrams.finish(bytes, view, end, flags, number));
  }

  /** A datagram of the control frames that were written. */
  #control(bytes: Uint8Array, view: DataView): number {
    this.number = 0;
    return this.#count(this.#datagrams.control(bytes, view, this.#writer.bytes(), this.#packer.next));
  }

  #count(length: number): number {
    this.counts.bytes += length;
    return length;
  }
}
