/**
 * `stream doctor`: looks for what is in the way of multicast.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import { UsageError } from "../core/errors.ts";
import { isLoopbackInterface, networkInterfaces } from "../transports/interfaces.ts";
import type { Check } from "./doctor/check.ts";
import { examine } from "./doctor/examine.ts";
import { jsonOf, textOf } from "./doctor/render.ts";
import { summaryOf } from "./doctor/summary.ts";
import { systemFiles } from "./doctor/system_files.ts";
import { ExitStatus } from "./exit.ts";
import { defaultGroup, type Group, parseGroup } from "../transports/udp_group.ts";
import { readKey } from "./key_file.ts";
import { untilAborted } from "./link.ts";
import { wantsColor } from "./log.ts";
import { addExamples, type Program, valueOption } from "./program.ts";
import { isTerminal, printText } from "./stdio.ts";

/** What the user asked of `stream doctor`. */
export interface DoctorOptions {
  readonly group: Group;
  /** Its URL, as it was given. */
  readonly endpoint: string;
  /** Where the key of the self-test is; without one it is not encrypted. */
  readonly keyFile: string | undefined;
  /** Whether to write an object a line. */
  readonly json: boolean;
}

/** Declares `stream doctor`. */
export function declare(command: Command, program: Program): void {
  command.addHelpText("after", about.trimEnd());
  addExamples(command, [
    ["this machine, and what leads to a network", "stream doctor"],
    ["a network: joins there, and sends itself some thousand messages", `stream doctor --group '${named}'`],
    ["for a program", "stream doctor --json"],
  ]);
  command
    .usage("[options]")
    .addOption(
      valueOption("--group <url>", `the group to look at (default: ${defaultGroup})`, (text) => ({
        endpoint: text,
        group: parseExamined(text),
      })),
    )
    .option("--key-file <file>", "encrypt the self-test with the key in that file")
    .option("--json", "write an object a line")
    .action((given) => {
      const options: DoctorOptions = {
        ...(given.group ?? { endpoint: defaultGroup, group: parseGroup(defaultGroup) }),
        keyFile: given.keyFile,
        json: given.json ?? false,
      };
      program.start((signal) => run(options, signal));
    });
}

const named = `${defaultGroup}?interface=eth0`;

const about = `
The group is joined on each interface, or on the one that the URL names, as subscribe does it. The
self-test takes a group of its own, on this machine alone, unless the URL names an interface.
The exit status is 0 when multicast works, warnings or not, and 1 when something is wrong.
`;

/** IPv6 has no way of its own to a group, and none over loopback. */
function parseExamined(text: string): Group {
  const group = parseGroup(text);
  if (!group.host.includes(":") || (group.interface !== null && !isLoopbackInterface(group.interface))) return group;
  throw new UsageError(
    "loopback carries no IPv6 multicast: name an interface",
    `for example: mcast://${group.address}?interface=eth0`,
  );
}

/** Makes the checks, and prints each as it is made. */
export async function run(options: DoctorOptions, signal: AbortSignal): Promise<ExitStatus> {
  const { group, endpoint, keyFile, json } = options;
  const key = keyFile === undefined ? null : await readKey(keyFile);
  const color = wantsColor(isTerminal("stdout"), Deno.env.get("NO_COLOR"));
  const columns = isTerminal("stdout") ? Deno.consoleSize().columns : mostWidth;
  const width = Math.max(leastWidth, Math.min(mostWidth, columns));
  const checks: Check[] = [];
  const examination = examine({ group, endpoint, key, system: Deno.build.os, files: systemFiles });
  for (;;) {
    const { value: check, done } = await untilAborted(examination.next(), signal);
    if (done) break;
    checks.push(check);
    printText(json ? jsonOf(check) : textOf(check, color, width));
  }
  const network = networkInterfaces().find((one) => one.ipv4 !== null && !isLoopbackInterface(one)) ?? null;
  if (!json) printText(summaryOf(checks, { group, endpoint, keyFile, network }));
  return checks.some(({ state }) => state === "wrong") ? ExitStatus.failed : ExitStatus.done;
}

/** Characters of a line, where the terminal has not its own idea. */
const leastWidth = 72;
const mostWidth = 100;
