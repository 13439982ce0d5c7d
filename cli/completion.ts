/**
 * `stream completion`: completion scripts, made from what the program declares.
 *
 * @module
 */

import { Argument, type Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { ExitStatus } from "./exit.ts";
import { addExamples, parseChoice, type Program } from "./program.ts";
import { printText } from "./stdio.ts";

/** The shells there is completion for. */
export const shells = ["bash", "zsh", "fish", "powershell"] as const;
/** A shell there is completion for. */
export type Shell = (typeof shells)[number];

/** An option, as completion sees it. */
export interface KnownOption {
  /** `-s` and `--server`, or one of them. */
  readonly flags: readonly string[];
  /** What it does, as in the help. */
  readonly description: string;
  /** Whether a value follows it. */
  readonly takesValue: boolean;
  /** The words its value can be; empty when it is free. */
  readonly choices: readonly string[];
}

/** A command, as completion sees it. */
export interface KnownCommand {
  /** Its name, as typed. */
  readonly name: string;
  /** What it does, as in the help. */
  readonly description: string;
  /** Its options, `--help` among them. */
  readonly options: readonly KnownOption[];
  /** The words its arguments can be; topics are not completed. */
  readonly words: readonly string[];
  /** Whether one of its arguments is a file. */
  readonly takesFile: boolean;
}

/** Declares `stream completion`. */
export function declare(command: Command, program: Program): void {
  addExamples(command, [
    ["in this bash", "source <(stream completion bash)"],
    [
      "in every bash, zsh or fish from now on",
      [
        "mkdir -p ~/.local/share/bash-completion/completions ~/.config/fish/completions",
        "stream completion bash > ~/.local/share/bash-completion/completions/stream",
        'stream completion zsh > "${fpath[1]}/_stream"',
        "stream completion fish > ~/.config/fish/completions/stream.fish",
      ].join("\n  "),
    ],
    ["in this PowerShell", "stream completion powershell | Out-String | Invoke-Expression"],
  ]);
  command
    .usage("SHELL")
    .addArgument(
      new Argument("<SHELL>", "which shell").choices(shells)
        .argParser((text) => parseChoice(text, shells)),
    )
    .action((shell) =>
      program.start(async () => {
        const { script } = await import("./completion_scripts.ts");
        printText(script(shell, describe(await program.whole())));
        return ExitStatus.done;
      })
    );
}

/** The program and its commands, as completion sees them; the first is the program itself. */
export function describe(root: CommandUnknownOpts): readonly [KnownCommand, ...KnownCommand[]] {
  return [describeCommand(root), ...root.createHelp().visibleCommands(root).map(describeCommand)];
}

function describeCommand(command: CommandUnknownOpts): KnownCommand {
  const options = command.createHelp().visibleOptions(command).map((option) => ({
    flags: [option.short, option.long].filter((flag) => flag !== undefined && flag !== null),
    description: option.description,
    takesValue: option.required || option.optional,
    choices: option.argChoices ?? [],
  }));
  return {
    name: command.name(),
    description: command.description(),
    options,
    words: command.registeredArguments.flatMap((argument) => argument.argChoices ?? []),
    takesFile: command.registeredArguments.some((argument) => argument.name() === "FILE"),
  };
}
