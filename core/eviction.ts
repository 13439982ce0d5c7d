/**
 * Whose memory goes next when the budget is used up.
 *
 * @module
 */

import type { Topic } from "./topic.ts";

/**
 * The topics with segments, as a heap: those that have more than one first, then by memory, the most first.
 *
 * It is told of each segment that a log gets or loses, so that finding the next one does not look at all topics.
 */
export class EvictionQueue {
  readonly #heap: Topic[] = [];

  /** Takes note that a topic's log has got or lost a segment. */
  update(topic: Topic): void {
    if (topic.log.first === null) this.#remove(topic);
    else {
      if (topic.evictionIndex < 0) this.#place(topic, this.#heap.length);
      this.#rise(topic);
      this.#sink(topic);
    }
  }

  /** The topic whose oldest segment goes next: the first that no reader guards; `null` if there is none. */
  next(): Topic | null {
    return this.#find(0, null);
  }

  /** Looks below `index` for an evictable topic that comes before `best`. Only what is guarded is looked behind. */
  #find(index: number, best: Topic | null): Topic | null {
    const topic = this.#heap[index];
    if (topic === undefined || (best !== null && !comesBefore(topic, best))) return best;
    if (topic.evictable) return topic;
    return this.#find(2 * index + 2, this.#find(2 * index + 1, best));
  }

  #remove(topic: Topic): void {
    const index = topic.evictionIndex;
    if (index < 0) return;
    topic.evictionIndex = -1;
    const last = this.#heap.pop()!;
    if (last === topic) return;
    this.#place(last, index);
    this.#rise(last);
    this.#sink(last);
  }

  #rise(topic: Topic): void {
    let index = topic.evictionIndex;
    while (index > 0) {
      const above = (index - 1) >> 1;
      const other = this.#heap[above]!;
      if (!comesBefore(topic, other)) break;
      this.#place(other, index);
      index = above;
    }
    this.#place(topic, index);
  }

  #sink(topic: Topic): void {
    const heap = this.#heap;
    let index = topic.evictionIndex;
    for (;;) {
      let below = 2 * index + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && comesBefore(heap[below + 1]!, heap[below]!)) below++;
      const other = heap[below]!;
      if (!comesBefore(other, topic)) break;
      this.#place(other, index);
      index = below;
    }
    this.#place(topic, index);
  }

  #place(topic: Topic, index: number): void {
    this.#heap[index] = topic;
    topic.evictionIndex = index;
  }
}

/** Whether a topic's oldest segment goes before another's. The segment with a topic's newest frame goes last. */
function comesBefore(topic: Topic, other: Topic): boolean {
  const several = topic.log.first !== topic.log.last;
  if (several !== (other.log.first !== other.log.last)) return several;
  return topic.log.memory > other.log.memory;
}
