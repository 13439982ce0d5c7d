/** `subscribe --udp`: messages by datagrams, to one subscriber at a time. */

import { assertEquals, assertMatch } from "@std/assert";
import { startServer } from "./process.ts";

const lines = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `${from + i}\n`).join("");

Deno.test("subscribe --udp gets every message in order, by datagrams", async () => {
  await using server = await startServer();
  await using all = await server.subscriber(["--udp", "--strict", "-n", "20001", "--log-level", "debug", "#"]);
  await using some = await server.subscriber(["--udp", "--strict", "-n", "1", "--lag-policy", "wait", "b/+"]);
  await server.run(["publish", "a"], { stdin: lines(0, 20_000) });
  await server.run(["publish", "b/c", "--whole"], { stdin: "x".repeat(300_000) });
  const { status, stdout, stderr } = await all.ran();
  assertEquals([status, stdout], [0, `${lines(0, 20_000)}${"x".repeat(300_000)}\n`], stderr);
  assertMatch(stderr, /left .*datagrams=\d{2,}/);
  assertEquals((await some.ran()).stdout.length, 300_001);
});

Deno.test("subscribe --udp begins where it is asked to: what was before comes over the connection", async () => {
  await using server = await startServer();
  await server.run(["publish", "a"], { stdin: lines(0, 3000) });
  await using subscriber = await server.subscriber(["--udp", "--strict", "--from", "earliest", "-n", "6000", "a"]);
  await using last = await server.subscriber(["--udp", "--strict", "--last", "-n", "2", "a"]);
  await server.run(["publish", "a"], { stdin: lines(3000, 6000) });
  assertEquals((await subscriber.ran()).stdout, lines(0, 6000));
  assertEquals((await last.ran()).stdout, lines(2999, 3001));
});

Deno.test("a subscriber by UDP goes on after its server has started anew", async () => {
  const first = await startServer();
  await using subscriber = await first.subscriber(["--udp", "-n", "2", "a"]);
  await first.run(["publish", "a", "-m", "one"]);
  await subscriber.stdout.line(/one/);
  first.kill("SIGKILL");
  await first[Symbol.asyncDispose]();
  await using second = await startServer(["--listen", first.endpoint]);
  await subscriber.stderr.line(/connected again/);
  await second.run(["publish", "a", "-m", "two"]);
  assertEquals((await subscriber.ran()).stdout, "one\ntwo\n");
});

Deno.test({
  name: "a subscriber by UDP that stood still catches up, and one whose output nobody reads slows nobody",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using server = await startServer(["--retain", "64MiB"]);
    const count = 200_000;
    const args = ["--udp", "--strict", "-n", `${count}`, "a"];
    await using still = await server.subscriber(args, { sink: () => {} });
    await using unread = await server.subscriber(args, { held: true, sink: () => {} });
    await using witness = await server.subscriber(["-n", `${count}`, "a"], { sink: () => {} });
    const text = Array.from({ length: count }, (_, i) => `${i} ${"x".repeat(90)}\n`).join("");
    still.kill("SIGSTOP");
    await using publisher = server.start(["publish", "a"], { stdin: text });
    assertEquals((await publisher.ran()).status, 0);
    assertEquals((await witness.ran()).status, 0);
    still.kill("SIGCONT");
    unread.stdout.release();
    for (const process of [still, unread]) {
      const { status, stderr } = await process.ran();
      assertEquals([status, process.stdout.length], [0, text.length], stderr);
    }
  },
});

Deno.test("a server that shuts down gives a subscriber by UDP what is in its logs", async () => {
  await using server = await startServer();
  await using subscriber = await server.subscriber(["--udp", "--no-reconnect", "a"]);
  await server.run(["publish", "a"], { stdin: lines(0, 50_000) });
  server.kill("SIGTERM");
  assertEquals(await server.status, 0);
  const { status, stdout } = await subscriber.ran();
  assertEquals([status, stdout], [3, lines(0, 50_000)]);
});
