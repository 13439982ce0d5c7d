/**
 * A picture that is drawn over itself on a terminal.
 *
 * @module
 */

/** What a screen needs of the world; a test hands in its own. */
export interface Terminal {
  /** Takes text, control sequences included. */
  write(text: string): void;
  /** How many characters fit in a line, and how many lines. */
  size(): { readonly columns: number; readonly rows: number };
}

/** The lines of a terminal that a picture stands in. */
export class Screen implements Disposable {
  readonly #terminal: Terminal;
  #height = 0;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
    // Without the cursor, which would jump about.
    terminal.write("\x1b[?25l");
  }

  /** Draws lines in the place of those that were drawn before. What does not fit is cut off. */
  draw(lines: readonly string[]): void {
    const { columns, rows } = this.#terminal.size();
    const shown = lines.slice(0, Math.max(1, rows - 1));
    const up = this.#height > 0 ? `\x1b[${this.#height}A` : "";
    // Between these two marks a terminal that knows them shows nothing half drawn.
    const text = shown.map((line) => `${clip(line, columns)}\x1b[K\n`).join("");
    this.#terminal.write(`\x1b[?2026h${up}\r${text}\x1b[J\x1b[?2026l`);
    this.#height = shown.length;
  }

  /** Gives the cursor back, under the picture. */
  [Symbol.dispose](): void {
    this.#terminal.write("\x1b[?25h");
  }
}

/** A line that fits in so many columns; control sequences take none. */
export function clip(line: string, columns: number): string {
  let room = columns;
  let clipped = "";
  // deno-lint-ignore no-control-regex
  for (const [part] of line.matchAll(/\x1b\[[0-9;]*m|[^]/gu)) {
    if (part.startsWith("\x1b")) clipped += part;
    else if (room-- > 0) clipped += part;
  }
  return clipped;
}
