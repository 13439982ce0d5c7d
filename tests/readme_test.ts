import { assert, assertEquals, assertMatch } from "@std/assert";
import { denoVersion, root } from "../tasks/program.ts";
import { version } from "../cli/version.ts";

const readme = await Deno.readTextFile(new URL("README.md", root));

Deno.test("the README begins with the two commands, and names one version of Deno", () => {
  const [block] = /```sh\n[^`]*```/.exec(readme) ?? [];
  assertEquals(block, `\`\`\`sh\nnpx -y deno@${denoVersion} task demo\nnpx -y deno@${denoVersion} task test\n\`\`\``);
  const versions = [...readme.matchAll(/deno@([\d.]+)|Deno (\d[\d.]*\d)/g)].map(([, npm, name]) => npm ?? name);
  assertEquals(new Set(versions), new Set([denoVersion]));
});

Deno.test("the README tells of the changes of this version, and of no later one", () => {
  const [, newest] = /## Changes\n\n### ([\d.]+)\n/.exec(readme) ?? [];
  assertEquals(newest, version);
});

Deno.test("every task and file that the README names is there", async () => {
  const { tasks } = JSON.parse(await Deno.readTextFile(new URL("deno.json", root)));
  for (const [, task] of readme.matchAll(/\btask (\w+)/g)) assert(task! in tasks, task);
  for (const [, file] of readme.matchAll(/\]\(([^)#:]+)\)/g)) assert((await Deno.stat(new URL(file!, root))).isFile);
});

Deno.test("every option that the README shows with stream is one of the command's", async () => {
  const shown = new Map<string, Set<string>>();
  for (
    const [line, command] of readme.matchAll(/\bstream (serve|publish|subscribe|bench|topics|key|doctor)\b[^\n|;&>`]*/g)
  ) {
    const flags = shown.get(command!) ?? new Set();
    shown.set(command!, flags);
    for (const [flag] of line.matchAll(/(?<= )--?[a-z][a-z-]*/g)) flags.add(flag);
  }
  assertEquals([...shown.keys()].sort(), ["bench", "doctor", "key", "publish", "serve", "subscribe", "topics"]);
  for (const [command, flags] of shown) {
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--allow-env", "cli/main.ts", "help", command],
      cwd: root,
      env: { NO_COLOR: "1" },
    }).output();
    const help = new TextDecoder().decode(stdout);
    for (const flag of flags) assertMatch(help, new RegExp(`(^|[ ,])${flag}\\b`, "m"), `stream ${command} ${flag}`);
  }
});
