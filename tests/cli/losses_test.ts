import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { CuttingProxy } from "../cutting_proxy.ts";
import { Process, startServer } from "./process.ts";

/** A place where nothing listens. */
const nowhere = "tcp://127.0.0.1:1";
/** More than the sockets on the way hold. */
const manyLines = Array.from({ length: 300 }, (_, i) => `${i + 1} ${"x".repeat(99_990)}`);

const windows = Deno.build.os === "windows";

interface GapLine {
  readonly topic: string;
  readonly first: number;
  readonly last: number;
  readonly lost: number;
  readonly reason: string;
}

Deno.test("a gap is one line on stderr, or an object in its place under --json, and 6 under --strict", async () => {
  await using server = await startServer(["--retain", "256KiB"]);
  const args = ["--lag-policy", "skip", "--strict", "--timeout", "2s", "ticks"];
  await using lines = await server.subscriber(args);
  await using json = await server.subscriber(["--json", ...args]);
  for (const subscriber of [lines, json]) subscriber.kill("SIGSTOP");
  assertEquals((await server.run(["publish", "ticks"], { stdin: manyLines.join("\n") })).status, 0);
  for (const subscriber of [lines, json]) subscriber.kill("SIGCONT");

  const text = await lines.ran();
  assertEquals(text.status, 6);
  const gaps = text.stderr.split("\n").filter((line) => line.startsWith("gap: "));
  assert(gaps.length > 0, text.stderr);
  const missing = new Set<number>();
  for (const gap of gaps) {
    const [, first, last, lost] = /^gap: ticks (\d+)-(\d+), (\d+) messages? lost: lagged$/.exec(gap)!.map(Number);
    assertEquals(lost, last! - first! + 1);
    for (let number = first!; number <= last!; number++) missing.add(number);
  }
  assertEquals(
    text.stdout.split("\n").slice(0, -1).map((line) => Number(line.split(" ")[0])),
    manyLines.map((_, i) => i + 1).filter((number) => !missing.has(number)),
  );

  const objects = await json.ran();
  assertEquals([objects.status, objects.stderr], [6, "subscribed ticks\n"]);
  let next = 1;
  for (const line of objects.stdout.split("\n").slice(0, -1)) {
    const { gap, seq } = JSON.parse(line) as { gap?: GapLine; seq?: number };
    if (gap) {
      assertEquals(gap, { topic: "ticks", first: next, last: gap.last, lost: gap.last - next + 1, reason: "lagged" });
      next = gap.last + 1;
    } else assertEquals(seq, next++);
  }
  assertEquals(next, 301);
});

Deno.test("what was no longer kept when a subscriber came back is a gap", async () => {
  await using server = await startServer(["--retain", "256KiB"]);
  await using proxy = new CuttingProxy(server.endpoint);
  const args = ["--server", proxy.endpoint, "--json", "--strict", "-n", "2", "ticks"];
  await using subscriber = await server.subscriber(args);
  assertEquals((await server.run(["publish", "ticks", "-m", "first"])).status, 0);
  await subscriber.stdout.line(/"first"/);
  proxy.target = nowhere;
  proxy.cut();
  assertEquals((await server.run(["publish", "ticks"], { stdin: manyLines.join("\n") })).status, 0);
  proxy.target = server.endpoint;
  const { status, stdout, stderr } = await subscriber.ran();
  assertStringIncludes(stderr, "connection lost");
  assertStringIncludes(stderr, "connected again");
  const [, gap, after] = stdout.split("\n").map((line) => line === "" ? null : JSON.parse(line));
  assertEquals(gap.gap, { topic: "ticks", first: 2, last: gap.gap.last, lost: gap.gap.last - 1, reason: "expired" });
  assertEquals(after.seq, gap.gap.last + 1);
  assertEquals(status, 6);
});

Deno.test("a restarted server is reported, and is read from its earliest message", async () => {
  const first = await startServer();
  await using _first = first;
  const args = ["--timeout", "20s", "-n", "3", "a"];
  await using lines = await first.subscriber(["--strict", ...args]);
  await using json = await first.subscriber(["--json", ...args]);
  assertEquals((await first.run(["publish", "a", "-m", "before"])).status, 0);
  for (const subscriber of [lines, json]) await subscriber.stdout.line(/before/);
  first.kill("SIGKILL");
  await first.status;

  await using second = await startServer(["--listen", first.endpoint]);
  assertEquals((await second.run(["publish", "a", "-m", "after", "-m", "all"])).status, 0);
  const text = await lines.ran();
  assertEquals(text.stdout, "before\nafter\nall\n");
  assertMatch(text.stderr, /^gap: a, an unknown number of messages lost: restarted$/m);
  assertEquals(text.status, 6);
  const objects = await json.ran();
  const [, gap, ...after] = objects.stdout.split("\n").slice(0, -1).map((line) => JSON.parse(line));
  assertEquals(gap, { gap: { topic: "a", first: null, last: null, lost: null, reason: "restarted" } });
  assertEquals(after.map(({ seq, payload }) => [seq, payload]), [[1, "after"], [2, "all"]]);
  assertEquals(objects.status, 0);
});

Deno.test("a publisher goes on after a restart, and says what may be there twice", async () => {
  await using first = await startServer();
  await using second = await startServer();
  await using proxy = new CuttingProxy(first.endpoint);
  await using publisher = first.start(["publish", "-s", proxy.endpoint, "a"], { stdin: "pipe" });
  await using subscriber = await first.subscriber(["a"]);
  await publisher.write("before\n");
  await subscriber.stdout.line(/^before$/);
  // Held, so that its acknowledgement cannot come: it does not come back before it is let go.
  first.kill("SIGSTOP");
  await publisher.write("between\n");
  proxy.target = second.endpoint;
  await using watcher = await second.subscriber(["a"]);
  proxy.cut();
  await publisher.write("after\n");
  await publisher.end();
  const { status, stderr } = await publisher.ran();
  assertEquals(status, 0);
  assertStringIncludes(stderr, "connected again");
  assertStringIncludes(stderr, "sent again to a server that may have them");
  await watcher.stdout.line(/^after$/);
  // The first acknowledgement may have been held as well: a message that is delivered need not be acknowledged yet.
  assertMatch(watcher.stdout.text, /^(before\n)?between\nafter\n$/);
  first.kill("SIGCONT");
});

Deno.test({ name: "an interrupted publisher says how much is unacknowledged", ignore: windows }, async () => {
  await using server = await startServer();
  await using subscriber = await server.subscriber(["a"]);
  await using publisher = server.start(["publish", "a"], { stdin: "pipe" });
  await publisher.write("first\n");
  await subscriber.stdout.line(/^first$/);
  server.kill("SIGSTOP");
  // More than a pipe holds, so that the publisher has read some of it.
  await publisher.write(`${"x".repeat(999)}\n`.repeat(1_000));
  publisher.kill("SIGINT");
  await publisher.stderr.line(/ warn {2}interrupted: not every message is acknowledged unacknowledged=\d+$/);
  assertEquals(await publisher.status, 130);
  server.kill("SIGCONT");
});

Deno.test("--no-reconnect turns a lost connection into 3", async () => {
  await using server = await startServer();
  await using proxy = new CuttingProxy(server.endpoint);
  await using subscriber = await server.subscriber(["-s", proxy.endpoint, "--no-reconnect", "a"]);
  await using publisher = server.start(["publish", "-s", proxy.endpoint, "--no-reconnect", "a"], { stdin: "pipe" });
  await publisher.write("x\n");
  await subscriber.stdout.line(/^x$/);
  proxy.cut();
  for (const process of [subscriber, publisher]) {
    assertEquals(await process.status, 3);
    await process.stderr.ended;
    assertMatch(process.stderr.text, /\nstream [a-z]+: cannot keep the connection to tcp:.+\n$|^stream publish: .+\n$/);
  }
});

Deno.test("a cut connection is made again, by subscriber and publisher, and nothing is lost or doubled", async () => {
  await using server = await startServer();
  await using proxy = new CuttingProxy(server.endpoint);
  await using subscriber = await server.subscriber(["-s", proxy.endpoint, "a"]);
  await using publisher = server.start(["publish", "-s", proxy.endpoint, "a"], { stdin: "pipe" });
  for (let i = 1; i <= 5; i++) {
    await publisher.write(`${i}\n`);
    await subscriber.stdout.line(new RegExp(`^${i}$`));
    proxy.cut();
  }
  await publisher.end();
  assertEquals(await publisher.status, 0);
  assertEquals(subscriber.stdout.text, "1\n2\n3\n4\n5\n");
  assertEquals(await server.payloads("a"), ["1", "2", "3", "4", "5"]);
});

Deno.test("SIGINT ends one that is waiting to connect again", async () => {
  await using server = await startServer();
  await using proxy = new CuttingProxy(server.endpoint);
  await using subscriber = await server.subscriber(["-s", proxy.endpoint, "a"]);
  await using publisher = server.start(["publish", "-s", proxy.endpoint, "a"], { stdin: "pipe" });
  await publisher.write("x\n");
  await subscriber.stdout.line(/^x$/);
  proxy.target = nowhere;
  proxy.cut();
  await publisher.write("y\n");
  for (const process of [subscriber, publisher]) {
    await process.stderr.line(/connection lost/);
    process.kill("SIGINT");
    assertEquals(await process.status, 130);
  }
});

Deno.test("SIGINT ends one whose server has stopped answering, wherever that was", async (t) => {
  await using server = await startServer();
  const commands = [["subscribe", "a"], ["topics"], ["publish", "a", "-m", "x"], [
    "publish",
    "a",
    "-m",
    "x",
    "--no-ack",
  ]];
  for (const args of commands) {
    await t.step(args.join(" "), async () => {
      // It takes the connection, greets as the real one does, and then says nothing.
      await using mute = new CuttingProxy(server.endpoint, { reads: 1 });
      await using process = new Process(["stream", ...args, "-s", mute.endpoint]);
      await mute.swallowed;
      process.kill("SIGINT");
      assertEquals(await process.status, 130);
      await process.stderr.ended;
      const silent = args[0] !== "publish" || args.includes("--no-ack");
      if (silent) assertEquals(process.stderr.text, "");
      else assertMatch(process.stderr.text, /^\S+ warn {2}interrupted: .+ unacknowledged=1\n$/);
    });
  }
});
