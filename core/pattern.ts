/**
 * Topic names, and patterns that filter them.
 *
 * A topic is a `/`-separated name of 1 to 255 UTF-8 bytes, with no empty level, no control character, no `+` and no `#`.
 * In a pattern a level `+` stands for any one level and `#`, as the last, for any number of them, none included.
 * As in MQTT 5 (section 4.7), a pattern that begins with a wildcard does not match names that begin with `$`.
 *
 * @module
 */

import { UsageError } from "./errors.ts";
import { longestTopic } from "./limits.ts";
import { encodeText } from "./bytes.ts";

/** What is wrong with a topic name, as a clause, or `null` if nothing is. */
export function topicFault(name: string): string | null {
  return commonFault(name) ??
    (/[+#]/.test(name) ? "a topic has no + and no # in it: those belong to patterns" : null);
}

/** What is wrong with a pattern, as a clause, or `null` if nothing is. */
export function patternFault(pattern: string): string | null {
  const common = commonFault(pattern);
  if (common) return common;
  const levels = pattern.split("/");
  for (const [index, level] of levels.entries()) {
    if (level.includes("#") && (level !== "#" || index < levels.length - 1)) return "# stands alone, as the last level";
    if (level.includes("+") && level !== "+") return "+ stands alone in its level";
  }
  return null;
}

function commonFault(name: string): string | null {
  if (name.length === 0) return "it is empty";
  const length = encodeText(name).length;
  if (length > longestTopic) return `it has ${length} bytes, the most is ${longestTopic}`;
  // deno-lint-ignore no-control-regex
  if (/[\u0000-\u001f\u007f-\u009f]/.test(name)) return "it has a control character in it";
  if (/(^|\/)(\/|$)/.test(name)) return "it has an empty level: levels stand between single slashes";
  if (!name.isWellFormed()) return "it is not well-formed Unicode";
  return null;
}

/** Whether a topic is the server's own, which nobody else may publish to. */
export function isReserved(name: string): boolean {
  return name.startsWith("$");
}

/**
 * A parsed pattern.
 *
 * @example
 * ```ts
 * import { Pattern } from "../core/pattern.ts";
 * import { assert } from "@std/assert";
 *
 * const pattern = new Pattern("sensors/+/temp");
 * assert(pattern.matches("sensors/kitchen/temp"));
 * assert(!pattern.matches("sensors/temp"));
 * assert(new Pattern("sensors/#").matches("sensors"));
 * ```
 */
export class Pattern {
  /** The pattern as it was given. */
  readonly text: string;
  /** Whether it matches only the topic of its own name. */
  readonly exact: boolean;
  /** `#` alone is kept as `+/#`, which matches the same: then what stands in a place always says something of that level. */
  readonly #levels: readonly string[];

  /**
   * Parses a pattern.
   *
   * @throws {UsageError} when it is not well formed
   */
  constructor(text: string) {
    const fault = patternFault(text);
    if (fault) {
      throw new UsageError(
        `the pattern ${JSON.stringify(text)} is not valid: ${fault}`,
        "for example: sensors/+/temp or sensors/#",
      );
    }
    this.text = text;
    this.#levels = text === "#" ? ["+", "#"] : text.split("/");
    this.exact = !this.#levels.some((level) => level === "+" || level === "#");
  }

  /** Whether a topic passes. */
  matches(topic: string): boolean {
    if (this.exact) return topic === this.text;
    const levels = this.#levels;
    if (topic.startsWith("$") && !levels[0]!.startsWith("$")) return false;
    const parts = topic.split("/");
    for (const [index, level] of levels.entries()) {
      if (level === "#") return true;
      if (index >= parts.length || (level !== "+" && level !== parts[index])) return false;
    }
    return parts.length === levels.length;
  }

  /**
   * Whether there is a topic that both match. How long a topic may be is left out of account, here and in `covers`.
   *
   * @example
   * ```ts
   * import { Pattern } from "../core/pattern.ts";
   * import { assert } from "@std/assert";
   *
   * assert(new Pattern("a/#").overlaps(new Pattern("+/b")));
   * assert(!new Pattern("+/b").overlaps(new Pattern("a/c")));
   * ```
   */
  overlaps(other: Pattern): boolean {
    for (let index = 0;; index++) {
      const mine = this.#levels[index];
      const theirs = other.#levels[index];
      if (mine === "#" || theirs === "#") return true;
      if (mine === undefined || theirs === undefined) return mine === theirs;
      if (!covers(mine, theirs, index) && !covers(theirs, mine, index)) return false;
    }
  }

  /**
   * Whether it matches every topic that the other one matches.
   *
   * @example
   * ```ts
   * import { Pattern } from "../core/pattern.ts";
   * import { assert } from "@std/assert";
   *
   * assert(new Pattern("a/#").covers(new Pattern("a/+/c")));
   * assert(!new Pattern("#").covers(new Pattern("$sys/a")));
   * ```
   */
  covers(other: Pattern): boolean {
    for (let index = 0;; index++) {
      const mine = this.#levels[index];
      const theirs = other.#levels[index];
      if (mine === "#") return true;
      if (mine === undefined || theirs === undefined || theirs === "#") return mine === theirs;
      if (!covers(mine, theirs, index)) return false;
    }
  }
}

/** Whether one level of a pattern matches all that another one matches, in the same place. */
function covers(level: string, other: string, index: number): boolean {
  return level === other || (level === "+" && !(index === 0 && isReserved(other)));
}
