/**
 * Reads a subscription's inbox as an async iterable: of events, of batches or of messages.
 *
 * No generators: a frame costs one promise, and a frame may hold a single message.
 *
 * @module
 */

import { Batch, type Message, type Opening } from "./batch.ts";
import { Code, codeName } from "./codes.ts";
import type { Platform } from "./connection.ts";
import type { Gap, Inbox, Restarted, Run } from "./inbox.ts";

/** Messages were lost: they will not come. */
export interface GapEvent {
  /** Tells it from the other events of a subscription. */
  readonly kind: "gap";
  /** The topic that the messages are of. */
  readonly topic: string;
  /** Sequence of the first that is lost. */
  readonly first: number;
  /** Sequence of the last that is lost; 0 when it is not known how many are. */
  readonly last: number;
  /** How many; 0 when that is not known. */
  readonly lost: number;
  /** Why, as a name: `lagged`, `expired`, `corrupt`, ... */
  readonly reason: string;
  /** Why, as its number on the wire. */
  readonly code: Code;
}

/** What happens to a subscription, in order. */
export type SubscriptionEvent = Batch | GapEvent | Restarted;

/** Thrown by the iterators that have no other way to say that messages were lost. */
export class GapError extends Error {
  /** Names the class. */
  override readonly name = "GapError";
  /** What was lost. */
  readonly gap: GapEvent;

  /** The message says which messages, and why. */
  constructor(gap: GapEvent) {
    super(`messages of ${gap.topic} were lost: ${gap.first} to ${gap.last || "?"}: ${gap.reason}`);
    this.gap = gap;
  }
}

/** What is read, and how its end is known. */
export interface Readable extends Opening {
  readonly inbox: Inbox;
  /** The owner has left: nothing more is read. */
  readonly left: boolean;
  /** Nothing more will come. */
  readonly ended: boolean;
  /** What to throw at the end, if anything. */
  readonly error: Error | null;
  /** Resolves when something came, or the end. */
  arrival(): Promise<void>;
  /** Part of the inbox was read. */
  goOn(): void;
}

/** Takes events out of an inbox, one at a time. */
class EventReader {
  readonly source: Readable;
  readonly #batch = new Batch();
  #run: Run | null = null;
  /** Where the next frame begins, and where the last one did. */
  #offset = 0;
  #start = 0;

  constructor(source: Readable) {
    this.source = source;
  }

  /** The next event, or `null` when there is none now. Ends what the last one was a view of. */
  poll(): SubscriptionEvent | null {
    if (this.source.left) {
      this.release();
      return null;
    }
    if (this.#run !== null && this.#offset === this.#run.end) this.release();
    if (this.#run === null) {
      const entry = this.source.inbox.shift();
      if (entry === null) return null;
      if (entry.kind !== "frames") {
        this.source.goOn();
        return entry.kind === "gap" ? gapEvent(entry) : entry;
      }
      this.#run = entry;
      this.#offset = entry.start;
    }
    return this.#frame(this.#run);
  }

  /**
   * Reading stops: what was not read is left for who reads next.
   *
   * @param floor of the last batch, messages from this sequence on were not read; 0 if all of them were
   */
  stop(floor: number): void {
    const run = this.#run;
    if (run !== null && !this.source.left) {
      if (floor > 0) this.source.inbox.putBack(run, this.#start, floor);
      else if (this.#offset < run.end) this.source.inbox.putBack(run, this.#offset, run.floor);
    }
    this.release();
  }

  /** Lets go of the frames that were being read. */
  release(): void {
    if (this.#run === null) return;
    this.source.inbox.release(this.#run);
    this.#run = null;
    this.source.goOn();
  }

  #frame({ topic, segment, floor }: Run): SubscriptionEvent {
    const batch = this.#batch;
    const start = this.#start = this.#offset;
    this.#offset += segment.lengthAt(start);
    const code = batch.open(topic, segment, start, floor, this.source);
    if (code === Code.done) return batch;
    const { sequence: first, count } = batch;
    return gapEvent({ kind: "gap", topic, first, last: first + count - 1, code });
  }
}

/** Iterates over what is polled, and waits where there is nothing. */
class Iteration<T> implements AsyncIterableIterator<T> {
  readonly #reader: EventReader;
  readonly #poll: () => T | null;
  readonly #unread: () => number;
  #returned = false;

  /** @param unread sequence from which on the last batch was not read; 0 if it was */
  constructor(reader: EventReader, poll: () => T | null, unread: () => number = () => 0) {
    this.#reader = reader;
    this.#poll = poll;
    this.#unread = unread;
  }

  next(): Promise<IteratorResult<T>> {
    if (this.#returned) return Promise.resolve({ value: undefined, done: true });
    try {
      const value = this.#poll();
      if (value !== null) return Promise.resolve({ value, done: false });
    } catch (error) {
      this.#reader.stop(0);
      return Promise.reject(error);
    }
    const { source } = this.#reader;
    if (source.left) return Promise.resolve({ value: undefined, done: true });
    if (source.error) return Promise.reject(source.error);
    if (source.ended) return Promise.resolve({ value: undefined, done: true });
    return source.arrival().then(() => this.next());
  }

  return(): Promise<IteratorResult<T>> {
    if (!this.#returned) this.#reader.stop(this.#unread());
    this.#returned = true;
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

/**
 * Tells everything that has happened, without a promise: a batch is valid during the call alone.
 *
 * @param close called after an error of who is told, which is nobody's to catch
 * @returns what is to be called when something came
 */
export function tellEvents(
  source: Readable,
  tell: (event: SubscriptionEvent) => void,
  platform: Pick<Platform, "soon">,
  close: () => void,
): () => void {
  const reader = new EventReader(source);
  const tellAll = () => {
    try {
      for (let event = reader.poll(); event !== null; event = reader.poll()) tell(event);
    } finally {
      reader.release();
    }
  };
  return () => {
    try {
      tellAll();
    } catch (error) {
      close();
      platform.soon(() => {
        throw error;
      });
    }
  };
}

/** Everything that happens, in order. */
export function readEvents(source: Readable): AsyncIterableIterator<SubscriptionEvent> {
  const reader = new EventReader(source);
  return new Iteration(reader, () => reader.poll());
}

/** Batches; a gap is thrown. */
export function readBatches(source: Readable): AsyncIterableIterator<Batch> {
  const reader = new EventReader(source);
  return new Iteration(reader, () => pollBatch(reader));
}

/** Messages, each a copy; a gap is thrown. */
export function readMessages(source: Readable): AsyncIterableIterator<Message> {
  const reader = new EventReader(source);
  let batch: Batch | null = null;
  let index = 0;
  const poll = () => {
    if (source.left) {
      reader.release();
      return null;
    }
    while (batch === null || index === batch.count) {
      batch = null;
      batch = pollBatch(reader);
      index = 0;
      if (batch === null) return null;
    }
    return batch.message(index++);
  };
  return new Iteration(reader, poll, () => batch !== null && index < batch.count ? batch.sequence + index : 0);
}

function pollBatch(reader: EventReader): Batch | null {
  for (;;) {
    const event = reader.poll();
    if (event === null || event.kind === "batch") return event;
    if (event.kind === "gap") throw new GapError(event);
  }
}

function gapEvent({ topic, first, last, code }: Gap): GapEvent {
  return { kind: "gap", topic, first, last, lost: last === 0 ? 0 : last - first + 1, reason: codeName(code), code };
}
