/**
 * TOML with the lines that its values stand on, so that whoever finds one wrong can say where.
 *
 * @module
 */

import { parse, TomlError, type TomlTable } from "smol-toml";

/** The way to a value from the outermost table: keys, and indexes in arrays. */
export type Path = readonly (string | number)[];

/** More brackets than that in each other mean nothing in any file of ours. */
const deepest = 16;

const quoteKey = 'what has others than letters, digits, - and _ in it stands in quotes: [users."a@b.org"]';

const string = /"""(?:\\[^]|[^"\\]+|"(?!""))*"{3,5}|'''[^]*?'{3,5}|"(?:\\.|[^"\\]+)*"|'[^']*'/y;

/**
 * Reads a text in TOML.
 *
 * @returns the outermost table; or what is wrong and on which line, from 1, in words that quote nothing of the text
 *
 * @example
 * ```ts
 * import { parseToml } from "./toml.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseToml("a = 1\nb = [2,"), { line: 2, fault: "unfinished array" });
 * ```
 */
export function parseToml(
  text: string,
): { readonly table: TomlTable } | { readonly line: number; readonly fault: string } {
  try {
    return { table: parse(text, { maxDepth: deepest }) };
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    // What follows is a piece of the text, which may hold secrets.
    const fault = error.message.split("\n", 1)[0]!.replace("Invalid TOML document: ", "");
    return { line: error.line, fault: fault === "illegal character in key" ? `${fault}: ${quoteKey}` : fault };
  }
}

/**
 * Finds the lines of values in a text that {@linkcode parseToml} takes.
 *
 * It is apart because only who has something to say of a value needs it: parsing is faster without.
 *
 * @returns tells the line of the value at a path, from 1; for what is not in the text, that of what would hold it
 *
 * @example
 * ```ts
 * import { linesOf } from "./toml.ts";
 * import { assert } from "@std/assert";
 *
 * const lineOf = linesOf("[users.alice]\npublish = [\n  'a',\n  'b',\n]");
 * assert(lineOf(["users", "alice", "publish", 1]) === 4);
 * assert(lineOf(["users", "alice", "subscribe"]) === 1);
 * ```
 */
export function linesOf(text: string): (path: Path) => number {
  const lines = new LineScanner(text).scan();
  return (path) => {
    for (let length = path.length; length > 0; length--) {
      const line = lines.get(spell(path.slice(0, length)));
      if (line !== undefined) return line;
    }
    return 1;
  };
}

/** Walks over a text that is known to be right, which is much simpler than to parse one. */
class LineScanner {
  readonly #text: string;
  readonly #lines = new Map<string, number>();
  #at = 0;
  #line = 1;

  constructor(text: string) {
    this.#text = text;
  }

  /** The line of each value, by its path as {@linkcode spell} has it. */
  scan(): ReadonlyMap<string, number> {
    const elements = new Map<string, number>();
    let table: Path = [];
    for (this.#skip(); this.#at < this.#text.length; this.#skip()) {
      const bracket = this.#take(/\[\[?/y);
      if (bracket === "") {
        this.#pair(table);
        continue;
      }
      table = this.#key([]);
      this.#take(/\]\]?/y);
      if (bracket === "[[") {
        const index = elements.get(spell(table)) ?? 0;
        elements.set(spell(table), index + 1);
        table = [...table, index];
        this.#note(table);
      }
    }
    return this.#lines;
  }

  #pair(table: Path): void {
    const path = this.#key(table);
    this.#take(/=/y);
    this.#value(path);
  }

  #value(path: Path): void {
    this.#skip();
    this.#note(path);
    if (this.#take(/\[/y)) {
      for (let index = 0; this.#more(/\]/y); index++) this.#value([...path, index]);
    } else if (this.#take(/\{/y)) {
      while (this.#more(/\}/y)) this.#pair(path);
    } else if (!this.#take(string)) {
      this.#take(/[^,\]}#\r\n]+/y);
    }
  }

  /** Whether another element comes, and not the end of its array or table. */
  #more(end: RegExp): boolean {
    this.#skip();
    if (this.#take(/,/y)) this.#skip();
    return !this.#take(end);
  }

  /** A key with its dots, below a table; each part of it is noted if it is new. */
  #key(table: Path): Path {
    this.#skip();
    const written = this.#take(/(?:"(?:\\.|[^"\\])*"|'[^']*'|[^"'=\]])+/y);
    let path = table;
    // The parser knows what quotes and escapes mean.
    for (let value: unknown = parse(`${written} = 0`); typeof value === "object" && value !== null;) {
      const [[name, inner]] = Object.entries(value) as [[string, unknown]];
      path = [...path, name];
      this.#note(path);
      value = inner;
    }
    return path;
  }

  #note(path: Path): void {
    const spelt = spell(path);
    if (!this.#lines.has(spelt)) this.#lines.set(spelt, this.#line);
  }

  /** Goes over white space, line ends and comments. */
  #skip(): void {
    this.#take(/(?:\s+|#[^\n]*)*/y);
  }

  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const taken = pattern.exec(this.#text)?.[0] ?? "";
    this.#at += taken.length;
    for (let at = taken.indexOf("\n"); at >= 0; at = taken.indexOf("\n", at + 1)) this.#line++;
    return taken;
  }
}

function spell(path: Path): string {
  return JSON.stringify(path);
}
