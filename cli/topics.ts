/**
 * `stream topics`: lists what a server holds.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import { Pattern } from "../core/pattern.ts";
import type { TopicInfo } from "../core/listings.ts";
import { ExitStatus } from "./exit.ts";
import { formatTime } from "./format.ts";
import { type Access, accessOf, addAccessOptions } from "./access.ts";
import { openLink, untilAborted } from "./link.ts";
import { Log, type LogOptions } from "./log.ts";
import { addExamples, logOptions, type Program } from "./program.ts";
import { writeAll } from "./stdio.ts";
import { formatBytes, formatCount } from "./units.ts";

/** What the user asked of `stream topics`. */
export interface TopicsOptions {
  /** The server, whom to trust, and who to be. */
  readonly access: Access;
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
    .action((pattern = "#", given, self) => {
      new Pattern(pattern);
      const options: TopicsOptions = {
        access: accessOf(self),
        pattern,
        json: given.json ?? false,
        log: logOptions(self),
      };
      program.start((signal) => run(options, signal));
    });
  addAccessOptions(command);
}

/** Lists the topics once. */
export async function run(options: TopicsOptions, signal: AbortSignal): Promise<ExitStatus> {
  using log = new Log(options.log);
  await using link = await openLink({ ...options, reconnect: false }, log, signal);
  const topics = await untilAborted(link.topics(options.pattern), signal);
  topics.sort((a, b) => a.name < b.name ? -1 : 1);
  const text = options.json ? topics.map(jsonLine).join("") : table(topics);
  await writeAll(new TextEncoder().encode(text));
  return ExitStatus.done;
}

function jsonLine({ name, first, next, bytes, time }: TopicInfo): string {
  return JSON.stringify({ topic: name, first, next, messages: next - first, bytes, time: formatTime(time) }) + "\n";
}

/** Columns for people: how many messages are kept and which, how much they take, and when the newest came. */
function table(topics: readonly TopicInfo[]): string {
  const rows = topics.map(({ name, first, next, bytes, time }) => [
    name,
    formatCount(next - first),
    next > first ? `${first}-${next - 1}` : "-",
    formatBytes(bytes),
    // Microseconds are for programs, and made the table wider than a terminal.
    formatTime(time).replace(/\.\d+Z$/, "Z"),
  ]);
  const columns = [["TOPIC", "MESSAGES", "SEQUENCES", "SIZE", "NEWEST"], ...rows];
  const widths = columns[0]!.map((_, column) => Math.max(...columns.map((row) => row[column]!.length)));
  return columns.map((row) => row.map((cell, column) => cell.padEnd(widths[column]!)).join("  ").trimEnd() + "\n").join(
    "",
  );
}
