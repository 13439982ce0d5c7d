import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { version } from "../../cli/version.ts";
import { denoRun, stream } from "./program.ts";

const commands = ["serve", "publish", "subscribe", "topics", "doctor", "completion", "help"];

const usageErrors: ReadonlyArray<readonly [args: string[], line: string]> = [
  [["srve"], 'stream: unknown command "srve": did you mean stream serve?'],
  [["frobnicate"], 'stream: unknown command "frobnicate": see: stream --help'],
  [["--verison"], "stream: unknown option --verison: did you mean --version?"],
  [
    ["--server", "tcp://127.0.0.1:1", "publish"],
    "stream: unknown option --server: a command's options stand after the command, see: stream --help",
  ],
  [["--log-level", "loud", "topics"], 'stream: --log-level: "loud" is not one of error, warn, info, debug'],
  [["serve", "--retian", "1MiB"], "stream serve: unknown option --retian: did you mean --retain?"],
  [["serve", "--retian=1MiB"], "stream serve: unknown option --retian: did you mean --retain?"],
  [["serve", "--retain", "1K"], 'stream serve: --retain: "1K" is not a size: write 1KiB or 1KB'],
  [["serve", "--retain", "0"], "stream serve: --retain: "],
  [
    ["serve", "--retain", "1MiB", "--max-message", "1MiB"],
    "stream serve: --max-message: 1MiB is more than half of --retain, 1MiB: give --retain 2MiB or more",
  ],
  [["serve", "--memory", "1MiB"], "stream serve: --memory: 1MiB is too little: the least is 8MiB"],
  [
    ["serve", "--memory", "64MiB", "--max-message", "32MiB"],
    "stream serve: --memory: 64MiB is too little: the least with messages of 32MiB is 128MiB",
  ],
  [["serve", "--max-message", "65MiB"], "stream serve: --max-message: 65MiB is too large: the most is 64MiB"],
  [
    ["serve", "--lag-policy", "skp"],
    'stream serve: --lag-policy: "skp" is not one of skip, disconnect, wait: did you mean',
  ],
  [["serve", "--max-wait", "5"], 'stream serve: --max-wait: "5" is not a duration: it has no unit: write 5s or 5ms'],
  [
    ["serve", "--listen", "tcp://0.0.0.0:7070"],
    "stream serve: --listen: tcp://0.0.0.0:7070 is not on loopback: anybody who reaches it could publish and subscribe: ",
  ],
  [
    ["serve", "-l", "tcp://127.0.0.1", "-l", "tcp://[::]:1"],
    "stream serve: --listen: tcp://[::]:1 is not on loopback: ",
  ],
  [["serve", "-l", "127.0.0.1:7070"], 'stream serve: --listen: wrong endpoint "127.0.0.1:7070": it has no scheme'],
  [
    ["serve", "-l", "tcp://127.0.0.1:99999"],
    'stream serve: --listen: wrong endpoint "tcp://127.0.0.1:99999": the port',
  ],
  [["topics", "-s", "tcp://h/a"], 'stream topics: --server: wrong endpoint "tcp://h/a": a server has no topic in it: '],
  [["serve", "now"], 'stream serve: too many arguments: "now": usage: stream serve [options]'],
  [["publish"], "stream publish: TOPIC is missing: usage: stream publish [options] TOPIC [FILE]"],
  [["publish", "a//b"], 'stream publish: the topic "a//b" is not valid: '],
  [["publish", "a/#"], 'stream publish: the topic "a/#" is not valid: '],
  [["publish", "$sys/a"], 'stream publish: the topic "$sys/a" is the server\'s own: '],
  [["publish", "a\nb"], 'stream publish: the topic "a\\nb" is not valid: '],
  [["publish", "a", "-m"], "stream publish: the option -m, --message TEXT needs a value: see: stream publish --help"],
  [["publish", "a", "file", "-m", "x"], 'stream publish: -m and the file "file" exclude each other: '],
  [["publish", "a", "--raw", "--whole"], "stream publish: --raw and --whole exclude each other: "],
  [["publish", "a", "-m", "x", "--raw"], "stream publish: -m and --raw exclude each other: "],
  [["publish", "a", "--chunk", "0"], "stream publish: --chunk: "],
  [["publish", "a", "--count", "0"], 'stream publish: --count: "0" is too small a count: the least is 1'],
  [["publish", "a", "--cuont", "5"], "stream publish: unknown option --cuont: did you mean --count?"],
  [["publish", "a", "--rate", "1000"], 'stream publish: --rate: "1000" is not a rate: it has no time: write 1000/s'],
  [["publish", "a", "--rate", "1Mbit/s"], 'stream publish: --rate: "1Mbit/s" is a rate of bytes: '],
  [["publish", "a", "--repeat", "2"], "stream publish: --repeat: stdin can be read only once: "],
  [["publish", "--topic-from", "symbol", "a", "file"], 'stream publish: too many arguments: "file": '],
  [["publish", "a", "--topic-prefix", "x"], "stream publish: --topic-prefix goes with --topic-from: "],
  [["publish", "--topic-from", "symbol", "--raw"], "stream publish: --topic-from needs whole messages, "],
  [["subscribe"], "stream subscribe: PATTERN is missing: usage: stream subscribe [options] PATTERN..."],
  [
    ["subscribe", "-t", "a"],
    "stream subscribe: unknown option -t: PATTERN stands without an option: stream subscribe [options] PATTERN...",
  ],
  [
    ["publish", "--topic", "a"],
    "stream publish: unknown option --topic: TOPIC stands without an option: stream publish [options] TOPIC [FILE]",
  ],
  [
    ["serve", "-p", "7071"],
    "stream serve: unknown option -p: host and port are one URL: --listen tcp://127.0.0.1:7070",
  ],
  [["topics", "--port=1"], "stream topics: unknown option --port: host and port are one URL: --server tcp://"],
  [
    ["publish", "tcp://h:1/a/b", "-m", "x"],
    'stream publish: TOPIC: "tcp://h:1/a/b" is a URL: the server is named apart: stream publish -s tcp://h:1 a/b',
  ],
  [
    ["subscribe", "tcp://h"],
    'stream subscribe: PATTERN: "tcp://h" is a URL: the server is named apart: stream subscribe -s tcp://h PATTERN',
  ],
  [["subscribe", "a/#/b"], 'stream subscribe: the pattern "a/#/b" is not valid: '],
  [["subscribe", "a", "b++"], 'stream subscribe: the pattern "b++" is not valid: '],
  [["subscribe", "a", "--raw", "--json"], "stream subscribe: --raw and --json exclude each other: "],
  [["subscribe", "a", "--raw", "-v"], "stream subscribe: -v and --raw exclude each other: "],
  [["subscribe", "a", "--last", "--from", "earliest"], "stream subscribe: --last and --from exclude each other: "],
  [
    ["subscribe", "a", "--from", "lastest"],
    'stream subscribe: --from: "lastest" is not a start point: did you mean latest?',
  ],
  [["topics", "a//"], 'stream topics: the pattern "a//" is not valid: '],
  [["completion", "csh"], 'stream completion: "csh" is not one of bash, zsh, fish, powershell'],
  [["completion"], "stream completion: SHELL is missing: usage: stream completion SHELL"],
  [["help", "exit-code"], 'stream help: there is no help about "exit-code": did you mean stream help exit-codes?'],
];

for (const [args, line] of usageErrors) {
  Deno.test(`stream ${args.join(" ")} is a usage error of one line`, async () => {
    const { status, stdout, stderr } = await stream(args);
    assertEquals(stdout, "");
    assertEquals(stderr.slice(0, line.length), line);
    assertEquals(stderr.indexOf("\n"), stderr.length - 1, `one line: ${stderr}`);
    assertEquals(status, 2);
  });
}

Deno.test("a wrong STREAM_SERVER is a usage error, an empty one is none at all", async () => {
  const wrong = await stream(["topics"], { STREAM_SERVER: "nowhere" });
  assertEquals(wrong.status, 2);
  assertStringIncludes(wrong.stderr, 'wrong endpoint "nowhere"');
  assert((await stream(["topics", "a//"], { STREAM_SERVER: "" })).stderr.includes("the pattern"));
});

for (const command of commands) {
  Deno.test(`stream ${command} --help and stream help ${command} say the same, on stdout`, async () => {
    const [asked, helped] = await Promise.all([stream([command, "--help"]), stream(["help", command])]);
    assertEquals(asked.status, 0);
    assertEquals(asked.stderr, "");
    assertStringIncludes(asked.stdout, `Usage: stream ${command}`);
    assertStringIncludes(asked.stdout, "--log-level LEVEL");
    if (command !== "help") assertStringIncludes(asked.stdout, "\nExamples:\n");
    assertEquals(helped, asked);
  });
}

Deno.test("the help of the program lists every command", async () => {
  const { status, stdout } = await stream(["--help"]);
  assertEquals(status, 0);
  for (const command of commands) assert(new RegExp(`^  ${command} +[a-z]`, "m").test(stdout), command);
});

Deno.test("no command at all is wrong usage, and shows the help on stderr", async () => {
  const { status, stdout, stderr } = await stream([]);
  assertEquals([status, stdout], [2, ""]);
  assertStringIncludes(stderr, "Usage: stream [options] COMMAND");
});

Deno.test("help exit-codes lists every status", async () => {
  const { status, stdout } = await stream(["help", "exit-codes"]);
  assertEquals(status, 0);
  assertEquals([...stdout.matchAll(/^ +(\d+) {2}\S/gm)].map(([, code]) => Number(code)), [0, 1, 2, 3, 4, 5, 6, 130]);
});

Deno.test("the version is that of deno.json", async () => {
  const config = JSON.parse(await Deno.readTextFile(new URL("../../deno.json", import.meta.url)));
  assertEquals(version, config.version);
  assertEquals(await stream(["--version"]), { status: 0, stdout: `${version}\n`, stderr: "" });
});

Deno.test("under --log-format json an error is an object", async () => {
  const { status, stderr } = await stream(["publish", "--log-format", "json", "a//b"]);
  assertEquals(status, 2);
  const { time, level, message } = JSON.parse(stderr);
  assertEquals(level, "error");
  assertStringIncludes(message, 'stream publish: the topic "a//b" is not valid: ');
  assert(!Number.isNaN(Date.parse(time)));
});

Deno.test({
  name: "a closed stdout ends it quietly with 0",
  ignore: Deno.build.os === "windows",
  async fn() {
    // `head` is gone before anything is written: the shell waits for it.
    const program = [Deno.execPath(), ...denoRun, "cli/main.ts", "help"].map((word) => `'${word}'`).join(" ");
    const pipe = `exec 3> >(exit); wait $!; ${program} >&3; echo "$?"`;
    const { stdout, stderr } = await new Deno.Command("bash", {
      args: ["-c", pipe],
      cwd: new URL("../../", import.meta.url),
      stdin: "null",
    }).output();
    assertEquals(new TextDecoder().decode(stdout), "0\n");
    assertEquals(new TextDecoder().decode(stderr), "");
  },
});
