/**
 * The publishers of one process: each is a connection that sends, as fast as it goes or when each message is due.
 *
 * @module
 */

import { now, turn, waitUntil } from "./clock.ts";
import type { Driver, Sender } from "./driver.ts";
import { FeedbackListener } from "./feedback.ts";
import { type SendJob, sourceOf, sourcesOf } from "./job.ts";
import { Latencies } from "./latencies.ts";
import { type Messages, mulberry32 } from "./message.ts";
import type { Window } from "./recorder.ts";

/** About how many bytes are sent between two looks at the clock. */
const chunkBytes = 32 * 1024;
const mostChunk = 512;

/** How late messages were given to the target, and what became of them. */
export interface Sent {
  readonly totals: Uint32Array;
  /** Messages sent while it was measured. */
  measured: number;
  /** Milliseconds in which publishers could not send for the target. */
  held: number;
  readonly delay: Latencies;
}

/** One connection. */
class Publisher {
  readonly sender: Sender;
  readonly #job: SendJob;
  readonly index: number;
  readonly #messages: Messages;
  readonly #sent: Sent;
  readonly #random: () => number;
  /** Messages sent, to all its topics together. */
  count = 0;
  /** Since when it could not send; 0 when it can. */
  heldSince = 0;
  /** Until when it could not send: what was due before is not late by the generator's fault. */
  heldUntil = 0;

  constructor(sender: Sender, job: SendJob, index: number, messages: Messages, sent: Sent) {
    this.sender = sender;
    this.#job = job;
    this.index = index;
    this.#messages = messages;
    this.#sent = sent;
    this.#random = mulberry32(job.seed + index + 1);
  }

  /** Sends the next message. Returns whether there is room for more. */
  send(due: number): boolean {
    const { topics, spread } = this.#job;
    const topic = spread ? Math.floor(this.#random() * topics.length) : this.index % topics.length;
    const source = sourceOf(this.#job, this.index, topic);
    const count = this.#sent.totals[source]!;
    this.#sent.totals[source] = count + 1;
    this.count++;
    return this.sender.send(topic, this.#messages.make(source, count, due));
  }

  /** When the next message is due at a rate: publishers take turns. Milliseconds from the start. */
  get due(): number {
    return (this.count * this.#job.publishers + this.index) * 1000 / this.#job.rate;
  }
}

/** Sends what a job asks for. */
export class Sending {
  readonly sent: Sent;
  readonly #job: SendJob;
  readonly #messages: Messages;
  readonly #publishers: Publisher[] = [];
  /** How far all receivers are, for each publisher; or how many messages they have, where those are spread. */
  readonly #received: number[];
  /** How far each receiving process is. */
  readonly #progress: Float64Array[];
  #feedback: FeedbackListener | null = null;
  /** Settles when something has changed that publishers wait for. */
  #change = Promise.withResolvers<void>();
  #stopped = false;

  constructor(job: SendJob, messages: Messages) {
    this.#job = job;
    this.#messages = messages;
    this.sent = { totals: new Uint32Array(sourcesOf(job)), measured: 0, held: 0, delay: new Latencies() };
    this.#received = new Array(job.spread ? 1 : job.publishers).fill(0);
    // Who has not told anything yet has received nothing.
    this.#progress = Array.from({ length: job.receivers }, () => new Float64Array(this.#received.length));
  }

  /** Opens all connections. */
  async open(driver: Driver): Promise<void> {
    const job = this.#job;
    for (const index of job.indices) {
      const endpoint = job.kind === "limit" ? `${job.endpoint}?sender=${index}` : job.endpoint;
      this.#publishers.push(
        new Publisher(await driver.send(endpoint, job.topics), job, index, this.#messages, this.sent),
      );
    }
  }

  /** Rejects when a connection is lost. */
  get lost(): Promise<never> {
    return new Promise((_, reject) => {
      for (const { sender } of this.#publishers) sender.closed.catch(reject);
    });
  }

  /** Begins to listen to what receivers tell of their progress; returns at which port, or 0 where nobody is to tell it. */
  listen(): number {
    if (this.#job.window === 0) return 0;
    this.#feedback = new FeedbackListener();
    this.#feedback.take(this.#received.length, (process, received) => this.progress(process, received));
    return this.#feedback.port;
  }

  /** A receiving process has got so far. */
  progress(process: number, received: ArrayLike<number>): void {
    this.#progress[process] = Float64Array.from(received);
    for (let index = 0; index < this.#received.length; index++) {
      const counts = this.#progress.map((of) => of[index]!);
      // Where messages are spread, each process has a part of them; else the slowest decides.
      this.#received[index] = this.#job.spread ? counts.reduce((sum, count) => sum + count, 0) : Math.min(...counts);
    }
    this.#changed();
  }

  /** Sends nothing more. */
  stop(): void {
    this.#stopped = true;
    this.#changed();
  }

  /** Sends until the window ends, or the count is reached; resolves when the target has taken everything. */
  async run(window: Window): Promise<void> {
    await waitUntil(window.origin);
    if (this.#job.rate > 0) await this.#paced(window);
    else await Promise.all(this.#publishers.map((publisher) => this.#flatOut(publisher, window)));
    await Promise.all(this.#publishers.map(({ sender }) => sender.flush()));
  }

  /** Closes all connections. */
  async close(): Promise<void> {
    this.#feedback?.[Symbol.dispose]();
    await Promise.allSettled(this.#publishers.map(({ sender }) => sender.close()));
  }

  /** As fast as the target takes it. */
  async #flatOut(publisher: Publisher, window: Window): Promise<void> {
    const { sender } = publisher;
    const chunk = Math.max(1, Math.min(mostChunk, Math.floor(chunkBytes / this.#messages.size)));
    const alone = this.#publishers.length === 1;
    let limit = Infinity;
    for (let time = now(); !this.#over(publisher, time, window, limit); time = now()) {
      if (limit === Infinity && time >= window.from && this.#job.count > 0) limit = publisher.count + this.#job.count;
      const before = publisher.count;
      const most = Math.min(before + chunk, limit, await this.#room(publisher));
      while (publisher.count < most) {
        if (!publisher.send(time - window.origin)) break;
      }
      if (time >= window.from && time < window.until) this.sent.measured += publisher.count - before;
      if (!sender.writable) await this.#hold(publisher, window);
      else if (!alone) await turn();
    }
  }

  /** Up to which count this publisher may send: not too far ahead of the slowest receiver. */
  async #room(publisher: Publisher): Promise<number> {
    const { window, spread } = this.#job;
    if (window === 0) return Infinity;
    const received = () => this.#received[spread ? 0 : publisher.index]!;
    while (publisher.count - received() >= window && !this.#stopped) await this.#change.promise;
    return received() + window;
  }

  /** Each message when it is due, or as soon after as the target takes it. */
  async #paced(window: Window): Promise<void> {
    const { rate, count, publishers } = this.#job;
    // With a count, the run is so long that each publisher sends as many in the time that is measured.
    const end = count > 0 ? window.from + count * publishers * 1000 / rate : window.until;
    while (!this.#stopped) {
      const time = now();
      let next = Infinity;
      for (const publisher of this.#publishers) {
        if (publisher.heldSince > 0) continue;
        const due = this.#catchUp(publisher, window, time, end);
        if (publisher.sender.writable) next = Math.min(next, due);
        else this.#hold(publisher, window);
      }
      // What was not sent by then is not sent any more, unless it is a number of messages that was asked for.
      if (time >= end && (count === 0 || next >= end)) break;
      await this.#pause(Math.min(next, end));
    }
  }

  /** Sends what is due. Returns when the next message is. */
  #catchUp(publisher: Publisher, { origin, from }: Window, time: number, end: number): number {
    let due = origin + publisher.due;
    while (due <= time && due < end) {
      if (due >= from) {
        this.sent.measured++;
        if (due > publisher.heldUntil) this.sent.delay.record(time - due);
      }
      if (!publisher.send(due - origin)) break;
      due = origin + publisher.due;
    }
    return due;
  }

  /** Waits for the time, or for a publisher that is held: then it may be behind. */
  async #pause(until: number): Promise<void> {
    const held = this.#publishers.filter(({ heldSince }) => heldSince > 0).length;
    if (held === 0) await waitUntil(until);
    else if (held === this.#publishers.length) await this.#change.promise;
    else {
      const { promise } = this.#change;
      do await turn(); while (now() < until && promise === this.#change.promise);
    }
  }

  /** The target takes no more from a publisher for now. */
  async #hold(publisher: Publisher, window: Window): Promise<void> {
    publisher.heldSince = now();
    await publisher.sender.ready();
    publisher.heldUntil = now();
    const measured = Math.min(publisher.heldUntil, window.until) - Math.max(publisher.heldSince, window.from);
    this.sent.held += Math.max(0, measured);
    publisher.heldSince = 0;
    this.#changed();
  }

  #changed(): void {
    const { resolve } = this.#change;
    this.#change = Promise.withResolvers();
    resolve();
  }

  #over(publisher: Publisher, time: number, window: Window, limit: number): boolean {
    return this.#stopped || (this.#job.count > 0 ? publisher.count >= limit : time >= window.until);
  }
}
