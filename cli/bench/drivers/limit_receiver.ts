/**
 * Receives our own frames from the byte copier.
 *
 * @module
 */

import { Batch } from "../../../core/batch.ts";
import { Code, codeName } from "../../../core/codes.ts";
import type { Connection } from "../../../core/connection.ts";
import { ProtocolError, TransportError } from "../../../core/errors.ts";
import { FrameType, largestFrame, messagesAgree } from "../../../core/frame.ts";
import { FrameReader } from "../../../core/frame_reader.ts";
import { largestMessage } from "../../../core/limits.ts";
import { MemoryBudget } from "../../../core/memory.ts";
import { SegmentPool } from "../../../core/segment_pool.ts";
import { platform } from "../../../transports/platform.ts";
import type { Receiver, Sink } from "../driver.ts";

/** Frames are checked, since nobody has done so on their way. */
const opening = { platform, verify: true, maxMessage: largestMessage };

/** The most memory of what comes in, of all receivers of a process: a quarter MiB each, unless messages are larger. */
const inputs = new MemoryBudget(2 * 1024 * 1024 * 1024);
const pool = new SegmentPool(new MemoryBudget(2 * inputs.limit));

/** What comes from several senders, each on a connection of its own. */
export class LimitReceiver implements Receiver {
  readonly closed: Promise<void>;
  bytes = 0;
  readonly #server: string;
  readonly #connections: readonly Connection[];
  readonly #sink: Sink;
  readonly #batch = new Batch();
  /** Why it ended, `null` when it was closed; `undefined` while it has not. */
  #end: Error | null | undefined;

  /**
   * Takes the connections over, which are registered with the copier.
   *
   * @throws {ProtocolError} when there is no memory for them
   */
  constructor(server: string, connections: readonly Connection[], sink: Sink) {
    this.#server = server;
    this.#connections = connections;
    this.#sink = sink;
    const readers = connections.map(() => new FrameReader(pool, inputs));
    this.closed = Promise.all(connections.map((connection, i) => this.#read(connection, readers[i]!))).then(() => {
      if (this.#end) throw this.#end;
    });
    this.closed.catch(() => {});
  }

  close(): void {
    this.#finish(null);
  }

  #finish(end: Error | null): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    for (const connection of this.#connections) connection.close();
  }

  async #read(connection: Connection, reader: FrameReader): Promise<void> {
    reader.mostMessages = largestFrame(largestMessage);
    try {
      while (this.#end === undefined) {
        const count = await connection.read(reader.space());
        reader.settle();
        if (count === null) throw this.#lost();
        reader.received(count);
        this.bytes += count;
        this.#take(reader);
      }
    } catch (error) {
      if (this.#end === undefined && error instanceof ProtocolError) this.#sink.damaged(error.message);
      this.#finish(error as Error);
    } finally {
      reader.settle();
      reader.close();
    }
  }

  /** Gives all messages to the sink whose frames are whole. */
  #take(reader: FrameReader): void {
    const sink = this.#sink;
    const batch = this.#batch;
    if (this.#end === undefined) sink.arrived();
    while (this.#end === undefined && reader.next()) {
      const { segment, start, length, type } = reader;
      if (type !== FrameType.messages) throw new ProtocolError(Code.protocol, `a frame of type ${type}`);
      const agrees = messagesAgree(segment.view, start, length);
      const code = agrees ? batch.open("", segment, start, 0, opening) : Code.corrupt;
      if (code !== Code.done) {
        sink.damaged(`a frame of ${length} bytes is ${codeName(code)}`);
        continue;
      }
      const { count, bytes } = batch;
      for (let i = 0; i < count; i++) sink.take(bytes, segment.view, batch.start(i), batch.end(i));
    }
  }

  #lost(): TransportError {
    return new TransportError(`receive from ${this.#server}`, this.#server, "the other end closed the connection");
  }
}
