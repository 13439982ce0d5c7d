/**
 * Gives up permissions that a command does not need.
 *
 * @module
 */

/** Commands that start other programs: `bench` starts servers and its own load generator. */
const starters: readonly string[] = ["bench"];

/** Commands that read what the system tells of itself: the runtime opens `/proc` to a program that may do everything alone. */
const readers: readonly string[] = ["doctor"];

/**
 * Gives up the permission to start other programs, for good, unless the command is one that does, or one that reads the
 * system's files and was given all permissions for it.
 */
export async function confine(command: string): Promise<void> {
  if (starters.includes(command) || (readers.includes(command) && await mayDoEverything())) return;
  await Deno.permissions.revoke({ name: "run" });
}

/** What the program never asks for is granted only with everything else. */
async function mayDoEverything(): Promise<boolean> {
  return (await Deno.permissions.query({ name: "ffi" })).state === "granted";
}
