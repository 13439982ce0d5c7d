/**
 * What a check of `stream doctor` finds.
 *
 * @module
 */

/** How it is: `warning` does no harm, or not yet; `unknown` is what this system does not tell, or not this program. */
export type State = "ok" | "warning" | "wrong" | "unknown";

/** What one check found. */
export interface Check {
  /** What was looked at: `receive buffer`. */
  readonly name: string;
  readonly state: State;
  /** What was found, in plain words and with numbers; one line. */
  readonly finding: string;
  /** What to type, the most useful first: each a command with its purpose behind a `#`. */
  readonly advice: readonly string[];
}

/** `lo`, `lo and eth0`, `lo, eth0 and eth1`. */
export function listed(names: readonly string[]): string {
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
