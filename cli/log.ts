/**
 * The log: one line a record, on stderr.
 *
 * @module
 */

import { printError } from "./stdio.ts";
import { formatCount } from "./units.ts";

/** From the fewest records to the most. */
export const logLevels = ["error", "warn", "info", "debug"] as const;
/** How much is logged. */
export type LogLevel = (typeof logLevels)[number];

/** How records are written. */
export const logFormats = ["text", "json"] as const;
/** A line for people, or a JSON object a line. */
export type LogFormat = (typeof logFormats)[number];

/** What the user asked of the log. */
export interface LogOptions {
  /** The least important records that are written. */
  readonly level: LogLevel;
  /** How they are written. */
  readonly format: LogFormat;
  /** No progress, and no records below warnings unless `--log-level` says so. */
  readonly quiet: boolean;
}

/** What a record is about, beside its message: `{ peer: "127.0.0.1:51334", reason: "lagged" }`. */
export type LogFields = Readonly<Record<string, string | number | boolean | null>>;

/** What a log needs of the world; a test hands in its own. */
export interface LogSurroundings {
  /** Takes a line without its line end. */
  write(line: string): void;
  /** Unix milliseconds. */
  now(): number;
  /** Whether colours may be used. */
  readonly color: boolean;
  /** Calls back after so many milliseconds, unless the returned function is called first. Keeps no program running. */
  later(callback: () => void, milliseconds: number): () => void;
}

/** How long a repeated warning is added up before its count is told. */
const addUpFor = 5_000;
/** How many different warnings are watched for repetition at a time. */
const mostWatched = 256;

interface Repetition {
  readonly level: LogLevel;
  fields: LogFields;
  since: number;
  count: number;
}

/**
 * Writes records of the level that was asked for, and above.
 *
 * An error or warning with the same message as one of the last five seconds is not written again but added up, and told
 * once: `... (41 more in 5s)`, or before another warning or error is written. The fields may differ; those of the latest
 * are told.
 *
 * @example
 * ```ts ignore
 * using log = new Log({ level: "info", format: "text", quiet: false });
 * log.info("accepted", { peer: "127.0.0.1:51334" });
 * ```
 */
export class Log implements Disposable {
  readonly #level: number;
  readonly #format: LogFormat;
  readonly #around: LogSurroundings;
  readonly #repeated = new Map<string, Repetition>();
  #cancel: (() => void) | undefined;

  constructor(options: LogOptions, surroundings: LogSurroundings = processSurroundings()) {
    this.#level = logLevels.indexOf(options.level);
    this.#format = options.format;
    this.#around = surroundings;
  }

  /** Whether records of that level are written: ask before making an expensive one. */
  writes(level: LogLevel): boolean {
    return logLevels.indexOf(level) <= this.#level;
  }

  /** Something failed and stays failed. */
  error(message: string, fields: LogFields = {}): void {
    this.#addUp("error", message, fields);
  }

  /** Something is wrong, and the program goes on. */
  warn(message: string, fields: LogFields = {}): void {
    this.#addUp("warn", message, fields);
  }

  /** Something happened that an operator wants to know. */
  info(message: string, fields: LogFields = {}): void {
    if (this.writes("info")) this.#record("info", message, fields);
  }

  /** Something happened that helps to find a fault. */
  debug(message: string, fields: LogFields = {}): void {
    if (this.writes("debug")) this.#record("debug", message, fields);
  }

  /** Tells at once what has been added up. */
  flush(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    for (const [message, repetition] of this.#repeated) this.#tell(message, repetition);
    this.#repeated.clear();
  }

  /** As {@linkcode flush}. */
  [Symbol.dispose](): void {
    this.flush();
  }

  #addUp(level: LogLevel, message: string, fields: LogFields): void {
    if (!this.writes(level)) return;
    const known = this.#repeated.get(message);
    if (known !== undefined) {
      known.count++;
      known.fields = fields;
      return;
    }
    if (this.#repeated.size >= mostWatched) this.flush();
    // What came before is told before: "connection lost" after "connected again" would be read as another loss.
    for (const [other, repetition] of this.#repeated) {
      if (repetition.count === 0) continue;
      this.#tell(other, repetition);
      repetition.count = 0;
      repetition.since = this.#around.now();
    }
    this.#repeated.set(message, { level, fields, since: this.#around.now(), count: 0 });
    this.#cancel ??= this.#around.later(this.#due, addUpFor);
    this.#record(level, message, fields);
  }

  /** Tells what has been added up for long enough, and waits on for the rest. */
  readonly #due = (): void => {
    this.#cancel = undefined;
    const now = this.#around.now();
    let next = Infinity;
    for (const [message, repetition] of this.#repeated) {
      const rest = repetition.since + addUpFor - now;
      if (rest > 0) {
        next = Math.min(next, rest);
      } else if (repetition.count > 0) {
        this.#tell(message, repetition);
        repetition.count = 0;
        repetition.since = now;
        next = Math.min(next, addUpFor);
      } else this.#repeated.delete(message);
    }
    if (next < Infinity) this.#cancel = this.#around.later(this.#due, next);
  };

  #tell(message: string, { level, fields, since, count }: Repetition): void {
    if (count === 0) return;
    const seconds = Math.max(1, Math.round((this.#around.now() - since) / 1000));
    this.#record(level, `${message} (${formatCount(count)} more in ${seconds}s)`, fields);
  }

  #record(level: LogLevel, message: string, fields: LogFields): void {
    const time = new Date(this.#around.now()).toISOString();
    if (this.#format === "json") {
      this.#around.write(JSON.stringify({ time, level, message, ...fields }));
      return;
    }
    let line = `${time} ${paint(level, this.#around.color)} ${oneLine(message)}`;
    for (const [name, value] of Object.entries(fields)) line += ` ${name}=${textValue(value)}`;
    this.#around.write(line);
  }
}

/** The process's stderr and clock. */
export function processSurroundings(write: (line: string) => void = printError): LogSurroundings {
  return {
    write,
    now: Date.now,
    color: wantsColor(Deno.stderr.isTerminal(), Deno.env.get("NO_COLOR")),
    later(callback, milliseconds) {
      const timer = setTimeout(callback, milliseconds);
      Deno.unrefTimer(timer);
      return () => clearTimeout(timer);
    },
  };
}

/** Whether to use colours: for people only, and not where `NO_COLOR` is set to anything. */
export function wantsColor(terminal: boolean, noColor: string | undefined): boolean {
  return terminal && (noColor === undefined || noColor === "");
}

/** A text without what would break the line or drive the terminal, such as a topic or a peer might contain. */
export function oneLine(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (character) => {
    if (character === "\n") return "\\n";
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

const colors: Readonly<Record<LogLevel, number>> = { error: 31, warn: 33, info: 36, debug: 90 };

function paint(level: LogLevel, color: boolean): string {
  const word = level.padEnd(5);
  return color ? `\x1b[${colors[level]}m${word}\x1b[0m` : word;
}

function textValue(value: string | number | boolean | null): string {
  const text = String(value);
  return text === "" || /[\s"=]/.test(text) ? JSON.stringify(text) : oneLine(text);
}
