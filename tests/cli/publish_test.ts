import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { denoRun } from "./program.ts";
import { binary, join, Process, type ProcessOptions, type ServerProcess, startServer } from "./process.ts";

interface Case {
  readonly name: string;
  readonly args: readonly string[];
  readonly stdin?: string | Uint8Array;
  /** A file, which takes the place of `FILE` among the arguments. */
  readonly file?: Uint8Array;
  /** The payloads, one character a byte. */
  readonly arrives: readonly string[];
  readonly status?: number;
  readonly stderr?: RegExp;
}

const bytes = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));
const kilobyte = "x".repeat(1024);

/** Run against a server of `--max-message 1KiB`. Each has a topic of its own, `TOPIC` among its arguments. */
const cases: readonly Case[] = [
  { name: "lines of stdin", args: ["TOPIC"], stdin: "one\ntwo\n", arrives: ["one", "two"] },
  { name: "no input", args: ["TOPIC"], stdin: "", arrives: [] },
  { name: "a last line without LF", args: ["TOPIC"], stdin: "one\ntwo", arrives: ["one", "two"] },
  { name: "lines of 0 bytes", args: ["TOPIC"], stdin: "\n\none\n\n", arrives: ["", "", "one", ""] },
  { name: "a CR stays", args: ["TOPIC"], stdin: "one\r\n\r\nt\rwo\r\n", arrives: ["one\r", "\r", "t\rwo\r"] },
  { name: "NUL bytes", args: ["TOPIC"], stdin: "\0\na\0b\n", arrives: ["\0", "a\0b"] },
  {
    name: "bytes that are not UTF-8",
    args: ["TOPIC"],
    stdin: bytes("\xff\xfe\n\xc3\n\xed\xa0\x80\n"),
    arrives: ["\xff\xfe", "\xc3", "\xed\xa0\x80"],
  },
  { name: "a byte order mark", args: ["TOPIC"], stdin: bytes("\xef\xbb\xbfa\n"), arrives: ["\xef\xbb\xbfa"] },
  {
    name: "a line over the limit is refused, the others arrive",
    args: ["TOPIC"],
    stdin: `one\n${kilobyte}\n${kilobyte}y\nfour\n`,
    arrives: ["one", kilobyte, "four"],
    status: 4,
    stderr: /larger than the server takes: it was not sent number=3 size="1\.0 KiB" most="1\.0 KiB"/,
  },
  {
    name: "a last line over the limit and without LF",
    args: ["TOPIC"],
    stdin: `one\n${kilobyte}y`,
    arrives: ["one"],
    status: 4,
  },
  { name: "--lines", args: ["TOPIC", "--lines"], stdin: "one\ntwo\n", arrives: ["one", "two"] },
  { name: "a file", args: ["TOPIC", "FILE"], file: bytes("one\ntwo\xff"), arrives: ["one", "two\xff"] },
  { name: "- is stdin", args: ["TOPIC", "-"], stdin: "one\n", arrives: ["one"] },
  { name: "--raw of stdin", args: ["TOPIC", "--raw"], stdin: bytes("a\n\xff\0b"), arrives: ["a\n\xff\0b"] },
  { name: "--raw of nothing", args: ["TOPIC", "--raw"], stdin: "", arrives: [] },
  {
    name: "--raw is cut at the limit",
    args: ["TOPIC", "--raw", "FILE"],
    file: bytes(`${kilobyte}${kilobyte}tail`),
    arrives: [kilobyte, kilobyte, "tail"],
  },
  { name: "--chunk", args: ["TOPIC", "--chunk", "4"], stdin: "abcdefgh\nj", arrives: ["abcd", "efgh", "\nj"] },
  {
    name: "--chunk over the limit",
    args: ["TOPIC", "--chunk", "2KiB"],
    stdin: `${kilobyte}${kilobyte}tail`,
    arrives: ["tail"],
    status: 4,
    stderr: /it has 2048 bytes, the server takes at most 1024/,
  },
  { name: "--whole", args: ["TOPIC", "--whole"], stdin: bytes("a\nb\n\0\xff\n"), arrives: ["a\nb\n\0\xff\n"] },
  { name: "--whole of nothing is a message of no bytes", args: ["TOPIC", "--whole"], stdin: "", arrives: [""] },
  { name: "--whole over the limit", args: ["TOPIC", "--whole"], stdin: `${kilobyte}y`, arrives: [], status: 4 },
  {
    name: "--delimited",
    args: ["TOPIC", "--delimited"],
    stdin: join(["one", "", "t\nwo\xff", kilobyte]),
    arrives: ["one", "", "t\nwo\xff", kilobyte],
  },
  {
    name: "--delimited over the limit, the others arrive",
    args: ["TOPIC", "--delimited"],
    stdin: join(["one", `${kilobyte}y`, "three"]),
    arrives: ["one", "three"],
    status: 4,
  },
  {
    name: "--delimited that ends inside a message",
    args: ["TOPIC", "--delimited"],
    stdin: join(["one", "three"]).subarray(0, -2),
    arrives: ["one"],
    status: 1,
    stderr: /^stream publish: the input ends inside message 2: 2 bytes are missing\n$/,
  },
  { name: "-m", args: ["TOPIC", "-m", "hello"], arrives: ["hello"] },
  {
    name: "-m several times, empty, with a newline, like an option",
    args: ["TOPIC", "-m", "a", "-m", "", "-m", "b\nc", "-m", "-q"],
    arrives: ["a", "", "b\nc", "-q"],
  },
  { name: "-m in UTF-8", args: ["TOPIC", "--message", "ü"], arrives: ["\xc3\xbc"] },
  {
    name: "-m over the limit, the others arrive",
    args: ["TOPIC", "-m", "a", "-m", `${kilobyte}y`, "-m", "b"],
    arrives: ["a", "b"],
    status: 4,
    stderr: /it has 1025 bytes, the server takes at most 1024 \(serve --max-message\)/,
  },
  { name: "-n", args: ["TOPIC", "-n", "2"], stdin: "1\n2\n3\n4\n", arrives: ["1", "2"] },
  { name: "-n of more than there is", args: ["TOPIC", "--count", "9"], stdin: "1\n2\n", arrives: ["1", "2"] },
  { name: "-n of texts", args: ["TOPIC", "-n", "1", "-m", "a", "-m", "b"], arrives: ["a"] },
  {
    name: "--repeat of a file",
    args: ["TOPIC", "FILE", "--repeat", "3"],
    file: bytes("a\nb"),
    arrives: ["a", "b", "a", "b", "a", "b"],
  },
  {
    name: "--repeat of texts, with -n over all",
    args: ["TOPIC", "--repeat", "3", "-m", "a", "-m", "b", "-n", "5"],
    arrives: ["a", "b", "a", "b", "a"],
  },
  {
    name: "--repeat of --chunk begins anew",
    args: ["TOPIC", "FILE", "--repeat", "2", "--chunk", "2"],
    file: bytes("abc"),
    arrives: ["ab", "c", "ab", "c"],
  },
  { name: "--no-ack", args: ["TOPIC", "--no-ack"], stdin: "a\nb\n", arrives: ["a", "b"] },
  {
    name: "--no-ack with one over the limit",
    args: ["TOPIC", "--no-ack"],
    stdin: `a\n${kilobyte}y\nb\n`,
    arrives: ["a", "b"],
    status: 4,
  },
  { name: "--rate faster than the input", args: ["TOPIC", "--rate", "1M/s"], stdin: "a\nb\n", arrives: ["a", "b"] },
  { name: "--quiet", args: ["TOPIC", "-q", "-m", "a"], arrives: ["a"] },
  {
    name: "a file that is not there",
    args: ["TOPIC", "/no/such/file"],
    arrives: [],
    status: 1,
    stderr: /^stream publish: cannot read \/no\/such\/file: no such file\n$/,
  },
  {
    name: "a text where the file goes",
    args: ["TOPIC", "hello world"],
    arrives: [],
    status: 1,
    stderr: /^stream publish: cannot read hello world: no such file: to send that text itself, give -m before it\n$/,
  },
];

Deno.test("publish sends what each way of cutting gives, and says nothing when all went well", async (t) => {
  await using server = await startServer(["--max-message", "1KiB"]);
  for (const [number, { name, args, stdin = "", file, arrives, status = 0, stderr }] of cases.entries()) {
    await t.step(name, async () => {
      const topic = `cases/${number}`;
      using path = file === undefined ? undefined : temporaryFile(file);
      const given = args.map((arg) => arg === "TOPIC" ? topic : arg === "FILE" ? path!.path : arg);
      const ran = await server.run(["publish", ...given], { stdin });
      assertEquals(ran.stdout, "");
      if (stderr) assertMatch(ran.stderr, stderr);
      else if (status === 0) assertEquals(ran.stderr, "");
      assertEquals(ran.status, status);
      assertEquals(await server.payloads(topic), arrives);
    });
  }
});

Deno.test("--topic-from takes topics from the lines, --topic-prefix goes before them", async () => {
  await using server = await startServer();
  const lines = [
    '{"symbol":"A","price":1}',
    '{"symbol":"B/x","price":2}',
    '{"symbol":7}',
    '{"symbol":"A","price":3}',
  ];
  const stdin = lines.map((line) => `${line}\n`).join("");
  const args = ["publish", "--topic-from", "symbol"];
  assertEquals(await server.run([...args, "--topic-prefix", "ticks/"], { stdin }), {
    status: 0,
    stdout: "",
    stderr: "",
  });
  assertEquals([...(await server.topics()).keys()].sort(), ["ticks/7", "ticks/A", "ticks/B/x"]);
  assertEquals(await server.payloads("ticks/A"), [lines[0], lines[3]]);
  assertEquals(await server.payloads("ticks/B/x"), [lines[1]]);
  assertEquals(await server.payloads("ticks/7"), [lines[2]]);
  assertEquals((await server.run([...args, "-m", '{"symbol":"plain"}'])).status, 0);
  assertEquals(await server.payloads("plain"), ['{"symbol":"plain"}']);
});

Deno.test("a line in which --topic-from finds no good topic is told and makes the status 1, the others arrive", async () => {
  await using server = await startServer();
  const bad = ["no json", '{"symbol":"a//b"}', '{"symbol":"$sys"}', '{"other":1}', "[1]", '{"symbol":null}', ""];
  const stdin = ['{"symbol":"A","n":1}', ...bad, '{"symbol":"A","n":2}'].map((line) => `${line}\n`).join("");
  const { status, stderr } = await server.run(["publish", "--topic-from", "symbol"], { stdin });
  assertEquals(status, 1);
  assertStringIncludes(stderr, "a message is not JSON");
  assertStringIncludes(stderr, 'cannot publish to "a//b"');
  assertStringIncludes(stderr, "topics that begin with $ are the server's own");
  assertStringIncludes(stderr, 'a message has no field "symbol"');
  assertEquals(await server.payloads("A"), ['{"symbol":"A","n":1}', '{"symbol":"A","n":2}']);
  assertEquals((await server.topics()).size, 1);
});

Deno.test("one process feeds hundreds of topics", async () => {
  await using server = await startServer();
  const lines = Array.from({ length: 3_000 }, (_, i) => `{"symbol":"S${i % 300}","n":${i}}`);
  const { status, stderr } = await server.run(["publish", "--topic-from", "symbol"], { stdin: lines.join("\n") });
  assertEquals([status, stderr], [0, ""]);
  const topics = await server.topics();
  assertEquals(topics.size, 300);
  for (const { messages } of topics.values()) assertEquals(messages, 10);
  assertEquals(await server.payloads("S42"), lines.filter((_, i) => i % 300 === 42));
});

Deno.test("--rate holds messages back", async () => {
  await using server = await startServer();
  await using subscriber = await server.subscriber(["--json", "-n", "41", "ticks"]);
  const stdin = "tick\n".repeat(41);
  assertEquals((await server.run(["publish", "ticks", "--rate", "100/s"], { stdin })).status, 0);
  const { status, stdout } = await subscriber.ran();
  assertEquals(status, 0);
  const times = stdout.split("\n").slice(0, -1).map((line) => Date.parse(JSON.parse(line).time));
  const took = times.at(-1)! - times[0]!;
  // 40 pauses of 10 ms, of which 20 ms may be caught up.
  assert(took >= 370, `${took} ms`);
});

Deno.test("lines are sent as they come, not when the input ends", async () => {
  await using server = await startServer();
  await using subscriber = await server.subscriber(["slow"]);
  await using publisher = server.start(["publish", "slow"], { stdin: "pipe" });
  for (const line of ["first", "second"]) {
    await publisher.write(`${line}\n`);
    await subscriber.stdout.line(new RegExp(`^${line}$`));
  }
  await publisher.write("no line end");
  await publisher.end();
  await subscriber.stdout.line(/^no line end$/);
  assertEquals(await publisher.ran(), { status: 0, stdout: "", stderr: "" });
});

Deno.test("-n ends it although the input goes on", async () => {
  await using server = await startServer();
  await using publisher = server.start(["publish", "-n", "2", "slow"], { stdin: "pipe" });
  await publisher.write("1\n2\n");
  assertEquals(await publisher.ran(), { status: 0, stdout: "", stderr: "" });
  assertEquals(await server.payloads("slow"), ["1", "2"]);
});

Deno.test("SIGINT and SIGTERM end it with 130", async () => {
  await using server = await startServer();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    await using subscriber = await server.subscriber(["slow"]);
    await using publisher = server.start(["publish", "slow"], { stdin: "pipe" });
    await publisher.write("a\n");
    await subscriber.stdout.line(/^a$/);
    publisher.kill(signal);
    assertEquals(await publisher.ran(), { status: 130, stdout: "", stderr: "" });
  }
});

Deno.test("a server that is not there is 3, with one clear line", async () => {
  // Nobody listens on this address of the loopback network: a port that was free might be somebody's by now.
  const endpoint = "tcp://127.7.7.7:7070";
  const nowhere: ProcessOptions = { env: { STREAM_SERVER: endpoint } };
  await using server = await startServer();
  for (const args of [["publish", "a", "-m", "x"], ["subscribe", "a"], ["topics"]]) {
    const { status, stdout, stderr } = await server.run(args, nowhere);
    assertEquals([status, stdout], [3, ""]);
    assertMatch(
      stderr,
      new RegExp(`^stream ${args[0]}: cannot connect to ${endpoint}: connection refused: .+\n$`),
    );
    // The option goes before the environment.
    const unknown = await server.run([...args, "-s", "tcp://no-such-host.invalid"]);
    assertEquals(unknown.status, 3);
    assertMatch(unknown.stderr, /^stream [a-z]+: cannot connect to tcp:\/\/no-such-host\.invalid:7070: .+\n$/);
  }
});

Deno.test("a server that does not speak the protocol is one line, and no hang", async () => {
  await using server = await startServer();
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const answering = (async () => {
    const connection = await listener.accept();
    await connection.write(new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n"));
    return connection;
  })();
  const env = { STREAM_SERVER: `tcp://127.0.0.1:${listener.addr.port}` };
  const { status, stderr } = await server.run(["publish", "a", "-m", "x"], { env });
  (await answering).close();
  assertEquals(status, 3);
  assertMatch(
    stderr,
    /^stream publish: cannot connect to tcp:.+: what answers there does not speak the stream protocol: .+\n$/,
  );
});

Deno.test("a name beyond the limits of a topic is refused by the command itself", async () => {
  await using server = await startServer();
  const longest = "x".repeat(255);
  assertEquals((await server.run(["publish", longest, "-m", "a"])).status, 0);
  assertEquals(await server.payloads(longest), ["a"]);
  const { status, stderr } = await server.run(["publish", `${longest}x`, "-m", "a"]);
  assertEquals(status, 2);
  assertStringIncludes(stderr, "it has 256 bytes, the most is 255");
});

Deno.test("nothing but its own messages is in a topic of which another has the beginning of the name", async () => {
  await using server = await startServer();
  await publishTo(server, "a", "1");
  await publishTo(server, "a/b", "2");
  await publishTo(server, "ü/€", "3");
  assertEquals(await server.payloads("a"), ["1"]);
  assertEquals(await server.payloads("ü/€"), ["3"]);
});

/** Gives a command a terminal; there is no other way to one from here. */
const terminal = "/usr/bin/script";

Deno.test({
  name: "progress is shown on a terminal, not with --quiet, and not when stderr is no terminal",
  ignore: !existsSync(terminal),
  async fn() {
    await using server = await startServer();
    const program = [Deno.execPath(), ...denoRun, "cli/main.ts", "publish", "a", "--rate", "20/s", "--repeat", "12"];
    const command = `${program.map((word) => `'${word}'`).join(" ")} -m x`;
    const run = async (line: string) => {
      await using process = new Process([terminal, "-qec", line, "/dev/null"], {
        env: { STREAM_SERVER: server.endpoint },
        stdin: "",
      });
      return await process.ran();
    };
    const shown = await run(command);
    assertEquals(shown.status, 0);
    assertMatch(shown.stdout, /\r\d+ messages {2}\d+ B {2}\d+\/s {2}\d+ B\/s/);
    assertEquals(await run(`${command} --quiet`), { status: 0, stdout: "", stderr: "" });
    assertEquals(await run(`${command} 2>&1 | cat`), { status: 0, stdout: "", stderr: "" });
    assertEquals(await server.run(["publish", "a", "--rate", "20/s", "--repeat", "12", "-m", "x"]), {
      status: 0,
      stdout: "",
      stderr: "",
    });
  },
});

async function publishTo(server: ServerProcess, topic: string, text: string): Promise<void> {
  assertEquals(await server.run(["publish", topic, "-m", text]), { status: 0, stdout: "", stderr: "" });
}

function existsSync(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

function temporaryFile(content: Uint8Array): { path: string } & Disposable {
  const path = Deno.makeTempFileSync();
  Deno.writeFileSync(path, content);
  return { path, [Symbol.dispose]: () => Deno.removeSync(path) };
}

Deno.test("the test's own messages are what they seem", () => {
  assertEquals(binary(join(["a", ""])), "\0\0\0\x01a\0\0\0\0");
});
