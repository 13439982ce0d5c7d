/**
 * Builds the program into one executable file.
 *
 * ```text
 * deno task build           dist/stream, for this platform
 * deno task build --all     dist/stream-TARGET, for every platform
 * deno task build --check   builds nothing to keep: is every file embedded that the program needs?
 * ```
 *
 * `DENORT_BIN` names the runtime base to build on where it cannot be downloaded.
 */

import { fileURLToPath } from "node:url";
import { version } from "../cli/version.ts";
import { filesByUrl, isEmbedded, parseEmbedded, reachable } from "./embedded.ts";
import { denoVersion, entry, included, permissions, root, runTask, TaskError } from "./program.ts";

const targets = [
  "x86_64-unknown-linux-gnu",
  "aarch64-unknown-linux-gnu",
  "x86_64-apple-darwin",
  "aarch64-apple-darwin",
  "x86_64-pc-windows-msvc",
  "aarch64-pc-windows-msvc",
];

const usage = "deno task build [--all | --check]";

await runTask("build", async (args) => {
  const [mode, ...rest] = args;
  if (rest.length > 0 || (mode !== undefined && !["--all", "--check"].includes(mode))) {
    throw new TaskError(`cannot take ${JSON.stringify(args.join(" "))}: usage: ${usage}`, 2);
  }
  if (mode === "--check") return await check();
  if (mode === "--all") {
    if (Deno.env.get("DENORT_BIN")) {
      throw new TaskError(
        "cannot build for every platform on DENORT_BIN, which is of one: unset it, or build without --all",
        2,
      );
    }
    for (const target of targets) await build(target, `stream-${target}${target.includes("windows") ? ".exe" : ""}`);
    return;
  }
  await build(Deno.build.target, Deno.build.os === "windows" ? "stream.exe" : "stream", true);
});

async function build(target: string, name: string, native = false): Promise<void> {
  const output = `dist/${name}`;
  const { success, stderr } = await compile(["--output", output, ...(native ? [] : ["--target", target])]);
  if (!success) throw new TaskError(`cannot build for ${target}: ${reason(stderr)}`);
  if (native) await tryOut(output);
  const { size } = await Deno.stat(new URL(output, root));
  console.log(`${output}  ${(size / 2 ** 20).toFixed(1)} MiB`);
}

/** Why it could not be compiled, and what to do. */
function reason(stderr: string): string {
  if (!/denort|Setting up base binary/i.test(stderr)) return `\n${stderr.trim()}`;
  const base = Deno.env.get("DENORT_BIN");
  if (base) return `DENORT_BIN=${base} is no denort of Deno ${denoVersion} that can be read`;
  return "the runtime base cannot be had from dl.deno.land: " +
    `set DENORT_BIN to the denort of Deno ${denoVersion} for it, or use \`deno task install\`, which needs none`;
}

/** Runs what was built: on another runtime base than denort it is a file of the right size, and not the program. */
async function tryOut(output: string): Promise<void> {
  const path = new URL(output, root);
  const says = await new Deno.Command(fileURLToPath(path), { args: ["--version"], env: { NO_COLOR: "1" } }).output()
    .then(({ stdout }) => new TextDecoder().decode(stdout).trim(), (error) => `${error.message}`);
  if (says === version) return;
  await Deno.remove(path);
  const said = says.split("\n")[0];
  throw new TaskError(
    `${output} was built and is not the program: its --version says "${said}" and not "${version}": ` +
      `DENORT_BIN has to be the denort of Deno ${denoVersion}, not deno`,
  );
}

/** Builds on the deno executable itself, which gives no program, but the list of what would be in one. */
async function check(): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    const { success, stderr } = await compile(["--output", `${directory}/stream`], { DENORT_BIN: Deno.execPath() });
    if (!success) throw new TaskError(`cannot compile ${entry}:\n${stderr.trim()}`);
    const embedded = parseEmbedded(stderr);
    const info = await run(["info", "--json", entry]);
    if (!info.success) throw new TaskError(`cannot list what ${entry} imports:\n${info.stderr.trim()}`);
    const needed = new Set([...reachable(info.stdout, new URL(entry, root), root), ...included]);
    for (const module of [...needed].filter((it) => it.endsWith(".ts"))) {
      for (const file of filesByUrl(await Deno.readTextFile(new URL(module, root)), module)) needed.add(file);
    }
    const missing = [...needed].filter((file) => !isEmbedded(embedded, file));
    if (missing.length > 0) {
      throw new TaskError(`not embedded: ${missing.join(", ")}: name it under \`included\` in tasks/program.ts`);
    }
    console.log(`all ${needed.size} files that ${entry} needs are embedded`);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

function compile(options: readonly string[], env: Record<string, string> = {}): Promise<Ran> {
  const include = included.flatMap((file) => ["--include", file]);
  return run(["compile", "--exclude-unused-npm", ...permissions, ...include, ...options, entry], env);
}

interface Ran {
  readonly success: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(args: readonly string[], env: Record<string, string> = {}): Promise<Ran> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: root,
    env: { NO_COLOR: "1", ...env },
  }).output();
  const text = new TextDecoder();
  return { success, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}
