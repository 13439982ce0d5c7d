/**
 * The counters of many sessions: which of their datagrams came before.
 *
 * @module
 */

import { ReplayWindow } from "./replay_window.ts";

/** Counters of one session that are remembered. */
export const replaySpan = 4096;

/** A bounded number of sessions, each with a {@linkcode ReplayWindow}; those that were silent longest are forgotten. */
export class Replays {
  readonly #most: number;
  readonly #windows = new Map<string, ReplayWindow>();

  /** @param most sessions */
  constructor(most: number) {
    this.#most = most;
  }

  /** Takes note of a counter of a session. Returns whether it is new. */
  accept(session: string, counter: number): boolean {
    const window = this.#windows.get(session) ?? new ReplayWindow(replaySpan);
    this.#windows.delete(session);
    this.#windows.set(session, window);
    if (this.#windows.size > this.#most) this.#windows.delete(this.#windows.keys().next().value!);
    return window.accept(counter);
  }
}
