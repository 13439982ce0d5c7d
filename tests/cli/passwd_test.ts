import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { derive, parsePasswordHash } from "../../cli/auth/password_hash.ts";
import { parseAuthFile } from "../../cli/auth/file.ts";
import { TypedLine } from "../../cli/hidden_line.ts";
import { Process, type ProcessOptions } from "./process.ts";
import type { Ran } from "./program.ts";

async function passwd(args: readonly string[], options: ProcessOptions = {}): Promise<Ran> {
  await using process = new Process(["stream", "passwd", ...args], options);
  return await process.ran();
}

/** Whether a line for the file of users is right for a password. */
async function fits(line: string, password: string): Promise<boolean> {
  const hash = parsePasswordHash(/^password = "([^"]+)"\r?$/m.exec(line)?.[1] ?? "");
  assert(typeof hash !== "string", line);
  return hash.hash.toHex() === (await derive(password, hash)).toHex();
}

Deno.test("passwd reads a line from stdin, and prints what goes into the file", async () => {
  for (const stdin of ["hunter2\n", "hunter2", "hunter2\r\n", "hunter2\nhunter3\n"]) {
    const { status, stdout, stderr } = await passwd([], { stdin });
    assertEquals([status, stderr], [0, ""]);
    assertMatch(stdout, /^password = "\$scrypt\$ln=15,r=8,p=1\$[^"]+"\n$/);
    assert(await fits(stdout, "hunter2"));
    assert(!await fits(stdout, "hunter3"));
  }
});

Deno.test("passwd --user prints a whole user", async () => {
  const { stdout } = await passwd(["--user", "a.b c"], { stdin: "hunter2\n" });
  const token = await passwd(["--user", "sensor", "--token"]);
  const file = parseAuthFile(stdout + token.stdout, "auth.toml");
  assert("accounts" in file);
  assertEquals(file.accounts.size, 2);
  const hash = file.accounts.user("a.b c")?.password;
  assert(hash !== undefined);
  assertEquals(await derive("hunter2", hash), hash.hash);
  const [, made] = /^the token, which is kept nowhere: (\S{43})\n$/.exec(token.stderr)!;
  assertEquals(file.accounts.withToken(made!)?.name, "sensor");
});

Deno.test("passwd --token makes another one each time, and shows it on stderr alone", async () => {
  const [one, other] = [await passwd(["--token"]), await passwd(["--token"])];
  assertEquals([one.status, other.status], [0, 0]);
  assertMatch(one.stdout, /^tokens = \["sha256:[0-9a-f]{64}"\]\n$/);
  assertNotEquals(one.stdout, other.stdout);
  assertNotEquals(one.stderr, other.stderr);
});

Deno.test("passwd makes nothing of no password, nor for what is no name", async () => {
  for (const stdin of ["", "\n", "\r\n"]) {
    assertEquals(await passwd([], { stdin }), {
      status: 1,
      stdout: "",
      stderr: "stream passwd: cannot make a password of nothing: type one, or give a line on stdin\n",
    });
  }
  assertEquals(await passwd(["--user", ""], { stdin: "hunter2\n" }), {
    status: 2,
    stdout: "",
    stderr: 'stream passwd: --user: "" is not the name of a user: a name has 1 to 255 bytes, not 0\n',
  });
  const long = await passwd([], { stdin: "x".repeat(5000) });
  assertEquals(long, {
    status: 1,
    stdout: "",
    stderr: "stream passwd: cannot read the line: it is longer than 4096 bytes\n",
  });
});

Deno.test("a line is edited as it is typed", () => {
  const table: [keys: string, text: string][] = [
    ["hunter2\r", "hunter2"],
    ["hunter2\n", "hunter2"],
    ["hunter2\x04", "hunter2"],
    ["hunté\x7fer3\x082\r", "hunter2"],
    ["🦕\x7f\x7f\x7fx\r", "x"],
    ["wrong\x15hunter2\r", "hunter2"],
    ["hun\x1b[Dter\x1bOA2\x1b[1;5C\x1b[3~\r", "hunter2"],
    ["hun\x01ter\t2\r", "hunter\t2"],
  ];
  for (const [keys, text] of table) {
    const line = new TypedLine();
    const states = [...new TextEncoder().encode(keys)].map((byte) => line.type(byte));
    assertEquals(states.pop(), "entered");
    assert(states.every((state) => state === "typing"));
    assertEquals(line.text, text);
  }
  assertEquals(new TypedLine().type(0x03), "interrupted");
});

/** Whether there is util-linux's `script`, which gives a program a terminal of its own. */
const terminals = Deno.build.os === "linux" &&
  await new Deno.Command("script", { args: ["--version"], stdout: "piped", stderr: "null" }).output()
    .then(({ stdout }) => new TextDecoder().decode(stdout).includes("util-linux"), () => false);

/** Types something at each question of `stream passwd` on a terminal. Returns all that was to be seen there. */
async function typed(...lines: readonly string[]): Promise<{ status: number; seen: string }> {
  const command = `${Deno.execPath()} run -q -A cli/main.ts passwd`;
  await using terminal = new Process(["script", "-qefc", command, "/dev/null"], { stdin: "pipe" });
  for (const [index, line] of lines.entries()) {
    const prompt = index === 0 ? "Password: " : "Once more: ";
    await terminal.stdout.until(() => terminal.stdout.text.includes(prompt) ? true : undefined, prompt);
    await terminal.write(line);
  }
  const { status, stdout } = await terminal.ran();
  return { status, seen: stdout };
}

function onTerminal(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: `passwd on a terminal: ${name}`, ignore: !terminals, fn });
}

onTerminal("it asks twice, and shows nothing of what is typed", async () => {
  const { status, seen } = await typed("hunter2\r", "hunter2\r");
  assertEquals(status, 0);
  assertMatch(seen, /^Password: \r\nOnce more: \r\npassword = "[^"]+"\r\n$/);
  assert(await fits(seen, "hunter2"));
});

onTerminal("backspace takes a character back", async () => {
  const { status, seen } = await typed("hunté\x7fer2\r", "hunter3\x7f2\r");
  assertEquals(status, 0);
  assert(await fits(seen, "hunter2"));
});

onTerminal("two that differ make nothing", async () => {
  const { status, seen } = await typed("hunter2\r", "hunter3\r");
  assertEquals(status, 1);
  assertMatch(seen, /stream passwd: the two passwords are not the same: start again\r\n$/);
  assert(!seen.includes("hunter") && !seen.includes("scrypt"));
});

onTerminal("Ctrl-C leaves with 130, Ctrl-D at once with nothing", async () => {
  assertEquals(await typed("hunt\x03"), { status: 130, seen: "Password: \r\n" });
  assertEquals(await typed("hunter2\r", "\x03"), { status: 130, seen: "Password: \r\nOnce more: \r\n" });
  const { status, seen } = await typed("\x04");
  assertEquals(status, 1);
  assertMatch(seen, /^Password: \r\nstream passwd: cannot make a password of nothing/);
});

onTerminal("it has its echo back afterwards", async () => {
  const command = `${Deno.execPath()} run -q -A cli/main.ts passwd; stty -a`;
  await using terminal = new Process(["script", "-qefc", command, "/dev/null"], { stdin: "pipe" });
  await terminal.stdout.until(() => terminal.stdout.text.includes("Password: ") ? true : undefined, "a question");
  await terminal.write("\x03");
  const { stdout } = await terminal.ran();
  assertMatch(stdout, / icanon /);
  assertMatch(stdout, / echo /);
  assert(!/ -echo /.test(stdout));
});
