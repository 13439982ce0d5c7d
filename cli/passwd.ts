/**
 * `stream passwd`: makes what stands in the file of users for a password or a token.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import { UsageError } from "../core/errors.ts";
import { pathText } from "./auth/entry.ts";
import { userNameFault } from "./auth/accounts.ts";
import { hashPassword } from "./auth/password_hash.ts";
import { newToken, tokenHash } from "./auth/tokens.ts";
import { ExitStatus, Failure, Interrupted } from "./exit.ts";
import { HiddenInput } from "./hidden_line.ts";
import { addExamples, type Program, valueOption } from "./program.ts";
import { printError, printText } from "./stdio.ts";

/** What `stream passwd` is asked for. */
export interface PasswdOptions {
  /** Whose it is; without one the lines go under a user that is in the file already. */
  readonly user: string | undefined;
  /** Whether it is a token, and not a password. */
  readonly token: boolean;
}

/** Declares `stream passwd`. */
export function declare(command: Command, program: Program): void {
  addExamples(command, [
    ["ask for a password, and print the line for the file of users", "stream passwd"],
    ["add a user with a password", "stream passwd --user alice >> auth.toml"],
    [
      "add a program that shows a token, which is printed once, on stderr",
      "stream passwd --token --user sensor >> auth.toml",
    ],
    ["the password in a script", "stream passwd --user alice < password.txt >> auth.toml"],
  ]);
  command
    .addOption(valueOption("-u, --user <name>", "print a whole user of that name", parseUserName))
    .option("--token", "make a random token instead, and its hash")
    .action(({ user, token }) => program.start((signal) => run({ user, token: token === true }, signal)));
}

/** Prints the lines that go into the file on stdout, and whatever else is to be said on stderr. */
export async function run({ user, token }: PasswdOptions, signal: AbortSignal): Promise<ExitStatus> {
  const line = token ? tokenLine() : await passwordLine(signal);
  if (line === undefined) return ExitStatus.interrupted;
  printText(`${user === undefined ? "" : `\n[${pathText(["users", user])}]\n`}${line}\n`);
  return ExitStatus.done;
}

function tokenLine(): string {
  const token = newToken();
  printError(`the token, which is kept nowhere: ${token}`);
  return `tokens = ["${tokenHash(token)}"]`;
}

/** Asks for a password. Returns `undefined` for Ctrl-C. */
async function passwordLine(signal: AbortSignal): Promise<string | undefined> {
  try {
    const { text } = await hashPassword(await askPassword(signal));
    return `password = "${text}"`;
  } catch (error) {
    if (error instanceof Interrupted) return undefined;
    throw error;
  }
}

async function askPassword(signal: AbortSignal): Promise<string> {
  using input = new HiddenInput(signal);
  const password = await input.line("Password: ");
  if (password === "") throw new Failure("cannot make a password of nothing: type one, or give a line on stdin");
  // A typing mistake that nobody saw would lock the user out.
  if (input.interactive && password !== await input.line("Once more: ")) {
    throw new Failure("the two passwords are not the same: start again");
  }
  return password;
}

function parseUserName(text: string): string {
  const fault = userNameFault(text);
  if (fault === undefined) return text;
  throw new UsageError(`${JSON.stringify(text)} is not the name of a user: ${fault}`);
}
