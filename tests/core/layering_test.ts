import { assertEquals, assertStringIncludes } from "@std/assert";

const root = new URL("../../", import.meta.url);

/** Checks one module as if it were in core, with the project's own settings. */
async function checkInCore(source: string): Promise<{ code: number; output: string }> {
  const directory = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${directory}/core`);
    for (const file of ["deno.json", "core/deno.json"]) {
      await Deno.copyFile(new URL(file, root), `${directory}/${file}`);
    }
    await Deno.writeTextFile(`${directory}/core/module.ts`, source);
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["check", "--no-lock"],
      cwd: directory,
      env: { NO_COLOR: "1" },
    }).output();
    const text = new TextDecoder();
    return { code, output: text.decode(stdout) + text.decode(stderr) };
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("Deno is a type error in core", async () => {
  const { code, output } = await checkInCore("export const pid: number = Deno.pid;\n");
  assertEquals(code, 1);
  assertStringIncludes(output, "Cannot find name 'Deno'");
});

Deno.test("what belongs to no runtime is there in core", async () => {
  const source = "export const bytes: Uint8Array = new TextEncoder().encode(String(new AbortController().signal));\n";
  const { code, output } = await checkInCore(source);
  assertEquals(code, 0, output);
});
