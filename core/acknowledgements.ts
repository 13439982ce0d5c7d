/**
 * When a server acknowledges: not each frame at once, but few times for many, and at once where somebody waits.
 *
 * An acknowledgement goes with whatever else is written to its session. Alone it goes when the publisher asks with a PING,
 * when so much is due that credit could run short, and {@linkcode ackDelay} after it has become due.
 *
 * @module
 */

import type { Platform } from "./connection.ts";
import type { FrameWriter } from "./frame_writer.ts";
import { FrameType } from "./frame.ts";
import { ackBytes, ackDelay, type ServerLimits } from "./limits.ts";

/** The most topics in one ACK. */
const mostAcks = 4096;

/** So much earlier, in milliseconds, they go where the server is awake anyway. */
const early = ackDelay / 10;
/** So many at once, then other things have their turn. */
const mostAtOnce = 64;

/**
 * Ends the wait of acknowledgements, for all sessions of a server, in the order in which they became due.
 *
 * While the server reads, each read takes one of them along, behind what it delivers: so they need no timer, and come in no
 * crowd that what is delivered meanwhile had to wait for. One timer sees to those that are left when nothing is read.
 */
export class AckQueue {
  readonly #platform: Platform;
  #waiting: Acknowledgements[] = [];
  /** Where in {@linkcode #waiting} the first of them is. */
  #first = 0;
  #cancel: (() => void) | null = null;

  constructor(platform: Platform) {
    this.#platform = platform;
  }

  /** Reminds them {@linkcode ackDelay} from now at the latest. */
  add(acknowledgements: Acknowledgements): void {
    acknowledgements.until = this.#platform.now() + ackDelay;
    this.#waiting.push(acknowledgements);
    this.#cancel ??= this.#platform.after(ackDelay, this.#ring);
  }

  /** Something was read; `now` in monotonic milliseconds. */
  read(now: number): void {
    const first = this.#waiting[this.#first];
    if (first === undefined || first.until > now + early) return;
    this.#first++;
    first.remind();
  }

  /** Reminds nobody any more. */
  close(): void {
    this.#cancel?.();
    this.#cancel = null;
    this.#waiting = [];
    this.#first = 0;
  }

  readonly #ring = (): void => {
    const now = this.#platform.now();
    const waiting = this.#waiting;
    const end = Math.min(waiting.length, this.#first + mostAtOnce);
    let next = this.#first;
    while (next < end && waiting[next]!.until <= now + early) waiting[next++]!.remind();
    waiting.splice(0, next);
    this.#first = 0;
    const first = waiting[0];
    this.#cancel = first ? this.#platform.after(Math.max(0, first.until - now), this.#ring) : null;
  };
}

/** One topic that a session publishes to. */
export interface Acknowledged {
  readonly topic: { readonly id: number };
  /** The last number that was dealt with. */
  readonly last: number;
  /** Whether its acknowledgement is due. Set by {@linkcode Acknowledgements} alone. */
  due: boolean;
}

/** The acknowledgements of one session that are due. */
export class Acknowledgements {
  /** When they are to be reminded; monotonic milliseconds. Set by {@linkcode AckQueue} alone. */
  until = 0;
  readonly #queue: AckQueue;
  readonly #session: { stir(): void };
  /** So many bytes of frames are acknowledged at once. */
  readonly #most: number;
  #due: Acknowledged[] = [];
  #bytes = 0;
  #urgent = false;
  #queued = false;

  constructor(
    queue: AckQueue,
    { topicCredit, connectionCredit }: Readonly<ServerLimits>,
    session: { stir(): void },
  ) {
    this.#queue = queue;
    this.#session = session;
    this.#most = Math.min(ackBytes, topicCredit / 4, connectionCredit / 4);
  }

  /** Whether there are any. */
  get pending(): boolean {
    return this.#due.length > 0;
  }

  /** Whether they are not to wait for something else that is written. */
  get urgent(): boolean {
    return this.#urgent;
  }

  /** A frame of so many bytes was appended, or refused, or found to be there already. */
  add(declaration: Acknowledged, bytes: number): void {
    if (!declaration.due) {
      declaration.due = true;
      this.#due.push(declaration);
    }
    this.#bytes += bytes;
    if (this.#bytes >= this.#most) {
      this.#urgent = true;
    } else if (!this.#queued) {
      this.#queued = true;
      this.#queue.add(this);
    }
  }

  /** They are to be written now. */
  hurry(): void {
    this.#urgent = this.pending;
    if (this.#urgent) this.#session.stir();
  }

  /** The time is over for those that were due when they came into the queue. */
  remind(): void {
    this.#queued = false;
    this.hurry();
  }

  /** Writes them. */
  write(control: FrameWriter): void {
    const due = this.#due;
    for (let next = 0; next < due.length;) {
      const end = Math.min(due.length, next + mostAcks);
      control.begin(FrameType.ack).u16(end - next);
      for (; next < end; next++) {
        const declaration = due[next]!;
        control.u32(declaration.topic.id).u64(declaration.last);
        declaration.due = false;
      }
      control.end();
    }
    this.clear();
  }

  /** Forgets them. */
  clear(): void {
    this.#due.length = this.#bytes = 0;
    this.#urgent = false;
  }
}
