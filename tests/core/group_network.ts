/** What groups of the tests live in: a virtual calendar, and a network that loses, doubles, delays and reorders. */

import type { Random } from "./fixtures.ts";

/** The group's id. */
export const group = 7;
/** Bytes of the largest datagram. */
export const largest = 1400;

/** What the network does to each datagram, on its own for each who is to get it. */
export interface Weather {
  /** Of a hundred. */
  readonly loss: number;
  readonly doubled: number;
  /** Milliseconds that a datagram may take beyond the one that it takes at least. */
  readonly jitter: number;
}

export const calm: Weather = { loss: 0, doubled: 0, jitter: 0 };
/** Nothing arrives. */
export const cutOff: Weather = { ...calm, loss: 100 };

interface Entry {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** What is to happen, in the order of its time; what is due together, in the order in which it was asked for. */
export class Calendar {
  readonly #heap: Entry[] = [];
  #order = 0;

  /** When something happens next; `Infinity` when nothing is to. */
  get dueAt(): number {
    return this.#heap[0]?.at ?? Infinity;
  }

  /** Something is to happen at a time. */
  at(time: number, run: () => void): void {
    const heap = this.#heap;
    const entry = { at: time, order: this.#order++, run };
    let index = heap.length;
    while (index > 0) {
      const above = (index - 1) >> 1;
      if (!before(entry, heap[above]!)) break;
      heap[index] = heap[above]!;
      index = above;
    }
    heap[index] = entry;
  }

  /** Lets happen what is due, and what becomes due by that. */
  run(now: number): void {
    while (this.dueAt <= now) this.#shift().run();
  }

  #shift(): Entry {
    const heap = this.#heap;
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return first;
    let index = 0;
    for (;;) {
      let below = 2 * index + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && before(heap[below + 1]!, heap[below]!)) below++;
      if (!before(heap[below]!, last)) break;
      heap[index] = heap[below]!;
      index = below;
    }
    heap[index] = last;
    return first;
  }
}

function before(one: Entry, other: Entry): boolean {
  return one.at < other.at || (one.at === other.at && one.order < other.order);
}

/** Carries a datagram through the weather: `arrive` happens once, never, or twice. */
export function carry(calendar: Calendar, random: Random, weather: Weather, now: number, arrive: () => void): void {
  const { loss, doubled, jitter } = weather;
  const copies = random.chance(doubled / 100) ? 2 : 1;
  for (let copy = 0; copy < copies; copy++) {
    if (random.chance(loss / 100)) continue;
    calendar.at(now + 1 + random.below(jitter + 1), arrive);
  }
}
