import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { mark, shellLauncher, windowsLauncher } from "../../tasks/launcher.ts";
import { denoVersion, root } from "../../tasks/program.ts";

const posix = Deno.build.os !== "windows";

async function run(command: string, args: string[], env: Record<string, string> = {}) {
  const { code, stdout, stderr } = await new Deno.Command(command, { args, env, cwd: root }).output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

function install(...args: string[]) {
  return run(Deno.execPath(), ["run", "--allow-read", "--allow-write", "--allow-env", "tasks/install.ts", ...args]);
}

const launch = {
  deno: "/no such/deno",
  version: denoVersion,
  root: "/home/o'hara/my stream",
  entry: "/home/o'hara/my stream/cli/main.ts",
  permissions: ["--no-prompt", "--allow-env=A,B"],
};

Deno.test({
  name: "the launcher runs the deno that installed it, or the same version from npm, with every argument as it was",
  ignore: !posix,
  async fn() {
    const directory = await Deno.makeTempDir();
    try {
      const show = `#!/bin/sh\nprintf '%s\\n' "$(basename "$0")" "$@"\n`;
      await Deno.writeTextFile(`${directory}/npx`, show, { mode: 0o755 });
      await Deno.writeTextFile(`${directory}/deno`, show, { mode: 0o755 });
      const args = ["publish", "a b", "$HOME", "'"];
      const run_ = [
        "run",
        "--quiet",
        "--config",
        `${launch.root}/deno.json`,
        ...launch.permissions,
        launch.entry,
        ...args,
      ];
      const cases: [string, string[]][] = [
        [launch.deno, ["npx", "-y", `deno@${denoVersion}`, ...run_]],
        [`${directory}/deno`, ["deno", ...run_]],
      ];
      for (const [deno, expected] of cases) {
        await Deno.writeTextFile(`${directory}/stream`, shellLauncher({ ...launch, deno }), { mode: 0o755 });
        const path = `${directory}:${Deno.env.get("PATH")}`;
        const { stdout } = await run(`${directory}/stream`, args, { PATH: path });
        assertEquals(stdout.trimEnd().split("\n"), expected);
      }
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
});

Deno.test("the launcher for Windows quotes every word and doubles every percent sign", () => {
  const text = windowsLauncher({ ...launch, root: "C:\\100% stream", deno: "C:\\d\\deno.exe" });
  assertStringIncludes(text, `if exist "C:\\d\\deno.exe" (\r\n  "C:\\d\\deno.exe" "run" "--quiet"`);
  assertStringIncludes(text, `"--config" "C:\\100%% stream\\deno.json"`);
  assertStringIncludes(text, `npx -y deno@${denoVersion} "run"`);
});

Deno.test({
  name: "install puts a working launcher into the directory, and again over its own",
  ignore: !posix,
  async fn() {
    const directory = await Deno.makeTempDir();
    try {
      for (let time = 0; time < 2; time++) {
        const { code, stdout } = await install("--to", `${directory}/bin`);
        assertEquals(code, 0);
        assertStringIncludes(stdout, `installed ${directory}/bin/stream, which runs the checkout in `);
        assertStringIncludes(stdout, `${directory}/bin is not on PATH: export PATH=`);
      }
      const { code, stdout, stderr } = await run(`${directory}/bin/stream`, ["--version"]);
      assertEquals([code, stderr], [0, ""]);
      assertMatch(stdout, /^\d+\.\d+\.\d+\n$/);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
});

Deno.test("install leaves another program alone", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const path = `${directory}/${posix ? "stream" : "stream.cmd"}`;
    await Deno.writeTextFile(path, "another");
    const { code, stderr } = await install("--to", directory);
    assertEquals(code, 1);
    assertStringIncludes(stderr, "another program is there");
    assertEquals(await Deno.readTextFile(path), "another");
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("install refuses what it does not know, with its usage", async () => {
  const { code, stderr } = await install("--into", "/tmp");
  assertEquals(code, 2);
  assertStringIncludes(stderr, "usage: deno task install [--to DIR]");
  assert(!stderr.includes(mark));
});
