/** Subscribers that are stopped: they slow no other one, cost bounded memory, and are told what they missed. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { memoryOf, startServer } from "./process.ts";

const MiB = 1024 * 1024;
/** What the server takes beside its budget: the program itself, and what the collector has not collected yet. */
const beside = 96 * MiB;

function temporaryLines(length: number, count: number): { path: string } & Disposable {
  const path = Deno.makeTempFileSync();
  Deno.writeTextFileSync(path, `${"x".repeat(length)}\n`.repeat(count));
  return { path, [Symbol.dispose]: () => Deno.removeSync(path) };
}

Deno.test({
  name: "a frozen subscriber slows no other one while 2 GB pass, and is told its gap when it goes on",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const budget = 64 * MiB;
    const repeats = 32;
    const count = 64 * 1024;
    using file = temporaryLines(1023, count);
    await using server = await startServer(["--memory", "64MiB"]);
    const options = { sink: () => {} };
    const wait = ["--lag-policy", "wait", "--raw", "-n", `${count * repeats}`, "data"];
    await using live = await server.subscriber(wait, options);
    await using frozen = await server.subscriber(["--lag-policy", "skip", "data"], options);
    frozen.kill("SIGSTOP");
    await using publisher = server.start(["publish", "data", file.path, "--repeat", `${repeats}`]);
    let slowest = 0;
    for (let i = 1, last = performance.now(); i <= 100; i++) {
      await live.stdout.past(i / 100 * count * repeats * 1023);
      slowest = Math.max(slowest, performance.now() - last);
      last = performance.now();
    }
    assertEquals(await publisher.ran(), { status: 0, stdout: "", stderr: "" });
    assertEquals(await live.status, 0, live.stderr.text);
    await live.stdout.ended;
    assertEquals(live.stdout.length, count * repeats * 1023);
    // If anybody had waited for the frozen one, it would have been for the write deadline, 10 s.
    assert(slowest < 5_000, `the longest pause was ${Math.round(slowest)} ms`);
    const highest = await memoryOf(server, "VmHWM");
    assert(highest < budget + beside, `the server took ${Math.round(highest / MiB)} MiB`);
    frozen.kill("SIGCONT");
    const gap = await frozen.stderr.line(/^gap: /);
    assertMatch(gap, /^gap: data \d+-\d+, \d+ messages lost: (lagged|expired)$/);
  },
});

Deno.test("under wait the publisher is held, and goes on once the laggard was closed", async () => {
  await using server = await startServer(["--max-wait", "1s"]);
  const stdin = `${"x".repeat(9_999)}\n`.repeat(6_000);
  await using live = await server.subscriber(["--raw", "-n", "6000", "data"], { sink: () => {} });
  await using frozen = await server.subscriber(["--lag-policy", "wait", "data"], { sink: () => {} });
  frozen.kill("SIGSTOP");
  await using publisher = server.start(["publish", "data"], { stdin });
  const closed = server.stderr.line(/session closed .*reason=max-wait/);
  assertEquals(await Promise.race([closed.then(() => "closed"), publisher.status.then(() => "published")]), "closed");
  assertEquals(await publisher.ran(), { status: 0, stdout: "", stderr: "" });
  assertEquals(await live.status, 0);
  frozen.kill("SIGCONT");
  await frozen.stderr.line(/max-wait/);
  await frozen.stderr.line(/^gap: data \d+-\d+, \d+ messages lost: (lagged|expired)$/);
});
