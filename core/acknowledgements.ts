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

/** One timer for the acknowledgements of all sessions of a server. It runs only while some are due. */
export class AckTimer {
  readonly #platform: Platform;
  #waiting: Acknowledgements[] = [];
  #cancel: (() => void) | null = null;

  constructor(platform: Platform) {
    this.#platform = platform;
  }

  /** Reminds them when it is time: {@linkcode ackDelay} from now at most, and earlier where others waited already. */
  add(acknowledgements: Acknowledgements): void {
    this.#waiting.push(acknowledgements);
    this.#cancel ??= this.#platform.after(ackDelay, this.#ring);
  }

  /** Reminds nobody any more. */
  close(): void {
    this.#cancel?.();
    this.#cancel = null;
    this.#waiting = [];
  }

  readonly #ring = (): void => {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#cancel = null;
    for (const acknowledgements of waiting) acknowledgements.remind();
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
  readonly #timer: AckTimer;
  readonly #session: { stir(): void };
  /** So many bytes of frames are acknowledged at once. */
  readonly #most: number;
  #due: Acknowledged[] = [];
  #bytes = 0;
  #urgent = false;
  #timed = false;

  constructor(
    timer: AckTimer,
    { topicCredit, connectionCredit }: Readonly<ServerLimits>,
    session: { stir(): void },
  ) {
    this.#timer = timer;
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
    } else if (!this.#timed) {
      this.#timed = true;
      this.#timer.add(this);
    }
  }

  /** They are to be written now. */
  hurry(): void {
    this.#urgent = this.pending;
    if (this.#urgent) this.#session.stir();
  }

  /** The time is over for those that were due when the timer was asked. */
  remind(): void {
    this.#timed = false;
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
