/**
 * What this program is when `bench` starts it again: a process of the load generator, or the byte copier.
 *
 * @module
 */

import { ExitStatus } from "../exit.ts";

/** Plays a role until its stdin ends. */
export async function play(role: string, signal: AbortSignal): Promise<ExitStatus> {
  if (role === "copier") await (await import("./copier.ts")).copy(signal);
  else await (await import("./load.ts")).load();
  return ExitStatus.done;
}
