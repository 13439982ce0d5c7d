/**
 * Carries the bytes between a session and its connection: one reader and one writer each.
 *
 * @module
 */

import { Code } from "./codes.ts";
import type { Connection } from "./connection.ts";
import type { Session } from "./session.ts";

/** Runs one session over one connection, until both are over. */
export class Driver {
  readonly #session: Session;
  readonly #connection: Connection;
  #scheduled = false;
  #finished = false;
  /** What is a bug of ours, once there was one. */
  #bug: { readonly error: unknown } | null = null;
  readonly #closed = Promise.withResolvers<void>();

  constructor(session: Session, connection: Connection) {
    this.#session = session;
    this.#connection = connection;
    session.wake = this.#wake;
  }

  /**
   * Carries bytes until the session is closed, and the connection with it.
   *
   * @throws whatever is a bug of ours: the session has been closed for it
   */
  async run(): Promise<void> {
    const session = this.#session;
    this.#wake();
    for (let space = this.#space(); space.length > 0; space = this.#space()) {
      let count: number | null;
      try {
        count = await this.#connection.read(space);
      } catch (error) {
        this.#failed(error);
        break;
      }
      try {
        if (count === null) session.ended();
        else session.received(count);
        if (session.held !== null) await session.held;
      } catch (error) {
        this.#found(error);
      }
      if (count === null) break;
      // What it brought is written first: the pumps of this turn come before the next read is begun.
      await null;
    }
    await this.#closed.promise;
    if (this.#bug !== null) throw this.#bug.error;
  }

  /** Where the next bytes go. */
  #space(): Uint8Array {
    try {
      return this.#session.space();
    } catch (error) {
      this.#found(error);
      return this.#session.space();
    }
  }

  /** A bug of ours ends the session as any other reason does: the peer is told. */
  #found(error: unknown): void {
    this.#bug ??= { error };
    try {
      this.#session.close(Code.internal);
    } catch {
      this.#session.abort(Code.internal);
    }
  }

  /** Writes at the end of the turn, so that all that a turn brings goes together. */
  readonly #wake = (): void => {
    if (this.#session.state === "closed") {
      // At once: what the session has pinned is free as soon as the connection is closed.
      this.#connection.close();
      this.#session.settle();
      this.#closed.resolve();
    } else if (!this.#scheduled) {
      this.#scheduled = true;
      this.#session.platform.soon(this.#pump);
    }
  };

  readonly #pump = (): void => {
    this.#scheduled = false;
    const session = this.#session;
    if (session.writing || session.state === "closed") return;
    let bytes: Uint8Array | null;
    try {
      bytes = session.next();
    } catch (error) {
      this.#found(error);
      return;
    }
    if (bytes !== null) this.#write(bytes);
    else if (session.state === "closing" && !this.#finished) {
      // The peer reads the last frame only if this side does not reset the connection: it waits for the peer's end.
      this.#finished = true;
      this.#connection.closeWrite().catch(() => {});
    }
  };

  #write(bytes: Uint8Array): void {
    this.#connection.write(bytes).then(this.#wrote, this.#failed);
  }

  readonly #wrote = (count: number): void => {
    const rest = this.#session.written(count);
    if (rest !== null) this.#write(rest);
    else this.#pump();
  };

  readonly #failed = (error: unknown): void => {
    this.#session.abort(Code.connectionLost, reason(error));
    this.#session.settle();
  };
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
