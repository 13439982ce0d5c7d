/**
 * Gives up permissions that a command does not need.
 *
 * @module
 */

/**
 * Commands that start other programs: `bench` starts servers and its own load generator, and `doctor` reads with `cat` and
 * `ls` what the system tells of itself, which the runtime opens only to programs that may do everything.
 */
const starters: readonly string[] = ["bench", "doctor"];

/** Gives up the permission to start other programs, for good, unless the command is one that does. */
export async function confine(command: string): Promise<void> {
  if (!starters.includes(command)) await Deno.permissions.revoke({ name: "run" });
}
