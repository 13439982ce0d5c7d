/**
 * How fast a group's new datagrams go: as fast as they may, or as its receivers can follow.
 *
 * It slows down by half while receivers have trouble, and is soon back where the trouble began, or a little below; from there
 * on it finds out slowly whether more goes by now.
 *
 * @module
 */

/** How often it is set anew, in milliseconds. */
export const paceInterval = 50;
/** The part of the rate that it begins with, since receivers that have just begun are slow; and the least that stays. */
const firstShare = 1 / 8;
const leastShare = 1 / 32;
/** What is left of the rate at which the trouble began, while that lasts and afterwards. */
const decrease = 0.5;
const retreat = 0.7;
/** How it grows: to where it was, and beyond, by so much more each time that there was no trouble, up to a most. */
const recovery = 2;
const growth = 0.01;
const mostGrowth = 0.25;
/** Only who sends at least this part of what it may learns whether more would go. */
const tried = 1 / 4;

/** The pace of one group. */
export class GroupPace {
  /** Bytes a second that may go at most. */
  readonly #most: number;
  /** The part of it that may go now, and to which it soon returns after trouble. */
  #share = firstShare;
  #goal = 1;
  #troubled = false;
  /** How often it has grown beyond that. */
  #grown = 0;
  #sent = 0;

  /** @param most bytes a second; `Infinity` for no limit */
  constructor(most: number) {
    this.#most = most;
  }

  /** Bytes a second. */
  get rate(): number {
    return this.#most * this.#share;
  }

  /**
   * Sets it anew, once in each interval.
   *
   * @param troubled whether receivers cannot follow
   * @param sent bytes of new datagrams that ever went
   */
  adapt(troubled: boolean, sent: number): void {
    const enough = (sent - this.#sent) * 1000 / paceInterval >= this.rate * tried;
    this.#sent = sent;
    if (troubled) {
      if (!this.#troubled) this.#goal = Math.max(leastShare, this.#share * retreat);
      this.#grown = 0;
      this.#share = Math.max(leastShare, this.#share * decrease);
    } else if (enough || this.#troubled) {
      if (this.#share < this.#goal) this.#share = Math.min(this.#goal, this.#share * recovery);
      else this.#share = this.#goal = Math.min(1, this.#share * (1 + Math.min(mostGrowth, growth * ++this.#grown)));
    }
    this.#troubled = troubled;
  }
}
