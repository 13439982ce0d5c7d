/**
 * Where in the logs stands what was sent under which number, so that it can be sent again without having been copied.
 *
 * @module
 */

import type { Segment } from "./segment.ts";

/** Told of one piece of a datagram: bytes of a segment. `origin` is where the frame begins that they are of. */
export type TakePiece = (segment: Segment, start: number, end: number, origin: number) => void;

/**
 * The last datagrams of a session, each as pieces of segments.
 *
 * It pins nothing: what the log has dropped cannot be sent again. Bounded in datagrams and in pieces, whichever is first.
 */
export class TransmitIndex {
  /** The number that the next datagram will have. */
  #next = 1;
  /** Pieces ever added. */
  #pieces = 0;
  /** Which of them is the first of the datagram that is being made; -1 before there is one. */
  #begun = -1;
  /** Of each datagram, which its first piece is, of all pieces ever. */
  readonly #firstPiece: Float64Array;
  readonly #segments: (Segment | null)[];
  readonly #starts: Uint32Array;
  readonly #ends: Uint32Array;
  readonly #origins: Uint32Array;

  /**
   * @param datagrams that it remembers at most
   * @param pieces of all of them at most
   */
  constructor(datagrams: number, pieces: number) {
    this.#firstPiece = new Float64Array(datagrams);
    this.#segments = new Array(pieces).fill(null);
    this.#starts = new Uint32Array(pieces);
    this.#ends = new Uint32Array(pieces);
    this.#origins = new Uint32Array(pieces);
  }

  /** The number that the next datagram will have. */
  get next(): number {
    return this.#next;
  }

  /** Adds a piece to the datagram that is being made. */
  add(segment: Segment, start: number, end: number, origin: number = start): void {
    if (this.#begun < 0) this.#begun = this.#pieces;
    const index = this.#pieces++ % this.#segments.length;
    this.#segments[index] = segment;
    this.#starts[index] = start;
    this.#ends[index] = end;
    this.#origins[index] = origin;
  }

  /** The datagram is made. Returns its number. */
  finish(): number {
    const number = this.#next++;
    this.#firstPiece[number % this.#firstPiece.length] = this.#begun < 0 ? this.#pieces : this.#begun;
    this.#begun = -1;
    return number;
  }

  /**
   * Tells the pieces of a datagram, in their order, if all of them are still there.
   *
   * @returns whether they are
   */
  find(number: number, take: TakePiece): boolean {
    if (number < 1 || number >= this.#next || number < this.#next - this.#firstPiece.length) return false;
    const first = this.#firstPiece[number % this.#firstPiece.length]!;
    const made = this.#begun < 0 ? this.#pieces : this.#begun;
    const end = number + 1 === this.#next ? made : this.#firstPiece[(number + 1) % this.#firstPiece.length]!;
    const { length } = this.#segments;
    if (this.#pieces - first > length) return false;
    for (let piece = first; piece < end; piece++) if (this.#segments[piece % length]!.dropped) return false;
    for (let piece = first; piece < end; piece++) {
      const index = piece % length;
      take(this.#segments[index]!, this.#starts[index]!, this.#ends[index]!, this.#origins[index]!);
    }
    return true;
  }
}
