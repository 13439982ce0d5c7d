/**
 * What the option parser finds wrong, as `UsageError`s in the words of this program.
 *
 * @module
 */

import type { CommanderError, CommandUnknownOpts } from "@commander-js/extra-typings";
import { UsageError } from "../core/errors.ts";
import { withoutSecret } from "../transports/endpoint.ts";
import { defaultServer } from "./endpoints.ts";
import { nearest } from "./suggest.ts";

/**
 * Says in our words what the parser found wrong, with what was probably meant.
 *
 * @param command the command whose options were being parsed
 */
export function usageErrorOf(error: CommanderError, command: CommandUnknownOpts): UsageError {
  const quoted = /'([^']*(?:'[^']+)*)'/.exec(error.message)?.[1] ?? "";
  switch (error.code) {
    case "commander.unknownOption":
      return unknownOption(quoted, command);
    case "commander.unknownCommand":
      return unknownCommand(command.args[0] ?? quoted, command);
    case "commander.missingArgument":
      return new UsageError(`${quoted} is missing`, `usage: ${usageOf(command)}`);
    case "commander.excessArguments": {
      const most = command.registeredArguments.length;
      const extra = command.args.slice(most).map((argument) => `"${withoutSecret(argument)}"`).join(" ");
      return new UsageError(`too many arguments: ${extra}`, `usage: ${usageOf(command)}`);
    }
    case "commander.optionMissingArgument":
      return new UsageError(`the option ${spellFlags(quoted)} needs a value`, seeHelp(command));
    default:
      return new UsageError(error.message.replace(/^error: /, "").replace(/\s+/g, " "), seeHelp(command));
  }
}

/** How a command is used, in one line: `stream publish [options] TOPIC [FILE]`. */
export function usageOf(command: CommandUnknownOpts): string {
  const names: string[] = [];
  for (let at: CommandUnknownOpts | null = command; at !== null; at = at.parent) names.unshift(at.name());
  return `${names.join(" ")} ${command.usage()}`.trimEnd();
}

/** Flags as our help spells them: `--retain <size>` is `--retain SIZE`. */
export function spellFlags(flags: string): string {
  return flags.replace(/<([^>]+)>/g, (_, name: string) => name.toUpperCase());
}

function unknownOption(typed: string, command: CommandUnknownOpts): UsageError {
  const flag = typed.split("=", 1)[0] ?? typed;
  const habit = habitHint(flag, command);
  if (habit !== undefined) return new UsageError(`unknown option ${flag}`, habit);
  const known: string[] = [];
  for (const { long, short } of command.createHelp().visibleOptions(command)) {
    if (long) known.push(long);
    if (short) known.push(short);
  }
  const near = nearest(flag, known.filter((name) => name.startsWith("--") === flag.startsWith("--")));
  if (near !== undefined) return new UsageError(`unknown option ${flag}`, `did you mean ${near}?`);
  // `stream --server URL publish` is a habit from other programs.
  const place = command.parent === null ? "a command's options stand after the command, " : "";
  return new UsageError(`unknown option ${flag}`, place + seeHelp(command));
}

/** What is said of an option that another program of this kind has. */
function habitHint(flag: string, command: CommandUnknownOpts): string | undefined {
  const name = command.name();
  if (["-t", "--topic"].includes(flag) && (name === "publish" || name === "subscribe")) {
    return `${name === "publish" ? "TOPIC" : "PATTERN"} stands without an option: ${usageOf(command)}`;
  }
  if (["-f", "--file"].includes(flag) && name === "publish") {
    return `FILE stands without an option: ${usageOf(command)}`;
  }
  if (["-p", "--port", "--host"].includes(flag)) {
    if (name === "serve") return `host and port are one URL: --listen ${defaultServer}`;
    if (command.options.some(({ long }) => long === "--server")) {
      return `host and port are one URL: --server ${defaultServer}`;
    }
  }
  return undefined;
}

function unknownCommand(typed: string, command: CommandUnknownOpts): UsageError {
  const near = nearest(typed, command.commands.map((known) => known.name()));
  return new UsageError(
    `unknown command "${withoutSecret(typed)}"`,
    near === undefined ? seeHelp(command) : `did you mean ${usageName(command)} ${near}?`,
  );
}

function seeHelp(command: CommandUnknownOpts): string {
  return `see: ${usageName(command)} --help`;
}

function usageName(command: CommandUnknownOpts): string {
  return command.parent === null ? command.name() : `${usageName(command.parent)} ${command.name()}`;
}
