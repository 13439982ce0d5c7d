/**
 * The program: it declares the commands, imports the one that is asked for, prints what goes wrong, and exits.
 *
 * Nothing else prints a fatal error or exits.
 *
 * @module
 */

import { Command, CommanderError, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { confine } from "./confine.ts";
import { ExitStatus } from "./exit.ts";
import { report } from "./failure.ts";
import { addExamples, addLogOptions, type CommandFile, logOptions, type Program, type Work } from "./program.ts";
import { spellFlags, usageErrorOf } from "./parse_errors.ts";
import { performUntilSignal } from "./signals.ts";
import { OutputClosed, printError, printText } from "./stdio.ts";
import { version } from "./version.ts";

/** The commands, in the order of `stream --help`. A command's file is imported when it is asked for. */
const commands: ReadonlyArray<readonly [name: string, description: string, load: () => Promise<CommandFile>]> = [
  ["serve", "run a server: topics, publishers, subscribers", () => import("./serve.ts")],
  ["publish", "send messages to a topic, from stdin, a file or the command line", () => import("./publish.ts")],
  ["subscribe", "receive messages of topics to stdout", () => import("./subscribe.ts")],
  ["bench", "measure latency and throughput, of this server and of others", () => import("./bench.ts")],
  ["topics", "list what a server holds", () => import("./topics.ts")],
  ["doctor", "look for what is in the way of multicast, and say what to type", () => import("./doctor.ts")],
  ["key", "make a key that encrypts a multicast group", () => import("./key.ts")],
  ["passwd", "make a password or a token for the file of users", () => import("./passwd.ts")],
  ["completion", "print a completion script for a shell", () => import("./completion.ts")],
  ["help", "explain a command, the file of users, or the exit codes", () => import("./help.ts")],
];

/**
 * Runs the program. Returns its exit status; it throws nothing.
 *
 * @param prepare called with the command's name, before it does anything
 */
export async function main(
  args: readonly string[],
  prepare: (command: string) => Promise<void> = () => Promise.resolve(),
): Promise<ExitStatus> {
  let active: CommandUnknownOpts | undefined;
  let work: Work | undefined;
  const program: Program = {
    start(given) {
      work = given;
    },
    async whole() {
      for (const command of root.commands) await declare(command);
      return root;
    },
  };
  const declared = new Set<string>();
  const declare = async (command: CommandUnknownOpts) => {
    const load = commands.find(([name]) => name === command.name())?.[2];
    if (load === undefined || declared.has(command.name())) return;
    declared.add(command.name());
    (await load()).declare(command as unknown as Command, program);
    addLogOptions(command);
  };
  const root = declareRoot();
  root.hook("preSubcommand", async (_, command) => {
    active = command;
    await prepare(command.name());
    await declare(command);
  });

  try {
    await root.parseAsync(args, { from: "user" });
    return work === undefined
      ? ExitStatus.done
      : await performUntilSignal(work, () => Deno.exit(ExitStatus.interrupted));
  } catch (error) {
    if (error instanceof OutputClosed) return ExitStatus.done;
    const command = active ?? root;
    if (!(error instanceof CommanderError)) return report(error, command.name(), logOptions(command));
    if (error.exitCode === 0) return ExitStatus.done;
    // A bare `stream` has printed the help, which says enough.
    if (error.code === "commander.help") return ExitStatus.usage;
    return report(usageErrorOf(error, command), command.name(), logOptions(command));
  }
}

function declareRoot(): CommandUnknownOpts {
  const root = new Command("stream")
    .description("Real-time data: publish messages to topics, and subscribe to them.")
    .version(version, "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand(false)
    .usage("[options] COMMAND")
    // A flag belongs to the command that it follows, and `-m -q` sends "-q".
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: printText,
      writeErr: (text) => printError(text.replace(/\n$/, "")),
      // Errors are thrown, and printed once.
      outputError: () => {},
      getOutHelpWidth: () => 100,
      getErrHelpWidth: () => 100,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .configureHelp({
      optionTerm: (option) => spellFlags(option.flags),
      argumentTerm: (argument) => argument.name(),
      subcommandTerm: (command) => command.name(),
    });
  addLogOptions(root);
  addExamples(root, [
    ["a server, a subscriber and a publisher, each in a terminal of its own", "stream serve"],
    ["print the messages of a topic", "stream subscribe greetings"],
    ["send one", `stream publish greetings -m "hello"`],
  ]);
  for (const [name, description] of commands) root.command(name).description(description);
  return root;
}

if (import.meta.main) Deno.exit(await main(Deno.args, confine));
