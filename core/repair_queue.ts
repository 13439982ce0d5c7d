/**
 * What receivers have asked for again: in which order it goes, and to whom. They take turns: who has missed much does not hold
 * up what others need.
 *
 * The first who asks gets its repair alone. When a second one asks for the same, before it went or soon after, it goes to
 * the whole group, and for a while whoever asks then is answered already.
 *
 * @module
 */

import type { AskedRange } from "./arrivals.ts";
import { Queue } from "./queue.ts";

/** For so many milliseconds after a repair went, others that ask are taken to have lost the same datagram. */
const together = 50;
/** The most datagrams that wait to be repaired, and that are remembered. What is asked for beyond that will be asked again. */
const mostWaiting = 4096;

/** One datagram that was asked for. */
interface Repair<A> {
  readonly number: number;
  /** Who gets it alone; `null` for the group. */
  to: A | null;
  /** Whether it waits to be sent. */
  waiting: boolean;
  /** When it was sent last; monotonic milliseconds. */
  sentAt: number;
}

/** Repairs, of each receiver in the order in which it asked for them. `A` is an address, compared by `===` of its text. */
export class RepairQueue<A extends { readonly text: string }> {
  readonly #repairs = new Map<number, Repair<A>>();
  /** Those that wait, by the address of who asked, in turn. One that two asked for stands twice. */
  readonly #waiting = new Map<string, Queue<Repair<A>>>();
  /** How many datagrams wait to be sent again. */
  length = 0;

  /**
   * Somebody asks.
   *
   * @returns how many of them are taken note of: the others went to the group just now, or there are too many
   */
  ask(ranges: readonly AskedRange[], from: A, now: number): number {
    let taken = 0;
    for (const { first, count } of ranges) {
      for (let number = first; number < first + count; number++) if (this.#ask(number, from, now)) taken++;
    }
    return taken;
  }

  /** What goes next, and to whom; `null` for nothing. */
  shift(now: number): { readonly number: number; readonly to: A | null } | null {
    for (const [asker, queue] of this.#waiting) {
      let repair = queue.shift();
      // What is left of those that went when it was another's turn.
      while (repair !== undefined && !repair.waiting) repair = queue.shift();
      // To the end of the turn, if there is more.
      this.#waiting.delete(asker);
      if (queue.length > 0) this.#waiting.set(asker, queue);
      if (repair === undefined) continue;
      repair.waiting = false;
      repair.sentAt = now;
      this.length--;
      this.#forgetOld(now);
      return repair;
    }
    return null;
  }

  #ask(number: number, from: A, now: number): boolean {
    const known = this.#repairs.get(number);
    const recent = known !== undefined && (known.waiting || now - known.sentAt < together);
    if (!recent) {
      if (this.length >= mostWaiting) return false;
      const repair = { number, to: from, waiting: false, sentAt: 0 };
      // Anew, so that the map is in the order of the newest requests.
      this.#repairs.delete(number);
      this.#repairs.set(number, repair);
      this.#push(repair, from);
      return true;
    }
    if (known.to === null) return known.waiting;
    const another = known.to.text !== from.text;
    if (!another && known.waiting) return true;
    if (!known.waiting && this.length >= mostWaiting) return false;
    if (another) known.to = null;
    this.#push(known, from);
    return true;
  }

  /** It waits for the turn of who asks for it: that may be a second one. */
  #push(repair: Repair<A>, { text }: A): void {
    let queue = this.#waiting.get(text);
    if (queue === undefined) this.#waiting.set(text, queue = new Queue());
    queue.push(repair);
    if (!repair.waiting) this.length++;
    repair.waiting = true;
  }

  #forgetOld(now: number): void {
    for (const [number, repair] of this.#repairs) {
      if (repair.waiting || now - repair.sentAt < together) return;
      this.#repairs.delete(number);
    }
  }
}
