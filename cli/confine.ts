/**
 * Gives up permissions that a command does not need.
 *
 * @module
 */

/** Commands that start other programs: `bench` starts servers and its own load generator. */
const starters: readonly string[] = ["bench"];

/** Gives up the permission to start other programs, for good, unless the command is one that does. */
export async function confine(command: string): Promise<void> {
  if (!starters.includes(command)) await Deno.permissions.revoke({ name: "run" });
}
