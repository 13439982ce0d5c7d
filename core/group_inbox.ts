/**
 * What came of a group and was not read yet: a bounded number of bytes. A group cannot be asked to pause; what there is no room
 * for is lost, and reported once there is.
 *
 * @module
 */

import { readU64 } from "./bytes.ts";
import { Code } from "./codes.ts";
import { at } from "./frame.ts";
import { FrameCopies } from "./frame_copies.ts";
import { Inbox } from "./inbox.ts";
import type { Sink } from "./log_repair.ts";
import { largestMessage } from "./limits.ts";
import { MemoryBudget } from "./memory.ts";
import { SegmentPool } from "./segment_pool.ts";

/** Bytes of memory for what was not read: a message of the largest size fits while another is read. */
export const unreadMemory = 2 * largestMessage;
/** Gaps and runs of messages that wait to be read. Each takes memory of its own, about 100 bytes. */
const mostEntries = 262_144;
/** What could not be taken is reported, and what can wait goes on, when no more than this part of both is used. */
const roomyPart = 1 / 4;

/** The unread messages of all senders of a group, in the order in which they came. */
export class GroupInbox {
  /** What is to be read. */
  readonly inbox: Inbox;
  readonly #copies: FrameCopies;
  readonly #arrived: () => void;
  readonly #sources = new Set<InboxSource>();
  #waiting: (() => void)[] = [];

  /** @param arrived called when there is something to read */
  constructor(arrived: () => void) {
    const pool = new SegmentPool(new MemoryBudget(unreadMemory));
    this.inbox = new Inbox(pool);
    this.#copies = new FrameCopies(pool);
    this.#arrived = arrived;
  }

  /** Where one sender's messages go. */
  open(): InboxSource {
    const source = new InboxSource(this);
    this.#sources.add(source);
    return source;
  }

  /** A sender has nothing more. */
  close(source: InboxSource): void {
    this.#sources.delete(source);
    this.#arrived();
  }

  /** Messages will not come; it is not known how many. */
  miss(topic: string, code: Code): void {
    this.inbox.miss(topic, 0, 0, code);
    this.#arrived();
  }

  /** The server was restarted. */
  restart(): void {
    this.inbox.restart();
    this.#arrived();
  }

  /** Part of it was read: there may be room for what waits. */
  goOn(): void {
    for (const source of this.#sources) source.tell();
    if (!this.roomy) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  /** Forgets everything. */
  clear(): void {
    this.inbox.clear();
    this.#copies.close();
    for (const resolve of this.#waiting) resolve();
  }

  /** Takes a frame. Returns whether there was room. */
  take(topic: string, bytes: Uint8Array, start: number, end: number, sequence: number, floor: number): boolean {
    const copies = this.#copies;
    const taken = this.inbox.length < mostEntries && copies.add(bytes, start, end);
    if (taken) this.inbox.take(topic, copies.segment!, copies.start, copies.start + end - start, sequence, floor);
    this.#arrived();
    return taken;
  }

  /** Takes a gap. Returns whether there was room. */
  gap(topic: string, first: number, last: number, code: Code): boolean {
    const taken = this.inbox.length < mostEntries;
    if (taken) this.inbox.miss(topic, first, last, code);
    this.#arrived();
    return taken;
  }

  /** Whether little is unread. */
  get roomy(): boolean {
    return this.inbox.bytes <= roomyPart * unreadMemory && this.inbox.length <= roomyPart * mostEntries;
  }

  /** Waits until there is room for more. */
  room(): Promise<void> | null {
    return this.roomy ? null : new Promise((resolve) => this.#waiting.push(resolve));
  }
}

/** One sender's part of an inbox. */
export class InboxSource implements Sink {
  readonly #to: GroupInbox;
  /** Of topics, what was lost since there was no room for it, and not reported yet. */
  readonly #missed = new Map<string, { readonly first: number; last: number }>();

  constructor(to: GroupInbox) {
    this.#to = to;
  }

  frame(topic: string, bytes: Uint8Array, view: DataView, start: number, end: number, floor: number): void {
    this.tell();
    const sequence = readU64(view, start + at.sequence);
    const room = !this.#missed.has(topic) && this.#to.take(topic, bytes, start, end, sequence, floor);
    if (!room) this.#miss(topic, floor, sequence + view.getUint16(start + at.count, true) - 1);
  }

  gap(topic: string, first: number, last: number, code: Code): void {
    this.tell();
    if (this.#missed.has(topic) || !this.#to.gap(topic, first, last, code)) this.#miss(topic, first, last);
  }

  room(): Promise<void> | null {
    return this.#to.room();
  }

  /** Nothing more comes: what was lost is reported now, since nobody would later. */
  close(): void {
    this.tell(true);
    this.#to.close(this);
  }

  /** Reports what was lost, as far as there is room for it, or `anyway`. */
  tell(anyway = false): void {
    if (this.#missed.size === 0) return;
    for (const [topic, { first, last }] of this.#missed) {
      if (!anyway && !this.#to.roomy) return;
      this.#missed.delete(topic);
      this.#to.inbox.miss(topic, first, last, Code.lagged);
    }
  }

  #miss(topic: string, first: number, last: number): void {
    const known = this.#missed.get(topic);
    if (known === undefined) this.#missed.set(topic, { first, last });
    else known.last = Math.max(known.last, last);
  }
}
