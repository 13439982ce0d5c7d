import { assert, assertEquals } from "@std/assert";
import { Code } from "../../core/codes.ts";
import { declare, pause, Policy, resume, Start, subscribe, unsubscribe } from "../../core/control.ts";
import type { ServerLimits } from "../../core/limits.ts";
import { type Peer, publisher, type Seen, subscribing, TestServer, textFrame, type Texts } from "./world.ts";
import { KiB, MiB } from "./fixtures.ts";

// Segments of 4 KiB: what is kept is 32 KiB and at most a segment more.
const limits: Partial<ServerLimits> = { retain: 32 * KiB, idleTimeout: 3_600_000 };
const text = (i: number) => `${i}`.padEnd(1000);
const numbers = (frames: Seen[]) =>
  frames.filter(({ frame }) => frame === "MESSAGES").flatMap(({ messages }) => (messages as string[]).map(Number));
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

/** Publishes the messages of these numbers to the topic `a`. */
async function publishes(from: Texts, first: number, last: number): Promise<void> {
  for (let i = first; i <= last; i++) await from.publish("a", text(i));
}

/** A subscriber that reads nothing after it was confirmed. */
async function frozen(test: TestServer, policy: number, id?: number): Promise<Peer> {
  const peer = await test.greeted(id);
  await peer.request(subscribe, { ...subscribing, policy });
  peer.window = 0;
  return peer;
}

/** The number that is acknowledged by now: it is asked for, and nothing waits behind that but what is held. */
async function acknowledged(peer: Peer): Promise<number> {
  const acks = (await peer.asked()).filter(({ frame }) => frame === "ACK");
  const topics = acks.flatMap(({ topics }) => topics as { number: number }[]);
  return topics.at(-1)?.number ?? 0;
}

Deno.test("skip: who falls behind is told exactly what it missed, and goes on with a whole frame", async () => {
  await using test = new TestServer({ limits });
  const from = await publisher(test);
  const peer = await frozen(test, Policy.skip);
  await publishes(from, 1, 200);
  const { log } = test.server.topics.get("a")!;
  assert(log.bytes >= 32 * KiB && log.bytes <= 37 * KiB, `${log.bytes}`);
  await peer.accept(MiB);
  const frames = peer.frames();
  const gaps = frames.filter(({ frame }) => frame === "GAP");
  assertEquals(gaps.length, 1);
  const [{ first, last, code, topic }] = gaps as [Seen];
  assertEquals([topic, code, last], [1, Code.lagged, log.firstSequence - 1]);
  assertEquals(numbers(frames), [...range(1, (first as number) - 1), ...range((last as number) + 1, 200)]);
  assertEquals(await acknowledged(from.peer), 200, "and the publisher was never held");
});

Deno.test("disconnect: who is overtaken is closed, and told why when it comes back", async () => {
  await using test = new TestServer({ limits });
  const from = await publisher(test);
  const peer = await frozen(test, Policy.disconnect, 7);
  await publishes(from, 1, 200);
  assertEquals(test.closes("lagged"), 1);
  assertEquals(await acknowledged(from.peer), 200);
  await peer.accept(MiB);
  const frames = peer.frames();
  assertEquals(frames.at(-1)!.frame, "CLOSE");
  assertEquals(frames.at(-1)!.code, Code.lagged);
  assertEquals(numbers(frames), range(1, numbers(frames).length));
  const back = await test.peer(7);
  assertEquals(back.frames()[0]!.closed, Code.lagged);
});

Deno.test("disconnect: who keeps up is not", async () => {
  await using test = new TestServer({ limits });
  const from = await publisher(test);
  const peer = await test.greeted();
  await peer.request(subscribe, { ...subscribing, policy: Policy.disconnect });
  await publishes(from, 1, 200);
  assertEquals(numbers(peer.frames()), range(1, 200));
});

Deno.test("the policy is the server's where none is asked for, and it is told", async () => {
  for (const lagPolicy of ["skip", "disconnect", "wait"] as const) {
    await using test = new TestServer({ limits, lagPolicy });
    const peer = await test.greeted();
    await peer.request(subscribe, subscribing);
    assertEquals(peer.frames()[0]!.policy, Policy[lagPolicy]);
    await peer.request(subscribe, { ...subscribing, subscription: 2, policy: Policy.skip });
    assertEquals(peer.frames()[0]!.policy, Policy.skip);
  }
});

Deno.test("wait: publishers are held, their frames go on when the laggard moves, and nothing comes twice", async () => {
  await using test = new TestServer({ limits });
  const from = await publisher(test, 1);
  const other = await publisher(test, 2);
  const peer = await frozen(test, Policy.wait);
  await publishes(from, 1, 100);
  await other.publish("a", ...range(1001, 1020).map(text));
  const held = await acknowledged(from.peer);
  assert(held >= 30 && held < 45, `${held} were acknowledged`);
  assertEquals(await acknowledged(other.peer), 0);
  assertEquals(test.server.topics.blocked.size, 1);
  for (let i = 0; i < 30; i++) {
    await peer.accept(5_000);
    await test.world.run(100);
  }
  assertEquals(await acknowledged(from.peer), 100);
  assertEquals(await acknowledged(other.peer), 20);
  await peer.accept(MiB);
  const got = numbers(peer.frames());
  assertEquals(got.filter((i) => i < 1000), range(1, 100));
  assertEquals(got.filter((i) => i > 1000), range(1001, 1020));
  assertEquals(test.server.topics.blocked.size, 0);
});

Deno.test("wait: a held publisher's pings, requests and other topics go on", async () => {
  await using test = new TestServer({ limits });
  const from = await publisher(test);
  const peer = await frozen(test, Policy.wait);
  await publishes(from, 1, 100);
  from.peer.frames();
  await from.publish("elsewhere", "x");
  await from.peer.request(subscribe, { ...subscribing, subscription: 9, patterns: [{ pattern: "elsewhere" }] });
  assertEquals(from.peer.texts(), ["x"]);
  await from.peer.request(unsubscribe, { subscription: 9 });
  assertEquals(from.peer.names(), ["UNSUBSCRIBED"]);
  await peer.accept(MiB);
});

Deno.test("wait: who does not move for 5 s is closed with max-wait, and comes back as skip for 60 s", async () => {
  await using test = new TestServer({ limits });
  const from = await publisher(test);
  const peer = await frozen(test, Policy.wait, 7);
  await publishes(from, 1, 100);
  await test.world.run(4_900);
  assertEquals(test.closes("max-wait"), 0);
  await test.world.run(600);
  assertEquals(test.closes("max-wait"), 1);
  assertEquals(await acknowledged(from.peer), 100, "the publisher goes on");
  await publishes(from, 101, 200);
  assertEquals(await acknowledged(from.peer), 200);
  await peer.reset();

  const asks = async (policy: number) => {
    const back = await test.peer(7);
    const { closed } = back.frames()[0]!;
    await back.request(subscribe, { ...subscribing, policy, start: Start.latest });
    const granted = back.named("SUBSCRIBED")[0]!.policy;
    await back.reset();
    return [closed, granted];
  };
  assertEquals(await asks(Policy.wait), [Code.maxWait, Policy.skip]);
  assertEquals(await asks(Policy.disconnect), [Code.done, Policy.disconnect]);
  await test.world.run(58_000);
  assertEquals(await asks(Policy.wait), [Code.done, Policy.skip]);
  await test.world.run(3_000);
  assertEquals(await asks(Policy.wait), [Code.done, Policy.wait]);
});

Deno.test("wait: the peer that was closed with max-wait is told at once if it reads at all", async () => {
  await using test = new TestServer({ limits });
  const from = await publisher(test);
  const peer = await test.greeted(7);
  await peer.request(subscribe, { ...subscribing, policy: Policy.wait });
  await peer.request(pause, { subscription: 1 });
  peer.frames();
  await publishes(from, 1, 100);
  await test.world.run(5_500);
  assertEquals(peer.reason(), "max-wait");
});

Deno.test("wait: moving now and then is enough, by reading a slice or by resuming for a moment", async () => {
  await using test = new TestServer({ limits });
  const from = await publisher(test);
  const slow = await frozen(test, Policy.wait);
  const pausing = await test.greeted();
  await pausing.request(subscribe, { ...subscribing, policy: Policy.wait });
  await pausing.request(pause, { subscription: 1 });
  await publishes(from, 1, 200);
  for (let i = 0; i < 12; i++) {
    await test.world.run(4_700);
    await slow.accept(8_000);
    pausing.window = 4_000;
    await pausing.request(resume, { subscription: 1 });
    await pausing.request(pause, { subscription: 1 });
    await pausing.accept(MiB);
    assertEquals(test.closes("max-wait"), 0, `after ${i}`);
  }
  await test.world.run(5_500);
  assertEquals(test.closes("max-wait"), 2);
});

Deno.test("wait: a byte now and then is not moving", async () => {
  await using test = new TestServer({ limits });
  const from = await publisher(test);
  const slow = await frozen(test, Policy.wait);
  await publishes(from, 1, 200);
  await test.world.run(4_700);
  await slow.accept(1);
  assertEquals(test.closes("max-wait"), 0);
  await test.world.run(1_000);
  assertEquals(test.closes("max-wait"), 1);
});

Deno.test("wait: moves are counted from when they happen, not from the write before", async () => {
  await using test = new TestServer({ limits, lagPolicy: "wait" });
  const from = await publisher(test);
  const peer = await test.greeted();
  await peer.request(subscribe, subscribing);
  await peer.request(pause, { subscription: 1 });
  await publishes(from, 1, 100);
  await test.world.run(4_500);
  // It moves by one slice, and is paused again before anything else is written to it.
  peer.window = 0;
  await peer.request(resume, { subscription: 1 });
  await peer.request(pause, { subscription: 1 });
  await peer.accept(MiB);
  const got = numbers(peer.frames()).length;
  assert(got > 0);
  await publishes(from, 101, 180);
  await test.world.run(3_000);
  assertEquals(test.closes("max-wait"), 0);
  await test.world.run(3_000);
  assertEquals(test.closes("max-wait"), 1);
});

Deno.test("wait: while no publisher is held, nobody is closed, however long it does not move", async () => {
  await using test = new TestServer({ limits });
  const from = await publisher(test);
  const peer = await test.greeted();
  await peer.request(subscribe, { ...subscribing, policy: Policy.wait });
  await peer.request(pause, { subscription: 1 });
  await publishes(from, 1, 20);
  await test.world.run(600_000);
  assertEquals(test.closes("max-wait"), 0);
});

Deno.test("wait: credit is a promise; a publisher that sends more than it while held is closed, alone", async () => {
  await using test = new TestServer({ limits: { ...limits, topicCredit: 20 * KiB } });
  const from = await publisher(test, 5);
  const other = await publisher(test, 6);
  const peer = await frozen(test, Policy.wait);
  await publishes(from, 1, 40);
  await other.publish("a", text(1));
  assertEquals(test.closes("credit"), 0);
  await publishes(from, 41, 70);
  assertEquals(test.closes("credit"), 1);
  assertEquals(from.peer.reason(), "credit");
  const back = await test.peer(5);
  assertEquals(back.frames()[0]!.closed, Code.credit);
  await peer.accept(MiB);
  assertEquals(await acknowledged(other.peer), 1, "who kept to it is served");
});

Deno.test("wait: the credit of a connection bounds all its topics together; one frame is always taken", async () => {
  await using test = new TestServer({ limits: { ...limits, maxMessage: MiB, connectionCredit: 20 * KiB } });
  const from = await publisher(test);
  const peer = await frozen(test, Policy.wait);
  await publishes(from, 1, 100);
  assertEquals(from.peer.reason(), "credit");
  await peer.reset();
  const alone = await publisher(test);
  const again = await frozen(test, Policy.wait);
  await alone.publish("b", "x".repeat(30 * KiB));
  await alone.publish("b", "x".repeat(60 * KiB));
  await alone.publish("b", "x".repeat(60 * KiB));
  assertEquals(alone.peer.reason(), null);
  await again.reset();
});

Deno.test("wait: held frames wait in turn, a frame of each publisher", async () => {
  await using test = new TestServer({ limits });
  const peer = await frozen(test, Policy.wait);
  const publishers = [await publisher(test), await publisher(test), await publisher(test)];
  await publishes(publishers[0]!, 1, 60);
  for (const from of publishers.slice(1)) await from.publish("a", ...range(1, 10).map(text));
  const { log } = test.server.topics.get("a")!;
  const kept = log.nextSequence;
  await peer.accept(10_000);
  await test.world.run(10);
  const appended = log.nextSequence - kept;
  assert(appended >= 3, `${appended}`);
  const each = await Promise.all(publishers.map(({ peer }) => acknowledged(peer)));
  assert(each[1]! >= 1 && each[2]! >= 1, `${each}`);
  assert(Math.abs(each[1]! - each[2]!) <= 1, `${each}`);
  await peer.reset();
});

Deno.test("wait: a publisher that goes while its frames are held takes them along; it sends them again, once", async () => {
  await using test = new TestServer({ limits });
  const peer = await frozen(test, Policy.wait);
  const from = await publisher(test, 5);
  await publishes(from, 1, 60);
  const done = await acknowledged(from.peer);
  await from.peer.reset();
  assertEquals(test.server.topics.get("a")!.held.length, 0);
  await peer.accept(MiB);
  assertEquals(numbers(peer.frames()), range(1, done));
  const back = await test.greeted(5);
  await back.request(declare, { request: 1, first: done + 1, topic: "a" });
  assertEquals(back.frames()[0]!.last, done);
  for (let i = done + 1; i <= 60; i++) await back.send(textFrame([text(i)], { topic: 1, number: i }));
  assertEquals(numbers(peer.frames()), range(done + 1, 60));
});

Deno.test("wait: retention by age overtakes, and says so", async () => {
  await using test = new TestServer({ limits: { ...limits, retainFor: 1_000, maxWait: 60_000 } });
  const from = await publisher(test);
  const peer = await frozen(test, Policy.wait);
  await publishes(from, 1, 100);
  await test.world.run(6_000);
  assertEquals(await acknowledged(from.peer), 100);
  await peer.accept(MiB);
  const frames = peer.frames();
  const gaps = frames.filter(({ frame }) => frame === "GAP");
  const lost = gaps.reduce((sum, { first, last }) => sum + (last as number) - (first as number) + 1, 0);
  assert(lost > 0);
  assertEquals(numbers(frames).length + lost, 100);
});

Deno.test("wait: a publisher is not held for its own subscription, within the credit of a connection; others are", async () => {
  await using test = new TestServer({ limits: { ...limits, connectionCredit: 50 * KiB } });
  const both = await publisher(test, 7);
  await both.peer.request(subscribe, { ...subscribing, policy: Policy.wait });
  await both.peer.request(pause, { subscription: 1 });
  await publishes(both, 1, 60);
  assertEquals(await acknowledged(both.peer), 60, "retention alone would have held it at 40");
  const other = await publisher(test, 8);
  await other.publish("a", text(1));
  assertEquals(await acknowledged(other.peer), 0);
  await publishes(both, 61, 100);
  const last = await acknowledged(both.peer);
  assert(last >= 75 && last < 90, `${last}`);
  const { log } = test.server.topics.get("a")!;
  assert(log.bytes <= 82 * KiB, `${log.bytes}`);
  await both.peer.request(resume, { subscription: 1 });
  assertEquals(numbers(both.peer.frames()).length, 101);
  await publishes(other, 2, 100);
  assertEquals(await acknowledged(other.peer), 100);
  assert(log.bytes <= 37 * KiB, "and retention is what it was");
});

Deno.test("wait: memory that a laggard of another topic holds is got back by closing it, too", async () => {
  await using test = new TestServer({
    limits: { retain: 64 * MiB, memory: 16 * MiB, inputMemory: 16 * MiB, idleTimeout: 600_000, maxMessage: MiB },
  });
  const from = await publisher(test);
  const peer = await test.greeted(7);
  await peer.request(subscribe, { ...subscribing, policy: Policy.wait, patterns: [{ pattern: "a" }] });
  await peer.request(pause, { subscription: 1 });
  // The laggard's topic takes what memory there is; then its publisher goes, and another topic needs some.
  const { topics } = test.server;
  while (topics.blocked.size === 0 && test.closes("input-memory") === 0) await from.publish("a", "x".repeat(60 * KiB));
  await from.peer.reset();
  await test.world.run(20_000);
  assertEquals(test.closes("max-wait"), 0, "as long as nobody needs it");
  for (let i = 0; i < 5 && test.closes("max-wait") === 0; i++) {
    const other = await publisher(test);
    await other.publish("b", "x".repeat(900 * KiB));
    await test.world.run(2_000);
  }
  assertEquals(test.closes("max-wait"), 1);
  const other = await publisher(test);
  await other.publish("b", "x".repeat(900 * KiB));
  assertEquals(other.peer.names(), ["ACK"]);
});

Deno.test("wait: one large frame may take longer than max-wait, as long as it goes", async () => {
  await using test = new TestServer({ limits: { ...limits, retain: 8 * MiB, maxMessage: 4 * MiB } });
  const from = await publisher(test);
  const slow = await frozen(test, Policy.wait);
  for (let i = 0; i < 5; i++) await from.publish("a", "x".repeat(3 * MiB));
  for (let i = 0; i < 8; i++) {
    await test.world.run(4_700);
    await slow.accept(300 * KiB);
    assertEquals(test.closes("max-wait"), 0, `after ${i}`);
  }
  await test.world.run(5_500);
  assertEquals(test.closes("max-wait"), 1);
});
