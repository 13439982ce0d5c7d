import { assertEquals, assertStringIncludes } from "@std/assert";
import { denoVersion, root } from "../../tasks/program.ts";

async function build(args: string[], env: Record<string, string> = {}) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-read", "--allow-write", "--allow-env", "--allow-run", "tasks/build.ts", ...args],
    env: { NO_COLOR: "1", ...env },
    cwd: root,
  }).output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

Deno.test("build names the runtime base that it cannot use", async () => {
  const { code, stderr } = await build([], { DENORT_BIN: "/no/such/denort" });
  assertEquals(code, 1);
  assertStringIncludes(stderr, `DENORT_BIN=/no/such/denort is no denort of Deno ${denoVersion}`);
});

Deno.test("build refuses what it cannot do, with status 2", async () => {
  assertEquals((await build(["--all"], { DENORT_BIN: "/no/such/denort" })).code, 2);
  const { code, stderr } = await build(["--every"]);
  assertEquals(code, 2);
  assertStringIncludes(stderr, "usage: deno task build [--all | --check]");
});
