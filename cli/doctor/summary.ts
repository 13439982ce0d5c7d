/**
 * What the checks come to, and what is left to look at.
 *
 * @module
 */

import { isLoopbackInterface, type NetworkInterface } from "../../transports/interfaces.ts";
import type { Group } from "../../transports/udp_group.ts";
import { type Check, listed } from "./check.ts";
import { withParameters } from "./commands.ts";

/** What a summary has to know. */
export interface Examined {
  readonly group: Group;
  /** Its URL, as the user gave it. */
  readonly endpoint: string;
  /** Where its key is, or `undefined`. */
  readonly keyFile: string | undefined;
  /** An interface that leads to a network, or `null`. */
  readonly network: NetworkInterface | null;
}

/** The end of the output: whether multicast works, and what else could be looked at. */
export function summaryOf(checks: readonly Check[], { group, endpoint, keyFile, network }: Examined): string {
  const named = (state: Check["state"]) => checks.filter((check) => check.state === state).map(({ name }) => name);
  const wrong = named("wrong");
  const warnings = named("warning");
  const over = group.interface === null || isLoopbackInterface(group.interface) ? null : group.interface.name;
  const where = over === null ? "on this machine" : `over ${over}`;
  const lines = [
    wrong.length === 0
      ? `Multicast works ${where}.`
      : `Multicast does not work ${where}: ${listed(wrong)} ${wrong.length === 1 ? "is" : "are"} wrong.`,
    ...(warnings.length === 0 ? [] : [`Warnings: ${listed(warnings)}.`]),
  ];
  if (wrong.length === 0 && over === null && network !== null) {
    lines.push("", "The self-test stayed on this machine. To test a network, name its interface:");
    lines.push(`    stream doctor --group ${withParameters(endpoint, { interface: network.name })}`);
  }
  if (wrong.length === 0 && over !== null) {
    const key = keyFile === undefined ? "" : ` --key-file ${keyFile}`;
    const there = withParameters(endpoint, { interface: "NAME" });
    lines.push(
      "",
      "Whether the network carries it, only another machine can tell. There, with the name of its interface:",
    );
    lines.push(`    stream subscribe --multicast --group ${there}${key}`, "And here:");
    lines.push(`    stream serve --multicast ${withParameters(endpoint, {})}${key === "" ? " --open" : key}`);
  }
  return ["", ...lines].map((line) => `${line}\n`).join("");
}
