import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { connectTo } from "../cutting_proxy.ts";
import { denoRun } from "./program.ts";
import { Process, startServer } from "./process.ts";

Deno.test("serve prints one line a listener on stdout and nothing else there", async () => {
  const listen = ["--listen", "tcp://127.0.0.1:0", "-l", "tcp://localhost:0", "-l", "tcp://[::1]:0"];
  await using server = await startServer(listen);
  await server.stdout.line(/^listening /, 3);
  assertEquals((await server.run(["publish", "a", "-m", "x"])).status, 0);
  const endpoints = server.stdout.lines.map((line) => line.replace("listening ", ""));
  for (const endpoint of endpoints) {
    const { status, stdout } = await server.run(["subscribe", "-s", endpoint, "--from", "earliest", "-n", "1", "a"]);
    assertEquals([status, stdout], [0, "x\n"]);
  }
  server.kill("SIGTERM");
  const { status, stdout } = await server.ran();
  assertMatch(
    stdout,
    /^listening tcp:\/\/127\.0\.0\.1:\d+\nlistening tcp:\/\/localhost:\d+\nlistening tcp:\/\/\[::1\]:\d+\n$/,
  );
  assertEquals(status, 0);
});

Deno.test("a port in use is 1, with one line, even when another listener would do", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const taken = `tcp://127.0.0.1:${listener.addr.port}`;
  for (const args of [["--listen", taken], ["--listen", "tcp://127.0.0.1:0", "--listen", taken]]) {
    await using server = new Process(["stream", "serve", ...args]);
    const { status, stdout, stderr } = await server.ran();
    assertEquals(stdout, "");
    assertMatch(stderr, new RegExp(`^stream serve: cannot listen on ${taken}: port \\d+ is in use: .+\n$`));
    assertEquals(status, 1);
  }
});

Deno.test("SIGINT and SIGTERM drain an idle server at once, with 0", async () => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    await using server = await startServer();
    await using subscriber = await server.subscriber(["--no-reconnect", "a"]);
    server.kill(signal);
    const { status, stderr } = await server.ran();
    assertMatch(stderr, /info {2}draining connections=1 timeout=10s\n/);
    assertEquals(status, 0);
    const left = await subscriber.ran();
    assertEquals(left.status, 3);
    assertMatch(left.stderr, /stream subscribe: cannot keep the connection to tcp:.+: the server is shutting down\n$/);
  }
});

Deno.test("draining gives subscribers what is in the logs, and publishers are stopped first", async () => {
  await using server = await startServer(["--retain", "64MiB"]);
  const line = "x".repeat(99_999);
  const args = ["--from", "earliest", "--no-reconnect", "a"];
  await using subscriber = await server.subscriber(args, { held: true, sink: () => {} });
  await using idle = server.start(["publish", "--no-reconnect", "b"], { stdin: "pipe" });
  await idle.write("x\n");
  assertEquals((await server.run(["publish", "a"], { stdin: `${line}\n`.repeat(300) })).status, 0);
  server.kill("SIGTERM");
  await server.stderr.line(/draining/);
  // What this one still sends is not appended any more.
  assertEquals(await idle.status, 3);
  assertStringIncludes(idle.stderr.text, "the server is shutting down");
  subscriber.stdout.release();
  assertEquals(await server.status, 0);
  assertEquals(await subscriber.status, 3);
  await subscriber.stdout.ended;
  assertEquals(subscriber.stdout.length, 300 * 100_000);
});

Deno.test("--drain-timeout bounds the wait for one that does not read, a second signal ends it at once", async (t) => {
  const stuck = async (args: readonly string[], then: (server: Process) => Promise<void>) => {
    await using server = await startServer(["--retain", "64MiB", ...args]);
    await using subscriber = await server.subscriber(["--from", "earliest", "a"]);
    subscriber.kill("SIGSTOP");
    const stdin = `${"x".repeat(99_999)}\n`.repeat(200);
    assertEquals((await server.run(["publish", "a"], { stdin })).status, 0);
    const begun = performance.now();
    server.kill("SIGTERM");
    await server.stderr.line(/draining/);
    await then(server);
    // Not the ten seconds that are the default.
    assert(performance.now() - begun < 5_000);
  };
  await t.step("--drain-timeout", () =>
    stuck(["--drain-timeout", "500ms"], async (server) => {
      const begun = performance.now();
      assertEquals(await server.status, 0);
      assert(performance.now() - begun > 400);
    }));
  await t.step("a second signal", () =>
    stuck([], async (server) => {
      server.kill("SIGINT");
      assertEquals(await server.status, 130);
    }));
});

Deno.test("--max-connections: the one too many is refused with 4 and a line", async () => {
  await using server = await startServer(["--max-connections", "2"]);
  await using one = await server.subscriber(["a"]);
  await using two = await server.subscriber(["a"]);
  for (const args of [["subscribe", "a"], ["publish", "a", "-m", "x"], ["topics"]]) {
    const { status, stdout, stderr } = await server.run(args);
    assertEquals([status, stdout], [4, ""]);
    assertMatch(
      stderr,
      new RegExp(`^stream ${args[0]}: cannot connect to ${server.endpoint}: the most is 2 \\(connections\\)\n$`),
    );
  }
  one.kill("SIGINT");
  assertEquals(await one.status, 130);
  await server.stderr.line(/session closed .*reason=done/);
  assertEquals((await server.run(["publish", "a", "-m", "x"])).status, 0);
  await two.stdout.line(/^x$/);
});

Deno.test("--retain bounds what is kept of a topic", async () => {
  await using server = await startServer(["--retain", "256KiB"]);
  const stdin = `${"x".repeat(999)}\n`.repeat(2_000);
  for (const topic of ["a", "b"]) assertEquals((await server.run(["publish", topic], { stdin })).status, 0);
  for (const { bytes, first, next } of (await server.topics()).values()) {
    assertEquals(next, 2_001);
    // What is kept goes segment by segment.
    assert(bytes >= 256 * 1024 && bytes <= 512 * 1024, `${bytes} bytes`);
    assert(first > 1_400 && first < 1_750, `first is ${first}`);
  }
});

Deno.test("--retain-for bounds how long it is kept", async () => {
  await using server = await startServer(["--retain-for", "300ms"]);
  assertEquals((await server.run(["publish", "a", "-m", "x"])).status, 0);
  const kept = async () => (await server.topics("a")).get("a")?.messages ?? 0;
  const until = performance.now() + 10_000;
  while (await kept() > 0 && performance.now() < until);
  assertEquals(await kept(), 0);
  assertEquals((await server.run(["subscribe", "--from", "earliest", "--timeout", "100ms", "a"])).status, 5);
});

Deno.test("--memory bounds all topics together, and each keeps its newest message", async () => {
  // A full segment of 1 MiB for each of the topics, and as much again: with less, one may have to make room for another.
  await using server = await startServer(["--memory", "24MiB", "--retain", "8MiB"]);
  const lines = Array.from({ length: 40_000 }, (_, i) => `{"topic":"t${i % 10}","n":${i},"x":"${"x".repeat(970)}"}`);
  const { status } = await server.run(["publish", "--topic-from", "topic"], { stdin: lines.join("\n") });
  assertEquals(status, 0);
  const topics = [...(await server.topics()).values()];
  assertEquals(topics.length, 10);
  const bytes = topics.reduce((sum, topic) => sum + topic.bytes, 0);
  assert(bytes > 8 * 1024 * 1024 && bytes <= 24 * 1024 * 1024, `${bytes} bytes`);
  for (const { messages, next } of topics) {
    assertEquals(next, 4_001);
    assert(messages >= 1);
  }
});

Deno.test("--lag-policy is what subscriptions get that ask for none", async () => {
  await using server = await startServer(["--lag-policy", "disconnect", "--retain", "256KiB"]);
  const stdin = `${"x".repeat(99_999)}\n`.repeat(300);
  await using subscriber = await server.subscriber(["--no-reconnect", "a"], { sink: () => {} });
  await using other = await server.subscriber(["--no-reconnect", "--lag-policy", "skip", "a"], { sink: () => {} });
  subscriber.kill("SIGSTOP");
  other.kill("SIGSTOP");
  assertEquals((await server.run(["publish", "a"], { stdin })).status, 0);
  assertMatch(await server.stderr.line(/session closed .*reason=/), /warn {2}session closed .*reason=lagged/);
  subscriber.kill("SIGCONT");
  other.kill("SIGCONT");
  assertEquals(await subscriber.status, 3);
  await other.stderr.line(/^gap: a \d+-\d+, \d+ messages lost: lagged$/);
});

Deno.test("a log level, quiet and the JSON format shape what the server says on stderr", async () => {
  for (
    const [args, expected] of [
      [["--quiet"], /^$/],
      [["--log-level", "error"], /^$/],
      [[], /^\S+Z info {2}session opened peer=127\.0\.0\.1:\d+ agent=\S+\n(.*\n)*.*draining/],
      [["--log-format", "json"], /^\{"time":"[^"]+","level":"info","message":"session opened",.*\}\n(\{.*\}\n)+$/],
    ] as const
  ) {
    await using server = await startServer(args);
    assertEquals((await server.run(["publish", "a", "-m", "x"])).status, 0);
    server.kill("SIGTERM");
    const { status, stderr } = await server.ran();
    assertEquals(status, 0);
    assertMatch(stderr, expected);
  }
});

Deno.test("a server whose stdout nobody reads goes on", async () => {
  const program = [Deno.execPath(), ...denoRun, "cli/main.ts", "serve", "-l", "tcp://127.0.0.1:0"];
  const quoted = program.map((word) => `'${word}'`).join(" ");
  // `head` has printed the line and is gone.
  await using shell = new Process(["bash", "-c", `${quoted} > >(head -n 1 >&2) & echo $!; wait $!; echo "$?"`]);
  const pid = Number(await shell.stdout.line(/^\d+$/));
  try {
    const endpoint = (await shell.stderr.line(/^listening /)).replace("listening ", "");
    await using publisher = new Process(["stream", "publish", "-s", endpoint, "a", "-m", "x"]);
    assertEquals((await publisher.ran()).status, 0);
  } finally {
    Deno.kill(pid, "SIGTERM");
  }
  assertEquals(await shell.stdout.line(/^\d+$/, 2), "0");
});

Deno.test("a connection that says nothing does not keep a server from draining", async () => {
  await using server = await startServer();
  using connection = await connectTo(server.endpoint);
  assertEquals((await server.run(["publish", "a", "-m", "x"])).status, 0);
  const begun = performance.now();
  server.kill("SIGTERM");
  assertEquals(await server.status, 0);
  assert(performance.now() - begun < 4_000);
  await connection.read(new Uint8Array(64));
});
