/**
 * A topic: its log, who publishes to it and who reads it.
 *
 * @module
 */

import { codecNames } from "./codec.ts";
import type { AppendOutcome, Retention } from "./log.ts";
import { TopicLog } from "./log.ts";
import type { SegmentPool } from "./segment_pool.ts";

/** The numbers of one publisher in one topic: what makes a frame that comes again recognisable. */
export class PublisherNumbers {
  /** The publisher's id, in hexadecimal. */
  readonly publisher: string;
  /** The last number that was appended, or refused. */
  last = 0;
  /** The last number that was refused. */
  lastRefused = 0;
  /** When it was last used; monotonic milliseconds. */
  usedAt = 0;
  /** Sessions that publish under it now: 0 or 1, and 2 for the moment in which one replaces another. */
  sessions = 0;

  constructor(publisher: string) {
    this.publisher = publisher;
  }
}

/** A reader of a topic, as the topic sees it. */
export interface Reader {
  /** Sequence of the next message it will read. */
  readonly sequence: number;
  /** Where it stands in {@linkcode Topic.waiting}; -1 while it has something to read. Set by the topic alone. */
  waitIndex: number;
  /** There are new frames. Only takes note of it: reads nothing before the topic is done. */
  wake(): void;
}

/** A reader that something happens to before retention overtakes it. */
export interface GuardedReader extends Reader {
  /** Whether it may not be overtaken (policy `wait`); otherwise it is told (policy `disconnect`). */
  readonly holds: boolean;
  /** When it last moved; monotonic milliseconds. */
  readonly movedAt: number;
  /** It was overtaken. */
  overtaken(): void;
  /** It held publishers for too long. */
  expelled(): void;
}

/** Something that waits until a topic can take its frames again: a publisher's held frames. */
export interface Held {
  /** Tries to append one frame; returns whether it could, or had none. */
  retry(): boolean;
  /** Whether there are more. */
  readonly pending: boolean;
}

/** A topic. Declared ones exist without a message; the first append creates the topic for everyone else. */
export class Topic {
  readonly name: string;
  /** Its number on the wire; never used again. */
  readonly id: number;
  readonly log: TopicLog;
  /** Its place in the order of creation, from 1; 0 while it is only declared. */
  ordinal = 0;
  /** The codecs that frames of it were compressed by, as features. */
  codecs = 0;
  /** When something last happened to it; monotonic milliseconds. */
  usedAt: number;
  /** Numbers of its publishers: few, looked through when one declares the topic. A map would cost each topic more. */
  publishers: PublisherNumbers[] = [];
  /** Readers of any kind, in number. */
  readers = 0;
  /** Readers that have everything. */
  readonly waiting: Reader[] = [];
  /** Readers with the policy `wait` or `disconnect`. */
  readonly guarded: GuardedReader[] = [];
  /** Frames that could not be appended, in turn; each publisher's own are in order. */
  readonly held: Held[] = [];
  /** Since when publishers are held; monotonic milliseconds. */
  heldSince = 0;
  /** Where it stands in an `EvictionQueue`; -1 while it has no memory. Set by the queue alone. */
  evictionIndex = -1;

  constructor(name: string, id: number, pool: SegmentPool, retention: Retention, now: number) {
    this.name = name;
    this.id = id;
    this.log = new TopicLog(pool, retention);
    this.usedAt = now;
  }

  /** Appends a frame and wakes the readers. See {@linkcode TopicLog.append}. */
  append(source: Uint8Array, start: number, length: number, count: number, time: number, beyond = 0): AppendOutcome {
    const kept = this.log.firstSequence;
    const outcome = this.log.append(source, start, length, count, time, beyond);
    if (outcome === "appended" && this.waiting.length > 0) this.#wake();
    if (this.guarded.length > 0 && this.log.firstSequence !== kept) this.tellOvertaken();
    return outcome;
  }

  /** Why somebody who knows these codecs, as features, cannot be sent its frames; `null` where that is not so. */
  unreadable(codecs: number): string | null {
    const unknown = this.codecs & ~codecs;
    if (unknown === 0) return null;
    // A long name may be cut off: it stands last.
    return `the subscriber does not know ${codecNames(unknown)}, by which frames are compressed of topic ${this.name}`;
  }

  /** Adds a reader that has everything. */
  wait(reader: Reader): void {
    if (reader.waitIndex >= 0) return;
    reader.waitIndex = this.waiting.length;
    this.waiting.push(reader);
  }

  /** Takes a reader out of {@linkcode waiting}, if it is there. */
  unwait(reader: Reader): void {
    const index = reader.waitIndex;
    if (index < 0) return;
    const last = this.waiting.pop()!;
    if (last !== reader) {
      this.waiting[index] = last;
      last.waitIndex = index;
    }
    reader.waitIndex = -1;
  }

  /** Adds a guarded reader. */
  guard(reader: GuardedReader): void {
    this.guarded.push(reader);
    this.log.guards ??= (sequence) => this.#guards(sequence);
  }

  /** Removes a guarded reader. */
  unguard(reader: GuardedReader): void {
    const index = this.guarded.indexOf(reader);
    if (index >= 0) this.guarded.splice(index, 1);
    if (this.guarded.length === 0) this.log.guards = null;
  }

  /** Whether it has a segment, and no reader forbids dropping the oldest. */
  get evictable(): boolean {
    return this.log.first !== null && !this.#guards(this.log.first.nextSequence);
  }

  /** Drops the oldest segment for its memory. */
  evict(): void {
    this.log.dropFirst();
    this.tellOvertaken();
  }

  /** Drops what is older than retention allows; `time` in Unix microseconds. */
  expire(time: number): void {
    const kept = this.log.firstSequence;
    this.log.expire(time);
    if (this.log.firstSequence !== kept) this.tellOvertaken();
  }

  /** Tells the readers that were overtaken and asked to be told. */
  tellOvertaken(): void {
    const first = this.log.firstSequence;
    for (const reader of this.guarded.slice()) {
      if (!reader.holds && reader.sequence < first) reader.overtaken();
    }
  }

  /**
   * Closes the readers that have held publishers for `maxWait` without moving.
   *
   * @param now monotonic milliseconds
   * @param heldSince since when, if not for a frame of this topic
   */
  expel(now: number, maxWait: number, heldSince: number = this.heldSince): void {
    const first = this.log.first;
    if (first === null || this.guarded.length === 0) return;
    for (const reader of this.guarded.slice()) {
      if (!reader.holds || reader.sequence >= first.nextSequence) continue;
      if (now - Math.max(reader.movedAt, heldSince) >= maxWait) reader.expelled();
    }
  }

  /** Tries the frames that could not be appended, a frame of each publisher in turn. Returns whether none is left. */
  retry(): boolean {
    while (this.held.length > 0) {
      const publisher = this.held[0]!;
      if (!publisher.retry()) return false;
      // Room for the frame may have cost a session its life, and this publisher with it.
      if (this.held[0] !== publisher) continue;
      this.held.shift();
      if (publisher.pending) this.held.push(publisher);
    }
    return true;
  }

  /** Whether nothing would be missed if it were forgotten: no messages, no publishers, every reader has everything. */
  get unused(): boolean {
    return this.log.first === null && this.held.length === 0 && this.waiting.length === this.readers &&
      !this.publishers.some((numbers) => numbers.sessions > 0);
  }

  #wake(): void {
    for (const reader of this.waiting) {
      reader.waitIndex = -1;
      reader.wake();
    }
    this.waiting.length = 0;
  }

  #guards(sequence: number): boolean {
    return this.guarded.some((reader) => reader.holds && reader.sequence < sequence);
  }
}
