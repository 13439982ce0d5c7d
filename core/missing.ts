/**
 * Which numbered datagrams of a session have not come, and when each is to be asked for.
 *
 * @module
 */

/** What follows a range and is missing so soon after it becomes a part of it; milliseconds. */
const together = 50;

/** Datagrams in a row that have not come, with the same history. */
export interface MissingRange {
  first: number;
  last: number;
  /** Since when they are waited for, in monotonic milliseconds; `-Infinity` for not any more. */
  since: number;
  /** When to ask for them next. */
  due: number;
  /** How often they were asked for. */
  tries: number;
}

/** Ranges of missing numbers, ascending and apart from each other. */
export class Missing {
  readonly #ranges: MissingRange[] = [];
  #count = 0;

  /** How many numbers are missing. */
  get count(): number {
    return this.#count;
  }

  /** The ranges, oldest first. They are not to be changed but for `due` and `tries`. */
  get ranges(): readonly MissingRange[] {
    return this.#ranges;
  }

  /**
   * Takes note of numbers above all that were ever noted. A receiver that can keep no more of what comes misses each single
   * datagram: they make few ranges, not one each.
   */
  add(first: number, last: number, since: number, due: number): void {
    this.#count += last - first + 1;
    const newest = this.#ranges.at(-1);
    const joins = newest?.last === first - 1 && newest.tries === 0 && since - newest.since < together;
    if (joins) newest.last = last;
    else this.#ranges.push({ first, last, since, due, tries: 0 });
  }

  /**
   * One has come.
   *
   * @returns the range that it was missing in, or `null` when it was not missing
   */
  remove(number: number): MissingRange | null {
    const index = this.#at(number);
    const range = this.#ranges[index];
    if (range === undefined || number < range.first) return null;
    this.#count--;
    if (range.first === range.last) this.#ranges.splice(index, 1);
    else if (number === range.first) range.first++;
    else if (number === range.last) range.last--;
    else {
      this.#ranges.splice(index + 1, 0, { ...range, first: number + 1 });
      range.last = number - 1;
    }
    return range;
  }

  /** The ranges that lie between two numbers; those that reach beyond are cut. */
  *within(first: number, last: number): Generator<MissingRange> {
    for (let index = this.#at(first); index < this.#ranges.length && this.#ranges[index]!.first <= last; index++) {
      const range = this.#ranges[index]!;
      if (range.first < first) {
        this.split(index, first - range.first);
        continue;
      }
      if (range.last > last) this.split(index, last - range.first + 1);
      yield this.#ranges[index]!;
    }
  }

  /** Forgets all below a number: they will not come any more. Returns how many were missing. */
  removeBelow(number: number): number {
    let gone = 0;
    while (this.#ranges.length > 0 && this.#ranges[0]!.first < number) {
      const range = this.#ranges[0]!;
      const last = Math.min(range.last, number - 1);
      gone += last - range.first + 1;
      if (last === range.last) this.#ranges.shift();
      else range.first = number;
    }
    this.#count -= gone;
    return gone;
  }

  /**
   * Cuts a range in two, so that a part of it may be asked for alone.
   *
   * @param count how many the first part is to have: at least one, and fewer than the range has
   */
  split(index: number, count: number): void {
    const range = this.#ranges[index]!;
    this.#ranges.splice(index + 1, 0, { ...range, first: range.first + count });
    range.last = range.first + count - 1;
  }

  /** Index of the first range that ends at or behind a number. */
  #at(number: number): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#ranges[middle]!.last < number) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
