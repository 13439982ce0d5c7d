/** When a server acknowledges: seldom, at once where somebody waits, and never later than it says. */

import { assert, assertEquals, assertLess, assertLessOrEqual } from "@std/assert";
import fc from "fast-check";
import { Acknowledgements, AckQueue } from "../../core/acknowledgements.ts";
import { Code } from "../../core/codes.ts";
import { close, declare, hello, list, ping, Policy, preamble, subscribe } from "../../core/control.ts";
import { encodedFlag } from "../../core/frame.ts";
import { FrameWriter } from "../../core/frame_writer.ts";
import { ackBytes, ackDelay, defaultLimits, largestControl } from "../../core/limits.ts";
import { concat, framesIn, KiB, MiB, VirtualPlatform } from "./fixtures.ts";
import {
  controlFrame,
  idOf,
  Peer,
  publisher,
  type Seen,
  seen,
  subscribing,
  TestServer,
  textFrame,
  type Texts,
} from "./world.ts";

/** The last number of topic 1 that an ACK among these frames names; 0 without one. */
function acknowledged(frames: readonly Seen[]): number {
  const acks = frames.filter(({ frame }) => frame === "ACK");
  return acks.flatMap(({ topics }) => topics as { topic: number; number: number }[])
    .findLast(({ topic }) => topic === 1)?.number ?? 0;
}

const names = (frames: readonly Seen[]) => frames.map(({ frame }) => frame);

/** A publisher that has declared topic 1, and is idle. */
async function declared(test: TestServer, id?: number): Promise<Texts> {
  const from = await publisher(test, id);
  await from.publish("a");
  return from;
}

/** A greeted peer. That the server writes to it, or begins to read from it, is noted under its name. */
async function noted(test: TestServer, name: string, notes: string[]): Promise<Peer> {
  const peer = new Peer(name);
  const { connection } = peer;
  const note = (what: string) => notes.push(`${what} ${name}`);
  test.server.accept({
    ...connection,
    write: (bytes) => (note("write to"), connection.write(bytes)),
    read: (into) => (note("read from"), connection.read(into)),
  });
  await peer.send(
    preamble,
    controlFrame(hello, { features: 0, session: idOf(name.length), agent: "test", user: "", secret: "" }),
  );
  await peer.request(declare, { request: 1, first: 0, topic: "a" });
  notes.length = 0;
  peer.frames();
  return peer;
}

Deno.test("ack: one that nobody asks for waits, and for the delay at most", async () => {
  await using test = new TestServer();
  const from = await declared(test);
  await from.publish("a", "1");
  await test.world.run(ackDelay - 1);
  assertEquals(names(from.peer.frames()), []);
  await test.world.run(1);
  assertEquals(acknowledged(from.peer.frames()), 1);
  await test.world.run(10 * ackDelay);
  await from.publish("a", "2");
  await test.world.run(ackDelay / 2);
  await from.publish("a", "3");
  await test.world.run(ackDelay / 2 - 1);
  assertEquals(names(from.peer.frames()), []);
  await test.world.run(1);
  assertEquals(acknowledged(from.peer.frames()), 3, "with what came meanwhile");
});

Deno.test("ack: those of many sessions wait each for itself, but for those whose time comes almost together", async () => {
  await using test = new TestServer();
  const publishers = [await declared(test), await declared(test), await declared(test)];
  const told = () => publishers.map(({ peer }) => acknowledged(peer.frames()));
  for (const [i, from] of publishers.entries()) {
    await from.publish("a", "1");
    await test.world.run([ackDelay / 20, ackDelay / 2, 0][i]!);
  }
  await test.world.run(ackDelay * 9 / 20 - 1);
  assertEquals(told(), [0, 0, 0]);
  await test.world.run(1);
  assertEquals(told(), [1, 1, 0]);
  await test.world.run(ackDelay * 11 / 20 - 1);
  assertEquals(told(), [0, 0, 0]);
  await test.world.run(1);
  assertEquals(told(), [0, 0, 1]);
});

Deno.test("ack: of a crowd that is due at the same time, some go at once, then the others", () => {
  const platform = new VirtualPlatform();
  const queue = new AckQueue(platform);
  const atOnce: number[] = [];
  let stirred = 0;
  const count = 1_000;
  for (let id = 1; id <= count; id++) {
    const due = new Acknowledgements(queue, defaultLimits, { stir: () => void stirred++ });
    due.add({ topic: { id }, last: 1, due: false }, 100);
  }
  const { after } = platform;
  platform.after = (delay, ring) => (atOnce.push(stirred), after.call(platform, delay, ring));
  platform.advance(ackDelay);
  assertEquals([stirred, platform.timers], [count, 0]);
  assert(atOnce.every((sum, i) => sum - (atOnce[i - 1] ?? 0) <= 64), `${atOnce}`);
});

Deno.test("ack: while the server reads, each read takes one of another session along when its time has almost come", async () => {
  await using test = new TestServer();
  const publishers: Texts[] = [];
  for (let i = 0; i < 5; i++) publishers.push(await declared(test));
  const busy = await declared(test);
  for (const from of publishers) await from.publish("a", "1");
  const told = () => publishers.map(({ peer }) => acknowledged(peer.frames()));
  await test.world.run(ackDelay * 0.9 - 1);
  await busy.publish("a", "1");
  assertEquals(told(), [0, 0, 0, 0, 0]);
  await test.world.run(1);
  await busy.publish("a", "2");
  assertEquals(told(), [1, 0, 0, 0, 0]);
  await publishers[1]!.publish("a", "2");
  assertEquals(told(), [0, 2, 0, 0, 0], "its own, too");
  await busy.publish("a", "3", "4");
  assertEquals(told(), [0, 0, 1, 1, 0]);
  await test.world.run(ackDelay * 0.1);
  assertEquals(told(), [0, 0, 0, 0, 1], "the rest in time");
  await busy.publish("a", "5");
  await test.world.run(ackDelay);
  assertEquals([acknowledged(busy.peer.frames()), told()], [5, [0, 0, 0, 0, 0]]);
});

Deno.test("ack: many small messages have few of them", async () => {
  await using test = new TestServer();
  const from = await declared(test);
  const acks: Seen[] = [];
  let late = 0;
  for (let i = 1; i <= 1000; i++) {
    await from.publish("a", `${i}`);
    await test.world.run(1);
    acks.push(...from.peer.frames());
    late = Math.max(late, i - acknowledged(acks));
  }
  await test.world.run(ackDelay);
  acks.push(...from.peer.frames());
  assertEquals(new Set(names(acks)), new Set(["ACK"]));
  assertEquals(acknowledged(acks), 1000);
  assertLessOrEqual(acks.length, 1000 / (0.9 * ackDelay) + 1);
  assertLessOrEqual(late, ackDelay);
});

Deno.test("ack: one timer serves all sessions, and runs only while something is due", async () => {
  await using test = new TestServer();
  const idle = test.world.timers;
  const publishers = [];
  for (let i = 0; i < 50; i++) publishers.push(await declared(test));
  assertEquals(test.world.timers, idle);
  for (const from of publishers) await from.publish("a", "1", "2");
  assertEquals(test.world.timers, idle + 1);
  await test.world.run(ackDelay);
  assertEquals(test.world.timers, idle);
  for (const { peer } of publishers) assertEquals(acknowledged(peer.frames()), 2);
});

Deno.test("ack: what was acknowledged with something else has no second one", async () => {
  await using test = new TestServer();
  const from = await declared(test);
  await from.publish("a", "1");
  await from.peer.request(list, { request: 1, pattern: "#" });
  assertEquals(names(from.peer.frames()), ["LISTED", "ACK"]);
  await test.world.run(10 * ackDelay);
  assertEquals(names(from.peer.frames()), []);
});

Deno.test("ack: it goes with the messages of others that are delivered to its publisher", async () => {
  await using test = new TestServer();
  const from = await declared(test);
  await from.peer.request(subscribe, { ...subscribing, patterns: [{ pattern: "b" }] });
  const other = await publisher(test);
  await other.publish("b", "1");
  await from.publish("a", "1");
  from.peer.frames();
  await test.world.run(ackDelay);
  from.peer.frames();
  await from.publish("a", "2");
  assertEquals(names(from.peer.frames()), []);
  await other.publish("b", "2");
  assertEquals(names(from.peer.frames()), ["ACK", "MESSAGES"]);
});

Deno.test("ack: PING is answered with what is due, and then with PONG, in one write", async () => {
  await using test = new TestServer();
  const notes: string[] = [];
  const from = await noted(test, "publisher", notes);
  const asks = controlFrame(ping, { token: 5 });
  await from.send(concat([textFrame(["1"], { number: 1 }), textFrame(["2"], { number: 2 }), asks]));
  assertEquals(from.frames(), [{ frame: "ACK", topics: [{ topic: 1, number: 2 }] }, { frame: "PONG", token: 5 }]);
  assertEquals(notes.filter((note) => note.startsWith("write")), ["write to publisher"]);
  await from.send(asks);
  assertEquals(names(from.frames()), ["PONG"], "and only with what is due");
  // What comes behind it is not what it asked for, but goes along.
  await from.send(concat([textFrame(["3"], { number: 3 }), asks, textFrame(["4"], { number: 4 })]));
  assertEquals(names(from.frames()), ["ACK", "PONG", "ACK"]);
  assertEquals(test.world.now(), 0);
});

Deno.test("ack: a message is written to its subscriber first, then acknowledged, and only then more is read", async () => {
  await using test = new TestServer();
  const notes: string[] = [];
  const from = await noted(test, "publisher", notes);
  const subscriber = await noted(test, "subscriber", notes);
  await subscriber.request(subscribe, subscribing);
  const order = ["write to subscriber", "write to publisher", "read from publisher"];
  for (
    const bytes of [
      // The first one creates the topic, and is announced.
      concat([textFrame(["1"], { number: 1 }), controlFrame(ping, { token: 5 })]),
      concat([textFrame(["2"], { number: 2 }), controlFrame(ping, { token: 5 })]),
    ]
  ) {
    notes.length = 0;
    await from.send(bytes);
    assertEquals(notes, order);
  }
  notes.length = 0;
  await from.send(textFrame(["x".repeat(ackBytes)], { number: 3 }));
  const write = notes.indexOf("write to subscriber");
  assertEquals(notes.slice(write, write + 3), order);
});

Deno.test("ack: so many bytes are acknowledged without waiting, and with a small credit a quarter of it", async () => {
  for (
    const [limits, size, frames] of [
      [{}, 1000, Math.ceil(ackBytes / 1050)],
      [{}, ackBytes, 1],
      [{ topicCredit: 40 * KiB }, 1000, Math.ceil(10 * KiB / 1050)],
      [{ connectionCredit: 20 * KiB }, 1000, Math.ceil(5 * KiB / 1050)],
      [{ topicCredit: 1 }, 0, 1],
      [{ connectionCredit: 1 }, 0, 1],
      [{ topicCredit: 100 }, 0, 1],
    ] as const
  ) {
    await using test = new TestServer({ limits });
    const from = await declared(test);
    for (let i = 1; i < frames; i++) await from.publish("a", "x".repeat(size));
    assertEquals(names(from.peer.frames()), [], `${size}`);
    await from.publish("a", "x".repeat(size));
    assertEquals(acknowledged(from.peer.frames()), frames, JSON.stringify(limits));
    assertEquals(test.world.now(), 0);
  }
});

Deno.test("ack: bytes count over all topics of a session, and those of several are in one frame", async () => {
  await using test = new TestServer();
  const from = await publisher(test);
  const topics = Array.from({ length: Math.ceil(ackBytes / 1050) }, (_, i) => `t/${i}`);
  for (const topic of topics) await from.publish(topic);
  for (const topic of topics.slice(1)) await from.publish(topic, "x".repeat(1000));
  assertEquals(names(from.peer.frames()), []);
  await from.publish(topics[0]!, "x".repeat(1000));
  const [ack, ...more] = from.peer.frames();
  assertEquals([ack!.frame, (ack!.topics as unknown[]).length, more], ["ACK", topics.length, []]);
});

Deno.test("ack: those of more topics than fit one frame are in several", () => {
  const limits = { ...defaultLimits, topicCredit: Infinity, connectionCredit: Infinity };
  const due = new Acknowledgements(new AckQueue(new VirtualPlatform()), limits, { stir: () => {} });
  const topics = Array.from({ length: 10_000 }, (_, i) => ({ topic: { id: i + 1 }, last: 2 * i, due: false }));
  for (const topic of topics) due.add(topic, 1);
  for (const topic of topics.slice(5_000)) due.add(topic, 1);
  const control = new FrameWriter();
  due.write(control);
  const frames = framesIn(control.bytes());
  assert(frames.every(({ length }) => length <= largestControl));
  assertEquals(
    frames.map(seen).flatMap(({ topics }) => topics),
    topics.map(({ topic, last }) => ({ topic: topic.id, number: last })),
  );
  assertEquals([due.pending, due.urgent, topics.some(({ due }) => due)], [false, false, false]);
});

Deno.test("ack: a held frame that was asked about is acknowledged as soon as it is appended", async () => {
  await using test = new TestServer({ limits: { retain: 32 * KiB } });
  const from = await declared(test);
  const slow = await test.greeted();
  await slow.request(subscribe, { ...subscribing, policy: Policy.wait });
  slow.window = 0;
  let sent = 0;
  while (test.server.topics.blocked.size === 0) await from.publish("a", `${++sent}`.padEnd(1000));
  await from.publish("a", `${++sent}`.padEnd(1000));
  assertEquals(acknowledged(await from.peer.asked()), sent - 2, "what is appended");
  assertEquals(names(await from.peer.asked()), [], "the others are not, so nobody is told so");
  await slow.accept(MiB);
  assertEquals(acknowledged(from.peer.frames()), sent);
  assertEquals(test.world.now(), 0);
});

Deno.test("ack: a drain, the end and a refusal take along what is due", async () => {
  await using test = new TestServer();
  const drained = await declared(test);
  const refused = await declared(test);
  const closing = await declared(test);
  const broken = await declared(test);
  const half = await declared(test);
  const replaced = await declared(test, 77);
  for (const from of [drained, refused, closing, broken, half, replaced]) await from.publish("a", "1");
  await refused.peer.send(textFrame(["2"], { number: 2, flags: encodedFlag }));
  assertEquals(names(refused.peer.frames()), ["REFUSE", "ACK"]);
  await closing.peer.send(controlFrame(close, { code: Code.done, why: "" }));
  assertEquals(names(closing.peer.frames()), ["ACK"]);
  await broken.peer.send(textFrame(["2"], { number: 0 }));
  assertEquals(names(broken.peer.frames()), ["ACK", "CLOSE"]);
  await half.peer.end();
  assertEquals(names(half.peer.frames()), ["ACK"]);
  await test.greeted(77);
  assertEquals(names(replaced.peer.frames()), ["ACK", "CLOSE"]);
  const draining = test.server.drain(1_000);
  await test.world.run(0);
  assertEquals(names(drained.peer.frames()), ["DRAIN", "ACK", "CLOSE"]);
  assertEquals(test.world.now(), 0);
  for (const from of [drained, refused, closing, broken, replaced]) await from.peer.end();
  await test.world.wait(draining);
});

Deno.test("ack: a frame that is held at a drain is acknowledged before the close, if it is appended", async () => {
  await using test = new TestServer({ limits: { retain: 32 * KiB } });
  const from = await declared(test);
  const slow = await test.greeted();
  await slow.request(subscribe, { ...subscribing, policy: Policy.wait });
  slow.window = 0;
  let sent = 0;
  while (test.server.topics.blocked.size === 0) await from.publish("a", `${++sent}`.padEnd(1000));
  from.peer.window = 0;
  const draining = test.server.drain(10_000);
  await slow.accept(MiB);
  await from.peer.accept(MiB);
  const frames = from.peer.frames();
  assertEquals([acknowledged(frames), names(frames).at(-1)], [sent, "CLOSE"]);
  for (const peer of [from.peer, slow]) await peer.end();
  await test.world.wait(draining);
});

Deno.test("ack: whatever a publisher does, it is told what is true, in order, in time, and all of it when it asks", async () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant("send" as const), size: fc.integer({ min: 0, max: 3000 }), bad: fc.boolean() }),
    fc.record({ do: fc.constant("ask" as const) }),
    fc.record({ do: fc.constant("pass" as const), time: fc.integer({ min: 0, max: 2 * ackDelay }) }),
  );
  const credits = fc.constantFrom(1, 500, 5_000, MiB);
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), credits, credits, async (steps, topicCredit, all) => {
      await using test = new TestServer({ limits: { topicCredit, connectionCredit: all } });
      const { peer } = await declared(test);
      const sentAt = [0];
      let told = 0;
      let unacknowledged = 0;
      const look = (frames: readonly Seen[]) => {
        const last = Math.max(told, acknowledged(frames));
        assertLess(last, sentAt.length, "nothing that was not sent");
        if (last > told) unacknowledged = 0;
        told = last;
      };
      for (const it of steps) {
        if (it.do === "send") {
          const number = sentAt.push(test.world.now()) - 1;
          const frame = textFrame(["x".repeat(it.size)], { number, flags: it.bad ? encodedFlag : 0 });
          unacknowledged += frame.length;
          await peer.send(frame);
          look(peer.frames());
          assertLess(unacknowledged, Math.min(ackBytes, topicCredit / 4, all / 4), "no credit runs short");
        } else if (it.do === "ask") {
          look(await peer.asked());
          assertEquals(told, sentAt.length - 1);
        } else {
          for (let left = it.time; left > 0; left--) {
            await test.world.run(1);
            look(peer.frames());
            const oldest = sentAt[told + 1] ?? Infinity;
            assertLess(test.world.now() - oldest, ackDelay, "nothing waits longer");
          }
        }
      }
    }),
    { numRuns: 60 },
  );
});
