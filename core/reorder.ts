/**
 * Datagrams that came before others which they follow.
 *
 * @module
 */

import type { MemoryBudget } from "./memory.ts";

/** Datagrams whose memory comes and goes together. */
const perBlock = 64;

/** Memory for some datagrams, and how many of them are in it. */
interface Block {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Bytes of each; 0 for none. */
  readonly lengths: Uint16Array;
  used: number;
}

/**
 * Keeps datagrams until those before them have come: a bounded number, each of bounded size.
 *
 * It holds numbers from {@linkcode Reorder.next} on, and takes memory in proportion to how far apart they are.
 */
export class Reorder {
  /** The number that is waited for. */
  next: number;
  /** How many numbers it can span. */
  readonly span: number;
  readonly #largest: number;
  readonly #budget: MemoryBudget | null;
  readonly #blocks: (Block | null)[];
  #spare: Block | null = null;
  #count = 0;

  /**
   * @param next the number that comes first
   * @param span how far ahead of that a datagram may be that is kept; rounded up to whole blocks of 64
   * @param largest bytes of one
   * @param budget what its memory is taken from, if it is not alone
   */
  constructor(next: number, span: number, largest: number, budget: MemoryBudget | null = null) {
    const blocks = Math.ceil(span / perBlock);
    this.next = next;
    this.span = blocks * perBlock;
    this.#largest = largest;
    this.#budget = budget;
    this.#blocks = new Array(blocks).fill(null);
  }

  /** How many datagrams it holds. */
  get count(): number {
    return this.#count;
  }

  /** Bytes of memory that it takes. */
  get memory(): number {
    const blocks = this.#blocks.reduce((sum, block) => sum + (block === null ? 0 : 1), 0);
    return (blocks + (this.#spare === null ? 0 : 1)) * perBlock * this.#largest;
  }

  /** Whether a number can be kept, as far as memory is concerned: it is there then. */
  makeRoom(number: number): boolean {
    return (this.#blocks[this.#indexOf(number)] ??= this.#fresh()) !== null;
  }

  /** Whether it holds a number. */
  has(number: number): boolean {
    if (number < this.next || number >= this.next + this.span) return false;
    const block = this.#blockOf(number);
    return block !== null && block.lengths[number % perBlock] !== 0;
  }

  /**
   * Keeps a copy of what stands at `start` to `end`.
   *
   * @param number behind `next`
   * @returns whether it was kept: it is not where it is too far ahead, too large, empty, or there already, or has no memory
   */
  put(number: number, bytes: Uint8Array, start: number, end: number): boolean {
    const length = end - start;
    if (number <= this.next || number >= this.next + this.span || length === 0 || length > this.#largest) return false;
    const block = this.#blocks[this.#indexOf(number)] ??= this.#fresh();
    const slot = number % perBlock;
    if (block === null || block.lengths[slot] !== 0) return false;
    block.lengths[slot] = length;
    block.bytes.set(bytes.subarray(start, end), slot * this.#largest);
    block.used++;
    this.#count++;
    return true;
  }

  /**
   * Gives the datagram of number {@linkcode next}, if it is there, and forgets it; `next` is the following one then.
   *
   * @param give called with where it stands: valid during the call alone
   * @returns whether it was there
   */
  shift(give: (bytes: Uint8Array, view: DataView, start: number, end: number) => void): boolean {
    const number = this.next;
    const block = this.#blockOf(number);
    const slot = number % perBlock;
    const length = block === null ? 0 : block.lengths[slot]!;
    if (block === null || length === 0) return false;
    this.next++;
    this.#release(number, block);
    const start = slot * this.#largest;
    give(block.bytes, block.view, start, start + length);
    return true;
  }

  /** What is below a number is not waited for any more, and not kept. */
  skipTo(number: number): void {
    for (; this.next < number && this.#count > 0; this.next++) {
      const block = this.#blockOf(this.next);
      if (block !== null && block.lengths[this.next % perBlock] !== 0) this.#release(this.next, block);
    }
    this.next = Math.max(this.next, number);
  }

  /** Keeps nothing more, and gives its memory back. */
  close(): void {
    this.#budget?.release(this.memory);
    this.#blocks.fill(null);
    this.#spare = null;
    this.#count = 0;
  }

  #release(number: number, block: Block): void {
    block.lengths[number % perBlock] = 0;
    this.#count--;
    if (--block.used > 0) return;
    this.#blocks[this.#indexOf(number)] = null;
    if (this.#spare === null) this.#spare = block;
    else this.#budget?.release(block.bytes.length);
  }

  #indexOf(number: number): number {
    return Math.floor(number / perBlock) % this.#blocks.length;
  }

  #blockOf(number: number): Block | null {
    return this.#blocks[this.#indexOf(number)]!;
  }

  #fresh(): Block | null {
    const spare = this.#spare;
    if (spare !== null) {
      this.#spare = null;
      return spare;
    }
    const size = perBlock * this.#largest;
    if (this.#budget?.reserve(size) === false) return null;
    const bytes = new Uint8Array(size);
    return { bytes, view: new DataView(bytes.buffer), lengths: new Uint16Array(perBlock), used: 0 };
  }
}
