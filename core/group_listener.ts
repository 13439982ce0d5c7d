/**
 * Carries a group's datagrams from the network to its receiver, and what that asks for to the senders.
 *
 * @module
 */

import type { Platform } from "./connection.ts";
import type { Address, DatagramPort } from "./datagram_port.ts";
import type { GroupReceiver } from "./group_receiver.ts";

/** The largest datagram there is. */
const largest = 65_536;

/**
 * Runs one {@linkcode GroupReceiver} over the ports of its group and one of its own: others on this machine may share the
 * group's, so that what is sent to this receiver alone may come to another of them.
 */
export class GroupListener implements Disposable {
  readonly #platform: Platform;
  readonly #receiver: GroupReceiver<Address>;
  readonly #group: readonly DatagramPort[];
  readonly #own: DatagramPort;
  readonly #request = new Uint8Array(largest);
  readonly #requestView = new DataView(this.#request.buffer);
  #closed = false;
  #sending = false;
  #cancel: () => void = () => {};
  #timerAt = Infinity;

  /**
   * Takes the ports over.
   *
   * @param group where the group's datagrams come
   * @param own where requests leave from, and repairs come to
   */
  constructor(
    platform: Platform,
    receiver: GroupReceiver<Address>,
    group: readonly DatagramPort[],
    own: DatagramPort,
  ) {
    this.#platform = platform;
    this.#receiver = receiver;
    this.#group = group;
    this.#own = own;
  }

  /** Receives until it is closed. */
  async run(): Promise<void> {
    await Promise.all([...this.#group, this.#own].map((port) => this.#listen(port)));
  }

  /** Receives nothing more. */
  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancel();
    for (const port of [...this.#group, this.#own]) port.close();
    this.#receiver.close();
  }

  /** There may be something to do that was not there before. */
  attend(): void {
    this.#attend(this.#platform.now());
  }

  async #listen(port: DatagramPort): Promise<void> {
    const bytes = new Uint8Array(largest);
    const view = new DataView(bytes.buffer);
    for (;;) {
      const arrived = await port.receive(bytes);
      if (arrived === null || this.#closed) return;
      const now = this.#platform.now();
      this.#receiver.received(bytes, view, 0, arrived.length, arrived.from, now);
      this.#attend(now);
    }
  }

  /** Does what is due, and sets the timer for what comes next. */
  #attend(now: number): void {
    const due = this.#receiver.dueAt;
    if (due > now) {
      this.#wakeAt(due, now);
      return;
    }
    if (!this.#sending) this.#send();
  }

  async #send(): Promise<void> {
    this.#sending = true;
    while (!this.#closed) {
      const now = this.#platform.now();
      this.#receiver.expire(now);
      const length = this.#receiver.next(this.#request, this.#requestView, now);
      if (length === 0) {
        this.#wakeAt(this.#receiver.dueAt, now);
        break;
      }
      // One that cannot be sent is like one that is lost: it is sent again.
      await this.#own.send(this.#request.subarray(0, length), this.#receiver.to!).catch(() => {});
    }
    this.#sending = false;
  }

  #wakeAt(due: number, now: number): void {
    if (due >= this.#timerAt || this.#closed) return;
    this.#cancel();
    this.#timerAt = due;
    this.#cancel = this.#platform.after(Math.max(0, due - now), () => {
      this.#timerAt = Infinity;
      this.#attend(this.#platform.now());
    });
  }
}
