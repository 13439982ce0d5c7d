import { assert, assertEquals } from "@std/assert";
import { Code } from "../../core/codes.ts";
import {
  declare,
  list,
  pause,
  points,
  Policy,
  resume,
  Start,
  subscribe,
  undeclare,
  unsubscribe,
} from "../../core/control.ts";
import { FrameType } from "../../core/frame.ts";
import { controlFrame, idOf, publisher, type Seen, subscribing, TestServer, textFrame } from "./world.ts";
import { KiB, MiB } from "./fixtures.ts";

const pattern = (...patterns: string[]) => ({ patterns: patterns.map((pattern) => ({ pattern })) });
const named = (frames: Seen[], name: string) => frames.filter(({ frame }) => frame === name);
const texts = (frames: Seen[]) => named(frames, "MESSAGES").flatMap(({ messages }) => messages as string[]);

Deno.test("SUBSCRIBE: what matches is announced, then confirmed; frames come after DELIVER", async () => {
  await using test = new TestServer();
  const from = await publisher(test);
  await from.publish("a/x", "1");
  await from.publish("b", "no");
  await from.publish("a/y", "2");
  const peer = await test.greeted();
  await peer.request(subscribe, { ...subscribing, subscription: 5, ...pattern("a/+") });
  const frames = peer.frames();
  assertEquals(frames.slice(0, 4), [
    { frame: "ANNOUNCE", subscription: 5, topic: 1, ordinal: 1, sequence: 1, name: "a/x" },
    { frame: "ANNOUNCE", subscription: 5, topic: 3, ordinal: 3, sequence: 1, name: "a/y" },
    { frame: "SUBSCRIBED", subscription: 5, policy: Policy.skip, topics: 2 },
    { frame: "DELIVER", subscription: 5 },
  ]);
  assertEquals(frames.slice(4).map(({ topic, messages }) => [topic, messages]), [[1, ["1"]], [3, ["2"]]]);
  await from.publish("a/x", "3");
  await from.publish("b", "no");
  assertEquals(peer.frames().map(({ frame, messages }) => [frame, messages]), [["MESSAGES", ["3"]]]);
});

Deno.test("SUBSCRIBE: topics are announced by ordinal, not by id, and new ones before their first frame", async () => {
  await using test = new TestServer();
  const from = await publisher(test);
  await from.publish("first");
  await from.publish("second", "2");
  await from.publish("first", "1");
  const peer = await test.greeted();
  await peer.request(subscribe, subscribing);
  const announced = named(peer.frames(), "ANNOUNCE").map(({ name, topic, ordinal }) => [name, topic, ordinal]);
  assertEquals(announced, [["second", 2, 1], ["first", 1, 2]]);
  await from.publish("third", "3");
  assertEquals(peer.names(), ["ANNOUNCE", "MESSAGES"]);
});

Deno.test("SUBSCRIBE fails: in use, too many, no pattern, a wrong one, too many, a wrong start, policy or epoch", async () => {
  await using test = new TestServer({ limits: { subscriptions: 2 } });
  const peer = await test.greeted();
  await peer.request(subscribe, { ...subscribing, subscription: 1 });
  await peer.request(subscribe, { ...subscribing, subscription: 7 });
  assertEquals(peer.names(), ["SUBSCRIBED", "SUBSCRIBED"]);
  await peer.request(subscribe, { ...subscribing, subscription: 3 });
  assertEquals(peer.frames()[0]!.code, Code.subscriptions);
  await peer.request(unsubscribe, { subscription: 7 });
  assertEquals(peer.frames(), [{ frame: "UNSUBSCRIBED", subscription: 7 }]);
  const cases: [Partial<typeof subscribing>, number][] = [
    [{ subscription: 1 }, Code.subscriptionInUse],
    [{ patterns: [] }, Code.pattern],
    [pattern("a/#/b"), Code.pattern],
    [pattern("ok", ""), Code.pattern],
    [pattern(...Array(65).fill("a")), Code.pattern],
    [{ start: 7 }, Code.startPoint],
    [{ policy: 4 }, Code.startPoint],
    [{ start: Start.resume, epoch: idOf(1) }, Code.startPoint],
  ];
  for (const [change, code] of cases) {
    await peer.request(subscribe, { ...subscribing, subscription: 2, ...change });
    const [failed, ...more] = peer.frames();
    assertEquals(more, []);
    const request = change.subscription ?? 2;
    assertEquals({ ...failed, why: "" }, { frame: "FAILED", request, kind: FrameType.subscribe, code, why: "" });
  }
  await peer.request(subscribe, { ...subscribing, subscription: 2, ...pattern(...Array(64).fill("a")) });
  assertEquals(peer.names(), ["SUBSCRIBED"], "the session goes on");
});

const starts: [string, number, number, string[]][] = [
  ["latest", Start.latest, 0, []],
  ["earliest", Start.earliest, 0, ["1", "2", "3", "4"]],
  ["sequence", Start.sequence, 3, ["3", "4"]],
  ["sequence 0", Start.sequence, 0, ["1", "2", "3", "4"]],
  ["a sequence that is not there yet", Start.sequence, 100, []],
  ["last", Start.last, 2, ["3", "4"]],
  ["last 0", Start.last, 0, []],
  ["more than there are", Start.last, 1000, ["1", "2", "3", "4"]],
  ["time", Start.time, 1_700_000_000_000_000 + 1_500_000, ["3", "4"]],
  ["a time between two frames", Start.time, 1_700_000_000_000_000 + 1_000_001, ["3", "4"]],
  ["a time to come", Start.time, 1_800_000_000_000_000, []],
  ["ago", Start.ago, 1_000_000, ["4"]],
];

for (const [name, start, value, expected] of starts) {
  Deno.test(`SUBSCRIBE starts where it is asked to: ${name}`, async () => {
    await using test = new TestServer();
    const from = await publisher(test);
    for (let i = 1; i <= 4; i++) {
      await test.world.run(500 * i - test.world.now());
      await from.publish("a", `${i}`);
    }
    await test.world.run(2_900 - test.world.now());
    const peer = await test.greeted();
    await peer.request(subscribe, { ...subscribing, start, value });
    assertEquals(peer.texts(), expected);
    await from.publish("a", "new");
    await from.publish("b", "born");
    assertEquals(peer.texts(), ["new", "born"]);
  });
}

Deno.test("SUBSCRIBE by sequence tells what is no longer kept", async () => {
  await using test = new TestServer({ limits: { retain: 4 * KiB } });
  const from = await publisher(test);
  for (let i = 0; i < 200; i++) await from.publish("a", `${i}`.padStart(100, "."));
  const { log } = test.server.topics.get("a")!;
  assert(log.firstSequence > 10);
  const peer = await test.greeted();
  await peer.request(subscribe, { ...subscribing, start: Start.sequence, value: 5 });
  const frames = peer.frames();
  assertEquals(named(frames, "GAP"), [
    { frame: "GAP", subscription: 1, topic: 1, first: 5, last: log.firstSequence - 1, code: Code.expired },
  ]);
  assertEquals(texts(frames).length, 200 - log.firstSequence + 1);
});

Deno.test("POINTS: a subscription resumes where they say, in every topic; what was born since starts at its first", async () => {
  await using test = new TestServer();
  const from = await publisher(test);
  await from.publish("a", "1", "2", "3");
  await from.publish("b", "1", "2");
  await from.publish("c", "1");
  const epoch = test.server.topics.epoch;
  const peer = await test.greeted();
  await peer.send(
    controlFrame(points, { subscription: 1, points: [{ topic: 1, sequence: 3 }] }),
    controlFrame(points, { subscription: 1, points: [{ topic: 2, sequence: 3 }] }),
    controlFrame(subscribe, { ...subscribing, start: Start.resume, value: 2, epoch }),
  );
  const frames = peer.frames();
  assertEquals(named(frames, "ANNOUNCE").map(({ name, sequence }) => [name, sequence]), [["a", 3], ["b", 3], ["c", 1]]);
  assertEquals(named(frames, "MESSAGES").map(({ topic, messages }) => [topic, messages]), [[1, ["3"]], [3, ["1"]]]);
});

Deno.test("POINTS: a topic that was forgotten is told as a gap, with what was missed where that is known", async () => {
  await using test = new TestServer({ limits: { retainFor: 1_000 } });
  const from = await publisher(test);
  await from.publish("a", "1", "2", "3");
  await from.publish("b", "1");
  await from.peer.reset();
  await test.world.run(700_000);
  assertEquals(test.server.topics.size, 0);
  const epoch = test.server.topics.epoch;
  const peer = await test.greeted();
  await peer.request(points, {
    subscription: 1,
    points: [{ topic: 1, sequence: 2 }, { topic: 2, sequence: 2 }, { topic: 99, sequence: 7 }],
  });
  await peer.request(subscribe, { ...subscribing, start: Start.resume, value: 2, epoch });
  const gap = { frame: "GAP", subscription: 1, code: Code.forgotten };
  assertEquals(named(peer.frames(), "GAP"), [
    { ...gap, topic: 1, first: 2, last: 3 },
    { ...gap, topic: 2, first: 2, last: 1 },
    { ...gap, topic: 99, first: 7, last: 0 },
  ]);
});

Deno.test("POINTS take memory, and give it back: with SUBSCRIBE, with the session, repeated ones once", async () => {
  await using test = new TestServer();
  const peer = await test.greeted();
  const before = test.server.topics.inputs.used;
  const many = Array.from({ length: 4096 }, (_, i) => ({ topic: i % 100, sequence: 1 }));
  await peer.request(points, { subscription: 1, points: many });
  assert(test.server.topics.inputs.used >= before + 6400);
  await peer.request(points, { subscription: 1, points: many });
  await peer.request(subscribe, { ...subscribing, start: Start.resume, epoch: test.server.topics.epoch });
  await test.world.run(1);
  assert(test.server.topics.inputs.used <= before + 256 * KiB);
  await peer.request(points, { subscription: 2, points: many });
});

Deno.test("POINTS of more topics, or of more subscriptions, than there may be end the session", async () => {
  await using test = new TestServer({ limits: { topics: 1000, subscriptions: 10 } });
  const peer = await test.greeted();
  const some = (from: number) => Array.from({ length: 600 }, (_, i) => ({ topic: from + i, sequence: 1 }));
  await peer.request(points, { subscription: 1, points: some(0) });
  assertEquals(peer.reason(), null);
  await peer.request(points, { subscription: 1, points: some(600) });
  assertEquals(peer.reason(), "protocol");
  const other = await test.greeted();
  for (let subscription = 1; subscription <= 10; subscription++) {
    await other.request(points, { subscription, points: [] });
  }
  assertEquals(other.reason(), null);
  await other.request(points, { subscription: 11, points: [] });
  assertEquals(other.reason(), "protocol");
});

Deno.test("LIST: names, sequences, bytes and times of what matches, in the order of creation", async () => {
  await using test = new TestServer();
  const from = await publisher(test);
  await from.publish("a/x", "1", "2");
  await from.publish("b", "1");
  const time = test.world.time();
  await test.world.run(10);
  await from.publish("a/y", "1");
  const peer = await test.greeted();
  await peer.request(list, { request: 4, pattern: "a/#" });
  assertEquals(peer.frames(), [{
    frame: "LISTED",
    request: 4,
    last: 1,
    topics: [
      { topic: 1, first: 1, next: 3, bytes: 100, time, name: "a/x" },
      { topic: 3, first: 1, next: 2, bytes: 50, time: time + 10_000, name: "a/y" },
    ],
  }]);
  await peer.request(list, { request: 5, pattern: "nothing/#" });
  assertEquals(peer.frames(), [{ frame: "LISTED", request: 5, last: 1, topics: [] }]);
  await peer.request(list, { request: 6, pattern: "a/#/b" });
  assertEquals(peer.frames()[0]!.code, Code.pattern);
});

Deno.test("LIST: many topics come in several frames, to a peer that reads slowly too", async () => {
  await using test = new TestServer();
  const from = await publisher(test);
  const names = Array.from({ length: 2000 }, (_, i) => `${"long".repeat(20)}/${i}`);
  for (const name of names) await from.publish(name, "1");
  const peer = await test.greeted();
  peer.window = 0;
  for (let request = 1; request <= 16; request++) await peer.request(list, { request, pattern: "#" });
  await peer.request(list, { request: 17, pattern: "#" });
  for (let i = 0; i < 400; i++) await peer.accept(50_000);
  const frames = peer.frames();
  const failed = named(frames, "FAILED");
  assertEquals(failed.map(({ request, code }) => [request, code]), [[17, Code.requests]]);
  for (let request = 1; request <= 16; request++) {
    const parts = named(frames, "LISTED").filter((it) => it.request === request);
    assert(parts.length > 3);
    assertEquals(parts.map(({ last }) => last), [...Array(parts.length - 1).fill(0), 1]);
    assertEquals(parts.flatMap(({ topics }) => (topics as { name: string }[]).map(({ name }) => name)), names);
  }
});

Deno.test("PAUSE and RESUME: nothing is lost, nothing comes twice, topics born meanwhile are there", async () => {
  await using test = new TestServer();
  const from = await publisher(test);
  await from.publish("a", "1");
  const peer = await test.greeted();
  await peer.request(subscribe, subscribing);
  assertEquals(peer.texts(), ["1"]);
  await peer.request(pause, { subscription: 1 });
  await from.publish("a", "2");
  await from.publish("b", "3");
  assertEquals(peer.texts(), []);
  await peer.request(pause, { subscription: 1 });
  await peer.request(resume, { subscription: 1 });
  const frames = peer.frames();
  assertEquals(texts(frames).sort(), ["2", "3"]);
  await from.publish("a", "4");
  await from.publish("b", "5");
  assertEquals(peer.texts(), ["4", "5"]);
  await peer.request(resume, { subscription: 1 });
  assertEquals(peer.frames(), []);
  // Paused before it is confirmed.
  await peer.send(
    controlFrame(subscribe, { ...subscribing, subscription: 2 }),
    controlFrame(pause, { subscription: 2 }),
  );
  peer.frames();
  await from.publish("a", "6");
  assertEquals(peer.texts(), ["6"], "of the first subscription");
  await peer.request(resume, { subscription: 2 });
  assert(peer.texts().includes("6"));
});

Deno.test("UNSUBSCRIBE: nothing comes after UNSUBSCRIBED, the number can be used again", async () => {
  await using test = new TestServer();
  const from = await publisher(test);
  await from.publish("a", "1");
  const peer = await test.greeted();
  await peer.request(subscribe, subscribing);
  peer.frames();
  peer.window = 0;
  await from.publish("a", "2".repeat(40_000), "3".repeat(40_000), "4".repeat(40_000));
  await peer.request(unsubscribe, { subscription: 1 });
  await peer.request(subscribe, { ...subscribing, start: Start.latest });
  await from.publish("a", "5");
  await peer.accept(MiB);
  const frames = peer.frames();
  const end = frames.findIndex(({ frame }) => frame === "UNSUBSCRIBED");
  assertEquals(texts(frames.slice(end)), ["5"]);
  assertEquals(frames.slice(end).map(({ frame }) => frame), [
    "UNSUBSCRIBED",
    "ANNOUNCE",
    "SUBSCRIBED",
    "DELIVER",
    "MESSAGES",
  ]);
  assertEquals(test.server.topics.get("a")!.readers, 1);
});

Deno.test("UNSUBSCRIBE, PAUSE and RESUME of what is not: who asks may not know yet that SUBSCRIBE failed", async () => {
  await using test = new TestServer();
  const peer = await test.greeted();
  await peer.request(pause, { subscription: 9 });
  await peer.request(resume, { subscription: 9 });
  await peer.request(unsubscribe, { subscription: 9 });
  assertEquals(peer.frames(), [{ frame: "UNSUBSCRIBED", subscription: 9 }]);
});

Deno.test("DELIVER says whose the frames are, whenever that changes", async () => {
  await using test = new TestServer();
  const from = await publisher(test);
  for (const topic of ["a", "b", "c"]) await from.publish(topic, "0");
  const peer = await test.greeted();
  peer.window = 0;
  for (let subscription = 1; subscription <= 3; subscription++) {
    await peer.request(subscribe, { ...subscribing, subscription, ...pattern(["a", "#", "+"][subscription - 1]!) });
  }
  for (let i = 1; i <= 30; i++) await from.publish("abc"[i % 3]!, `${i}`.padEnd(i % 4 === 0 ? 30_000 : 10));
  await peer.accept(10 * MiB);
  const got = new Map<number, string[]>([[1, []], [2, []], [3, []]]);
  let delivering = 0;
  for (const { frame, subscription, messages, topic } of peer.frames()) {
    if (frame === "DELIVER") {
      assert(subscription !== delivering, "only when it changes");
      delivering = subscription as number;
    } else if (frame === "MESSAGES") {
      for (const text of messages as string[]) got.get(delivering)!.push(`${topic} ${text.trim()}`);
    }
  }
  const of = (topic: number) =>
    Array.from({ length: 31 }, (_, i) => i).filter((i) => i === 0 || "bca"[(i - 1) % 3] === "abc"[topic - 1]);
  const expected = (topic: number) => of(topic).map((i) => `${topic} ${i}`);
  assertEquals(got.get(1), expected(1));
  for (const subscription of [2, 3]) {
    for (const topic of [1, 2, 3]) {
      assertEquals(got.get(subscription)!.filter((text) => text.startsWith(`${topic} `)), expected(topic));
    }
  }
});

Deno.test("ten thousand topics are announced in pieces, while frames of the first ones go already", async () => {
  await using test = new TestServer();
  const from = await test.greeted();
  for (let i = 0; i < 10_000; i += 100) {
    from.push(
      ...Array.from({ length: 100 }, (_, j) => controlFrame(declare, { request: 1, first: 0, topic: `t/${i + j}` })),
    );
    from.push(...Array.from({ length: 100 }, (_, j) => textFrame(["x"], { topic: i + j + 1, number: 1 })));
    await test.world.run(0);
  }
  assertEquals(test.server.topics.ordinal, 10_000);
  const peer = await test.greeted();
  await peer.request(subscribe, subscribing);
  const frames = peer.frames();
  const announced = named(frames, "ANNOUNCE").map(({ ordinal }) => ordinal as number);
  assertEquals(announced, Array.from({ length: 10_000 }, (_, i) => i + 1));
  assertEquals(texts(frames).length, 10_000);
  const known = new Set<number>();
  for (const { frame, topic } of frames) {
    if (frame === "ANNOUNCE") known.add(topic as number);
    if (frame === "MESSAGES") assert(known.has(topic as number), "announced before its first frame");
  }
  assertEquals(named(frames, "SUBSCRIBED")[0]!.topics, 10_000);
});

Deno.test("a topic that is forgotten while a subscription lives is told, and begins anew when it comes again", async () => {
  await using test = new TestServer({ limits: { retainFor: 1_000, idleTimeout: Infinity } });
  const from = await publisher(test);
  await from.publish("a", "1");
  const peer = await test.greeted();
  await peer.request(subscribe, subscribing);
  await from.peer.request(undeclare, { topic: 1 });
  assertEquals(peer.texts(), ["1"]);
  await test.world.run(700_000);
  assertEquals(peer.frames(), [{ frame: "GAP", subscription: 1, topic: 1, first: 2, last: 1, code: Code.forgotten }]);
  const again = await publisher(test);
  await again.publish("a", "new");
  assertEquals(peer.frames().map(({ frame, topic, sequence }) => [frame, topic, sequence]), [
    ["ANNOUNCE", 2, 1],
    ["MESSAGES", 2, 1],
  ]);
});

Deno.test("a hundred thousand topics that are no more are told in pieces, however slowly the peer reads", async () => {
  await using test = new TestServer();
  const peer = await test.greeted();
  peer.window = 0;
  for (let topic = 1; topic <= 100_000; topic += 4_000) {
    const some = Array.from({ length: 4_000 }, (_, i) => ({ topic: topic + i, sequence: 1 }));
    await peer.request(points, { subscription: 1, points: some });
  }
  await peer.request(subscribe, { ...subscribing, start: Start.resume, epoch: test.server.topics.epoch });
  for (let i = 0; i < 100; i++) await peer.accept(50_000);
  const frames = peer.frames();
  assertEquals(named(frames, "GAP").length, 100_000);
  assertEquals(frames.at(-1)!.frame, "SUBSCRIBED");
});
