/** Network namespaces: machines with the interfaces that a test wants, whose traffic reaches nobody. */

import { Process } from "./process.ts";
import { denoRun, type Ran } from "./program.ts";

/** What comes before a test's own commands: `/sys` is that of the namespace. */
const begin = "mount -t sysfs sysfs /sys";

/** Whether they can be made here: on Linux, where the user may, and `ip` is installed. */
export const hasNamespaces: boolean = canUnshare();

function canUnshare(): boolean {
  if (Deno.build.os !== "linux") return false;
  try {
    const args = ["-rnm", "sh", "-c", `${begin} && ip link set lo up && ip link add veth0 type veth peer name veth1`];
    return new Deno.Command("unshare", { args, stdout: "null", stderr: "null" }).outputSync().success;
  } catch {
    return false;
  }
}

/**
 * Runs `stream` in a namespace of its own.
 *
 * @param setup shell commands that make its interfaces: at first there is only `lo`, and it is down
 * @param after shell commands that come behind it
 */
export async function streamInNamespace(
  setup: string,
  args: readonly string[],
  after = "true",
): Promise<Ran> {
  const script = `set -e; ${begin}; ${setup} >&2; set +e; "$0" "$@"; status=$?; ${after}; exit $status`;
  const command = [Deno.execPath(), ...denoRun, "cli/main.ts", ...args];
  await using process = new Process(["unshare", "-rnm", "sh", "-c", script, ...command]);
  return await process.ran();
}

/** Commands that add an interface that is up, with an address and a network behind it. */
export function withInterface(name: string, address: string): string {
  return `ip link add ${name} type veth peer name peer-${name}; ip address add ${address} dev ${name}` +
    `; ip link set ${name} up; ip link set peer-${name} up`;
}
