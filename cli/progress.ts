/**
 * The progress line: how much has been done and how fast, on a terminal.
 *
 * @module
 */

import type { CompressionCounts } from "../core/compression.ts";
import { formatRatio } from "./compression.ts";
import { StatusLine, type StatusSurroundings, statusTerminal } from "./status_line.ts";
import { formatBytes, formatCount } from "./units.ts";

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
  readonly #around: StatusSurroundings;
  readonly #line: StatusLine;
  /** What had been done at some moments of the last second, oldest first. */
  readonly #moments: { readonly at: number; readonly messages: number; readonly bytes: number }[] = [];
  #lastWritten: number;

  constructor(surroundings: StatusSurroundings) {
    this.#around = surroundings;
    this.#line = new StatusLine(surroundings);
    this.#lastWritten = surroundings.now();
    this.#moments.push({ at: this.#lastWritten, messages: 0, bytes: 0 });
  }

  /** Takes the totals so far, and what was compressed of them; cheap enough to be called for each batch. */
  update(messages: number, bytes: number, compressed: CompressionCounts | null = null): void {
    const now = this.#around.now();
    if (now - this.#lastWritten < updateEvery) return;
    this.#lastWritten = now;
    while (this.#moments.length > 1 && now - this.#moments[0]!.at > rateOver) this.#moments.shift();
    const before = this.#moments[0]!;
    const seconds = (now - before.at) / 1000;
    this.#moments.push({ at: now, messages, bytes });
    const rate = formatCount((messages - before.messages) / seconds);
    const byteRate = formatBytes((bytes - before.bytes) / seconds);
    const ratio = compressed === null ? "" : `  compressed ${formatRatio(compressed)}`;
    this.#line.show(`${formatCount(messages)} messages  ${formatBytes(bytes)}  ${rate}/s  ${byteRate}/s${ratio}`);
  }

  /** Takes the line away, before something else is written; the next update brings it back. */
  clear(): void {
    this.#line.clear();
  }

  /** As {@linkcode clear}. */
  [Symbol.dispose](): void {
    this.clear();
  }
}

/** A progress line on stderr, or `null` where there must be none: when it is not a terminal, or with `--quiet`. */
export function terminalProgress(quiet: boolean): Progress | null {
  const terminal = statusTerminal(quiet);
  return terminal && new Progress(terminal);
}
