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
    for (;;) {
      const space = this.#try(() => session.space());
      if (space === null) continue;
      if (space.length === 0) break;
      const count = await this.#read(space);
      if (count === null) break;
      this.#try(() => session.received(count));
    }
    await this.#closed.promise;
    if (this.#bug !== null) throw this.#bug.error;
  }

  /** Does something that throws only for a bug of ours. That ends the session as any other reason does: the peer is told. */
  #try<T>(what: () => T): T | null {
    try {
      return what();
    } catch (error) {
      this.#bug ??= { error };
      try {
        this.#session.close(Code.internal);
      } catch {
        this.#session.abort(Code.internal);
      }
      return null;
    }
  }

  /** Reads, and tells the session when there will be no more. */
  async #read(space: Uint8Array): Promise<number | null> {
    try {
      const count = await this.#connection.read(space);
      if (count === null) this.#session.ended();
      return count;
    } catch (error) {
      this.#session.settle();
      this.#session.abort(Code.connectionLost, reason(error));
      return null;
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
    const bug = this.#bug;
    const bytes = this.#try(() => session.next());
    if (this.#bug !== bug) return;
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
