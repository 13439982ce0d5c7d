/**
 * One topic that a group brings, and a link where the group does not: every message is given on once and in order, or is
 * reported as missing.
 *
 * It is up to date, and frames pass through as the group brings them; or behind: then the group's frames are held until the
 * link has brought what was before them.
 *
 * @module
 */

import type { Batch } from "./batch.ts";
import type { Code } from "./codes.ts";
import type { TopicEvents } from "./group_topics.ts";
import type { MemoryBudget } from "./memory.ts";
import { Queue } from "./queue.ts";

/** Bytes that a held frame takes besides its own. */
const heldOverhead = 700;

/** Who gets what comes, in order. */
export type TopicDelivery = Pick<TopicEvents, "frame" | "gap">;

/** A frame that is ahead of what is missing. */
interface HeldFrame {
  readonly bytes: Uint8Array;
  readonly sequence: number;
  readonly next: number;
  readonly floor: number;
}

/** What was given on of a topic, and what is held of it. */
export class RepairedTopic {
  readonly name: string;
  /** On the server. */
  readonly id: number;
  /** Sequence of the next message to give on; 0 while that is not known. */
  next: number;
  #behind = false;
  /** While it is behind: the last message that the link has to bring, whatever is held. */
  #until = 0;
  readonly #held = new Queue<HeldFrame>();
  readonly #budget: MemoryBudget;
  readonly #receiver: TopicDelivery;

  /** @param budget for what is held */
  constructor(name: string, id: number, next: number, budget: MemoryBudget, receiver: TopicDelivery) {
    this.name = name;
    this.id = id;
    this.next = next;
    this.#budget = budget;
    this.#receiver = receiver;
  }

  /** Whether something is missing that the link is to bring. */
  get behind(): boolean {
    return this.#behind;
  }

  /** Messages up to `until` are missing: the link is to bring them. */
  misses(until: number): void {
    this.#behind = true;
    this.#until = Math.max(this.#until, until);
  }

  /** The group brought a frame: `sequence` to `next`, without what is below `floor`. It is valid during the call alone. */
  frame(
    bytes: Uint8Array,
    view: DataView,
    start: number,
    end: number,
    sequence: number,
    next: number,
    floor: number,
  ): void {
    if (next <= this.next) return;
    if (!this.#behind) this.#give(bytes, view, start, end, next, floor);
    else if (this.#budget.reserve(end - start + heldOverhead)) {
      this.#held.push({ bytes: bytes.slice(start, end), sequence, next, floor });
    } else {
      // There is no room: it comes over the link, and so does what was held of the topic.
      while (this.#held.length > 0) this.#release();
      this.misses(next - 1);
    }
  }

  /** The link brought a frame. */
  brought({ sequence, count, frame }: Batch): void {
    const next = sequence + count;
    if (next > this.next) this.#give(frame.bytes, frame.view, frame.start, frame.end, next, sequence);
  }

  /** Gives on what was held and is next. Returns whether it is up to date by that. */
  catchUp(): boolean {
    for (let first = this.#held.oldest; first !== undefined && first.sequence <= this.next; first = this.#held.oldest) {
      this.#giveHeld();
    }
    this.#behind = this.#held.length > 0 || this.next <= this.#until;
    return !this.#behind;
  }

  /** Messages up to `last` are not to be had. Those that are not held either are missing. */
  lose(last: number, code: Code): void {
    for (let first = this.#held.oldest; first !== undefined && first.sequence <= last + 1; first = this.#held.oldest) {
      this.#report(first.sequence - 1, code);
      this.#giveHeld();
    }
    this.#report(last, code);
  }

  /** What is missing stays so; what was held goes on behind it. */
  giveUp(code: Code): void {
    this.lose(Math.max(this.#until, (this.#held.newest?.next ?? 1) - 1), code);
    this.#behind = false;
  }

  #report(last: number, code: Code): void {
    if (last >= Math.max(1, this.next)) {
      // Where it would have begun is not known: nobody can tell how many they are.
      if (this.next === 0) this.#receiver.gap(this.name, last + 1, 0, code);
      else this.#receiver.gap(this.name, this.next, last, code);
    }
    this.next = Math.max(this.next, last + 1);
  }

  #giveHeld(): void {
    const { bytes, next, floor } = this.#release();
    if (next > this.next) this.#give(bytes, new DataView(bytes.buffer), 0, bytes.length, next, floor);
  }

  #release(): HeldFrame {
    const frame = this.#held.shift()!;
    this.#budget.release(frame.bytes.length + heldOverhead);
    return frame;
  }

  #give(bytes: Uint8Array, view: DataView, start: number, end: number, next: number, floor: number): void {
    const from = Math.max(floor, this.next);
    this.next = next;
    this.#receiver.frame(this.name, bytes, view, start, end, from);
  }
}
