/**
 * How this program starts itself again, in a role of its own: the server that is measured, the byte copier, the processes
 * of the load generator.
 *
 * @module
 */

import { fileURLToPath } from "node:url";

/** The checkout, where this is one. */
const root = new URL("../../", import.meta.url);

/** A program and its arguments, as `Deno.Command` takes them. */
export interface CommandLine {
  readonly command: string;
  readonly args: string[];
}

/** What a process may do beside talking to servers and reading the program's own environment variables: nothing, unless said. */
export interface SelfPermissions {
  /** Whether it may read files. */
  readonly readFiles?: boolean;
  /** Whether it may look which network interfaces there are. */
  readonly interfaces?: boolean;
}

/**
 * The command that runs this program with these arguments: the executable itself where it was compiled, else Deno with
 * the checkout, wherever that is and whatever the working directory.
 *
 * @param args what stands behind `stream`
 * @param permissions the least that will do; an executable has those that it was compiled with
 *
 * @example
 * ```ts ignore
 * const { command, args } = selfCommand(["serve", "-q"]);
 * const child = new Deno.Command(command, { args, env: selfEnvironment }).spawn();
 * ```
 */
export function selfCommand(args: readonly string[], permissions: SelfPermissions = {}): CommandLine {
  const command = Deno.execPath();
  if (Deno.build.standalone) return { command, args: [...args] };
  const fromRoot = (path: string) => fileURLToPath(new URL(path, root));
  const run = ["run", "--quiet", "--no-prompt", "--config", fromRoot("deno.json")];
  const granted = ["--allow-net", "--allow-env=NO_COLOR,STREAM_SERVER,STREAM_TOKEN"];
  if (permissions.readFiles) granted.push("--allow-read");
  if (permissions.interfaces) granted.push("--allow-sys=networkInterfaces");
  return { command, args: [...run, ...granted, fromRoot("cli/main.ts"), ...args] };
}

/**
 * What such a process finds in its environment beside what this one has, of which Deno needs some to find its cache: the
 * user's own settings are not meant for it.
 */
export const selfEnvironment: Readonly<Record<string, string>> = { NO_COLOR: "1", STREAM_SERVER: "", STREAM_TOKEN: "" };

/**
 * Resolves when stdin ends. Whoever starts a role keeps its stdin open and writes nothing: so the role ends with it, even
 * if that is killed.
 */
export async function stdinEnded(): Promise<void> {
  const chunk = new Uint8Array(64);
  while (await Deno.stdin.read(chunk).catch(() => null) !== null);
}
