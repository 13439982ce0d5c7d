/** What a subscriber to a group says and does when something is lost, or it is to end. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { CuttingProxy } from "../cutting_proxy.ts";
import { groupSubscriber, startMulticast, testGroup } from "./groups.ts";
import { Process, startServer } from "./process.ts";

/** A place where nothing listens. */
const nowhere = "tcp://127.0.0.1:1";
const windows = Deno.build.os === "windows";

const lines = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => `${from + i} ${"x".repeat(90)}\n`).join("");

Deno.test({
  name:
    "--no-repair: what a subscriber that stood still has lost is a gap on stderr, or an object under --json; 6 under --strict",
  ignore: windows,
  async fn() {
    const group = testGroup("&rate=100Mbit/s");
    await using server = await startMulticast(group, ["--retain", "64MiB"]);
    const args = ["--no-repair", "--strict", "--timeout", "4s", "ticks"];
    await using text = await groupSubscriber(group, args);
    await using json = await groupSubscriber(group, ["--json", ...args]);
    await using witness = await groupSubscriber(group, ["-n", "20001"]);
    await server.run(["publish", "ticks", "-m", "0"]);
    await Promise.all([text.stdout.past(1), json.stdout.past(1)]);
    for (const subscriber of [text, json]) subscriber.kill("SIGSTOP");
    await server.run(["publish", "ticks"], { stdin: lines(1, 20_001) });
    assertEquals((await witness.ran()).status, 0);
    for (const subscriber of [text, json]) subscriber.kill("SIGCONT");

    const said = await text.ran();
    assertEquals(said.status, 6);
    const lost = new Set<number>();
    for (const gap of said.stderr.split("\n").filter((line) => line.startsWith("gap: "))) {
      const [, first, last, count] = /^gap: ticks (\d+)-(\d+), (\d+) messages? lost: unrepaired$/.exec(gap)!.map(
        Number,
      );
      assertEquals(count, last! - first! + 1);
      for (let sequence = first!; sequence <= last!; sequence++) lost.add(sequence);
    }
    assert(lost.size > 0, said.stderr);
    const got = said.stdout.split("\n").slice(0, -1).map((line) => Number(line.split(" ")[0]));
    // Message n has the sequence n + 1.
    assertEquals(got, Array.from({ length: 20_001 }, (_, i) => i).filter((number) => !lost.has(number + 1)));

    const objects = await json.ran();
    assertEquals(objects.status, 6);
    let next = 1;
    for (const line of objects.stdout.split("\n").slice(0, -1)) {
      const { gap, seq } = JSON.parse(line);
      if (gap === undefined) assertEquals(seq, next++);
      else {
        const { last } = gap;
        assertEquals(gap, { topic: "ticks", first: next, last, lost: last - next + 1, reason: "unrepaired" });
        next = last + 1;
      }
    }
    assertEquals(next, 20_002);
  },
});

Deno.test("--repair: a subscriber that starts in the middle of a flood gets all of it, once and in order", async () => {
  const group = testGroup("&rate=200Mbit/s");
  await using server = await startMulticast(group, ["--retain", "64MiB"]);
  const count = 50_000;
  await using witness = await groupSubscriber(group, ["-n", `${count}`]);
  await using publisher = server.start(["publish", "--rate", "40000/s", "a"], { stdin: lines(0, count) });
  await witness.stdout.past(100_000);
  const args = [
    "--group",
    group.joined,
    "--repair",
    server.endpoint,
    "--from",
    "earliest",
    "-n",
    `${count}`,
    "--strict",
  ];
  await using subscriber = new Process(["stream", "subscribe", "--multicast", ...args]);
  assertEquals((await publisher.ran()).status, 0);
  const { status, stdout, stderr } = await subscriber.ran();
  assertEquals([status, stdout.length], [0, lines(0, count).length], stderr);
  assertEquals(stdout, lines(0, count));
});

Deno.test("--repair with another server than the group's: a warning, and what the group brings", async () => {
  const group = testGroup();
  await using server = await startMulticast(group);
  await using other = await startServer();
  await other.run(["publish", "a", "-m", "not this"]);
  await using subscriber = await groupSubscriber(group, ["--repair", other.endpoint, "-n", "2"]);
  await subscriber.stderr.line(/a sender that is not the server of --repair/);
  await server.run(["publish", "a", "-m", "one", "-m", "two"]);
  const { status, stdout, stderr } = await subscriber.ran();
  assertEquals([status, stdout], [0, "one\ntwo\n"]);
  assertEquals(stderr.match(/not the server of --repair/g)!.length, 1, "it is said once");
  assertEquals(/gap/.test(stderr), false, stderr);
});

Deno.test("--repair with a server that is not there ends with 3", async () => {
  await using subscriber = new Process(["stream", "subscribe", "--multicast", "--repair", nowhere]);
  const { status, stdout, stderr } = await subscriber.ran();
  assertEquals([status, stdout], [3, ""]);
  assertMatch(stderr, /^stream subscribe: cannot connect to tcp:\/\/127\.0\.0\.1:1: /);
});

Deno.test("a link for --repair that is lost for good is told of, and the group goes on", async () => {
  const group = testGroup();
  await using server = await startMulticast(group);
  await using proxy = new CuttingProxy(server.endpoint);
  using stranger = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using subscriber = await groupSubscriber(group, ["--repair", proxy.endpoint, "-n", "1"]);
  proxy.target = `tcp://127.0.0.1:${stranger.addr.port}`;
  proxy.cut();
  using connection = await stranger.accept();
  await connection.write(new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n"));
  await subscriber.stderr.line(/what is lost stays so from now on: --repair has ended/);
  await server.run(["publish", "a", "-m", "one"]);
  const { status, stdout } = await subscriber.ran();
  assertEquals([status, stdout], [0, "one\n"]);
});

Deno.test("a server that ends and comes back on another port: the group goes on, and only repairs wait for it", async () => {
  const group = testGroup();
  const server = await startMulticast(group);
  await using subscriber = await groupSubscriber(group, ["--repair", server.endpoint, "-n", "3"]);
  await server.run(["publish", "a", "-m", "one"]);
  await subscriber.stdout.line(/one/);
  server.kill("SIGTERM");
  assertEquals(await server.status, 0);
  await server[Symbol.asyncDispose]();
  await subscriber.stderr.line(/connection lost/);
  await using next = await startMulticast(group);
  await next.run(["publish", "a", "-m", "two", "-m", "three"]);
  const { status, stdout } = await subscriber.ran();
  assertEquals([status, stdout], [0, "one\ntwo\nthree\n"]);
});

Deno.test("--timeout: 0 when something came, 5 when less than -n", async () => {
  const group = testGroup();
  await using server = await startMulticast(group);
  await using satisfied = await groupSubscriber(group, ["--timeout", "3s"]);
  await using short = await groupSubscriber(group, ["--timeout", "3s", "-n", "2"]);
  await server.run(["publish", "a", "-m", "one"]);
  const [one, other] = await Promise.all([satisfied.ran(), short.ran()]);
  assertEquals([one.status, one.stdout], [0, "one\n"]);
  assertEquals([other.status, other.stdout], [5, "one\n"]);
  assertMatch(other.stderr, /timed out: nothing came for 3s, after 1 of 2 messages\n$/);
});

Deno.test({ name: "SIGINT ends it in good order, with 130", ignore: windows }, async (t) => {
  const group = testGroup();
  await using server = await startMulticast(group);
  const cases: [what: string, args: string[]][] = [
    ["while it receives", []],
    ["with a link to the server", ["--repair", server.endpoint, "--from", "earliest"]],
    ["with nothing asked for", ["--no-repair"]],
  ];
  await server.run(["publish", "a"], { stdin: lines(0, 10) });
  for (const [what, args] of cases) {
    await t.step(what, async () => {
      await using subscriber = await groupSubscriber(group, args);
      await server.run(["publish", "a", "-m", "one"]);
      await subscriber.stdout.line(/one/);
      subscriber.kill("SIGINT");
      const { status, stdout, stderr } = await subscriber.ran();
      assertEquals([status, stdout.endsWith("one\n")], [130, true]);
      assertEquals(stderr.split("\n").filter((line) => !/^(subscribed .*|)$/.test(line)), []);
    });
  }
  await t.step("before it hears anybody", async () => {
    const args = ["subscribe", "--multicast", "--group", testGroup().joined];
    await using subscriber = new Process(["stream", ...args]);
    await subscriber.stderr.line(/^subscribed/);
    subscriber.kill("SIGINT");
    assertEquals(await subscriber.ran(), { status: 130, stdout: "", stderr: "subscribed #\n" });
  });
});

Deno.test("STREAM_SERVER says nothing to who listens to a group", async () => {
  const group = testGroup();
  await using server = await startMulticast(group);
  await using subscriber = await groupSubscriber(group, ["-n", "1"], { env: { STREAM_SERVER: nowhere } });
  await server.run(["publish", "a", "-m", "one"]);
  const { status, stdout } = await subscriber.ran();
  assertEquals([status, stdout], [0, "one\n"]);
});
