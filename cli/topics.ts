/**
 * `stream topics`: lists what a server holds.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import { Pattern } from "../core/pattern.ts";
import type { ExitStatus } from "./exit.ts";
import type { LogOptions } from "./log.ts";
import { addExamples, logOptions, type Program, serverOf, serverOption } from "./program.ts";

/** What the user asked of `stream topics`. */
export interface TopicsOptions {
  /** The server's endpoint, with its port. */
  readonly server: string;
  /** A well-formed pattern; `#` for everything. */
  readonly pattern: string;
  /** Whether to write an object a line. */
  readonly json: boolean;
  /** What is logged. */
  readonly log: LogOptions;
}

/** Declares `stream topics`. */
export function declare(command: Command, program: Program): void {
  addExamples(command, [
    ["everything", "stream topics"],
    ["what is under sensors, for a program", "stream topics --json sensors/#"],
  ]);
  command
    .usage("[options] [PATTERN]")
    .argument("[PATTERN]", "which topics (default: all)")
    .option("--json", "write an object a line")
    .addOption(serverOption())
    .action((pattern = "#", given, self) => {
      new Pattern(pattern);
      const options: TopicsOptions = {
        server: serverOf(given),
        pattern,
        json: given.json ?? false,
        log: logOptions(self),
      };
      program.start((signal) => run(options, signal));
    });
}

/** Lists the topics once. */
export function run(_options: TopicsOptions, _signal: AbortSignal): Promise<ExitStatus> {
  return Promise.reject(new Error("not written yet"));
}
