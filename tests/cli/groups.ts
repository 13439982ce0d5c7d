/** Multicast groups for tests: on loopback, and nobody else's. */

import { freeGroup } from "../../cli/bench/group.ts";
import { Process, type ProcessOptions, type ServerProcess, startServer } from "./process.ts";

/** A group of its own: its id tells it from others, should its port be shared. */
export interface TestGroup {
  /** For `serve --multicast`. */
  readonly served: string;
  /** For `subscribe --group`. It is joined on loopback alone. */
  readonly joined: string;
}

/** A group that nobody else uses, on loopback. @param parameters more of them: `&mtu=600` */
export function testGroup(parameters = ""): TestGroup {
  const endpoint = freeGroup() + parameters;
  return { served: endpoint, joined: endpoint };
}

/** A key in a file of its own. */
export function keyFile(fill: number): { path: string } & Disposable {
  const path = Deno.makeTempFileSync();
  Deno.writeFileSync(path, new Uint8Array(32).fill(fill));
  return { path, [Symbol.dispose]: () => Deno.removeSync(path) };
}

/** A server that multicasts to a group. */
export function startMulticast(
  group: TestGroup,
  args: readonly string[] = [],
  options: ProcessOptions = {},
): Promise<ServerProcess> {
  return startServer(["--multicast", group.served, ...args], options);
}

/** A subscriber that has joined a group, and heard its sender. */
export async function groupSubscriber(
  group: TestGroup,
  args: readonly string[] = [],
  options: ProcessOptions = {},
): Promise<Process> {
  const subscriber = new Process(["stream", "subscribe", "--multicast", "--group", group.joined, ...args], options);
  try {
    await subscriber.stderr.line(/^subscribed .* from /);
    return subscriber;
  } catch (error) {
    await subscriber[Symbol.asyncDispose]();
    throw error;
  }
}
