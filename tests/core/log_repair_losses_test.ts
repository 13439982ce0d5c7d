import { assertEquals, assertRejects } from "@std/assert";
import { Code } from "../../core/codes.ts";
import { TransportError } from "../../core/errors.ts";
import { behind, Heard, Repairing, run } from "./repairs.ts";
import { turn } from "./world.ts";

Deno.test("log repair: a link that is lost and comes back goes on, wherever it was", async () => {
  for (let read = 0; read < 2_000; read += 7) {
    await using it = await Repairing.start();
    const { sender, network } = it;
    sender.pass("a");
    for (let i = 0; i < 10; i++) it.append("a", 5);
    // A connection that is cut somewhere, and good ones after that.
    network.cuts = [{ read }, { read: read + 40 }];
    await network.cut();
    sender.pass("a");
    await it.world.run(2_000);
    assertEquals(it.sink.take(), run("a", 1, 52), `cut after ${read} bytes`);
    sender.pass("a");
    assertEquals(it.sink.take(), ["a 53"]);
  }
});

Deno.test("log repair: a link that is lost for good: gaps, and what the group brings", async () => {
  await using it = await Repairing.start();
  const { sender } = it;
  for (const name of ["a", "b"]) sender.pass(name);
  it.append("a", 2);
  sender.pass("a");
  await it.world.wait(it.link.close());
  assertEquals(await it.settled(), ["a 1", "b 1", "a 2-3 unrepaired", "a 4"]);
  it.append("b", 2);
  sender.pass("b");
  sender.pass("b");
  assertEquals(await it.settled(), ["b 2-3 unrepaired", "b 4", "b 5"]);
});

Deno.test("log repair: a link that does not come back for long: gaps, and no repair is waited for until it does", async () => {
  await using it = await Repairing.start();
  const { sender, network } = it;
  const names = Array.from({ length: 50 }, (_, i) => `t/${i}`);
  for (const name of names) sender.pass(name);
  network.down = true;
  await network.cut();
  it.sink.take();
  for (const name of names) {
    it.append(name);
    sender.pass(name);
  }
  await it.world.run(10_000);
  assertEquals(it.sink.take(), [], "it may come back");
  await it.world.run(60_000);
  assertEquals(it.sink.take().sort(), names.flatMap((name) => [`${name} 2-2 unrepaired`, `${name} 3`]).sort());
  it.append("t/1");
  sender.pass("t/1");
  assertEquals(it.sink.take(), ["t/1 4-4 unrepaired", "t/1 5"]);
  network.down = false;
  await it.world.run(10_000);
  it.append("t/1");
  sender.pass("t/1");
  assertEquals(await it.settled(), ["t/1 6", "t/1 7"]);
  // It is waited for again.
  network.down = true;
  await network.cut();
  it.append("t/1");
  sender.pass("t/1");
  await it.world.run(10_000);
  assertEquals(it.sink.take(), []);
  network.down = false;
  await it.world.run(10_000);
  assertEquals(it.sink.take(), ["t/1 8", "t/1 9"]);
});

Deno.test("log repair: a server that refuses is a gap", async () => {
  await using it = await Repairing.start("latest", { limits: { subscriptions: 1 } });
  const { sender } = it;
  it.link.subscribe("x");
  await it.settled();
  sender.pass("a");
  it.append("a");
  sender.pass("a");
  assertEquals(await it.settled(), ["a 1", "a 2-2 unrepaired", "a 3"]);
});

Deno.test("log repair: a topic that the server has forgotten is a gap", async () => {
  await using it = await Repairing.start("latest", { limits: { retainFor: 1_000, forgetAfter: 5_000 } });
  const { sender } = it;
  sender.pass("a");
  it.append("a", 3);
  const late = it.append("a");
  await it.world.run(30_000);
  assertEquals(it.topics.get("a"), undefined);
  sender.brings("a", late);
  assertEquals(await it.settled(), ["a 1", "a 2-4 unrepaired", "a 5"]);
});

Deno.test("log repair: a topic that is forgotten and comes again begins anew", async () => {
  await using it = await Repairing.start("latest", { limits: { retainFor: 1_000, forgetAfter: 5_000 } });
  const { sender } = it;
  for (const name of ["a", "b", "c"]) sender.pass(name, 3);
  await it.world.run(30_000);
  assertEquals(it.topics.get("a"), undefined);
  it.sink.take();
  sender.pass("a");
  assertEquals(it.sink.take(), ["a 1"]);
  it.append("b", 2);
  sender.pass("b");
  it.append("c", 2);
  sender.loses("c", 1, 2);
  assertEquals((await it.settled()).sort(), [...run("b", 1, 3), ...run("c", 1, 2)]);
});

Deno.test("log repair: a topic that comes again while the one before it is missed: that is a gap", async () => {
  await using it = await Repairing.start("latest", { limits: { retainFor: 1_000, forgetAfter: 5_000 } });
  const { sender, network } = it;
  sender.pass("a");
  network.down = true;
  await network.cut();
  it.append("a", 3);
  sender.pass("a");
  await it.world.run(20_000);
  assertEquals(it.topics.get("a"), undefined);
  it.append("a", 2);
  sender.pass("a");
  assertEquals(it.sink.take(), ["a 1", "a 2-4 forgotten", "a 5"]);
  network.down = false;
  await it.world.run(10_000);
  assertEquals(await it.settled(), ["a 1-2 expired", "a 3"]);
});

Deno.test("log repair: what was read of a topic that came again meanwhile is not given on", async () => {
  await using it = await Repairing.start("latest", { limits: { retainFor: 1_000, forgetAfter: 5_000 } });
  const { sender } = it;
  sender.pass("a");
  let goOn = () => {};
  it.sink.onLine = () => it.sink.full ??= new Promise((resolve) => goOn = resolve);
  for (let i = 0; i < 3; i++) it.append("a");
  sender.pass("a");
  for (let i = 0; i < 3; i++) it.append("a");
  assertEquals(await it.settled(), ["a 1", "a 2"]);
  await it.world.run(20_000);
  assertEquals(it.topics.get("a"), undefined);
  sender.pass("a");
  assertEquals(it.sink.take(), ["a 3-4 forgotten", "a 5", "a 1"]);
  it.sink.full = null;
  goOn();
  assertEquals(await it.settled(), []);
});

Deno.test("log repair: a server that was restarted while a repair was under way: a gap, then all of the next life", async () => {
  await using it = await Repairing.start();
  const { sender, network } = it;
  const names = Array.from({ length: 40 }, (_, i) => `t/${i}`);
  for (const name of names) sender.pass(name);
  await it.settled();
  for (const name of names) {
    it.append(name, 2);
    sender.pass(name);
  }
  network.down = true;
  const next = await it.restart();
  for (const name of names) it.append(name, 3, 0, next);
  await it.world.run(1_000);
  network.down = false;
  await it.world.run(10_000);
  const before = it.sink.take();
  for (const name of names) {
    assertEquals(before.filter((line) => line.startsWith(`${name} `)), [`${name} 2-3 unrepaired`, `${name} 4`]);
  }
  const heard = new Heard(it, next);
  for (const name of names) heard.pass(name);
  await it.world.until(() => it.lines.length === 4 * names.length);
  for (const name of names) {
    assertEquals(it.lines.filter((line) => line.startsWith(`${name} `)), run(name, 1, 4, " of 2"));
  }
});

Deno.test("log repair: a link that is lost before it could tell what there is", async () => {
  await using it = await Repairing.start("earliest");
  const beginning = it.logs.begin(["#"]);
  const rejected = assertRejects(() => beginning, TransportError);
  await it.network.cut();
  await rejected;
});

Deno.test("log repair: what the server says in one breath, and in many", async () => {
  for (const slowly of [false, true]) {
    const it = await behind();
    const pause = () => slowly ? turn() : undefined;
    it.announced();
    await pause();
    it.confirmed();
    await pause();
    it.delivers(2);
    await pause();
    it.delivers(3);
    await pause();
    it.misses(4, 4, Code.lagged);
    await turn();
    assertEquals(it.sink.take(), ["a 2", "a 3", "a 4-4 lagged", "a 5"]);
    await it.end();
  }
});

Deno.test("log repair: a topic that is forgotten while it is brought, and nobody knows what it had", async () => {
  const it = await behind();
  it.announced();
  it.confirmed();
  it.delivers(2);
  it.misses(3, 0, Code.forgotten);
  await turn();
  assertEquals(it.sink.take(), ["a 2", "a 3-4 forgotten", "a 5"]);
  it.brings(6);
  assertEquals(it.sink.take(), ["a 6"]);
  await it.end();
});

Deno.test("log repair: another topic of the same name is not what is missing", async () => {
  const it = await behind();
  it.announced(2);
  it.confirmed();
  await turn();
  assertEquals(it.sink.take(), ["a 2-4 unrepaired", "a 5"]);
  await it.end();
});

Deno.test("log repair: a server that does not answer, or not with what is missing, is waited for, but not for ever", async () => {
  for (const answers of [0, 1, 2, 3]) {
    const it = await behind();
    if (answers > 0) it.announced();
    if (answers > 1) it.confirmed();
    if (answers > 2) it.delivers(2);
    await it.world.run(20_000);
    assertEquals(it.sink.take(), answers > 2 ? ["a 2"] : []);
    await it.world.run(44_000);
    assertEquals(it.sink.take(), [answers > 2 ? "a 3-4 unrepaired" : "a 2-4 unrepaired", "a 5"]);
    it.brings(6);
    assertEquals(it.sink.take(), ["a 6"]);
    await it.end();
  }
});

Deno.test("log repair: a server that is slow is waited for as long as it brings something", async () => {
  const it = await behind();
  it.announced();
  it.confirmed();
  for (const sequence of [2, 3, 4]) {
    await it.world.run(28_000);
    it.delivers(sequence);
    await it.world.run(1_000);
  }
  assertEquals(it.sink.take(), ["a 2", "a 3", "a 4", "a 5"]);
  await it.end();
});

Deno.test("log repair: closed, it waits for no server", async () => {
  const it = await behind();
  const { timers } = it.world;
  it.logs.close();
  await turn();
  assertEquals([it.world.timers, it.sink.take()], [timers - 1, ["a 2-4 unrepaired", "a 5"]]);
  await it.end();
});
