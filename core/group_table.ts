/**
 * The topic table of a group's sender, which heartbeats tell piece by piece.
 *
 * @module
 */

import type { GroupCursor } from "./group_cursor.ts";
import type { BeatTopic } from "./group_frames.ts";

/** Topics in turn, and before them those that somebody asked for. */
export class GroupTable {
  readonly #nextOf: (cursor: GroupCursor) => number;
  #cursors: GroupCursor[] = [];
  /** Where the next piece begins. */
  #at = 0;
  readonly #asked = new Set<GroupCursor>();

  /** @param nextOf sequence of the first message of a topic that was not sent */
  constructor(nextOf: (cursor: GroupCursor) => number) {
    this.#nextOf = nextOf;
  }

  /** Whether there are topics that somebody asked for. */
  get asked(): boolean {
    return this.#asked.size > 0;
  }

  /** A topic joined the group: it is told with the next piece. */
  add(cursor: GroupCursor): void {
    this.#cursors.push(cursor);
    this.#asked.add(cursor);
  }

  /** A topic is no more. */
  remove(cursor: GroupCursor): void {
    this.#cursors = this.#cursors.filter((other) => other !== cursor);
    this.#asked.delete(cursor);
  }

  /** A topic is told with the next piece. */
  ask(cursor: GroupCursor): void {
    this.#asked.add(cursor);
  }

  /** All topics are told with the next pieces. */
  askAll(): void {
    for (const cursor of this.#cursors) this.#asked.add(cursor);
  }

  /** The rows that are to be told next, first ones first: {@linkcode told} says how many were. */
  *rows(): Generator<BeatTopic> {
    for (const cursor of this.#asked) yield this.#row(cursor);
    for (let i = 0; i < this.#cursors.length; i++) {
      const cursor = this.#cursors[(this.#at + i) % this.#cursors.length]!;
      if (!this.#asked.has(cursor)) yield this.#row(cursor);
    }
  }

  /** So many rows were told. */
  told(rows: number): void {
    for (const cursor of this.#asked) {
      if (rows === 0) return;
      this.#asked.delete(cursor);
      rows--;
    }
    this.#at = this.#cursors.length === 0 ? 0 : (this.#at + rows) % this.#cursors.length;
  }

  /** Forgets everything. */
  clear(): void {
    this.#cursors = [];
    this.#asked.clear();
  }

  #row(cursor: GroupCursor): BeatTopic {
    const { topic, born, start } = cursor;
    return { id: topic.id, name: topic.name, born, start, next: this.#nextOf(cursor) };
  }
}
