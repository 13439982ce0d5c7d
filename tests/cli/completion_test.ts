import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { shells } from "../../cli/completion.ts";
import { stream } from "./program.ts";

async function has(program: string): Promise<boolean> {
  try {
    return (await new Deno.Command(program, { args: ["--version"], stdout: "null", stderr: "null" }).output()).success;
  } catch {
    return false;
  }
}

async function completionScript(shell: string): Promise<string> {
  const { status, stdout, stderr } = await stream(["completion", shell]);
  assertEquals([status, stderr], [0, ""]);
  return stdout;
}

/** What a shell prints when it runs a text. */
async function shellRun(shell: string, args: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(shell, { args: [...args], stdin: "null" }).output();
  assert(success, new TextDecoder().decode(stderr));
  assertEquals(new TextDecoder().decode(stderr), "");
  return new TextDecoder().decode(stdout);
}

for (const shell of shells) {
  Deno.test(`the ${shell} script has every command, its options and their choices`, async () => {
    const script = await completionScript(shell);
    const flag = shell === "fish" ? (long: string) => `-l ${long}` : (long: string) => `--${long}`;
    for (const word of ["serve", "publish", "subscribe", "topics", "exit-codes", "disconnect", "powershell"]) {
      assertStringIncludes(script, word);
    }
    for (const long of ["log-level", "drain-timeout", "topic-from", "delimited", "no-reconnect", "lag-policy"]) {
      assertStringIncludes(script, flag(long));
    }
  });
}

for (const shell of ["bash", "zsh", "fish"]) {
  Deno.test({
    name: `${shell} reads its script without complaint`,
    ignore: !await has(shell),
    async fn() {
      const script = await completionScript(shell);
      const file = await Deno.makeTempFile();
      try {
        await Deno.writeTextFile(file, script);
        await shellRun(shell, ["-n", file]);
      } finally {
        await Deno.remove(file);
      }
    },
  });
}

const bashCases: ReadonlyArray<readonly [words: string[], completions: string[]]> = [
  [["stream", "s"], ["serve", "subscribe"]],
  [["stream", "--log-l"], ["--log-level"]],
  [["stream", "--log-level", ""], ["error", "warn", "info", "debug"]],
  [["stream", "--log-level", "debug", "pub"], ["publish"]],
  [["stream", "serve", "--retain"], ["--retain", "--retain-for"]],
  [["stream", "serve", "--lag-policy", "w"], ["wait"]],
  [["stream", "serve", "--lag-policy", "=", "d"], ["disconnect"]],
  [["stream", "serve", "--retain", ""], []],
  [["stream", "subscribe", "--js"], ["--json"]],
  [["stream", "help", "exit"], ["exit-codes"]],
  [["stream", "completion", "f"], ["fish"]],
];

Deno.test({ name: "bash completes", ignore: !await has("bash") }, async (test) => {
  const script = await completionScript("bash");
  for (const [words, completions] of bashCases) {
    await test.step(words.join(" "), async () => {
      const quoted = words.map((word) => `'${word}'`).join(" ");
      const output = await shellRun("bash", [
        "-c",
        `${script}\nCOMP_WORDS=(${quoted}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _stream; printf '%s\\n' "\${COMPREPLY[@]}"`,
      ]);
      assertEquals(output.trim().split("\n").filter((line) => line !== ""), completions);
    });
  }
});

const fishCases: ReadonlyArray<readonly [typed: string, completions: string[]]> = [
  ["stream s", ["serve", "subscribe"]],
  ["stream serve --lag-policy w", ["wait"]],
  ["stream publish --topic-p", ["--topic-prefix"]],
  ["stream completion ba", ["bash"]],
];

Deno.test({ name: "fish completes", ignore: !await has("fish") }, async (test) => {
  const script = await completionScript("fish");
  for (const [typed, completions] of fishCases) {
    await test.step(typed, async () => {
      const output = await shellRun("fish", ["--no-config", "-c", `${script}\ncomplete -C '${typed}'`]);
      assertEquals(output.trim().split("\n").map((line) => line.split("\t")[0]), completions);
    });
  }
});
