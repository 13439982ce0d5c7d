/** What the tasks know of the program: where it begins, the runtime it is made for, and what it may do. */

/** The project's root. */
export const root = new URL("../", import.meta.url);

/** The file that the program begins with, from the root. */
export const entry = "cli/main.ts";

/** The runtime that the program is tested with. */
export const denoVersion = "2.9.6";

/**
 * The least permissions that the program works with, installed or built: any server and any file that a user names,
 * its own environment variables and those that say where its state goes, this machine's name and its network interfaces.
 * `bench` starts other programs; the other commands give that permission up at once. What is not here is refused without
 * a question.
 */
export const permissions: readonly string[] = [
  "--no-prompt",
  "--allow-net",
  "--allow-read",
  "--allow-write",
  "--allow-run",
  "--allow-env=NO_COLOR,STREAM_SERVER,STREAM_TOKEN,HOME,LOCALAPPDATA,XDG_STATE_HOME",
  "--allow-sys=hostname,networkInterfaces",
];

/** Files that nothing imports and the program needs, from the root: workers and pages. */
export const included: readonly string[] = [];

/** A task cannot go on, for a reason that is the user's to remove. Printed as one line, without a stack. */
export class TaskError extends Error {
  /** @param status 1, or 2 for wrong usage */
  constructor(message: string, readonly status: 1 | 2 = 1) {
    super(message);
  }
}

/** Runs a task to its end: a `TaskError` is printed and becomes the exit status. */
export async function runTask(name: string, task: (args: readonly string[]) => Promise<void>): Promise<void> {
  try {
    await task(Deno.args);
  } catch (error) {
    if (!(error instanceof TaskError)) throw error;
    console.error(`${name}: ${error.message}`);
    Deno.exit(error.status);
  }
}
