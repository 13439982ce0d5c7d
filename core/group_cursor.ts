/**
 * A multicast group's place in one topic.
 *
 * @module
 */

import type { Platform } from "./connection.ts";
import { Cursor, type Slice } from "./cursor.ts";
import type { TakeOutcome } from "./output.ts";
import type { GuardedReader, Topic } from "./topic.ts";

/**
 * What was sent within so many milliseconds is kept for repairs where publishers are held. It is noted in steps of some, and
 * of a part of the bytes that are kept at most: else a fast group would keep little of that.
 */
const history = 2_000;
const historyStep = 100;
const historyParts = 16;

/** What a group's cursors need of it. */
export interface CursorOwner {
  readonly platform: Pick<Platform, "now">;
  /** Of each topic, how many bytes are kept at most for that. */
  readonly historyBytes: number;
  /** Whether topics are not to overtake it: publishers are held instead, for a bounded time. */
  readonly holds: boolean;
  /** When it last sent something new; monotonic milliseconds. */
  readonly movedAt: number;
  /** A cursor has something to send. */
  add(cursor: GroupCursor): void;
  /** Messages will not be sent: retention was faster. */
  lagged(topic: Topic, first: number, last: number): void;
  /** It held publishers for too long, and is not to for a while. */
  expelled(): void;
}

/** One topic of one group. Receivers see what it missed from the sequences of what comes after. */
export class GroupCursor implements GuardedReader {
  readonly topic: Topic;
  readonly #owner: CursorOwner;
  readonly #cursor: Cursor;
  /** Bytes taken, and at some times of late how far it was then; oldest first. */
  #taken = 0;
  readonly #marks: { readonly at: number; readonly sequence: number; readonly taken: number }[] = [];
  /** Whether it stands in the queue of its group. Set by that alone. */
  queued = false;
  waitIndex = -1;
  /** Which number the group's next datagram had when the topic joined it, and the first sequence that was to be sent. */
  readonly born: number;
  readonly start: number;

  /**
   * @param sequence of the first message to send
   * @param start of the first that was to be sent: those between are told to be missing
   */
  constructor(owner: CursorOwner, topic: Topic, born: number, sequence: number, start: number = sequence) {
    this.topic = topic;
    this.born = born;
    this.start = start;
    this.#owner = owner;
    this.#cursor = new Cursor(topic.log, sequence);
    topic.readers++;
    topic.guard(this);
    if (this.#cursor.caughtUp) topic.wait(this);
    else owner.add(this);
  }

  /** Sequence of the next message to send. */
  get next(): number {
    return this.#cursor.sequence;
  }

  /** What the topic may not drop while publishers are held: some of what was sent, too, so that it can be sent again. */
  get sequence(): number {
    const marks = this.#marks;
    const oldest = this.#owner.platform.now() - history;
    let past = 0;
    while (
      past < marks.length && (marks[past]!.at < oldest || this.#taken - marks[past]!.taken > this.#owner.historyBytes)
    ) {
      past++;
    }
    if (past > 0) marks.splice(0, past);
    return marks[0]?.sequence ?? this.next;
  }

  get holds(): boolean {
    return this.#owner.holds;
  }

  get movedAt(): number {
    return this.#owner.movedAt;
  }

  wake(): void {
    this.#owner.add(this);
  }

  /** Takes the next frames: at most `most` bytes of them, or one larger frame alone. */
  take(most: number, into: Slice): TakeOutcome {
    const cursor = this.#cursor;
    if (this.holds) this.#mark();
    const outcome = cursor.read(most, into);
    if (outcome === "taken") this.#taken += into.length;
    if (outcome === "lagged") this.#owner.lagged(this.topic, cursor.missedFirst, cursor.missedLast);
    if (outcome !== "lagged" && cursor.caughtUp) {
      this.topic.wait(this);
      return outcome === "taken" ? "drained" : "empty";
    }
    return outcome;
  }

  #mark(): void {
    const at = this.#owner.platform.now();
    const newest = this.#marks.at(-1);
    const part = this.#owner.historyBytes / historyParts;
    if (newest !== undefined && at - newest.at < historyStep && this.#taken - newest.taken < part) return;
    this.#marks.push({ at, sequence: this.next, taken: this.#taken });
    if (this.#marks.length > 2 * (history / historyStep + historyParts)) this.#marks.shift();
  }

  overtaken(): void {
    // Reading tells what was missed.
  }

  expelled(): void {
    this.#owner.expelled();
  }

  /** It leaves its topic. */
  close(): void {
    this.topic.unwait(this);
    this.topic.readers--;
    this.topic.unguard(this);
  }
}
