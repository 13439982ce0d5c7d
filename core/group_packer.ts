/**
 * Packs what topics have into numbered datagrams: as many whole frames as fit, or one fragment of a larger one; and packs
 * the same datagram again when somebody asks for it.
 *
 * @module
 */

import { Slice } from "./cursor.ts";
import { DatagramFlag, datagramHeader, fragmentHeader } from "./datagram.ts";
import type { GroupCursor } from "./group_cursor.ts";
import { Queue } from "./queue.ts";
import type { Segment } from "./segment.ts";
import type { SegmentPool } from "./segment_pool.ts";
import { TransmitIndex } from "./transmit_index.ts";

/** Datagrams that can be packed again, while the logs have them; and the pieces of logs that they are made of. */
const indexed = 65_536;
const indexedPieces = 4 * indexed;

/** One queue over the cursors of a group. */
export class GroupPacker {
  /** Of the datagram that was packed last: its flags, and its number. */
  flags = 0;
  number = 0;
  readonly #pool: SegmentPool;
  /** Where the frames of a datagram end at most. */
  readonly #limit: number;
  readonly #index: TransmitIndex;
  readonly #queue = new Queue<GroupCursor>();
  /** What was taken of a log and has not gone: it is pinned. */
  readonly #carried = new Slice();
  #carriedOf: GroupCursor | null = null;
  /** Where the frame begins that goes in fragments; -1 while none does. */
  #origin = -1;

  /**
   * @param limit bytes of a datagram's header and frames
   * @param datagrams that can be packed again
   */
  constructor(pool: SegmentPool, limit: number, datagrams: number = indexed) {
    this.#pool = pool;
    this.#limit = limit;
    this.#index = new TransmitIndex(datagrams, datagrams * (indexedPieces / indexed));
  }

  /** The number that the next new datagram will have. */
  get next(): number {
    return this.#index.next;
  }

  /** Whether there is something new to pack. */
  get unsent(): boolean {
    return this.#carried.segment !== null || this.#queue.length > 0;
  }

  /** Whether a part of a datagram to come stands in memory that the logs have given up. */
  get keepsDropped(): boolean {
    return this.#carried.segment?.dropped === true;
  }

  /** A cursor has something. */
  add(cursor: GroupCursor): void {
    if (cursor.queued) return;
    cursor.queued = true;
    this.#queue.push(cursor);
  }

  /** A cursor is no more. What was taken of it still goes. */
  remove(cursor: GroupCursor): void {
    this.#queue.filter((other) => other !== cursor);
  }

  /** Sequence of the first message of a topic that was not packed. */
  nextOf(cursor: GroupCursor): number {
    const { segment, start } = this.#carried;
    if (segment === null || this.#carriedOf !== cursor) return cursor.next;
    return segment.sequenceAt(this.#origin < 0 ? start : this.#origin);
  }

  /**
   * Packs a new datagram behind where its header goes.
   *
   * @returns where its frames end, or 0 when there is nothing
   */
  pack(bytes: Uint8Array, view: DataView): number {
    const end = this.#limit;
    let offset = datagramHeader;
    this.flags = DatagramFlag.numbered;
    while (this.#carried.segment !== null || this.#take(end - offset)) {
      const { segment, start, end: last } = this.#carried;
      const room = end - offset;
      if (this.#origin < 0 && last - start <= room) {
        offset = this.#put(bytes, offset, segment!, start, last, start);
        this.#drop();
        continue;
      }
      if (offset > datagramHeader) break;
      if (this.#origin < 0) this.#origin = start;
      const length = Math.min(last - start, room - fragmentHeader);
      this.flags |= DatagramFlag.fragment;
      writeFragment(view, offset, segment!, start, this.#origin);
      offset = this.#put(bytes, offset + fragmentHeader, segment!, start, start + length, this.#origin);
      this.#carried.start += length;
      if (this.#carried.length === 0) this.#drop();
      break;
    }
    if (offset === datagramHeader) return 0;
    this.number = this.#index.finish();
    return offset;
  }

  /**
   * Packs a datagram again.
   *
   * @returns where its frames end, or 0 when the logs do not have it any more
   */
  repack(number: number, bytes: Uint8Array, view: DataView): number {
    let offset = datagramHeader;
    this.flags = DatagramFlag.numbered | DatagramFlag.repair;
    this.number = number;
    const found = this.#index.find(number, (segment, start, end, origin) => {
      if (origin !== start || segment.lengthAt(origin) > end - start) {
        this.flags |= DatagramFlag.fragment;
        writeFragment(view, offset, segment, start, origin);
        offset += fragmentHeader;
      }
      bytes.set(segment.bytes.subarray(start, end), offset);
      offset += end - start;
    });
    return found ? offset : 0;
  }

  /** Lets go of the logs. */
  close(): void {
    this.#queue.filter(() => false);
    this.#drop();
  }

  /** Takes the next frames of a log: they are carried until they have gone. Returns whether there were any. */
  #take(most: number): boolean {
    for (let cursor = this.#queue.shift(); cursor !== undefined; cursor = this.#queue.shift()) {
      cursor.queued = false;
      const outcome = cursor.take(most, this.#carried);
      // In turn: one that may have more goes to the end.
      if (outcome === "taken" || outcome === "lagged") this.add(cursor);
      if (outcome !== "taken" && outcome !== "drained") continue;
      this.#pool.pin(this.#carried.segment!);
      this.#carriedOf = cursor;
      return true;
    }
    return false;
  }

  /** What was carried has gone. */
  #drop(): void {
    const { segment } = this.#carried;
    if (segment !== null) this.#pool.unpin(segment);
    this.#carried.segment = null;
    this.#carriedOf = null;
    this.#origin = -1;
  }

  #put(bytes: Uint8Array, offset: number, segment: Segment, start: number, end: number, origin: number): number {
    bytes.set(segment.bytes.subarray(start, end), offset);
    this.#index.add(segment, start, end, origin);
    return offset + end - start;
  }
}

function writeFragment(view: DataView, offset: number, segment: Segment, start: number, origin: number): void {
  view.setUint32(offset, segment.lengthAt(origin), true);
  view.setUint32(offset + 4, start - origin, true);
}
