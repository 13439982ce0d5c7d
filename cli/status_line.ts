/**
 * One line on a terminal that is written over itself.
 *
 * @module
 */

/** What a status line needs of the world; a test hands in its own. */
export interface StatusSurroundings {
  /** Takes text for the terminal, control sequences included. */
  write(text: string): void;
  /** Monotonic milliseconds. */
  now(): number;
  /** How many characters fit in a line. */
  columns(): number;
}

/** A line that is shown, shown anew, and cleared at the end. */
export class StatusLine implements Disposable {
  readonly #around: StatusSurroundings;
  #shown = false;

  constructor(surroundings: StatusSurroundings) {
    this.#around = surroundings;
  }

  /** Shows a text, without control sequences, in the place of the one before. What does not fit is cut off. */
  show(text: string): void {
    // A line that wraps could not be written over. The last column is left free, or some terminals wrap.
    this.#around.write(`\r${text.slice(0, Math.max(0, this.#around.columns() - 1))}\x1b[K`);
    this.#shown = true;
  }

  /** Takes the line away, before something else is written. */
  clear(): void {
    if (this.#shown) this.#around.write("\r\x1b[K");
    this.#shown = false;
  }

  /** As {@linkcode clear}. */
  [Symbol.dispose](): void {
    this.clear();
  }
}

/** The terminal that stderr is, or `null` where there must be no status line: when it is none, or with `--quiet`. */
export function statusTerminal(quiet: boolean): StatusSurroundings | null {
  if (quiet || !Deno.stderr.isTerminal()) return null;
  const encoder = new TextEncoder();
  return {
    write: (text) => void Deno.stderr.writeSync(encoder.encode(text)),
    now: () => performance.now(),
    columns: terminalColumns,
  };
}

/** A terminal that does not know its width, such as a container's, says 0 or nothing. */
function terminalColumns(): number {
  try {
    return Deno.consoleSize().columns || 80;
  } catch {
    return 80;
  }
}
