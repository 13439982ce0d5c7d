import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { denoRun } from "./program.ts";
import { binary, join, Process, type ServerProcess, split, startServer } from "./process.ts";

async function publish(server: ServerProcess, topic: string, messages: readonly string[]): Promise<void> {
  const ran = await server.run(["publish", topic, "--delimited"], { stdin: join(messages) });
  assertEquals(ran, { status: 0, stdout: "", stderr: "" });
}

/** Numbers from `first` to `last`, as texts. */
function texts(first: number, last: number): string[] {
  return Array.from({ length: last - first + 1 }, (_, i) => `${first + i}`);
}

/** What stands on stdout, one character a byte, of a run that ends by itself. */
async function output(server: ServerProcess, args: readonly string[], status = 0): Promise<string> {
  await using process = server.start(["subscribe", ...args]);
  const ran = await process.ran();
  assertEquals(ran.status, status, ran.stderr);
  return binary(process.stdout.bytes);
}

const payloads = ["plain", "", 'qu"ot\\e', "\xc3\xbc\xe2\x82\xac", "\xff\0", "two\nlines\r", "\xef\xbb\xbf"];

Deno.test("subscribe writes messages in the format that was asked for", async (t) => {
  await using server = await startServer();
  await publish(server, "f/a", payloads);
  const hex = (payload: string) => Array.from(payload, (c) => c.charCodeAt(0).toString(16).padStart(2, "0")).join("");
  const formats: readonly (readonly [args: string[], written: string])[] = [
    [[], payloads.map((payload) => `${payload}\n`).join("")],
    [["--raw"], payloads.join("")],
    [["--hex"], payloads.map((payload) => `${hex(payload)}\n`).join("")],
    [["--delimited"], binary(join(payloads))],
    [["-v"], payloads.map((payload) => `f/a\t${payload}\n`).join("")],
    [["--verbose", "--hex"], payloads.map((payload) => `f/a\t${hex(payload)}\n`).join("")],
  ];
  for (const [args, written] of formats) {
    await t.step(args.join(" ") || "lines", async () => {
      assertEquals(await output(server, ["--from", "earliest", "-n", `${payloads.length}`, ...args, "f/#"]), written);
    });
  }
  await t.step("--json", async () => {
    const text = await output(server, ["--from", "earliest", "-n", `${payloads.length}`, "--json", "f/a"]);
    const lines = text.split("\n");
    assertEquals(lines.pop(), "");
    const time = /"time":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)"/.exec(text)![1]!;
    assert(Math.abs(Date.parse(time) - Date.now()) < 60_000);
    const rest = [
      '"payload":"plain"',
      '"payload":""',
      String.raw`"payload":"qu\"ot\\e"`,
      '"payload":"\xc3\xbc\xe2\x82\xac"',
      '"payload64":"/wA="',
      String.raw`"payload":"two\nlines\r"`,
      '"payload":"\xef\xbb\xbf"',
    ];
    assertEquals(lines, rest.map((payload, i) => `{"topic":"f/a","seq":${i + 1},"time":"${time}",${payload}}`));
  });
});

Deno.test("what publish --delimited reads is what subscribe --delimited writes", async () => {
  await using server = await startServer();
  const messages = Array.from({ length: 300 }, (_, i) => String.fromCharCode(i % 256).repeat(i * 7));
  await publish(server, "a", messages);
  await using subscriber = server.start(["subscribe", "--from", "earliest", "--delimited", "-n", "300", "a"]);
  await using publisher = server.start(["publish", "b", "--delimited"], { stdin: "pipe" });
  assertEquals((await subscriber.ran()).status, 0);
  await publisher.write(subscriber.stdout.bytes);
  await publisher.end();
  assertEquals((await publisher.ran()).status, 0);
  assertEquals(await server.payloads("b"), messages);
});

Deno.test("subscribed PATTERN is said on stderr for each pattern, and messages come once however many match", async () => {
  await using server = await startServer();
  await using subscriber = server.start(["subscribe", "-v", "-n", "4", "a/b", "a/#", "+/b"]);
  await subscriber.stderr.line(/^subscribed \+\/b$/);
  for (const [topic, text] of [["a/b", "1"], ["other", "2"], ["x/b", "3"], ["a", "4"], ["a/b", "5"]] as const) {
    await publish(server, topic, [text]);
  }
  const { status, stdout, stderr } = await subscriber.ran();
  assertEquals(stdout, "a/b\t1\nx/b\t3\na\t4\na/b\t5\n");
  assertEquals(stderr, "subscribed a/b\nsubscribed a/#\nsubscribed +/b\n");
  assertEquals(status, 0);
});

Deno.test("subscribed is a record under --log-format json, and not said with --quiet", async () => {
  await using server = await startServer();
  await publish(server, "a", ["1"]);
  const args = ["subscribe", "--from", "earliest", "-n", "1", "a"];
  const json = await server.run([...args, "--log-format", "json"]);
  assertEquals(JSON.parse(json.stderr).message, "subscribed a");
  assertEquals(await server.run([...args, "--quiet"]), { status: 0, stdout: "1\n", stderr: "" });
});

Deno.test("--from says where a topic starts", async (t) => {
  await using server = await startServer();
  await publish(server, "a", texts(1, 5));
  await publish(server, "a", texts(6, 10));
  await publish(server, "b", ["b1", "b2"]);
  const listed = await output(server, ["--from", "earliest", "-n", "10", "--json", "a"]);
  const times = listed.split("\n").slice(0, -1).map((line) => JSON.parse(line).time as string);
  assert(times[4]! < times[5]!, "two publishes have two times");
  const cases: readonly (readonly [from: string, first: number])[] = [
    ["earliest", 1],
    ["latest", 11],
    ["seq:1", 1],
    ["seq:7", 7],
    ["seq:11", 11],
    ["last:1", 10],
    ["last:7", 4],
    ["last:99", 1],
    [`time:${times[5]}`, 6],
    [`time:${times[0]}`, 1],
    ["time:2020-01-31T12:00:00Z", 1],
    ["time:2020-01-31", 1],
    ["time:2999-01-31T12:00:00.5+01:00", 11],
    ["ago:1h", 1],
    ["ago:1d2h", 1],
    ["ago:0", 11],
  ];
  const subscribers: Process[] = [];
  try {
    for (const [from, first] of cases) {
      subscribers.push(await server.subscriber(["--from", from, "-n", `${12 - first}`, "a"]));
    }
    subscribers.push(await server.subscriber(["-n", "1", "a"]));
    await publish(server, "a", ["11"]);
    for (const [i, [from, first]] of [...cases, ["nothing", 11] as const].entries()) {
      await t.step(from, async () => {
        const { status, stdout } = await subscribers[i]!.ran();
        assertEquals(stdout, texts(first, 11).map((text) => `${text}\n`).join(""));
        assertEquals(status, 0);
      });
    }
  } finally {
    for (const subscriber of subscribers) await subscriber[Symbol.asyncDispose]();
  }
  await t.step("last:N of each topic of a pattern", async () => {
    const text = await output(server, ["--from", "last:2", "-v", "-n", "4", "#"]);
    assertEquals(text.split("\n").sort(), ["", "a\t10", "a\t11", "b\tb1", "b\tb2"]);
  });
  await t.step("--last: the newest of each topic, then live", async () => {
    await using subscriber = await server.subscriber(["--last", "-v", "-n", "3", "#"]);
    await subscriber.stdout.line(/^/, 2);
    await publish(server, "b", ["b3"]);
    const { stdout } = await subscriber.ran();
    assertEquals(stdout.split("\n").slice(0, 2).sort(), ["a\t11", "b\tb2"]);
    assertEquals(stdout.split("\n").slice(2), ["b\tb3", ""]);
  });
});

Deno.test("a topic that begins while a pattern is subscribed comes from its first message", async () => {
  await using server = await startServer();
  for (const from of ["latest", "earliest", "last:1", "ago:0"]) {
    await using subscriber = await server.subscriber(["--from", from, "-n", "3", `new/${from}/#`]);
    await publish(server, `new/${from}/a`, ["1", "2", "3"]);
    assertEquals((await subscriber.ran()).stdout, "1\n2\n3\n");
  }
});

Deno.test("--timeout is 0, or 5 when fewer came than were asked for", async (t) => {
  await using server = await startServer();
  await publish(server, "a", ["1", "2"]);
  const cases: readonly (readonly [args: string[], stdout: string, status: number])[] = [
    [["--timeout", "100ms", "a"], "", 5],
    [["--timeout", "100ms", "-n", "1", "a"], "", 5],
    [["--timeout", "300ms", "--from", "earliest", "a"], "1\n2\n", 0],
    [["--timeout", "300ms", "--from", "earliest", "-n", "3", "a"], "1\n2\n", 5],
    [["--timeout", "60s", "--from", "earliest", "-n", "2", "a"], "1\n2\n", 0],
    [["--timeout", "60s", "--from", "earliest", "-n", "1", "a"], "1\n", 0],
  ];
  for (const [args, stdout, status] of cases) {
    await t.step(args.join(" "), async () => {
      const ran = await server.run(["subscribe", ...args]);
      assertEquals({ status: ran.status, stdout: ran.stdout }, { status, stdout });
      const said = status === 5 ? "stream subscribe: timed out: nothing came for [13]00ms, after [02] of .+\n" : "";
      assertMatch(ran.stderr, new RegExp(`^subscribed a\n${said}$`));
    });
  }
  await t.step("it begins anew with each message", async () => {
    await using subscriber = await server.subscriber(["--timeout", "1500ms", "slow"]);
    const stdin = texts(1, 5).join("\n");
    assertEquals((await server.run(["publish", "slow", "--rate", "2/s"], { stdin })).status, 0);
    assertEquals((await subscriber.ran()).stdout, "1\n2\n3\n4\n5\n");
  });
});

Deno.test("durations of months are as long as they say", async () => {
  await using server = await startServer();
  await using subscriber = await server.subscriber(["--timeout", "30d", "-n", "1", "a"]);
  await using publisher = server.start(["publish", "a", "--rate", "0.0001/h", "-m", "first", "-m", "second"]);
  const { status, stdout, stderr } = await subscriber.ran();
  assertEquals([status, stdout, stderr], [0, "first\n", "subscribed a\n"]);
  publisher.kill("SIGINT");
  assertEquals(await publisher.ran(), { status: 130, stdout: "", stderr: "" });
  assertEquals(await server.payloads("a"), ["first"]);
});

Deno.test("--timeout does not run while nobody reads stdout", async () => {
  await using server = await startServer();
  const message = "x".repeat(100_000);
  await publish(server, "big", Array.from({ length: 60 }, () => message));
  const args = ["subscribe", "--from", "earliest", "--timeout", "300ms", "big"];
  await using subscriber = server.start(args, { held: true });
  await subscriber.stderr.line(/^subscribed/);
  // One that ends after more time than that is the clock.
  assertEquals((await server.run(["subscribe", "--timeout", "1s", "nothing"])).status, 5);
  subscriber.stdout.release();
  assertEquals(await subscriber.status, 0);
  await subscriber.stdout.ended;
  assertEquals(subscriber.stdout.length, 60 * 100_001);
});

Deno.test("-n writes no message more, wherever in a batch it ends", async () => {
  await using server = await startServer();
  await publish(server, "a", texts(1, 1000));
  for (const count of [1, 999, 1000]) {
    const text = await output(server, ["--from", "earliest", "-n", `${count}`, "a"]);
    assertEquals(text, texts(1, count).map((line) => `${line}\n`).join(""));
  }
});

Deno.test("SIGINT and SIGTERM end it with 130, after writing what it has", async () => {
  await using server = await startServer();
  await publish(server, "a", ["1"]);
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    await using subscriber = server.start(["subscribe", "--from", "earliest", "a"]);
    await subscriber.stdout.line(/^1$/);
    subscriber.kill(signal);
    assertEquals(await subscriber.ran(), { status: 130, stdout: "1\n", stderr: "subscribed a\n" });
  }
});

Deno.test("SIGINT ends one that is stuck in a write", async () => {
  await using server = await startServer();
  await publish(server, "a", ["x".repeat(1_000_000)]);
  await using subscriber = server.start(["subscribe", "--from", "earliest", "a"], { held: true });
  await subscriber.stderr.line(/^subscribed/);
  // One that has it all is the sign that this one has it too, or soon will.
  assertEquals((await server.run(["subscribe", "--from", "earliest", "-n", "1", "a"])).status, 0);
  subscriber.kill("SIGINT");
  subscriber.kill("SIGTERM");
  assertEquals(await subscriber.status, 130);
});

Deno.test("| head ends it quietly with 0", async () => {
  await using server = await startServer();
  await publish(server, "a", texts(1, 100_000));
  const program = [Deno.execPath(), ...denoRun, "cli/main.ts", "subscribe", "--quiet", "--from", "earliest", "a"];
  const quoted = program.map((word) => `'${word}'`).join(" ");
  await using shell = new Process(["bash", "-c", `${quoted} | head -n 2; echo "\${PIPESTATUS[0]}"`], {
    env: { STREAM_SERVER: server.endpoint },
  });
  assertEquals(await shell.ran(), { status: 0, stdout: "1\n2\n0\n", stderr: "" });
});

Deno.test("a stdout that is full, or closed from the start, is one line and no hang", async () => {
  await using server = await startServer();
  await publish(server, "a", ["1"]);
  const program = [Deno.execPath(), ...denoRun, "cli/main.ts", "subscribe", "-q", "-n", "1", "--from", "earliest", "a"];
  const quoted = program.map((word) => `'${word}'`).join(" ");
  await using full = new Process(["bash", "-c", `${quoted} > /dev/full`], { env: { STREAM_SERVER: server.endpoint } });
  const { status, stderr } = await full.ran();
  assertEquals(stderr, "stream subscribe: cannot write to stdout: no space left on device\n");
  assertEquals(status, 1);
});

Deno.test("STREAM_SERVER names the server, and --server goes before it", async () => {
  await using server = await startServer();
  await using other = await startServer();
  await publish(server, "a", ["here"]);
  await publish(other, "a", ["there"]);
  assertEquals(await output(server, ["--from", "earliest", "-n", "1", "a"]), "here\n");
  assertEquals(await output(server, ["--from", "earliest", "-n", "1", "-s", other.endpoint, "a"]), "there\n");
  assertEquals(await output(server, ["--from", "earliest", "-n", "1", `--server=${other.endpoint}`, "a"]), "there\n");
});

Deno.test("every subscription gets every message, in order", async () => {
  await using server = await startServer();
  const args = ["--lag-policy", "wait", "--delimited", "-n", "20000", "a"];
  await using one = await server.subscriber(args);
  await using two = await server.subscriber(args);
  await publish(server, "a", texts(1, 20_000));
  for (const subscriber of [one, two]) {
    assertEquals((await subscriber.ran()).status, 0);
    assertEquals(split(subscriber.stdout.bytes), texts(1, 20_000));
  }
});

Deno.test("topics lists what a server holds", async () => {
  await using server = await startServer();
  const nothing = await server.run(["topics"]);
  assertEquals(nothing, { status: 0, stdout: "TOPIC  MESSAGES  SEQUENCES  SIZE  NEWEST\n", stderr: "" });
  assertEquals(await server.run(["topics", "--json"]), { status: 0, stdout: "", stderr: "" });
  await publish(server, "b/x", texts(1, 1200));
  await publish(server, "a", ["1"]);
  const { stdout } = await server.run(["topics"]);
  const [head, ...rows] = stdout.split("\n");
  assertEquals(head!.split(/ {2,}/), ["TOPIC", "MESSAGES", "SEQUENCES", "SIZE", "NEWEST"]);
  assertMatch(rows[0]!, /^a +1 +1-1 +\d+ B +\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  assertMatch(rows[1]!, /^b\/x +1,200 +1-1200 +\d\.\d KiB +\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  assertEquals(rows.slice(2), [""]);
  const json = await server.run(["topics", "--json", "b/#"]);
  const { bytes, time, ...topic } = JSON.parse(json.stdout);
  assertEquals(topic, { topic: "b/x", first: 1, next: 1201, messages: 1200 });
  assert(bytes > 1200 && Math.abs(Date.parse(time) - Date.now()) < 60_000);
  assertStringIncludes((await server.run(["topics", "no/such"])).stdout, "TOPIC");
});
