/**
 * The exit statuses, and the error that carries one.
 *
 * @module
 */

/** The exit statuses of every command. */
export const ExitStatus = {
  done: 0,
  failed: 1,
  usage: 2,
  unconnected: 3,
  refused: 4,
  timedOut: 5,
  lost: 6,
  interrupted: 130,
} as const;

/** One of the exit statuses. */
export type ExitStatus = (typeof ExitStatus)[keyof typeof ExitStatus];

/** What each exit status means, in the order of `stream help exit-codes`. */
export const exitMeanings: ReadonlyArray<readonly [status: ExitStatus, meaning: string]> = [
  [ExitStatus.done, "done"],
  [ExitStatus.failed, "failed: a file cannot be read or written, a port is in use, or a bug"],
  [ExitStatus.usage, "wrong usage: an unknown command or option, or a value that cannot be"],
  [ExitStatus.unconnected, "could not connect, or lost the connection for good"],
  [ExitStatus.refused, "refused by the server: authentication, permission, or a limit"],
  [ExitStatus.timedOut, "timed out: fewer messages came than were asked for"],
  [ExitStatus.lost, "messages were lost, and --strict was given"],
  [ExitStatus.interrupted, "interrupted by a signal before the work was done"],
];

/** The text of `stream help exit-codes`. */
export function exitCodesHelp(): string {
  const lines = exitMeanings.map(([status, meaning]) => `  ${String(status).padStart(3)}  ${meaning}`);
  return `Exit status\n${lines.join("\n")}\n`;
}

/**
 * An expected failure with its exit status: the environment's doing, not the user's usage and not a bug.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { ExitStatus, Failure } from "./exit.ts";
 *
 * const failure = new Failure("cannot read ticks.txt: no such file");
 * assert(failure.status === ExitStatus.failed);
 * ```
 */
export class Failure extends Error {
  override readonly name = "Failure";
  /** What the program exits with. */
  readonly status: ExitStatus;

  /** @param message what was attempted, on what, why it failed and what to do, in one line */
  constructor(message: string, status: ExitStatus = ExitStatus.failed, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.status = status;
  }
}

/** A signal ended the work before it was done. It is the reason of the `AbortSignal` that commands are given. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";

  /** @param signal the signal's name: `SIGINT` */
  constructor(signal: string) {
    super(`interrupted by ${signal}`);
  }
}
