import { assert, assertEquals } from "@std/assert";
import { selfCommand, selfEnvironment } from "../../../cli/bench/self.ts";
import { version } from "../../../cli/version.ts";

Deno.test("the program starts itself, whatever the working directory", async () => {
  const { command, args } = selfCommand(["--version"]);
  const cwd = Deno.build.os === "windows" ? "C:\\" : "/";
  const { code, stdout } = await new Deno.Command(command, { args, cwd, env: selfEnvironment }).output();
  assertEquals([code, new TextDecoder().decode(stdout).trim()], [0, version]);
});

Deno.test("it may talk to servers, and read files only when that is said", () => {
  const granted = (args: readonly string[]) =>
    args.filter((arg) => arg.startsWith("--allow")).map((arg) => arg.split("=")[0]);
  assertEquals(granted(selfCommand([]).args), ["--allow-net", "--allow-env"]);
  assertEquals(granted(selfCommand([], { readFiles: true }).args), ["--allow-net", "--allow-env", "--allow-read"]);
  assertEquals(granted(selfCommand([], { interfaces: true }).args), ["--allow-net", "--allow-env", "--allow-sys"]);
  assert(selfCommand([]).args.includes("--no-prompt"));
});

Deno.test("it gets no settings of the user", () => {
  assertEquals(selfEnvironment, { NO_COLOR: "1", STREAM_SERVER: "", STREAM_TOKEN: "" });
});
