/**
 * Signals that end the program.
 *
 * @module
 */

import { ExitStatus, Interrupted } from "./exit.ts";
import type { Work } from "./program.ts";

const signals: readonly Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT", "SIGBREAK"] : ["SIGINT", "SIGTERM"];

/**
 * Does the work. The first SIGINT or SIGTERM aborts its signal, a second one quits.
 *
 * @param quit ends the program, now
 * @returns the work's own status; 130 when it ended by throwing the signal's reason
 */
export async function performUntilSignal(work: Work, quit: () => void): Promise<ExitStatus> {
  const controller = new AbortController();
  const listeners = signals.map((name) => {
    const listener = () => {
      // The work had its chance to end in good order, and somebody is impatient.
      if (controller.signal.aborted) return quit();
      controller.abort(new Interrupted(name));
    };
    Deno.addSignalListener(name, listener);
    return { name, listener };
  });
  try {
    return await work(controller.signal);
  } catch (error) {
    if (controller.signal.aborted && isAbort(error)) return ExitStatus.interrupted;
    throw error;
  } finally {
    for (const { name, listener } of listeners) Deno.removeSignalListener(name, listener);
  }
}

function isAbort(error: unknown): boolean {
  return error instanceof Interrupted || (error instanceof DOMException && error.name === "AbortError");
}
