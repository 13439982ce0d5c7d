/**
 * Puts a `stream` on PATH that runs this checkout.
 *
 * ```text
 * deno task install            into ~/.local/bin
 * deno task install --to DIR
 * ```
 */

import { fileURLToPath } from "node:url";
import { resolve } from "node:path";
import { type Launch, mark, shellLauncher, windowsLauncher } from "./launcher.ts";
import { denoVersion, entry, permissions, root, runTask, TaskError } from "./program.ts";

const windows = Deno.build.os === "windows";

await runTask("install", async (args) => {
  const directory = directoryOf(args);
  const path = resolve(directory, windows ? "stream.cmd" : "stream");
  const launch: Launch = {
    deno: Deno.execPath(),
    version: denoVersion,
    root: fileURLToPath(root).replace(/[\\/]$/, ""),
    entry: fileURLToPath(new URL(entry, root)),
    permissions,
  };
  if (Deno.version.deno !== denoVersion) {
    console.error(`install: this is Deno ${Deno.version.deno}; the program is tested with ${denoVersion}`);
  }

  const there = await Deno.readTextFile(path).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return null;
    throw new TaskError(`cannot install ${path}: ${error.message}`);
  });
  if (there !== null && !there.includes(mark)) {
    throw new TaskError(`cannot install ${path}: another program is there: remove it, or choose a directory with --to`);
  }
  try {
    await Deno.mkdir(directory, { recursive: true });
    await Deno.writeTextFile(path, windows ? windowsLauncher(launch) : shellLauncher(launch), { mode: 0o755 });
  } catch (error) {
    throw new TaskError(`cannot install ${path}: ${(error as Error).message}: choose a directory with --to`);
  }
  console.log(`installed ${path}, which runs the checkout in ${launch.root}`);
  const onPath = (Deno.env.get("PATH") ?? "").split(windows ? ";" : ":").some((it) => it && resolve(it) === directory);
  console.log(
    onPath
      ? "it is on PATH: stream --help"
      : `${directory} is not on PATH: ${
        windows ? `setx PATH "%PATH%;${directory}"` : `export PATH="${directory}:$PATH"`
      }`,
  );
});

function directoryOf(args: readonly string[]): string {
  if (args.length === 0) {
    const home = Deno.env.get(windows ? "USERPROFILE" : "HOME");
    if (!home) throw new TaskError("cannot tell the home directory: name a directory with --to DIR");
    return resolve(home, ".local/bin");
  }
  const [flag, directory] = args;
  if (args.length !== 2 || flag !== "--to" || !directory) {
    throw new TaskError(`cannot take ${JSON.stringify(args.join(" "))}: usage: deno task install [--to DIR]`, 2);
  }
  return resolve(Deno.env.get("INIT_CWD") ?? ".", directory);
}
