/**
 * Text in columns.
 *
 * @module
 */

/** A column: its heading, and a cell a row. */
export interface Column {
  readonly heading: string;
  readonly cells: readonly string[];
  /** Which side is even; numbers are right. */
  readonly align?: "left" | "right";
}

const gap = "  ";

/**
 * Lines with the columns side by side. Columns whose cells are all empty are left out.
 *
 * @param bold a row that stands out, counted from 0; -1 for none
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { grid } from "./grid.ts";
 *
 * const columns = [{ heading: "target", cells: ["a", "bc"], align: "left" as const }, { heading: "n", cells: ["1", "22"] }];
 * assertEquals(grid(columns), ["target   n", "a        1", "bc      22"]);
 * ```
 */
export function grid(columns: readonly Column[], bold = -1): string[] {
  const shown = columns.filter(({ cells }) => cells.some((cell) => cell !== ""));
  const rows = Math.max(0, ...shown.map(({ cells }) => cells.length));
  const widths = shown.map(({ heading, cells }) => Math.max(heading.length, ...cells.map((cell) => cell.length)));
  const line = (textOf: (column: Column) => string) =>
    shown.map((column, index) => {
      const text = textOf(column);
      return column.align === "left" ? text.padEnd(widths[index]!) : text.padStart(widths[index]!);
    }).join(gap).trimEnd();
  const lines = [line(({ heading }) => heading)];
  for (let row = 0; row < rows; row++) {
    const text = line(({ cells }) => cells[row] ?? "");
    lines.push(row === bold ? `\x1b[1m${text}\x1b[0m` : text);
  }
  return lines;
}

/** A space, but not one between a number and its unit. */
const breakable = / (?!(?:[µm]?s|B|[KMG]iB|[kMG](?:\/s)?)(?![A-Za-z]))/;

/** A text in lines of at most so many characters, broken between words; all but the first are indented. */
export function wrap(text: string, width: number, indent = "  "): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(breakable)) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = indent + word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
