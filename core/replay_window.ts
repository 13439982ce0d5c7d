/**
 * Which counters of a session have come, so that a datagram which was recorded is not taken again.
 *
 * A bitmap that slides, as in RFC 6479.
 *
 * @module
 */

/** Bits of one word. */
const wordBits = 32;

/** Remembers the highest counters, a bounded number of them: what is older is refused. */
export class ReplayWindow {
  readonly #words: Uint32Array;
  #highest = 0;

  /** @param span counters that are remembered at least */
  constructor(span: number) {
    // One word more: the highest counter's own is filled only in part.
    this.#words = new Uint32Array(Math.ceil(span / wordBits) + 1);
  }

  /**
   * Takes note of a counter, from 1.
   *
   * @returns whether it is new, and not too old to tell
   */
  accept(counter: number): boolean {
    const words = this.#words;
    const word = Math.floor(counter / wordBits);
    const newest = Math.floor(this.#highest / wordBits);
    if (word + words.length <= newest) return false;
    if (word > newest) {
      const fresh = Math.min(word - newest, words.length);
      for (let i = 1; i <= fresh; i++) words[(newest + i) % words.length] = 0;
      // Where more than all of them were passed, the last ones are what counts.
      if (word - newest > words.length) words.fill(0);
    }
    this.#highest = Math.max(this.#highest, counter);
    const bit = 1 << counter % wordBits;
    const index = word % words.length;
    if (words[index]! & bit) return false;
    words[index]! |= bit;
    return true;
  }
}
