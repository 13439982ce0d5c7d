/**
 * How a fatal error is told, and which exit status it has.
 *
 * @module
 */

import { ProtocolError, RefusedError, TransportError, UsageError } from "../core/errors.ts";
import { ExitStatus, Failure, Interrupted } from "./exit.ts";
import { Log, type LogOptions, oneLine } from "./log.ts";
import { printError } from "./stdio.ts";

/** The exit status of an error. */
export function statusOf(error: unknown): ExitStatus {
  if (error instanceof UsageError) return ExitStatus.usage;
  if (error instanceof Failure) return error.status;
  if (error instanceof RefusedError) return ExitStatus.refused;
  if (error instanceof Interrupted) return ExitStatus.interrupted;
  // The message begins with what was attempted: a port in use is no failure to connect.
  if (error instanceof TransportError) {
    return error.message.startsWith("cannot listen ") ? ExitStatus.failed : ExitStatus.unconnected;
  }
  return ExitStatus.failed;
}

/** The error in one line, with its hint: `stream publish: cannot connect to tcp://...: connection refused: ...`. */
export function lineOf(error: unknown, command: string): string {
  const name = command === "stream" ? "stream" : `stream ${command}`;
  if (error instanceof UsageError && error.hint !== undefined) {
    return `${name}: ${oneLine(`${error.message}: ${error.hint}`)}`;
  }
  if (isOurs(error)) {
    const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    return `${name}: internal error: ${oneLine(text)}: this is a bug, please report it with what follows`;
  }
  return `${name}: ${oneLine((error as Error).message)}`;
}

/** Prints a fatal error on stderr. Returns the exit status. */
export function report(error: unknown, command: string, options: LogOptions): ExitStatus {
  const line = lineOf(error, command);
  const stack = isOurs(error) || options.level === "debug" ? stackOf(error) : undefined;
  if (options.format === "json") {
    new Log(options).error(line, stack === undefined ? {} : { stack });
  } else {
    printError(line);
    if (stack !== undefined) printError(stack);
  }
  return statusOf(error);
}

/** Whether it is a bug of ours: what is none of the errors that callers may expect. */
function isOurs(error: unknown): boolean {
  const expected = [UsageError, TransportError, ProtocolError, RefusedError, Failure, Interrupted];
  return !expected.some((known) => error instanceof known);
}

/** The stack, and those of its causes. */
function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = error.stack ?? `${error.name}: ${error.message}`;
  return error.cause === undefined ? own : `${own}\nCaused by: ${stackOf(error.cause)}`;
}
