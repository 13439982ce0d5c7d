/**
 * What one connection has written that its server may not have read yet.
 *
 * It decides whether a small frame goes or grows. What is written at once, however far behind the server is, stands in
 * buffers of the kernel, each frame as small as it was; what waits here collects the messages that come meanwhile. With
 * many topics that is the difference between a frame a message and a frame of many.
 *
 * Acknowledgements would not do: a topic for which publishers are held is not acknowledged, and would hold up all others.
 * A PING is always answered. One stands behind the first half of what is in flight, so that the server has the other half
 * to go on with while the answer is under way.
 *
 * @module
 */

/** So many bytes may be in flight before frames that can grow stay; as many as the credit of one topic. */
export const largestFlight = 1024 * 1024;
/** An open frame of that size has cost little enough a message, and goes. */
export const grownFrame = 16 * 1024;

/** Bytes between a publisher and its server. */
export class Flight {
  /** Before the PING that is unanswered, if there is one. */
  #asked = 0;
  /** Since the last PING. */
  #since = 0;

  /** Whether there is so much that frames which can grow are to stay. */
  get full(): boolean {
    return this.#asked + this.#since >= largestFlight;
  }

  /** Whether the server is to be asked with a PING. */
  get due(): boolean {
    return this.#asked === 0 && this.#since >= largestFlight / 2;
  }

  /** Frames of so many bytes are written. */
  add(bytes: number): void {
    this.#since += bytes;
  }

  /** A PING is written. */
  ask(): void {
    this.#asked = this.#since;
    this.#since = 0;
  }

  /** It was answered: what was before it has been read. */
  answered(): void {
    this.#asked = 0;
  }
}
