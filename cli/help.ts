/**
 * `stream help`: a command's help, or a topic of its own.
 *
 * @module
 */

import { Argument, type Command } from "@commander-js/extra-typings";
import { UsageError } from "../core/errors.ts";
import { authHelp } from "./auth/help.ts";
import { exitCodesHelp, ExitStatus } from "./exit.ts";
import type { Program } from "./program.ts";
import { printText } from "./stdio.ts";
import { nearest } from "./suggest.ts";

const subjects = [
  "serve",
  "publish",
  "subscribe",
  "bench",
  "topics",
  "doctor",
  "passwd",
  "completion",
  "auth",
  "exit-codes",
];

/** Declares `stream help`. */
export function declare(command: Command, program: Program): void {
  command
    .usage("[COMMAND | auth | exit-codes]")
    // Not commander's own choices: the error would not say what is near.
    .addArgument(Object.assign(new Argument("[SUBJECT]", "a command, auth, or exit-codes"), { argChoices: subjects }))
    .action((subject) => program.start(() => help(subject, program)));
}

async function help(subject: string | undefined, program: Program): Promise<ExitStatus> {
  const text = subject === "exit-codes" ? exitCodesHelp() : subject === "auth" ? authHelp : null;
  if (text !== null) {
    printText(text);
    return ExitStatus.done;
  }
  const root = await program.whole();
  const about = subject === undefined ? root : root.commands.find((command) => command.name() === subject);
  if (about === undefined) {
    const near = nearest(subject ?? "", subjects);
    throw new UsageError(
      `there is no help about "${subject}"`,
      near === undefined ? `there is about ${subjects.join(", ")}` : `did you mean stream help ${near}?`,
    );
  }
  about.outputHelp();
  return ExitStatus.done;
}
