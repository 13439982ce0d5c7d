/**
 * The numbered datagrams of one session, put in order: what came early is kept, what is missing is asked for, and what does
 * not come is given up in the end.
 *
 * No sockets and no clock: it is told what came and when, and says what to ask for.
 *
 * @module
 */

import { backoff } from "./backoff.ts";
import type { MemoryBudget } from "./memory.ts";
import { Missing, type MissingRange } from "./missing.ts";
import { Reorder } from "./reorder.ts";

/** The most ranges of one request, and the most datagrams that it asks for. */
export const mostRanges = 16;
export const mostAsked = 256;
/** The most datagrams that were asked for and have not come: while one answer comes the next one is on its way. */
const mostOutstanding = 2 * mostAsked;
/** How long before something is asked for a second time, and the longest that this grows to; milliseconds. */
const firstRetry = 20;
const longestRetry = 160;
/** While others are repaired what was asked for is waited for so many times as long. */
const mostTurns = 9;
/** What would be asked for within so many milliseconds goes with a request that is made anyway. */
const coalesced = 5;
/** Bytes of memory that a range takes which is missing, about. */
const rangeMemory = 64;

/** How arrivals are treated. */
export interface ArrivalOptions {
  /** How far ahead of the one that is waited for a datagram may be to be kept; in number. */
  readonly span: number;
  /** The largest datagram that is kept, in bytes. */
  readonly largest: number;
  /**
   * Before a missing datagram is asked for a random time passes of up to this many milliseconds: it may only be late, or
   * another receiver may be as quick to ask for it.
   */
  readonly wait: number;
  /** For how many milliseconds a datagram is missed, and none is repaired, before it is given up. */
  readonly patience: number;
  /** Whether anything is asked for. */
  readonly repair: boolean;
  /** What the memory for datagrams that came early is taken from, where it is shared. */
  readonly early?: MemoryBudget;
}

/** Who gets what came. */
export interface Delivery {
  /** The next datagram, header included. Valid during the call alone. */
  deliver(bytes: Uint8Array, view: DataView, start: number, end: number): void;
  /** These will not come. */
  lost(first: number, last: number): void;
}

/** Numbers that are asked for. */
export interface AskedRange {
  readonly first: number;
  readonly count: number;
}

/**
 * What became of a datagram: given on, perhaps with others behind it; kept; there before; or ahead of the others and not
 * kept, since it is too far ahead or too large, or there is no memory for it.
 */
export type Arrival = "delivered" | "kept" | "double" | "ahead";

/** Puts one session's datagrams in order. */
export class Arrivals {
  /** How many datagrams did not come in time, so that they were asked for or given up; and how many of them were given up. */
  missed = 0;
  lost = 0;
  readonly #options: ArrivalOptions;
  readonly #delivery: Delivery;
  readonly #random: () => number;
  readonly #reorder: Reorder;
  readonly #missing = new Missing();
  /** The highest number that is known to exist. */
  #known: number;
  /** How many of those that were asked for have not come. */
  #outstanding = 0;
  /** When there may be something to ask for. */
  #askAt = Infinity;
  /** The first number that has to wait until more of what was asked for has come; 0 for none. */
  #blocked = 0;
  /** When the last repair came, of whatever, while something was asked for. */
  #repairedAt = -Infinity;
  /** The last of those that were asked for, and when it came: what was asked for behind it is on its way. */
  #answer = 0;
  #answeredAt = -Infinity;

  /**
   * @param next the number that is to come first
   * @param random at least 0, less than 1
   */
  constructor(next: number, options: ArrivalOptions, delivery: Delivery, random: () => number) {
    this.#options = options;
    this.#delivery = delivery;
    this.#random = random;
    this.#reorder = new Reorder(next, options.span, options.largest, options.early);
    this.#known = next - 1;
  }

  /** The number that is waited for. */
  get next(): number {
    return this.#reorder.next;
  }

  /** How many datagrams are missing now. */
  get missing(): number {
    return this.#missing.count;
  }

  /** Bytes of memory that it takes. */
  get memory(): number {
    return this.#reorder.memory + this.#missing.ranges.length * rangeMemory;
  }

  /**
   * A datagram of this session came.
   *
   * @param repair whether it was sent because somebody asked for it
   * @param now monotonic milliseconds
   */
  received(
    number: number,
    repair: boolean,
    bytes: Uint8Array,
    view: DataView,
    start: number,
    end: number,
    now: number,
  ): Arrival {
    const reorder = this.#reorder;
    if (repair && this.#outstanding > 0) this.#repairedAt = now;
    if (number < reorder.next || reorder.has(number)) return "double";
    if (!this.#options.repair) this.#makeRoom(number, now);
    const ahead = number >= reorder.next + reorder.span ||
      (number > reorder.next && (end - start > this.#options.largest || !reorder.makeRoom(number)));
    if (number > this.#known) {
      // What cannot be kept is missing like those before it: it is asked for when its turn comes.
      this.#miss(ahead ? number : number - 1, now);
      this.#known = number;
    } else if (!ahead && this.#found(number) && repair) {
      this.#answer = number;
      this.#answeredAt = now;
    }
    if (ahead) return "ahead";
    if (number > reorder.next) {
      reorder.put(number, bytes, start, end);
      this.#unblock();
      return "kept";
    }
    reorder.skipTo(number + 1);
    this.#delivery.deliver(bytes, view, start, end);
    this.#deliverKept();
    this.#unblock();
    return "delivered";
  }

  /** Nothing more comes: what came early is forgotten. */
  close(): void {
    this.#reorder.close();
  }

  /** The sender said which number its next datagram will have. */
  announced(next: number, now: number): void {
    if (next - 1 <= this.#known) return;
    this.#miss(next - 1, now);
    this.#known = next - 1;
  }

  /** The sender cannot send these again: they are given up when their turn comes. */
  gone(first: number, last: number): void {
    for (const range of this.#missing.within(first, last)) {
      if (range.tries > 0) {
        const count = range.last - range.first + 1;
        this.#outstanding -= count;
        // They are counted when they are given up.
        this.missed -= count;
      }
      range.tries = 0;
      range.since = -Infinity;
    }
    this.#unblock();
  }

  /** Gives up what is missing for too long, or gone. */
  expire(now: number): void {
    for (;;) {
      const oldest = this.#missing.ranges[0];
      if (oldest === undefined || now < this.#endOf(oldest)) return;
      this.#giveUp(oldest, oldest.last);
    }
  }

  /**
   * What to ask for now, in one request. There may be more for another.
   *
   * @returns at most {@linkcode mostRanges} ranges of together at most {@linkcode mostAsked} numbers; empty for nothing
   */
  ask(now: number): AskedRange[] {
    const asked: AskedRange[] = [];
    if (!this.#options.repair || now < this.#askAt) return asked;
    const { ranges } = this.#missing;
    let room = mostAsked;
    let inTurn = true;
    for (let index = 0; index < ranges.length && room > 0 && asked.length < mostRanges; index++) {
      const range = ranges[index]!;
      if (range.due > now + coalesced || range.since === -Infinity || this.#comes(range, now)) continue;
      if (range.tries === 0 && !inTurn) continue;
      const most = this.#affordable(range, room);
      if (most === 0) {
        inTurn = false;
        continue;
      }
      if (most <= range.last - range.first) this.#missing.split(index, most);
      const count = range.last - range.first + 1;
      if (range.tries === 0) {
        this.#outstanding += count;
        this.missed += count;
      }
      range.due = now + this.#pause(range.tries++);
      asked.push({ first: range.first, count });
      room -= count;
    }
    this.#schedule();
    return asked;
  }

  /** When to {@linkcode expire} next; `Infinity` while nothing is missing. */
  get endAt(): number {
    const oldest = this.#missing.ranges[0];
    return oldest === undefined ? Infinity : this.#endOf(oldest);
  }

  /** When to {@linkcode expire} and {@linkcode ask} next, if nothing comes before; `Infinity` while nothing is missing. */
  get dueAt(): number {
    if (this.#missing.count === 0) return Infinity;
    return this.#options.repair ? Math.min(this.endAt, this.#askAt) : this.endAt;
  }

  /** Where nothing is repaired, what is missing is not worth that a new datagram is dropped: the oldest is given up for it. */
  #makeRoom(number: number, now: number): void {
    while (number >= this.#reorder.next + this.#reorder.span) {
      if (this.#known < number - 1) {
        this.#miss(number - 1, now);
        this.#known = number - 1;
      }
      const oldest = this.#missing.ranges[0]!;
      this.#giveUp(oldest, Math.min(oldest.last, number - 1));
    }
  }

  /** Gives up the oldest range that is missing, up to a number. */
  #giveUp({ first, tries }: MissingRange, last: number): void {
    if (tries > 0) this.#outstanding -= last - first + 1;
    else this.missed += last - first + 1;
    this.#missing.removeBelow(last + 1);
    this.#reorder.skipTo(last + 1);
    this.lost += last - first + 1;
    this.#delivery.lost(first, last);
    this.#deliverKept();
    this.#unblock();
  }

  /** Looks when there is something to ask for. Others may come before that, but none is forgotten. */
  #schedule(): void {
    this.#askAt = Infinity;
    this.#blocked = 0;
    for (const range of this.#missing.ranges) {
      if (range.since === -Infinity || (range.tries === 0 && this.#blocked > 0)) continue;
      if (this.#affordable(range, mostAsked) > 0) this.#askAt = Math.min(this.#askAt, range.due);
      else if (this.#blocked === 0) this.#blocked = range.first;
    }
  }

  /** Whether what had to wait has to no more: enough has come of what was asked for before. */
  #unblock(): void {
    if (this.#blocked === 0 || this.#outstanding > mostOutstanding - mostAsked) return;
    const { next, span } = this.#reorder;
    if (this.#blocked + Math.min(mostAsked, span) > next + span) return;
    this.#blocked = 0;
    this.#askAt = 0;
  }

  /** How many of a range's first numbers may be asked for, in a request that has room for so many. */
  #affordable(range: MissingRange, room: number): number {
    const count = range.last - range.first + 1;
    if (range.tries > 0) return Math.min(count, room);
    // A long range goes in whole requests, or as it comes each datagram would make room for a request of its own. And what
    // could not be kept is not asked for yet.
    const { next, span } = this.#reorder;
    const piece = Math.min(count, mostAsked, span);
    const most = Math.min(room, mostOutstanding - this.#outstanding, next + span - range.first);
    return piece <= most ? piece : 0;
  }

  /** Numbers up to `last` are missing, from the highest that is known. */
  #miss(last: number, now: number): void {
    if (last <= this.#known) return;
    const due = now + backoff(this.#random(), this.#options.wait);
    this.#missing.add(this.#known + 1, last, now, due);
    this.#askAt = Math.min(this.#askAt, due);
  }

  /** A number that may be missing has come. Returns whether it was asked for. */
  #found(number: number): boolean {
    const range = this.#missing.remove(number);
    if (range === null || range.tries === 0) return false;
    this.#outstanding--;
    return true;
  }

  /** Whether what is to be asked for again is on its way: what was asked for before it comes just now. Then it has time. */
  #comes(range: MissingRange, now: number): boolean {
    if (range.tries === 0 || range.first < this.#answer || now >= this.#answeredAt + firstRetry) return false;
    range.due = this.#answeredAt + firstRetry;
    return true;
  }

  /**
   * When a range is given up: when nothing has come for so long that was asked for. While others are repaired it may only have
   * to wait for its turn, though not for ever; and of what cannot be repaired the sender says so.
   */
  #endOf({ since }: MissingRange): number {
    if (since === -Infinity) return since;
    const { patience } = this.#options;
    const answered = Math.max(since, this.#answeredAt);
    return Math.max(answered, Math.min(this.#repairedAt, answered + mostTurns * patience)) + patience;
  }

  #deliverKept(): void {
    while (this.#reorder.shift(this.#deliver));
  }

  readonly #deliver = (bytes: Uint8Array, view: DataView, start: number, end: number): void => {
    this.#delivery.deliver(bytes, view, start, end);
  };

  /** How long to wait for an answer, after so many tries: longer each time, and not the same for all receivers. */
  #pause(tries: number): number {
    return Math.min(longestRetry, firstRetry * 2 ** tries) * (0.75 + this.#random() / 2);
  }
}
