/**
 * What is known of the demo at a moment: what the picture shows.
 *
 * @module
 */

import type { Entry } from "./ledger.ts";
import type { Latency, Quote } from "./report.ts";

/** What went through one end, over time. */
export class Track {
  #points: { readonly at: number; readonly messages: number }[] = [{ at: 0, messages: 0 }];

  /** There is nothing before this time. */
  begin(at: number): void {
    this.#points = [{ at, messages: 0 }];
  }

  /** Takes down how many messages there have been at a time, in seconds. */
  add(at: number, messages: number): void {
    this.#points.push({ at: Math.max(at, this.#points.at(-1)!.at), messages });
  }

  /** How many there have been up to now. */
  get messages(): number {
    return this.#points.at(-1)!.messages;
  }

  /** Messages a second, over the last second that is known of; 0 before that. */
  get rate(): number {
    const { at } = this.#points.at(-1)!;
    return this.rateBetween(at - 1, at) || 0;
  }

  /** Messages a second in a part of the time. `NaN` where nothing is known yet. */
  rateBetween(from: number, to: number): number {
    const start = Math.max(from, this.#points[0]!.at);
    const end = Math.min(to, this.#points.at(-1)!.at);
    return end <= start ? NaN : (this.#messagesAt(end) - this.#messagesAt(start)) / (end - start);
  }

  #messagesAt(at: number): number {
    const after = this.#points.findIndex((point) => point.at >= at);
    const next = this.#points[after]!;
    const before = this.#points[after - 1];
    if (before === undefined || next.at === before.at) return next.messages;
    return before.messages + ((next.messages - before.messages) * (at - before.at)) / (next.at - before.at);
  }
}

/** A subscriber, as it has reported. */
export interface Receiver {
  readonly track: Track;
  /** Whether it has subscribed. */
  joined: boolean;
  /** What was kept for it when it joined, and how long it took to get that. */
  caughtUp: { readonly messages: number; readonly milliseconds: number } | null;
  latency: Latency | null;
  readonly latencies: { readonly at: number; readonly p99: number }[];
  /** Datagrams that came, and those lost on purpose, where it listens to a group. */
  network: { readonly datagrams: number; readonly lost: number } | null;
  /** What the server said is lost. */
  readonly gaps: string[];
  entries: readonly Entry[] | null;
}

/** Everything that is shown. Times are seconds since the publisher began. */
export interface Scene {
  readonly endpoint: string;
  /** How long the market is open. */
  readonly seconds: number;
  /** When the late subscriber joins. */
  readonly joinAt: number;
  elapsed: number;
  readonly publisher: Track;
  readonly live: Receiver;
  readonly late: Receiver;
  /** Listens to a group instead of being connected; `null` on a machine where nothing of that is heard. */
  multicast: Receiver | null;
  busiest: readonly Quote[];
  sent: readonly Entry[] | null;
  /** What is wrong, a line each, once everything has been compared. */
  faults: readonly string[] | null;
}

/** A scene before anything has happened. */
export function emptyScene(endpoint: string, seconds: number, joinAt: number): Scene {
  const receiver = (): Receiver => ({
    track: new Track(),
    joined: false,
    caughtUp: null,
    latency: null,
    latencies: [],
    network: null,
    gaps: [],
    entries: null,
  });
  return {
    endpoint,
    seconds,
    joinAt,
    elapsed: 0,
    publisher: new Track(),
    live: receiver(),
    late: receiver(),
    multicast: receiver(),
    busiest: [],
    sent: null,
    faults: null,
  };
}
