/**
 * Carries what a group's sender makes to the network, at its pace, and requests to the sender.
 *
 * @module
 */

import type { Platform } from "./connection.ts";
import type { Address, DatagramPort } from "./datagram_port.ts";
import { burst } from "./group_pacing.ts";
import type { GroupSender } from "./group_sender.ts";

/** The largest datagram that is received: requests are far smaller. */
const largestRequest = 2048;
/** The runtime's timers are this coarse, in milliseconds: what the rate lets go sooner is waited for turn by turn. */
const timerStep = 1.5;
/** A turn as short as that had nothing to do; and so long is a nap then, for which nobody has to wait noticeably. Milliseconds. */
const idleTurn = 0.05;
const longestNap = 0.15;

/** Runs one {@linkcode GroupSender} over one port. */
export class GroupTransmitter implements Disposable {
  readonly #platform: Platform;
  readonly #sender: GroupSender<Address>;
  readonly #port: DatagramPort;
  readonly #group: readonly Address[];
  readonly #onFailure: (error: Error) => void;
  #closed = false;
  #idle: (() => void) | null = null;

  /**
   * Takes the port over.
   *
   * @param group where the group is: on each of its ports; empty where everything goes to who has asked for it
   * @param onFailure told of each datagram that the system did not take
   */
  constructor(
    platform: Platform,
    sender: GroupSender<Address>,
    port: DatagramPort,
    group: readonly Address[],
    onFailure: (error: Error) => void = () => {},
  ) {
    this.#onFailure = onFailure;
    this.#platform = platform;
    this.#sender = sender;
    this.#port = port;
    this.#group = group;
    sender.wake = () => this.#idle?.();
  }

  /**
   * Sends and receives until it is closed, or the sender has finished.
   *
   * @throws {TransportError} when its port fails
   */
  async run(): Promise<void> {
    try {
      await Promise.all([this.#listen(), this.#send().then(() => this[Symbol.dispose]())]);
    } finally {
      this[Symbol.dispose]();
    }
  }

  /** Sends nothing more. */
  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#idle?.();
    this.#sender.close();
    this.#port.close();
  }

  async #send(): Promise<void> {
    const bytes = new Uint8Array(this.#sender.largest);
    const view = new DataView(bytes.buffer);
    for (let sent = 1; !this.#closed && !this.#sender.finished; sent++) {
      // Where sending is slower than the rate there is no pause, and sends that end at once would let nothing else happen.
      if (sent % burst === 0) await this.#turn();
      if (this.#closed) return;
      const now = this.#platform.now();
      const length = this.#sender.next(bytes, view, now);
      if (length === 0) await this.#pause(this.#sender.dueAt(now) - now);
      else {
        try {
          await this.#port.send(bytes.subarray(0, length), this.#sender.to ?? this.#next());
        } catch (error) {
          // As a datagram that is lost on its way: it is asked for again.
          this.#onFailure(error as Error);
        }
      }
    }
  }

  /** On which of the group's ports the next datagram goes: on all in turn, so that as many receive buffers hold them. */
  #next(): Address {
    return this.#group[this.#sender.number % this.#group.length]!;
  }

  #turn(): Promise<void> {
    return new Promise((resolve) => this.#platform.turn(resolve));
  }

  /** Waits so many milliseconds at most, or until there is something. */
  #pause(milliseconds: number): Promise<void> {
    const short = milliseconds < timerStep && this.#sender.paced;
    return short ? this.#rest(milliseconds) : this.#sleep(milliseconds);
  }

  async #rest(milliseconds: number): Promise<void> {
    const before = this.#platform.now();
    await this.#turn();
    const took = this.#platform.now() - before;
    // A loop that only turns would take the processor from the receivers on this machine.
    if (took < idleTurn && took < milliseconds) this.#platform.nap(Math.min(longestNap, milliseconds - took));
  }

  #sleep(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#platform.after(milliseconds, () => done());
      const done = () => {
        if (this.#idle !== done) return;
        this.#idle = null;
        cancel();
        resolve();
      };
      this.#idle = done;
    });
  }

  async #listen(): Promise<void> {
    const bytes = new Uint8Array(largestRequest);
    const view = new DataView(bytes.buffer);
    for (;;) {
      const arrived = await this.#port.receive(bytes);
      if (arrived === null) return;
      this.#sender.received(bytes, view, 0, arrived.length, arrived.from, this.#platform.now());
    }
  }
}
