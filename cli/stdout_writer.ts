/**
 * Writes formatted messages to stdout: at once while nothing is being written, together while something is.
 *
 * @module
 */

import { OutputBuffer } from "./output_buffer.ts";
import { writeAll } from "./stdio.ts";

/** Above this many bytes the caller waits for the write before it. */
const highWater = 1024 * 1024;

/** Two buffers that take turns: one is filled while the other is written. */
export class StdoutWriter {
  /** Where messages are formatted. */
  readonly filling: OutputBuffer = new OutputBuffer();
  readonly #flying = new OutputBuffer();
  #writing: Promise<void> | null = null;
  #error: unknown = null;
  readonly #onError: () => void;

  /** @param onError called when a write has failed; {@linkcode send} and {@linkcode flush} throw what it failed with */
  constructor(onError: () => void) {
    this.#onError = onError;
  }

  /** Whether {@linkcode send} has to be waited for. */
  get full(): boolean {
    return this.filling.length >= highWater;
  }

  /** Begins to write what was filled, if nothing is being written; otherwise it goes when that is done. */
  send(): void {
    if (this.#error !== null) throw this.#error;
    if (this.#writing === null && this.filling.length > 0) this.#writing = this.#write();
  }

  /** Waits until everything that was filled is written. */
  async flush(): Promise<void> {
    this.send();
    await this.#writing;
    if (this.#error !== null) throw this.#error;
  }

  async #write(): Promise<void> {
    try {
      while (this.filling.length > 0) {
        this.#flying.swap(this.filling);
        await writeAll(this.#flying.bytes());
        this.#flying.clear();
      }
    } catch (error) {
      this.#error = error;
      this.#onError();
    } finally {
      this.#writing = null;
    }
  }
}
