/**
 * Sends messages to the byte copier, as frames of our own.
 *
 * @module
 */

import { readU64 } from "../../../core/bytes.ts";
import type { Connection } from "../../../core/connection.ts";
import { Slice } from "../../../core/cursor.ts";
import { TransportError, UsageError } from "../../../core/errors.ts";
import { at } from "../../../core/frame.ts";
import { largestBatch, largestMessage, largestWrite } from "../../../core/limits.ts";
import { MemoryBudget } from "../../../core/memory.ts";
import { ConnectionCredit, Outbox } from "../../../core/outbox.ts";
import { SegmentPool } from "../../../core/segment_pool.ts";
import { platform } from "../../../transports/platform.ts";
import type { Sender } from "../driver.ts";

/** Above so many bytes that are not written a sender is asked to wait, until half of them are: one write goes, one is filled. */
const enough = 2 * largestWrite;

interface Wait {
  readonly done: () => boolean;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** An outbox, written as the library writes it; what was written counts as acknowledged, since the copier says nothing. */
export class LimitSender implements Sender {
  readonly closed: Promise<void>;
  readonly #server: string;
  readonly #connection: Connection;
  readonly #pool = new SegmentPool(new MemoryBudget(4 * largestMessage));
  readonly #outbox: Outbox;
  readonly #slice = new Slice();
  readonly #settled = Promise.withResolvers<void>();
  readonly #watching: Promise<void>;
  /** Whether a write is pending, or will begin at the end of this turn. */
  #writing = false;
  /** What is not written of {@linkcode #slice}. */
  #rest: Uint8Array = new Uint8Array(0);
  #waits: Wait[] = [];
  /** Why it ended; `undefined` while it has not. */
  #end: Error | undefined;

  /** Takes the connection over, which the copier knows as a sender's. */
  constructor(server: string, connection: Connection) {
    this.#server = server;
    this.#connection = connection;
    const credit = new ConnectionCredit();
    credit.limit = Infinity;
    this.#outbox = new Outbox("", platform, this.#pool, credit);
    this.#outbox.declared(1, Infinity, largestBatch, 0);
    this.closed = this.#settled.promise;
    this.closed.catch(() => {});
    this.#watching = this.#watch();
  }

  get writable(): boolean {
    return this.#end === undefined && this.#outbox.bytes < enough;
  }

  send(_topic: number, message: Uint8Array): boolean {
    if (this.#end !== undefined) return false;
    if (!this.#outbox.push(message, 0, message.length)) {
      throw new UsageError(
        `cannot send to ${this.#server}: ${this.#outbox.bytes} bytes wait to be sent`,
        "wait for ready() when send() returns false",
      );
    }
    if (!this.#writing) {
      this.#writing = true;
      platform.soon(this.#pump);
    }
    return this.#outbox.bytes < enough;
  }

  ready(): Promise<void> {
    return this.writable ? Promise.resolve() : this.#until(() => this.#outbox.bytes < enough / 2);
  }

  flush(): Promise<void> {
    return this.#until(() => this.#outbox.pending === 0);
  }

  /** Closes it at once: what was not flushed may be lost. */
  async close(): Promise<void> {
    this.#finish(this.#lost("it was closed here"), true);
    await this.closed.catch(() => {});
  }

  /** Waits until `done` says so: it is asked when something was written. */
  #until(done: () => boolean): Promise<void> {
    if (this.#end !== undefined) return Promise.reject(this.#end);
    if (done()) return Promise.resolve();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waits.push({ done, resolve, reject });
    return promise;
  }

  readonly #pump = (): void => {
    const slice = this.#slice;
    if (this.#end !== undefined || this.#outbox.take(largestWrite, slice) === "empty") {
      this.#writing = false;
      return;
    }
    const segment = slice.segment!;
    this.#pool.pin(segment);
    this.#rest = segment.bytes.subarray(slice.start, slice.end);
    this.#connection.write(this.#rest).then(this.#wrote, this.#failed);
  };

  readonly #wrote = (count: number): void => {
    if (count < this.#rest.length) {
      this.#rest = this.#rest.subarray(count);
      this.#connection.write(this.#rest).then(this.#wrote, this.#failed);
      return;
    }
    const last = lastNumber(this.#slice);
    this.#pool.unpin(this.#slice.segment!);
    if (this.#end === undefined) this.#outbox.acknowledge(last);
    if (this.#waits.length > 0) this.#ask();
    this.#pump();
  };

  readonly #failed = (error: Error): void => {
    this.#pool.unpin(this.#slice.segment!);
    this.#finish(error, false);
  };

  /** Watches for the copier's end: it has nothing to say. */
  async #watch(): Promise<void> {
    try {
      await this.#connection.read(new Uint8Array(1));
      this.#finish(this.#lost("the other end closed the connection"), false);
    } catch (error) {
      this.#finish(error as Error, false);
    }
  }

  /** @param quiet whether it is the end that was asked for */
  #finish(error: Error, quiet: boolean): void {
    if (this.#end !== undefined) return;
    this.#end = error;
    this.#connection.close();
    this.#outbox.clear();
    for (const { reject } of this.#waits.splice(0)) reject(error);
    if (quiet) this.#watching.then(this.#settled.resolve);
    else this.#settled.reject(error);
  }

  #lost(why: string): TransportError {
    return new TransportError(`send to ${this.#server}`, this.#server, why);
  }

  #ask(): void {
    this.#waits = this.#waits.filter(({ done, resolve }) => {
      const over = done();
      if (over) resolve();
      return !over;
    });
  }
}

/** The number of the last message of a slice. */
function lastNumber({ segment, start, end }: Slice): number {
  const { view } = segment!;
  let frame = start;
  for (let next = frame; next < end; next += segment!.lengthAt(next)) frame = next;
  return readU64(view, frame + at.number) + segment!.countAt(frame) - 1;
}
