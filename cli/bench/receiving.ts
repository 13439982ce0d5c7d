/**
 * The subscribers of one process: each is a connection, and what it receives is counted.
 *
 * @module
 */

import { now } from "./clock.ts";
import type { Driver, Receiver, Sender, Sink } from "./driver.ts";
import { type ReceiveJob, type ReceiveResult, sourcesOf, topicOf } from "./job.ts";
import { Latencies } from "./latencies.ts";
import type { Messages } from "./message.ts";
import { Recorder, type Window } from "./recorder.ts";
import type { ReceivedDatagrams } from "./result.ts";
import { Tally } from "./tally.ts";

/** How many connections are made at the same time. */
const atOnce = 32;
/** Messages that do not come for so long will not come, in milliseconds: of a group, they are asked for meanwhile. */
const patience = 5_000;
const groupPatience = 15_000;
/** How often it is looked whether everything has come, in milliseconds. */
const lookInterval = 10;

/** Receives what a job asks for. */
export class Receiving {
  /** How long each connection took until its subscription was confirmed. */
  readonly setup: Latencies = new Latencies();
  readonly recorder: Recorder;
  /** Told when a connection has come further. */
  onProgress: (received: number[]) => void = () => {};
  readonly #job: ReceiveJob;
  readonly #tallies: Tally[] = [];
  readonly #receivers: Receiver[] = [];
  #echo: Sender | null = null;
  /** How many messages had come when it was looked how far all are. */
  #looked = 0;
  /** What was told last. */
  #told: readonly number[] = [];

  /** @param verify compares each message whole; `null` to leave that */
  constructor(job: ReceiveJob, verify: Messages | null) {
    this.#job = job;
    this.recorder = new Recorder(job.timing);
    for (let i = 0; i < job.connections.length; i++) {
      this.#tallies.push(new Tally(sourcesOf(job), this.recorder, verify));
    }
  }

  /** How many connections are open. */
  get open(): number {
    return this.#receivers.length;
  }

  /** Opens all connections, some at a time. Those that could be opened stay when one cannot. */
  async connect(driver: Driver): Promise<void> {
    const job = this.#job;
    if (job.echo !== null) this.#echo = await driver.send(job.endpoint, job.echo);
    const endpoint = job.kind === "limit" ? `${job.endpoint}?senders=${job.publishers}` : job.endpoint;
    let next = 0;
    const connectSome = async () => {
      while (next < job.connections.length) {
        const index = next++;
        const { first, end, pattern } = job.connections[index]!;
        const began = now();
        const patterns = pattern === null ? job.topics.slice(first, end) : [pattern];
        this.#receivers.push(await driver.receive(endpoint, patterns, this.#sinkOf(index)));
        this.setup.record(now() - began);
      }
    };
    await Promise.all(Array.from({ length: Math.min(atOnce, job.connections.length) }, connectSome));
  }

  /** Rejects when a connection is lost. */
  get lost(): Promise<never> {
    return new Promise((_, reject) => {
      for (const { closed } of this.#receivers) closed.catch(reject);
      this.#echo?.closed.catch(reject);
    });
  }

  /** From now on messages are of this run. */
  start(window: Window): void {
    this.recorder.start(window);
  }

  /** Waits until everything that was sent has come, or nothing has come for a while. */
  async complete(totals: Uint32Array): Promise<void> {
    const told = now();
    const most = this.#job.group === null ? patience : groupPatience;
    const expected = this.#expected(totals);
    while (this.#sum((tally) => tally.received + tally.reported) < expected) {
      if (now() - Math.max(told, this.recorder.lastArrival) > most) return;
      await new Promise((resolve) => setTimeout(resolve, lookInterval));
    }
    await this.#echo?.flush();
  }

  /** What became of the messages. */
  result(totals: Uint32Array): Omit<ReceiveResult, "usage" | "lost"> {
    this.recorder.finish();
    const lost = this.#tallies.map((tally, index) => tally.lost(totals, this.#expects(index)));
    return {
      expected: this.#expected(totals),
      received: this.#sum(({ received }) => received),
      missing: this.#sum(({ reported }, index) => Math.max(0, lost[index]! - reported)),
      unrepaired: this.#sum(({ reported }, index) => Math.min(lost[index]!, reported)),
      duplicated: this.#sum(({ duplicated }) => duplicated),
      reordered: this.#sum(({ reordered }) => reordered),
      // What was said to be lost and came is as wrong as what is broken.
      corrupt: this.#sum(({ corrupt, reported }, index) => corrupt + Math.max(0, reported - lost[index]!)),
      damages: this.#tallies.flatMap(({ damages }) => damages).slice(0, 10),
      measured: this.recorder.measured,
      lastArrival: this.recorder.lastArrival,
      latency: this.recorder.latencies.summary(),
      slices: this.recorder.slices,
      bytes: this.#receivers.reduce((sum, { bytes }) => sum + bytes, 0),
      datagrams: addUp(this.#receivers.flatMap(({ datagrams }) => datagrams ?? [])),
    };
  }

  /** Closes all connections. */
  async close(): Promise<void> {
    for (const receiver of this.#receivers) receiver.close();
    await this.#echo?.close();
  }

  #sum(of: (tally: Tally, index: number) => number): number {
    return this.#tallies.reduce((sum, tally, index) => sum + of(tally, index), 0);
  }

  #expected(totals: Uint32Array): number {
    let expected = 0;
    for (let index = 0; index < this.#tallies.length; index++) {
      const expects = this.#expects(index);
      for (let source = 0; source < totals.length; source++) if (expects(source)) expected += totals[source]!;
    }
    return expected;
  }

  /** Whether a source's messages are for a connection. */
  #expects(index: number): (source: number) => boolean {
    const { first, end } = this.#job.connections[index]!;
    return (source) => {
      const topic = topicOf(this.#job, source);
      return first <= topic && topic < end;
    };
  }

  /** The tally of a connection, and what else its messages set in motion. */
  #sinkOf(index: number): Sink {
    const tally = this.#tallies[index]!;
    if (this.#job.progress > 0) tally.onArrival = this.#moved;
    return this.#echo === null ? tally : new Echo(tally, this.#echo);
  }

  /**
   * Bytes came on a connection. However they are divided among the connections, what is told is never more than two steps
   * behind: a publisher that may be several steps ahead goes on.
   */
  readonly #moved = (): void => {
    const { progress, spread } = this.#job;
    const { received } = this.recorder;
    if (received - this.#looked < progress) return;
    this.#looked = received;
    const now = spread ? [received] : this.#slowest();
    if (now.every((count, index) => count - (this.#told[index] ?? 0) < progress)) return;
    this.#told = now;
    this.onProgress(now);
  };

  /** How far the slowest connection is that a publisher's messages go to, for each publisher. */
  #slowest(): number[] {
    return Array.from({ length: this.#job.publishers }, (_, publisher) => {
      let least = Infinity;
      for (let index = 0; index < this.#tallies.length; index++) {
        if (this.#expects(index)(publisher)) least = Math.min(least, this.#tallies[index]!.next(publisher));
      }
      return least;
    });
  }
}

/** What became of the datagrams of several receivers, or processes of them; `null` where there are none. */
export function addUp(parts: readonly ReceivedDatagrams[]): ReceivedDatagrams | null {
  if (parts.length === 0) return null;
  const sum = (of: (part: ReceivedDatagrams) => number) => parts.reduce((total, part) => total + of(part), 0);
  return {
    faults: {
      lost: sum(({ faults }) => faults.lost),
      reordered: sum(({ faults }) => faults.reordered),
      duplicated: sum(({ faults }) => faults.duplicated),
    },
    missed: sum(({ missed }) => missed),
    unrepaired: sum(({ unrepaired }) => unrepaired),
    requests: sum(({ requests }) => requests),
  };
}

/** A tally that also sends each message back. */
class Echo implements Sink {
  readonly #tally: Tally;
  readonly #sender: Sender;

  constructor(tally: Tally, sender: Sender) {
    this.#tally = tally;
    this.#sender = sender;
  }

  arrived(): void {
    this.#tally.arrived();
  }

  take(bytes: Uint8Array, view: DataView, start: number, end: number): void {
    // First: what is counted here is not part of the round trip.
    this.#sender.send(0, bytes.subarray(start, end));
    this.#tally.take(bytes, view, start, end);
  }

  damaged(why: string): void {
    this.#tally.damaged(why);
  }
}
