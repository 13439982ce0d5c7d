/**
 * Lines that people type and nobody is to see.
 *
 * @module
 */

import { Failure, Interrupted } from "./exit.ts";
import { isTerminal, readChunks } from "./stdio.ts";

/** The longest line, in bytes. */
const longestLine = 4096;

/** What some keys send. */
const key = {
  interrupt: 0x03,
  end: 0x04,
  backspace: 0x08,
  tab: 0x09,
  newline: 0x0a,
  enter: 0x0d,
  clear: 0x15,
  escape: 0x1b,
  delete: 0x7f,
};

/** What a line comes to: not yet all there, there, or given up with Ctrl-C. */
export type LineState = "typing" | "entered" | "interrupted";

/** A line that is being typed on a terminal which neither shows nor edits it. */
export class TypedLine {
  #bytes: number[] = [];
  /** Whether what comes is of a key that is no text: the cursor's, for one. */
  #escaped = false;

  /** What was typed. */
  get text(): string {
    return new TextDecoder().decode(new Uint8Array(this.#bytes));
  }

  /** Takes a byte that was typed. */
  type(byte: number): LineState {
    if (byte === key.interrupt) return "interrupted";
    if (this.#escaped) {
      // ESC [ or ESC O, figures, and a letter or ~ at the end.
      this.#escaped = !/[A-NP-Za-z~]/.test(String.fromCharCode(byte));
      return "typing";
    }
    if (byte === key.enter || byte === key.newline || byte === key.end) return "entered";
    if (byte === key.backspace || byte === key.delete) this.#erase();
    else if (byte === key.clear) this.#bytes = [];
    else if (byte === key.escape) this.#escaped = true;
    else if (byte >= 0x20 || byte === key.tab) this.#append(byte);
    return "typing";
  }

  #append(byte: number): void {
    if (this.#bytes.length >= longestLine) {
      throw new Failure(`cannot read the line: it is longer than ${longestLine} bytes`);
    }
    this.#bytes.push(byte);
  }

  /** Takes away the last character, whose first byte is none of those that continue one in UTF-8. */
  #erase(): void {
    while (this.#bytes.length > 0 && (this.#bytes.pop()! & 0xc0) === 0x80);
  }
}

/**
 * Asks for lines on the terminal and reads them without an echo; from anything else than a terminal it reads them as they
 * come, and asks nothing. Disposing of it gives the terminal its echo back.
 *
 * @example
 * ```ts ignore
 * using input = new HiddenInput(signal);
 * const password = await input.line("Password: ");
 * ```
 */
export class HiddenInput implements Disposable {
  /** Whether somebody is asked. */
  readonly interactive: boolean = isTerminal("stdin");
  readonly #chunks: AsyncIterator<Uint8Array>;
  #left: Uint8Array = new Uint8Array(0);

  constructor(signal: AbortSignal) {
    this.#chunks = readChunks(Deno.stdin, "stdin", 1024, signal);
    if (this.interactive) Deno.stdin.setRaw(true);
  }

  /** Gives the terminal its echo back. */
  [Symbol.dispose](): void {
    if (this.interactive) Deno.stdin.setRaw(false);
  }

  /**
   * Reads one line.
   *
   * @returns what was typed; less than a line, or nothing, where the input ends before
   * @throws {Interrupted} when Ctrl-C was typed
   * @throws {Failure} when it is longer than 4096 bytes, or cannot be read
   */
  async line(prompt: string): Promise<string> {
    if (this.interactive) show(prompt);
    const line = new TypedLine();
    try {
      for (;;) {
        const byte = await this.#next();
        const state = byte === undefined ? "entered" : line.type(byte);
        if (state === "interrupted") throw new Interrupted("SIGINT");
        if (state === "entered") return line.text;
      }
    } finally {
      if (this.interactive) show("\n");
    }
  }

  async #next(): Promise<number | undefined> {
    while (this.#left.length === 0) {
      const { done, value } = await this.#chunks.next();
      if (done) return undefined;
      this.#left = value;
    }
    const [byte] = this.#left;
    this.#left = this.#left.subarray(1);
    return byte;
  }
}

function show(text: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(text));
}
