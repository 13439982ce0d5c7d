/**
 * The progress line: how much has been done and how fast, on a terminal.
 *
 * @module
 */

import { formatBytes, formatCount } from "./units.ts";

/** What a progress line needs of the world; a test hands in its own. */
export interface ProgressSurroundings {
  /** Takes text for the terminal, control sequences included. */
  write(text: string): void;
  /** Monotonic milliseconds. */
  now(): number;
  /** How many characters fit in a line. */
  columns(): number;
}

/** How often the line is written at most: five times a second. */
const updateEvery = 200;
/** Over how long the rates are taken, so that they can be read. */
const rateOver = 1_000;

/**
 * One line that is written over itself, at most five times a second, and cleared at the end.
 *
 * @example
 * ```ts ignore
 * using progress = terminalProgress(options.log.quiet);
 * progress?.update(messages, bytes);
 * ```
 */
export class Progress implements Disposable {
  readonly #around: ProgressSurroundings;
  /** What had been done at some moments of the last second, oldest first. */
  readonly #moments: { readonly at: number; readonly messages: number; readonly bytes: number }[] = [];
  #lastWritten: number;
  #shown = false;

  constructor(surroundings: ProgressSurroundings) {
    this.#around = surroundings;
    this.#lastWritten = surroundings.now();
    this.#moments.push({ at: this.#lastWritten, messages: 0, bytes: 0 });
  }

  /** Takes the totals so far; cheap enough to be called for each batch. */
  update(messages: number, bytes: number): void {
    const now = this.#around.now();
    if (now - this.#lastWritten < updateEvery) return;
    this.#lastWritten = now;
    while (this.#moments.length > 1 && now - this.#moments[0]!.at > rateOver) this.#moments.shift();
    const before = this.#moments[0]!;
    const seconds = (now - before.at) / 1000;
    this.#moments.push({ at: now, messages, bytes });
    const rate = formatCount((messages - before.messages) / seconds);
    const byteRate = formatBytes((bytes - before.bytes) / seconds);
    const line = `${formatCount(messages)} messages  ${formatBytes(bytes)}  ${rate}/s  ${byteRate}/s`;
    // A line that wraps could not be written over. The last column is left free, or some terminals wrap.
    this.#around.write(`\r${line.slice(0, Math.max(0, this.#around.columns() - 1))}\x1b[K`);
    this.#shown = true;
  }

  /** Takes the line away, before something else is written; the next update brings it back. */
  clear(): void {
    if (this.#shown) this.#around.write("\r\x1b[K");
    this.#shown = false;
  }

  /** As {@linkcode clear}. */
  [Symbol.dispose](): void {
    this.clear();
  }
}

/** A progress line on stderr, or `null` where there must be none: when it is not a terminal, or with `--quiet`. */
export function terminalProgress(quiet: boolean): Progress | null {
  if (quiet || !Deno.stderr.isTerminal()) return null;
  const encoder = new TextEncoder();
  return new Progress({
    write: (text) => void Deno.stderr.writeSync(encoder.encode(text)),
    now: () => performance.now(),
    columns: terminalColumns,
  });
}

/** A terminal that does not know its width, such as a container's, says 0 or nothing. */
function terminalColumns(): number {
  try {
    return Deno.consoleSize().columns || 80;
  } catch {
    return 80;
  }
}
