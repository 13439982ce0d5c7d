/**
 * A queue in an array: what is taken out leaves a gap at the front, which is closed now and then.
 *
 * @module
 */

/** A gap of so many is closed once it is half of the array: each closing is paid for by what was taken out. */
const largestGap = 1024;

/** First in, first out. `undefined` cannot stand in it. */
export class Queue<T> {
  #items: (T | undefined)[] = [];
  #head = 0;

  /** How many stand in it. */
  get length(): number {
    return this.#items.length - this.#head;
  }

  /** The one that comes next; `undefined` when there is none. */
  get oldest(): T | undefined {
    return this.#items[this.#head];
  }

  /** The one that came last; `undefined` when there is none. */
  get newest(): T | undefined {
    return this.length === 0 ? undefined : this.#items[this.#items.length - 1];
  }

  /** Adds one at the end. */
  push(item: T): void {
    this.#items.push(item);
  }

  /** Takes out the first; `undefined` when there is none. */
  shift(): T | undefined {
    if (this.length === 0) return undefined;
    const item = this.#items[this.#head];
    // Its memory is not kept by the gap.
    this.#items[this.#head++] = undefined;
    if (this.#head === this.#items.length) this.#items.length = this.#head = 0;
    else if (this.#head >= largestGap && this.#head * 2 >= this.#items.length) {
      // One that is always a little behind is never empty.
      this.#items.splice(0, this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** Puts one before all others. */
  unshift(item: T): void {
    if (this.#head > 0) this.#items[--this.#head] = item;
    else this.#items.unshift(item);
  }

  /** Keeps those that `keep` wants, in their order. It is asked once for each. */
  filter(keep: (item: T) => boolean): void {
    this.#items = (this.#items.slice(this.#head) as T[]).filter(keep);
    this.#head = 0;
  }
}
