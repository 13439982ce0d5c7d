/**
 * The sending side of a multicast group: one queue over the cursors of its topics, one number for all datagrams.
 *
 * No sockets and no timers: it is asked for the next datagram and says when to ask again.
 *
 * @module
 */

import type { AskedRange } from "./arrivals.ts";
import type { Platform } from "./connection.ts";
import { Slice } from "./cursor.ts";
import { DatagramFlag, datagramHeader, fragmentHeader, type Seal, writeDatagramHeader } from "./datagram.ts";
import { FrameWriter } from "./frame_writer.ts";
import { type CursorOwner, GroupCursor } from "./group_cursor.ts";
import { type BeatTopic, writeBeat } from "./group_frames.ts";
import { Pacer } from "./pacer.ts";
import type { Pattern } from "./pattern.ts";
import { RepairQueue } from "./repair_queue.ts";
import type { Segment } from "./segment.ts";
import type { SegmentPool } from "./segment_pool.ts";
import type { Topic } from "./topic.ts";
import type { Interest, Topics } from "./topics.ts";
import { TransmitIndex } from "./transmit_index.ts";

/** Datagrams that may go at once: a receive buffer of the usual size holds about 90. */
export const burst = 32;
/** The part of the configured rate that repairs may take. */
const repairShare = 0.2;
/** Datagrams that can be sent again, while the logs have them; and the pieces of logs that they are made of. */
const indexed = 65_536;
const indexedPieces = 4 * indexed;
/** The first heartbeat after something was sent comes so soon, each next one twice as late, up to the last; milliseconds. */
const firstBeat = 5;
const lastBeat = 1_000;
/** While datagrams go without a pause, a heartbeat comes between them so often; milliseconds. */
const busyBeat = 100;
/** How often the rate of new datagrams is set anew by what repairs take, in milliseconds; and the least part that stays. */
const adaptInterval = 50;
const leastShare = 1 / 32;
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
  /** Told of messages that were not sent, since retention was faster than the rate. */
  readonly onLagged?: (topic: string, first: number, last: number) => void;
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
export class GroupSender<A extends { readonly text: string }> implements Interest, CursorOwner {
  readonly patterns: readonly Pattern[];
  readonly counts: GroupSenderCounts = { sent: 0, repaired: 0, expired: 0, beats: 0, bytes: 0 };
  /** Who gets the datagram that {@linkcode next} made: one address, or the group for `null`. */
  to: A | null = null;
  /** Called when there may be something to send before {@linkcode dueAt}. */
  wake: () => void = () => {};
  movedAt: number;
  readonly #platform: Platform;
  readonly #pool: SegmentPool;
  readonly #topics: Topics;
  readonly #options: GroupSenderOptions;
  readonly #seal: Seal;
  readonly #cursors = new Map<Topic, GroupCursor>();
  /** The topic table, and where the slice of it begins that the next heartbeat has. */
  #table: GroupCursor[] = [];
  #tableAt = 0;
  #queue: GroupCursor[] = [];
  readonly #index = new TransmitIndex(indexed, indexedPieces);
  readonly #repairs = new RepairQueue<A>();
  /** What goes at all, what is new, and what is sent again. */
  readonly #pacer: Pacer;
  readonly #newPacer: Pacer;
  readonly #repairPacer: Pacer;
  readonly #writer = new FrameWriter();
  /** What was taken of a log and did not fit: it is pinned. `#origin` is where its frame begins if that goes in fragments. */
  readonly #carried = new Slice();
  #carriedOf: GroupCursor | null = null;
  #origin = -1;
  #counter = 1;
  #beatAt: number;
  #beatPause = firstBeat;
  #adaptAt: number;
  #share = 1;
  #penaltyUntil = 0;

  constructor(platform: Platform, topics: Topics, seal: Seal, options: GroupSenderOptions) {
    const now = platform.now();
    this.#platform = platform;
    this.#topics = topics;
    this.#pool = topics.pool;
    this.#seal = seal;
    this.#options = options;
    this.patterns = options.patterns;
    const bytes = burst * options.largest;
    this.#pacer = new Pacer(options.rate, bytes, now);
    this.#newPacer = new Pacer(options.rate, bytes, now);
    this.#repairPacer = new Pacer(options.rate * repairShare, bytes, now);
    this.#beatAt = this.#adaptAt = this.movedAt = now;
    for (const topic of topics.matching(this.patterns)) this.#join(topic, topic.log.nextSequence);
    topics.addInterest(this);
  }

  get holds(): boolean {
    return this.#options.wait && this.#platform.now() >= this.#penaltyUntil;
  }

  expelled(): void {
    this.#penaltyUntil = this.#platform.now() + penalty;
  }

  created(topic: Topic): void {
    this.#join(topic, 1);
  }

  forgotten(topic: Topic): void {
    const cursor = this.#cursors.get(topic);
    if (cursor === undefined) return;
    cursor.close();
    this.#cursors.delete(topic);
    this.#table = this.#table.filter((other) => other !== cursor);
    this.#queue = this.#queue.filter((other) => other !== cursor);
  }

  lagged(topic: Topic, first: number, last: number): void {
    this.#options.onLagged?.(topic.name, first, last);
  }

  add(cursor: GroupCursor): void {
    if (cursor.queued) return;
    cursor.queued = true;
    this.#queue.push(cursor);
    this.wake();
  }

  /** A receiver asks for datagrams again. Returns how many of them will be sent. */
  asked(ranges: readonly AskedRange[], from: A, now: number): number {
    const taken = this.#repairs.ask(ranges, from, now);
    if (taken > 0) this.wake();
    return taken;
  }

  /**
   * Makes the next datagram, if one may go now; {@linkcode to} says who gets it.
   *
   * @param bytes where it is made, from the beginning; at least as long as the largest
   * @returns its length, or 0 for none
   */
  next(bytes: Uint8Array, view: DataView, now: number): number {
    this.#adapt(now);
    const { largest } = this.#options;
    this.to = null;
    if (now >= this.#beatAt) return this.#beat(bytes, view, now);
    if (!this.#pacer.allows(largest, now)) return 0;
    if (this.#repairs.length > 0 && this.#repairPacer.allows(largest, now)) {
      const length = this.#repair(bytes, view, now);
      if (length > 0) return length;
    }
    if (!this.#newPacer.allows(largest, now)) return 0;
    const length = this.#fill(bytes, view);
    if (length > 0) {
      this.movedAt = now;
      this.#pacer.spend(length);
      this.#newPacer.spend(length);
      this.#beatPause = firstBeat;
      this.#beatAt = Math.min(this.#beatAt, now + busyBeat);
      if (!this.#unsent) this.#beatAt = Math.min(this.#beatAt, now + firstBeat);
    }
    return length;
  }

  /** When {@linkcode next} may have something, if nothing comes before. */
  dueAt(now: number): number {
    const { largest } = this.#options;
    const free = this.#pacer.allowedAt(largest, now);
    let due = this.#beatAt;
    if (this.#repairs.length > 0) due = Math.min(due, Math.max(free, this.#repairPacer.allowedAt(largest, now)));
    if (this.#unsent) due = Math.min(due, Math.max(free, this.#newPacer.allowedAt(largest, now)));
    return due;
  }

  /** Sends nothing more, and lets go of the logs. */
  close(): void {
    this.#topics.removeInterest(this);
    for (const cursor of this.#cursors.values()) cursor.close();
    this.#cursors.clear();
    this.#queue = [];
    this.#table = [];
    this.#drop();
  }

  get #unsent(): boolean {
    return this.#carried.segment !== null || this.#queue.length > 0;
  }

  #join(topic: Topic, sequence: number): void {
    const cursor = new GroupCursor(this, topic, this.#index.next, sequence);
    this.#cursors.set(topic, cursor);
    this.#table.push(cursor);
    // The sooner receivers know it, the less they have to keep.
    this.#beatAt = this.#platform.now();
    this.#beatPause = firstBeat;
    this.wake();
  }

  /** A datagram of new messages; 0 when there are none. */
  #fill(bytes: Uint8Array, view: DataView): number {
    const end = this.#options.largest - this.#seal.length;
    let offset = datagramHeader;
    let flags: number = DatagramFlag.numbered;
    while (this.#carried.segment !== null || this.#takeNext(end - offset)) {
      const { segment, start, end: last } = this.#carried;
      const room = end - offset;
      if (this.#origin < 0 && last - start <= room) {
        offset = this.#put(bytes, offset, segment!, start, last, start);
        this.#drop();
        continue;
      }
      if (offset > datagramHeader) break;
      if (this.#origin < 0) this.#origin = start;
      const length = Math.min(last - start, room - fragmentHeader);
      flags |= DatagramFlag.fragment;
      offset = this.#putFragment(bytes, view, offset, segment!, start, start + length, this.#origin);
      this.#carried.start += length;
      if (this.#carried.length === 0) this.#drop();
      break;
    }
    if (offset === datagramHeader) return 0;
    this.counts.sent++;
    return this.#finish(bytes, view, offset, flags, this.#index.finish());
  }

  /** Takes the next frames of a log: they are carried until they have gone. Returns whether there were any. */
  #takeNext(most: number): boolean {
    while (this.#queue.length > 0) {
      const cursor = this.#queue.shift()!;
      cursor.queued = false;
      const outcome = cursor.take(most, this.#carried);
      if (outcome === "taken" || outcome === "lagged") this.add(cursor);
      if (outcome !== "taken" && outcome !== "drained") continue;
      this.#pool.pin(this.#carried.segment!);
      this.#carriedOf = cursor;
      return true;
    }
    return false;
  }

  /** What was carried has gone. */
  #drop(): void {
    const { segment } = this.#carried;
    if (segment !== null) this.#pool.unpin(segment);
    this.#carried.segment = null;
    this.#carriedOf = null;
    this.#origin = -1;
  }

  #put(bytes: Uint8Array, offset: number, segment: Segment, start: number, end: number, origin: number): number {
    bytes.set(segment.bytes.subarray(start, end), offset);
    this.#index.add(segment, start, end, origin);
    return offset + end - start;
  }

  #putFragment(
    bytes: Uint8Array,
    view: DataView,
    offset: number,
    segment: Segment,
    start: number,
    end: number,
    origin: number,
  ): number {
    writeFragment(view, offset, segment, start, origin);
    return this.#put(bytes, offset + fragmentHeader, segment, start, end, origin);
  }

  /** A datagram that was asked for again; 0 when none of those can be made. */
  #repair(bytes: Uint8Array, view: DataView, now: number): number {
    for (let repair = this.#repairs.shift(now); repair !== null; repair = this.#repairs.shift(now)) {
      let offset = datagramHeader;
      let flags: number = DatagramFlag.numbered | DatagramFlag.repair;
      const found = this.#index.find(repair.number, (segment, start, end, origin) => {
        if (origin !== start || segment.lengthAt(origin) > end - start) {
          flags |= DatagramFlag.fragment;
          writeFragment(view, offset, segment, start, origin);
          offset += fragmentHeader;
        }
        bytes.set(segment.bytes.subarray(start, end), offset);
        offset += end - start;
      });
      if (!found) {
        this.counts.expired++;
        continue;
      }
      this.to = repair.to;
      this.counts.repaired++;
      const length = this.#finish(bytes, view, offset, flags, repair.number);
      this.#pacer.spend(length);
      this.#repairPacer.spend(length);
      return length;
    }
    return 0;
  }

  #beat(bytes: Uint8Array, view: DataView, now: number): number {
    this.#beatAt = now + this.#beatPause;
    this.#beatPause = Math.min(lastBeat, 2 * this.#beatPause);
    const most = this.#options.largest - this.#seal.length - datagramHeader;
    const writer = this.#writer;
    writer.clear(true);
    const rows = writeBeat(writer, most, this.#platform.time(), this.#rows());
    this.#tableAt = this.#table.length === 0 ? 0 : (this.#tableAt + rows) % this.#table.length;
    bytes.set(writer.bytes(), datagramHeader);
    this.counts.beats++;
    return this.#finish(bytes, view, datagramHeader + writer.length, 0, this.#index.next);
  }

  /** The topic table, from where the last heartbeat ended. */
  *#rows(): Generator<BeatTopic> {
    for (let i = 0; i < this.#table.length; i++) {
      const cursor = this.#table[(this.#tableAt + i) % this.#table.length]!;
      const { topic, born, start } = cursor;
      yield { id: topic.id, name: topic.name, born, start, next: this.#nextOf(cursor) };
    }
  }

  /** Sequence of the first message of a topic that has not gone. */
  #nextOf(cursor: GroupCursor): number {
    const { segment, start } = this.#carried;
    if (segment === null || this.#carriedOf !== cursor) return cursor.sequence;
    return segment.sequenceAt(this.#origin < 0 ? start : this.#origin);
  }

  #finish(bytes: Uint8Array, view: DataView, end: number, flags: number, number: number): number {
    const { group, session } = this.#options;
    const header = { flags: flags | this.#seal.flag, group, session, counter: this.#counter++, number };
    writeDatagramHeader(bytes, view, 0, header);
    this.#seal.close(bytes, view, 0, end);
    const length = end + this.#seal.length;
    this.counts.bytes += length;
    return length;
  }

  /** New datagrams make room for repairs: while some wait, they slow down; then they go faster again. */
  #adapt(now: number): void {
    if (now < this.#adaptAt) return;
    this.#adaptAt = now + adaptInterval;
    const before = this.#share;
    this.#share = this.#repairs.length > burst ? Math.max(leastShare, before * 0.7) : Math.min(1, before * 1.1);
    if (this.#share !== before) this.#newPacer.setRate(this.#options.rate * this.#share, now);
  }
}

function writeFragment(view: DataView, offset: number, segment: Segment, start: number, origin: number): void {
  view.setUint32(offset, segment.lengthAt(origin), true);
  view.setUint32(offset + 4, start - origin, true);
}
