import { assert, assertEquals } from "@std/assert";
import { Code } from "../../core/codes.ts";
import { mostHeld } from "../../core/log_repair.ts";
import type { StartPoint } from "../../core/subscription.ts";
import { KiB, MiB } from "./fixtures.ts";
import { Repairing, run } from "./repairs.ts";

Deno.test("log repair: what the group brings passes; what it does not comes over the link, and in order", async () => {
  await using it = await Repairing.start();
  const { sender } = it;
  sender.append("a", 3);
  sender.pass("a");
  sender.pass("a", 2);
  assertEquals(it.sink.take(), run("a", 4, 6));
  sender.append("a", 4);
  const held = sender.append("a", 1);
  sender.brings("a", held);
  sender.pass("a");
  sender.brings("a", held);
  assertEquals(it.sink.take(), [], "the group's frames are held");
  assertEquals(await it.settled(), run("a", 7, 12));
  sender.pass("a");
  assertEquals(it.sink.take(), ["a 13"], "it is up to date again");
});

Deno.test("log repair: what comes twice is given once, of a frame only what is new", async () => {
  await using it = await Repairing.start();
  const { sender } = it;
  const frames = [1, 2, 3].map(() => sender.append("a", 3));
  sender.brings("a", frames[0]!, 2);
  sender.brings("a", frames[0]!);
  sender.brings("a", frames[1]!, 5);
  assertEquals(it.sink.take(), ["a 2", "a 3", "a 5", "a 6"]);
  sender.brings("a", frames[1]!);
  sender.brings("a", frames[2]!);
  sender.brings("a", frames[0]!);
  assertEquals(it.sink.take(), run("a", 7, 9));
});

Deno.test("log repair: what was before comes first, then what the group brings", async () => {
  await using it = await Repairing.start("earliest");
  const { sender } = it;
  for (let i = 0; i < 20; i++) it.append(`t/${i % 2}`, 3);
  const beginning = it.logs.begin(["#"]);
  sender.pass("t/0");
  sender.pass("t/2");
  await beginning;
  sender.pass("t/0");
  sender.pass("t/1");
  const lines = await it.settled();
  assertEquals(lines.filter((line) => line.startsWith("t/0")), run("t/0", 1, 32));
  assertEquals(lines.filter((line) => line.startsWith("t/1")), run("t/1", 1, 31));
  assertEquals(lines.filter((line) => line.startsWith("t/2")), run("t/2", 1, 1));
  for (const name of ["t/0", "t/1", "t/2", "t/3"]) sender.pass(name);
  assertEquals(it.sink.take(), ["t/0 33", "t/1 32", "t/2 2", "t/3 1"]);
});

for (
  const [from, first] of [
    [{ last: 3 }, 8],
    [{ last: 100 }, 1],
    [{ sequence: 4 }, 4],
    [{ sequence: 10 }, 10],
    [{ sequence: 11 }, 11],
    [{ sequence: 13 }, 13],
    [{ ago: 5_000 }, 6],
    [{ time: 0 }, 1],
    [{ time: 1e15 }, 11],
  ] as const
) {
  Deno.test(`log repair: the start point ${JSON.stringify(from)}`, async () => {
    await using it = await Repairing.start(from);
    for (let i = 0; i < 10; i++) {
      if (i === 5) await it.world.run(10_000);
      it.append("a");
    }
    await it.logs.begin(["a"]);
    await it.settled().then((lines) => assertEquals(lines, run("a", first, 10)));
    for (let i = 0; i < 5; i++) it.sender.pass("a");
    assertEquals(await it.settled(), run("a", Math.max(11, first), 15));
    // Of a topic that is new only a sequence says what is not wanted.
    for (let i = 0; i < 15; i++) it.sender.pass("b");
    assertEquals(await it.settled(), run("b", "sequence" in from ? from.sequence : 1, 15));
  });
}

Deno.test("log repair: a topic that is heard in the middle is brought from the start point on", async () => {
  await using it = await Repairing.start({ last: 2 });
  await it.logs.begin(["#"]);
  it.append("a", 4);
  it.append("a");
  it.sender.pass("a");
  assertEquals(await it.settled(), run("a", 5, 6));
});

Deno.test("log repair: what the group tells that is missing comes over the link though nothing follows", async () => {
  await using it = await Repairing.start();
  const { sender } = it;
  sender.pass("a", 2);
  sender.append("a", 5);
  sender.loses("a", 3, 7);
  assertEquals(await it.settled(), run("a", 1, 7));
  sender.append("a", 3);
  sender.loses("a", 8, 8);
  sender.loses("a", 9, 10, Code.lagged);
  sender.loses("a", 9, 10);
  assertEquals(await it.settled(), run("a", 8, 10));
  sender.pass("a");
  assertEquals(it.sink.take(), ["a 11"]);
});

Deno.test("log repair: a topic whose first messages the group lost comes whole", async () => {
  await using it = await Repairing.start();
  const { sender } = it;
  sender.append("a", 5);
  sender.loses("a", 1, 5);
  sender.append("b", 2);
  sender.loses("b", 1, 2);
  sender.pass("b");
  assertEquals((await it.settled()).sort(), [...run("a", 1, 5), ...run("b", 1, 3)]);
});

Deno.test("log repair: of a topic that is born nothing is missed, wherever others begin, and gaps are told", async () => {
  for (const from of ["earliest", { last: 1 }] as const) {
    await using it = await Repairing.start(from, { limits: { retain: KiB } });
    it.append("a", 5);
    it.sender.loses("a", 1, 5);
    assertEquals(await it.settled(), run("a", 1, 5));
    for (let i = 0; i < 20; i++) it.append("b", 1, 100);
    const first = it.topics.get("b")!.log.firstSequence;
    assert(first > 1);
    it.sender.loses("b", 1, 20);
    assertEquals(await it.settled(), [`b 1-${first - 1} expired`, ...run("b", first, 20)]);
  }
});

Deno.test("log repair: nobody knows what was before the first message of a topic, unless the log brings it", async () => {
  const lines = async (from: StartPoint) => {
    await using it = await Repairing.start(from);
    it.append("a", 4);
    const frame = it.append("a");
    it.sender.loses("a", 5, 0);
    it.sender.brings("a", frame);
    return await it.settled();
  };
  assertEquals(await lines("latest"), ["a 5-0 unrepaired", "a 5"]);
  assertEquals(await lines("earliest"), run("a", 1, 5));
});

Deno.test("log repair: what the log does not keep any more is a gap; what the group brought meanwhile is not lost", async () => {
  await using it = await Repairing.start("latest", { limits: { retain: 8 * KiB } });
  const { sender } = it;
  sender.pass("a");
  for (let i = 0; i < 10; i++) sender.append("a", 1, KiB);
  sender.pass("a", 2);
  for (let i = 0; i < 30; i++) sender.append("a", 1, KiB);
  sender.pass("a");
  const lines = await it.settled();
  const first = it.topics.get("a")!.log.firstSequence;
  assert(first > 20, `${first}`);
  assertEquals(lines, ["a 1", "a 2-11 expired", "a 12", "a 13", `a 14-${first - 1} expired`, ...run("a", first, 44)]);
});

Deno.test("log repair: a log that keeps nothing any more", async () => {
  await using it = await Repairing.start("latest", { limits: { retainFor: 5_000 } });
  const { sender } = it;
  sender.pass("a");
  sender.append("a", 9);
  await it.world.run(10_000);
  assertEquals(it.topics.get("a")!.log.first, null);
  sender.loses("a", 2, 10);
  assertEquals(await it.settled(), ["a 1", "a 2-10 expired"]);
  sender.pass("a");
  assertEquals(it.sink.take(), ["a 11"]);
});

Deno.test("log repair: a reader that is slow slows the link, not the group", async () => {
  await using it = await Repairing.start("earliest", { limits: { retain: 64 * MiB } });
  for (let i = 0; i < 600; i++) it.append("a", 1, 60 * KiB);
  it.append("b");
  await it.logs.begin(["a"]);
  let goOn = () => {};
  it.sink.onLine = () => it.sink.full ??= new Promise((resolve) => goOn = resolve);
  assertEquals(await it.settled(), ["a 1"]);
  for (let i = 2; i <= 5; i++) {
    it.sink.full = null;
    goOn();
    assertEquals(await it.settled(), [`a ${i}`]);
  }
  await it.world.run(300_000);
  it.sender.pass("c");
  assertEquals(it.sink.take(), ["c 1"]);
  it.sink.onLine = () => {};
  it.sink.full = null;
  goOn();
  await it.world.until(() => it.lines.length === 595);
  assertEquals(it.sink.take(), run("a", 6, 600));
});

Deno.test("log repair: it holds so much and no more; what it has no room for comes over the link", async () => {
  await using it = await Repairing.start("latest", { limits: { retain: 256 * MiB } });
  const { sender, network } = it;
  for (const name of ["a", "b"]) sender.pass(name);
  it.sink.take();
  network.down = true;
  await network.cut();
  const count = Math.ceil(mostHeld / (60 * KiB)) + 100;
  for (const name of ["a", "b"]) {
    sender.append(name);
    for (let i = 0; i < count; i++) sender.brings(name, sender.append(name, 1, 60 * KiB));
  }
  network.down = false;
  await it.world.run(10_000);
  const lines = it.sink.take();
  for (const name of ["a", "b"]) {
    assertEquals(lines.filter((line) => line.startsWith(name)).join(), run(name, 2, count + 2).join());
    sender.pass(name);
    assertEquals(it.sink.take(), [`${name} ${count + 3}`]);
  }
});

Deno.test("log repair: where there is no room for the last message of a topic, it comes though nothing follows", async () => {
  await using it = await Repairing.start("latest", { limits: { retain: 256 * MiB } });
  const { sender, network } = it;
  const last = 900 * KiB;
  const count = Math.ceil((mostHeld - last) / (60 * KiB));
  // What was given on takes no room any more.
  for (let time = 0; time < 2; time++) {
    for (const name of ["a", "b"]) sender.pass(name);
    it.sink.take();
    network.down = true;
    await network.cut();
    for (const name of ["a", "b"]) sender.append(name);
    for (let i = 0; i < count; i++) sender.brings("a", sender.append("a", 1, 60 * KiB));
    sender.brings("b", sender.append("b", 1, last));
    if (time === 1) break;
    network.down = false;
    await it.world.run(10_000);
    const lines = it.sink.take();
    assertEquals(lines.filter((line) => line.startsWith("a")).join(), run("a", 2, count + 2).join());
    assertEquals(lines.filter((line) => line.startsWith("b")), run("b", 2, 3));
  }
  it.logs.close();
  const lines = it.sink.take();
  const first = count + 4;
  assertEquals(lines.slice(0, -1), [`a ${first}-${first} unrepaired`, ...run("a", first + 1, first + count)]);
  assertEquals(lines.at(-1), "b 5-6 unrepaired");
});

Deno.test("log repair: a hundred topics at once", async () => {
  await using it = await Repairing.start();
  const names = Array.from({ length: 100 }, (_, i) => `t/${i}`);
  for (const name of names) it.sender.pass(name);
  it.sink.take();
  for (const name of names) {
    it.append(name, 2);
    it.sender.pass(name);
  }
  let most = 0;
  it.sink.onLine = () => most = Math.max(most, names.filter((name) => it.topics.get(name)!.readers > 0).length);
  await it.world.until(() => it.lines.length === 300);
  for (const name of names) assertEquals(it.lines.filter((line) => line.startsWith(`${name} `)), run(name, 2, 4));
  assert(most > 1 && most <= 32, `${most} at the same time`);
});

Deno.test("log repair: what is missed in the moment in which it is up to date again", async () => {
  await using it = await Repairing.start();
  const { sender } = it;
  sender.pass("a");
  const missAgain = (turns: number): void => {
    if (turns > 0) return queueMicrotask(() => missAgain(turns - 1));
    it.append("a");
    sender.pass("a");
  };
  for (let turns = 0; turns < 40; turns++) {
    const before = it.topics.get("a")!.log.nextSequence;
    it.sink.onLine = () => {
      if (it.lines.at(-1) !== `a ${before + 1}`) return;
      it.sink.onLine = () => {};
      missAgain(turns);
    };
    it.append("a");
    sender.pass("a");
    await it.settled().then((lines) =>
      assertEquals(lines.filter((line) => line !== "a 1"), run("a", before, before + 3))
    );
  }
});

Deno.test("log repair: closed, it brings nothing more, and says what is missing", async () => {
  await using it = await Repairing.start("earliest");
  const names = Array.from({ length: 100 }, (_, i) => `t/${i}`);
  for (const name of names) it.append(name, 3);
  await it.logs.begin(["#"]);
  it.logs.close();
  assertEquals(it.lines, names.map((name) => `${name} 4-0 unrepaired`));
  assertEquals(it.sink.closed, 1);
  it.sender.append("t/0", 2);
  it.sender.pass("t/0");
  assertEquals(it.lines.slice(100), ["t/0 4-5 unrepaired", "t/0 6"]);
  await it.settled();
  assertEquals(names.filter((name) => it.topics.get(name)!.readers > 0), []);
  const beginning = it.logs.begin(["#"]);
  it.logs.close();
  await beginning;
  assertEquals(names.filter((name) => it.topics.get(name)!.readers > 0), []);
});
