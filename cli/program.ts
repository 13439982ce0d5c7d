/**
 * What the commands share: how a command's file meets `main.ts`, options with values, and help.
 *
 * @module
 */

import { type Command, type CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import { UsageError } from "../core/errors.ts";
import { withoutSecret } from "../transports/endpoint.ts";
import type { ExitStatus } from "./exit.ts";
import { logFormats, logLevels, type LogOptions } from "./log.ts";
import { nearest } from "./suggest.ts";

/**
 * The work of a command, once its options are parsed.
 *
 * @param signal aborted, with an `Interrupted` as its reason, by the first SIGINT or SIGTERM: the work ends in good order,
 * with a status of its own or by throwing the reason, which is 130
 */
export type Work = (signal: AbortSignal) => Promise<ExitStatus>;

/** What `main.ts` hands to a command's file. */
export interface Program {
  /** Says what is to be done. Called from the command's action, once. */
  start(work: Work): void;
  /** The program with every command declared: for completion and help. */
  whole(): Promise<CommandUnknownOpts>;
}

/**
 * A command's file: it declares arguments and options, and in its action parses them into an options object with which
 * it starts its `run(options, signal)`.
 */
export interface CommandFile {
  /**
   * Declares the command, which has its name and description already.
   *
   * Its action may throw a `UsageError`.
   */
  declare(command: Command, program: Program): void;
}

/**
 * An option with a value, whose parser's `UsageError` is completed with the option's name.
 *
 * @example
 * ```ts
 * import { Command } from "@commander-js/extra-typings";
 * import { valueOption } from "./program.ts";
 * import { parseSize } from "./units.ts";
 *
 * new Command().addOption(valueOption("--retain <size>", "how much of each topic is kept", parseSize));
 * ```
 */
export function valueOption<Flags extends string, Value>(
  flags: Flags,
  description: string,
  parse: (text: string) => Value,
): Option<Flags, undefined, undefined, Value> {
  const option = new Option(flags, description);
  return option.argParser<Value>((text) => naming(option, () => parse(text)));
}

/** An option with a value that may be given several times: its values in order. */
export function repeatedOption<Flags extends string, Value>(
  flags: Flags,
  description: string,
  parse: (text: string) => Value,
): Option<Flags, undefined, undefined, Value[]> {
  const option = new Option(flags, `${description} (repeatable)`);
  return option.argParser<Value[] | undefined>((text, before) => [
    ...(before ?? []),
    naming(option, () => parse(text)),
  ]) as Option<Flags, undefined, undefined, Value[]>;
}

/** An option whose value is one of a few words. */
export function choiceOption<Flags extends string, const Choice extends string>(
  flags: Flags,
  description: string,
  choices: readonly Choice[],
): Option<Flags, undefined, undefined, Choice> {
  // `choices` is for help and completion; the parser that it sets says too little, and is replaced.
  const option = new Option(flags, description).choices(choices);
  return option.argParser<Choice>((text) => naming(option, () => parseChoice(text, choices)));
}

/** Reads one of a few words. Throws a `UsageError` that names them, and the nearest. */
export function parseChoice<const Choice extends string>(text: string, choices: readonly Choice[]): Choice {
  const choice = choices.find((candidate) => candidate === text);
  if (choice !== undefined) return choice;
  const near = nearest(text, choices);
  throw new UsageError(
    `"${text}" is not one of ${choices.join(", ")}`,
    near === undefined ? undefined : `did you mean ${near}?`,
  );
}

/** Adds what every command takes: `--log-level`, `--log-format` and `--quiet`. Read them with {@linkcode logOptions}. */
export function addLogOptions(command: CommandUnknownOpts): void {
  command
    .addOption(choiceOption("--log-level <level>", "how much is logged on stderr (default: info)", logLevels))
    .addOption(choiceOption("--log-format <format>", "how it is written (default: text)", logFormats))
    .option("-q, --quiet", "no progress, and only warnings and errors on stderr");
}

/** What the user asked of the log, with the command or before it. */
export function logOptions(command: CommandUnknownOpts): LogOptions {
  const given: Record<string, unknown> = {};
  for (let at: CommandUnknownOpts | null = command; at !== null; at = at.parent) {
    // The command's own word goes before one that stands in front of the command.
    for (const [name, value] of Object.entries(at.opts())) given[name] ??= value;
  }
  const quiet = given["quiet"] === true;
  return {
    level: logLevels.find((level) => level === given["logLevel"]) ?? (quiet ? "warn" : "info"),
    format: logFormats.find((format) => format === given["logFormat"]) ?? "text",
    quiet,
  };
}

/** Adds an `Examples:` block to the command's help: what each does, and how it is typed. */
export function addExamples(
  command: CommandUnknownOpts,
  examples: ReadonlyArray<readonly [what: string, typed: string]>,
): void {
  const lines = examples.map(([what, typed]) => `  # ${what}\n  ${typed}\n`);
  command.addHelpText("after", `\nExamples:\n${lines.join("\n")}`);
}

/** Throws a `UsageError` when more than one of the flags is given. */
export function onlyOneOf(flags: Readonly<Record<string, boolean>>): void {
  const given = Object.keys(flags).filter((flag) => flags[flag]);
  if (given.length > 1) {
    throw new UsageError(`${given.join(" and ")} exclude each other`, `give one of ${Object.keys(flags).join(", ")}`);
  }
}

/**
 * Throws a `UsageError` for a URL where a topic or a pattern goes: other programs have both in one.
 *
 * @param place what goes there: `TOPIC`
 * @param command the command's name, for the hint
 */
export function refuseUrl(place: string, text: string, command: string): void {
  const url = withoutSecret(text);
  const [, server, rest] = /^([a-z][a-z0-9+.-]*:\/\/[^/]+)\/?(.*)$/is.exec(url) ?? [];
  if (server === undefined) return;
  throw new UsageError(
    `${place}: ${JSON.stringify(url)} is a URL`,
    `the server is named apart: stream ${command} -s ${server} ${rest === "" ? place : rest}`,
  );
}

function naming<Value>(option: { readonly flags: string }, parse: () => Value): Value {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const name = /--[a-z0-9-]+/.exec(option.flags)?.[0] ?? option.flags;
    throw new UsageError(`${name}: ${error.message}`, error.hint);
  }
}
