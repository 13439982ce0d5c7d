// What shows only in a long run, on a slow network, or when many come at once.

import { assert, assertEquals, assertLess } from "@std/assert";
import { Code } from "../../core/codes.ts";
import {
  announce,
  declare,
  declared,
  deliver,
  ping,
  Policy,
  subscribe,
  subscribed,
  undeclare,
} from "../../core/control.ts";
import { Cursor, Slice } from "../../core/cursor.ts";
import { ResumableInbox } from "../../core/resumable_inbox.ts";
import { stamp } from "../../core/frame.ts";
import { append, concat, KiB, MiB, newLog, roomyPool, viewOf } from "./fixtures.ts";
import { Network, PlayedServer } from "./links.ts";
import { controlFrame, publisher, subscribing, TestServer, textFrame, turn, World } from "./world.ts";

Deno.test("inbox: an inbox that is never empty does not grow", () => {
  const inbox = new ResumableInbox(roomyPool());
  inbox.announced("a", 1, 1, 1);
  const before = Deno.memoryUsage().heapUsed;
  inbox.gap(1, 1, 1, Code.lagged);
  for (let i = 2; i < 2_000_000; i++) {
    inbox.gap(1, i, i, Code.lagged);
    assertEquals((inbox.shift() as { first: number }).first, i - 1);
  }
  assertLess(Deno.memoryUsage().heapUsed - before, 64 * MiB);
});

Deno.test("idle: a peer that slowly accepts one large frame is not idle", async () => {
  await using test = new TestServer();
  const from = await publisher(test);
  const slow = await test.greeted(8);
  await slow.request(subscribe, subscribing);
  slow.frames();
  slow.window = 0;
  await from.publish("a", "x".repeat(900 * KiB));
  for (let i = 0; i < 100; i++) {
    await test.world.run(1_000);
    if (i % 10 === 0) await from.peer.request(ping, { token: 0 });
    await slow.accept(8 * KiB);
    assert(!slow.ended, `it was closed after ${i} s`);
  }
  await slow.accept(Infinity);
  assertEquals(slow.named("MESSAGES").length, 1);
});

Deno.test("idle: a client whose large message is slowly accepted is not idle", async () => {
  const world = new World();
  const server = new PlayedServer();
  const link = await server.open(world);
  const publishing = link.publisher.publish("a", "x".repeat(900 * KiB));
  await turn();
  server.peer.window = 0;
  await server.peer.request(declared, { request: 1, topic: 1, credit: MiB, largestFrame: 64 * KiB, known: 0, last: 0 });
  for (let i = 0; i < 100; i++) {
    await world.run(1_000);
    await server.peer.accept(8 * KiB);
    assert(!server.peer.ended, `it was closed after ${i} s`);
  }
  await server.peer.accept(Infinity);
  const closing = link.close();
  publishing.catch(() => {});
  await server.peer.end();
  await world.wait(closing);
});

Deno.test("publisher: publish() keeps the order of the calls and never runs out of room, however many wait", async () => {
  await using test = new TestServer({ limits: { retain: 1024 * MiB, memory: 1024 * MiB } });
  const network = new Network(test);
  const { link } = await network.connect();
  const payload = new Uint8Array(1000 * KiB);
  const all: Promise<void>[] = [];
  const order: number[] = [];
  for (let i = 0; i < 300; i++) all.push(link.publisher.publish("a", payload).then(() => void order.push(i)));
  const flushed = link.publisher.flush();
  await test.world.wait(Promise.all(all));
  await test.world.wait(flushed);
  assertEquals(order, Array.from({ length: 300 }, (_, i) => i));
  assertEquals(test.server.topics.get("a")!.log.nextSequence, 301);
  await network.close(link);
});

Deno.test("UNDECLARE of a topic with held frames: they are still appended, and then it is given up", async () => {
  await using test = new TestServer({ limits: { retain: 16 * KiB } });
  const reader = await test.greeted();
  await reader.request(subscribe, { ...subscribing, policy: Policy.wait });
  reader.window = 0;
  const from = await publisher(test);
  const peer = from.peer;
  for (let i = 0; test.server.topics.blocked.size === 0; i++) await from.publish("a", "x".repeat(1000));
  const topic = test.server.topics.get("a")!;
  await peer.request(undeclare, { topic: 1 });
  assertEquals(topic.publishers[0]!.sessions, 1);
  await reader.accept(Infinity);
  assertEquals([topic.held.length, topic.publishers[0]!.sessions], [0, 0]);
  await peer.send(textFrame(["y"], { topic: 1, number: 999 }));
  assertEquals(peer.reason(), "protocol");
});

Deno.test("UNDECLARE of a topic with held frames: no frame for it is taken behind it, until it is declared again", async () => {
  await using test = new TestServer({ limits: { retain: 16 * KiB } });
  const reader = await test.greeted();
  await reader.request(subscribe, { ...subscribing, policy: Policy.wait });
  reader.window = 0;
  const from = await publisher(test);
  const { peer } = from;
  while (test.server.topics.blocked.size === 0) await from.publish("a", "x".repeat(1000));
  await peer.request(undeclare, { topic: 1 });
  await peer.request(declare, { request: 2, first: 0, topic: "a" });
  await peer.send(textFrame(["y"], { topic: 1, number: 999 }));
  assertEquals(peer.reason(), null);
  await peer.request(undeclare, { topic: 1 });
  await peer.send(textFrame(["y"], { topic: 1, number: 1000 }));
  assertEquals(peer.reason(), "protocol");
});

Deno.test("link: messages that come long after the loss do not end it at once", async () => {
  await using test = new TestServer();
  const network = new Network(test);
  const { link } = await network.connect();
  network.down = true;
  await network.cut();
  await test.world.run(300_000);
  link.publisher.publish("a", "late").catch(() => {});
  await test.world.run(20_000);
  network.down = false;
  await test.world.run(6_000);
  assertEquals(test.server.topics.get("a")?.log.nextSequence, 2);
  await network.close(link);
});

Deno.test("subscription: one that is not read beside one that is does not use up the memory of the link", async () => {
  const world = new World();
  const server = new PlayedServer();
  const link = await server.open(world);
  const idle = link.subscribe("idle");
  const busy = link.subscribe("busy");
  await turn();
  let read = 0;
  (async () => {
    for await (const _ of busy.batches()) read++;
  })();
  for (const { id, patterns } of [idle, busy]) {
    const values = { subscription: id, topic: id, ordinal: id, sequence: 1, name: patterns[0]! };
    await server.peer.request(announce, values);
    await server.peer.request(subscribed, { subscription: id, policy: 1, topics: 1 });
  }
  const frame = (topic: number, sequence: number, size: number) => {
    const bytes = textFrame(["x".repeat(size)], { topic });
    stamp(viewOf(bytes), 0, sequence, 1);
    return bytes;
  };
  let paused = false;
  const rounds = 3_000;
  for (let i = 1; i <= rounds && !server.peer.ended;) {
    paused ||= server.peer.named("PAUSE").some(({ subscription }) => subscription === idle.id);
    const parts = [];
    for (const until = i + 10; i < until; i++) {
      if (!paused) parts.push(controlFrame(deliver, { subscription: idle.id }), frame(idle.id, i, 10));
      parts.push(controlFrame(deliver, { subscription: busy.id }), frame(busy.id, i, 200 * KiB));
    }
    await server.peer.send(concat(parts));
  }
  assertEquals([server.peer.reason(), read], [null, rounds]);
  assertLess(link.pool.budget.used, 128 * MiB);
  const closing = link.close();
  await server.peer.end();
  await world.wait(closing);
});

Deno.test("memory that is not pooled is free once it is released, whoever still knows the segment", () => {
  const pool = roomyPool();
  const log = newLog({ bytes: 8 * MiB }, pool);
  append(log, 2 * MiB);
  const cursor = new Cursor(log, 1);
  const segment = log.first!;
  pool.pin(segment);
  for (let i = 0; i < 10; i++) append(log, 2 * MiB);
  assertEquals([segment.dropped, segment.bytes.length], [true, 2 * MiB]);
  pool.unpin(segment);
  assertEquals([segment.bytes.length, segment.view.byteLength], [0, 0]);
  assertEquals(cursor.read(MiB, new Slice()), "lagged");
  assertEquals(cursor.read(MiB, new Slice()), "taken");
});

Deno.test("link: memory that a burst took is given back", async () => {
  await using test = new TestServer();
  const network = new Network(test);
  const { link } = await network.connect();
  const segments = Array.from({ length: 200 }, () => link.pool.acquire(256 * KiB, 0, 0)!);
  for (const segment of segments) link.pool.drop(segment);
  await test.world.run(2_000);
  assertLess(link.pool.budget.used, 16 * MiB);
  await network.close(link);
});
