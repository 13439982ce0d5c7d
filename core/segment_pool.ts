/**
 * Where segments come from and go back to, so that the collector never sees them.
 *
 * Logs grow from small: the first segment of a topic is a block of 512 bytes in a slab that many topics share, the
 * next 4 KiB, 32 KiB, 256 KiB, then 1 MiB each. Dropping full segments for the collector instead of recycling them cost
 * hundreds of MiB over the same work, and half of its speed.
 *
 * @module
 */

import type { MemoryBudget } from "./memory.ts";
import { Segment } from "./segment.ts";

/** The size of a full segment, and of the slabs that smaller ones are cut from, in bytes. */
export const segmentSize = 1024 * 1024;

/** Sizes a segment may have, ascending. A frame that fits none gets a segment of its own size. */
export const segmentSizes: readonly number[] = [512, 4096, 32_768, 262_144, segmentSize];

/** Full blocks that are kept for reuse when nothing needs them, in number. */
const keptBlocks = 8;

interface Block {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/** A full block cut into equal parts. */
class Slab {
  readonly block: Block;
  readonly size: number;
  /** Indexes of free parts, as a stack. */
  readonly free: Uint16Array;
  freeCount: number;

  constructor(block: Block, size: number) {
    this.block = block;
    this.size = size;
    this.freeCount = segmentSize / size;
    this.free = new Uint16Array(this.freeCount);
    for (let i = 0; i < this.freeCount; i++) this.free[i] = this.freeCount - 1 - i;
  }

  get unused(): boolean {
    return this.freeCount === this.free.length;
  }
}

/** Hands out segments within a {@linkcode MemoryBudget} and takes them back. */
export class SegmentPool {
  readonly budget: MemoryBudget;
  /** Asked for memory when the budget is used up: lets go of some segments and says whether it did. */
  makeRoom: (() => boolean) | null = null;
  readonly #allocate: (size: number) => ArrayBufferLike;
  readonly #blocks: Block[] = [];
  /** Slabs with a free part, by size. */
  readonly #slabs = new Map<number, Slab[]>();
  readonly #slabOf = new Map<Uint8Array, Slab>();

  /** @param allocate makes memory; a `SharedArrayBuffer` serves as well */
  constructor(budget: MemoryBudget, allocate: (size: number) => ArrayBufferLike = (size) => new ArrayBuffer(size)) {
    this.budget = budget;
    this.#allocate = allocate;
  }

  /**
   * A segment of at least `size` bytes: of the next size up, or of just that many beyond {@linkcode segmentSize}.
   *
   * Where there is no room, {@linkcode makeRoom} is asked. What that frees may be a part of a smaller size: rather than
   * ask on until it adds up to more, `least` bytes will do then.
   *
   * @param base position in its log
   * @param sequence of its first message
   * @param least bytes that will do where there is no room for `size`
   * @returns `null` when the budget is used up
   */
  acquire(size: number, base: number, sequence: number, least: number = size): Segment | null {
    let segment = this.#take(size, base, sequence);
    while (segment === null) {
      const more = this.makeRoom?.() ?? false;
      segment = this.#take(size, base, sequence) ?? this.#take(least, base, sequence);
      if (!more) break;
    }
    return segment;
  }

  /** Keeps the memory of a segment, whatever its owner does, until {@linkcode unpin}. */
  pin(segment: Segment): void {
    segment.pins++;
  }

  /** Ends a {@linkcode pin}. */
  unpin(segment: Segment): void {
    if (--segment.pins === 0 && segment.dropped) this.#release(segment);
  }

  /** Takes a segment back from its owner; its memory is reused once the last pin is gone. */
  drop(segment: Segment): void {
    segment.dropped = true;
    if (segment.pins === 0) this.#release(segment);
  }

  #release(segment: Segment): void {
    const { bytes, view, size } = segment;
    if (size > segmentSize) {
      this.budget.release(size);
      segment.vacate();
    } else if (size === segmentSize) {
      this.#blocks.push({ bytes, view });
    } else {
      this.#releasePart(this.#slabOf.get(bytes)!, segment.start / size);
    }
  }

  /**
   * Gives memory that nothing uses back to the budget.
   *
   * @param keep full blocks to keep for reuse; with 0, empty slabs go too
   * @returns whether there was any
   */
  trim(keep: number = keptBlocks): boolean {
    if (keep === 0) this.#dissolve();
    const before = this.#blocks.length;
    while (this.#blocks.length > keep) {
      this.#blocks.pop();
      this.budget.release(segmentSize);
    }
    return this.#blocks.length < before;
  }

  /** A segment from what is free, without asking anyone for room. */
  #take(size: number, base: number, sequence: number): Segment | null {
    if (size > segmentSize) {
      const block = this.#largeBlock(size);
      return block && new Segment(block.bytes, block.view, 0, size, base, sequence);
    }
    const fit = segmentSizes.find((candidate) => candidate >= size)!;
    if (fit === segmentSize) {
      const block = this.#fullBlock();
      return block && new Segment(block.bytes, block.view, 0, segmentSize, base, sequence);
    }
    const slab = this.#slabWithRoom(fit);
    if (!slab) return null;
    const start = slab.free[--slab.freeCount]! * fit;
    if (slab.freeCount === 0) this.#slabs.get(fit)!.pop();
    return new Segment(slab.block.bytes, slab.block.view, start, start + fit, base, sequence);
  }

  #largeBlock(size: number): Block | null {
    while (!this.budget.reserve(size)) {
      if (!this.trim(0)) return null;
    }
    return this.#allocateBlock(size);
  }

  #allocateBlock(size: number): Block {
    const memory = this.#allocate(size);
    return { bytes: new Uint8Array(memory), view: new DataView(memory) };
  }

  /** A spare block, a new one, or that of an empty slab. */
  #fullBlock(): Block | null {
    const block = this.#blocks.pop();
    if (block) return block;
    if (this.budget.reserve(segmentSize)) return this.#allocateBlock(segmentSize);
    this.#dissolve();
    return this.#blocks.pop() ?? null;
  }

  #slabWithRoom(size: number): Slab | null {
    let slabs = this.#slabs.get(size);
    if (!slabs) this.#slabs.set(size, slabs = []);
    const found = slabs[slabs.length - 1];
    if (found) return found;
    const block = this.#fullBlock();
    if (!block) return null;
    const slab = new Slab(block, size);
    this.#slabOf.set(block.bytes, slab);
    slabs.push(slab);
    return slab;
  }

  /** Makes full blocks of the slabs that nothing is in. */
  #dissolve(): void {
    for (const slabs of this.#slabs.values()) {
      for (let index = slabs.length - 1; index >= 0; index--) {
        if (slabs[index]!.unused) this.#removeSlab(slabs, index);
      }
    }
  }

  #removeSlab(slabs: Slab[], index: number): void {
    const [slab] = slabs.splice(index, 1);
    this.#slabOf.delete(slab!.block.bytes);
    this.#blocks.push(slab!.block);
  }

  #releasePart(slab: Slab, index: number): void {
    const slabs = this.#slabs.get(slab.size)!;
    if (slab.freeCount === 0) slabs.push(slab);
    slab.free[slab.freeCount++] = index;
    // One empty slab stays, or a topic that comes and goes would cut a new one each time.
    if (slab.unused && slabs.length > 1) this.#removeSlab(slabs, slabs.indexOf(slab));
  }
}
