/**
 * Reading the values of a file one by one, and gathering all that is wrong with them.
 *
 * @module
 */

import type { TomlTable, TomlValue } from "smol-toml";
import { UsageError } from "../../core/errors.ts";
import { nearest } from "../suggest.ts";
import type { Path } from "./toml.ts";

/** Something that is wrong, and with which value. */
export interface Fault {
  readonly path: Path;
  /** A clause. */
  readonly text: string;
}

/** A value, the way to it, and where to say what is wrong with it. */
export class Entry {
  readonly #value: TomlValue;
  readonly #faults: Fault[];
  /** What holds it, and under which key or index; nothing holds the outermost table. */
  readonly #place: { readonly holder: Entry; readonly key: string | number } | undefined;

  /** @param faults gathers what is wrong with this value, and with those in it */
  constructor(value: TomlValue, faults: Fault[], place?: { readonly holder: Entry; readonly key: string | number }) {
    this.#value = value;
    this.#faults = faults;
    this.#place = place;
  }

  /** The way to it. */
  get path(): Path {
    return this.#place === undefined ? [] : [...this.#place.holder.path, this.#place.key];
  }

  /** Whether it is an array. */
  get isArray(): boolean {
    return Array.isArray(this.#value);
  }

  /** Whether it is a table. */
  get isTable(): boolean {
    return isTable(this.#value);
  }

  /** Says what is wrong with it, as a clause. */
  fault(text: string): undefined {
    this.#faults.push({ path: this.path, text });
  }

  /** The keys of a table, with their values. None, and a fault, if it is no table. */
  entries(): (readonly [key: string, entry: Entry])[] {
    if (isTable(this.#value)) return Object.entries(this.#value).map(([key, value]) => [key, this.#inner(key, value)]);
    this.fault("it has to be a table");
    return [];
  }

  /** The values of a table that has some of a few keys. What is no such key is a fault, with the nearest that is. */
  table<const Key extends string>(known: readonly Key[]): { readonly [key in Key]?: Entry } {
    const table: { [key in Key]?: Entry } = {};
    for (const [typed, entry] of this.entries()) {
      const key = known.find((key) => key === typed);
      if (key !== undefined) table[key] = entry;
      else {
        const near = nearest(typed, known);
        const right = near === undefined ? `give ${known.join(", ")}` : `did you mean ${near}?`;
        entry.fault(`there is no such key: ${right}`);
      }
    }
    return table;
  }

  /** The values of an array. None, and a fault, if it is none. */
  elements(): Entry[] {
    if (Array.isArray(this.#value)) return this.#value.map((value, index) => this.#inner(index, value));
    this.fault("it has to be an array, in [brackets]");
    return [];
  }

  /** A text. `undefined`, and a fault, if it is none. */
  text(): string | undefined {
    return typeof this.#value === "string" ? this.#value : this.fault('it has to be a string, in "quotes"');
  }

  /**
   * What a parser makes of a text or a number; `undefined`, and a fault, if it throws a `UsageError`.
   *
   * The fault is what the parser says, which may quote the value: it is not for secrets.
   */
  parse<Value>(parser: (text: string) => Value): Value | undefined {
    const text = typeof this.#value === "number" ? String(this.#value) : this.text();
    if (text === undefined) return undefined;
    try {
      return parser(text);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      return this.fault(error.hint === undefined ? error.message : `${error.message}: ${error.hint}`);
    }
  }

  #inner(key: string | number, value: TomlValue): Entry {
    return new Entry(value, this.#faults, { holder: this, key });
  }
}

/** A path as people read it: `users."sensor 1".publish[1]`. */
export function pathText(path: Path): string {
  return path.map((key, index) => {
    if (typeof key === "number") return `[${key}]`;
    const spelt = /^[A-Za-z0-9_-]+$/.test(key) ? key : JSON.stringify(key);
    return index === 0 ? spelt : `.${spelt}`;
  }).join("");
}

function isTable(value: TomlValue): value is TomlTable {
  return typeof value === "object" && !Array.isArray(value) && Object.getPrototypeOf(value) === null;
}
