/**
 * When a group's sender says how far it is: soon after it has sent something, then ever more seldom.
 *
 * @module
 */

/** The first heartbeat after something was sent comes so soon, each next one twice as late, up to the last; milliseconds. */
const firstBeat = 5;
const lastBeat = 1_000;

/** The heartbeats of one sender. Times are monotonic milliseconds. */
export class Heartbeat {
  /** When the next one goes. */
  dueAt: number;
  /** How soon one comes at best after another, or after something that it is to tell of; milliseconds. */
  readonly soon: number;
  #lastAt = -Infinity;
  #pause: number;

  /**
   * @param length bytes of one
   * @param rate bytes a second that they may take
   */
  constructor(length: number, rate: number, now: number) {
    this.dueAt = now;
    this.soon = this.#pause = Math.min(lastBeat, Math.max(firstBeat, 1000 * length / rate));
  }

  /** Something was sent, or is to be told: the pauses are short again. */
  quicken(): void {
    this.#pause = this.soon;
  }

  /** The next one is to go by then, if others went long enough ago. */
  by(time: number): void {
    this.dueAt = Math.min(this.dueAt, Math.max(time, this.#lastAt + this.soon));
  }

  /** One goes. */
  beat(now: number): void {
    this.#lastAt = now;
    this.dueAt = now + this.#pause;
    this.#pause = Math.min(lastBeat, 2 * this.#pause);
  }
}
