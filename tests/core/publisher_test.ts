import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Code } from "../../core/codes.ts";
import { ack, close, declare, declared, failed, refuse } from "../../core/control.ts";
import { RefusedError, TransportError, UsageError } from "../../core/errors.ts";
import { encodedFlag, FrameType } from "../../core/frame.ts";
import { Link } from "../../core/link.ts";
import type { PublisherOptions, Refusal } from "../../core/publisher.ts";
import { collect, Network, PlayedServer } from "./links.ts";
import { controlFrame, TestServer, textFrame, turn, World } from "./world.ts";
import { KiB, MiB } from "./fixtures.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

/** A link to a server that the test plays. */
async function played(publisher: PublisherOptions = {}, welcome: Parameters<PlayedServer["welcome"]>[0] = {}) {
  const world = new World();
  const server = new PlayedServer();
  const link = new Link("memory://played", { dial: server.dial, platform: world, publisher });
  const opening = link.open();
  await turn();
  await server.welcome(welcome);
  await opening;
  server.peer.frames();
  return { world, server, link, publisher: link.publisher };
}

/** Ends it: the server agrees to everything. */
async function over({ link, server, world }: Awaited<ReturnType<typeof played>>): Promise<void> {
  const closing = link.close();
  await server.peer.end();
  await world.wait(closing);
  assertEquals(world.timers, 0);
}

const grant = { request: 1, topic: 1, credit: MiB, largestFrame: 64 * KiB, known: 0, last: 0 };

Deno.test("publisher: messages arrive, in order, in the topics they were for", async () => {
  await using test = new TestServer();
  const network = new Network(test);
  const { link } = await network.connect();
  const subscription = link.subscribe("#", { from: "earliest" });
  const { lines, done } = collect(subscription.events());
  for (let i = 1; i <= 100; i++) link.publisher.send(i % 2 ? "odd" : "even", bytes(`${i}`));
  await test.world.wait(link.publisher.flush());
  assertEquals([link.publisher.sent, link.publisher.pending, link.publisher.refused], [100, 0, 0]);
  await turn();
  for (const [topic, first] of [["odd", 1], ["even", 2]] as const) {
    assertEquals(
      lines.filter((line) => line.startsWith(topic)),
      Array.from({ length: 50 }, (_, i) => `${topic} ${i + 1} ${first + 2 * i}`),
    );
  }
  await network.close(link);
  await done;
});

Deno.test("publisher: publish() resolves when the message was appended", async () => {
  await using test = new TestServer();
  const network = new Network(test);
  const { link } = await network.connect();
  await test.world.wait(link.publisher.publish("a", "one"));
  assertEquals(test.server.topics.get("a")!.log.nextSequence, 2);
  await test.world.wait(Promise.all(["two", "three"].map((text) => link.publisher.publish("a", text))));
  assertEquals(test.server.topics.get("a")!.log.nextSequence, 4);
  await network.close(link);
});

Deno.test("publisher: what a declaration after a reconnect says is appended resolves publish(), too", async () => {
  const it = await played();
  const publishing = it.publisher.publish("a", "one");
  const other = it.publisher.publish("a", "two");
  await turn();
  await it.server.peer.request(declared, grant);
  assertEquals(it.server.peer.texts(), ["one", "two"]);
  await it.server.peer.reset();
  await it.world.run(100);
  await it.server.welcome();
  await it.server.peer.request(declared, { ...grant, request: 2, topic: 5, known: 1, last: 2 });
  let done = false;
  Promise.all([publishing, other]).then(() => done = true);
  await turn();
  assert(done, "nothing else will come");
  assertEquals(it.publisher.pending, 0);
  await over(it);
});

Deno.test("publisher: after a reconnect it declares with its first number and sends again what was not acknowledged", async () => {
  const it = await played();
  for (let i = 1; i <= 3; i++) {
    it.publisher.send("a", bytes(`${i}`));
    await turn();
    if (i === 1) await it.server.peer.request(declared, grant);
  }
  await it.server.peer.request(ack, { topics: [{ topic: 1, number: 1 }] });
  assertEquals(it.server.peer.texts(), ["1", "2", "3"]);
  await it.server.peer.reset();
  it.publisher.send("a", bytes("4"));
  await it.world.run(100);
  await it.server.welcome();
  const [, request] = it.server.peer.frames();
  assertEquals(request, { frame: "DECLARE", request: 2, first: 2, topic: "a" });
  await it.server.peer.request(declared, { ...grant, request: 2, topic: 8, known: 1, last: 2 });
  assertEquals(it.server.peer.frames().map(({ topic, messages }) => [topic, messages]), [[8, ["3"]], [8, ["4"]]]);
  await it.server.peer.request(ack, { topics: [{ topic: 8, number: 4 }] });
  assertEquals(it.publisher.pending, 0);
  await over(it);
});

Deno.test("publisher: possible duplicates are those that were sent, to a server that does not remember; no others", async () => {
  const told: [string, number][] = [];
  const it = await played({ onPossibleDuplicates: (topic, count) => told.push([topic, count]) });
  it.publisher.send("never", bytes("1"));
  it.publisher.send("a", bytes("1"));
  it.publisher.send("a", bytes("2"));
  await turn();
  await it.server.peer.request(declared, { ...grant, request: 2 });
  assertEquals(it.server.peer.texts(), ["1", "2"]);
  await it.server.peer.reset();
  it.publisher.send("a", bytes("3"));
  await it.world.run(100);
  await it.server.welcome();
  await it.server.peer.request(declared, { ...grant, request: 3, topic: 1 });
  await it.server.peer.request(declared, { ...grant, request: 4, topic: 2 });
  assertEquals(told, [["a", 2]]);
  // Lost again before anything was acknowledged: it is told again only if it may have happened again.
  await it.server.peer.reset();
  await it.world.run(200);
  await it.server.welcome();
  await it.server.peer.request(declared, { ...grant, request: 5, topic: 1, known: 1 });
  await it.server.peer.request(declared, { ...grant, request: 6, topic: 2, known: 1 });
  assertEquals(told, [["a", 2]]);
  await over(it);
});

Deno.test("publisher: refusals are counted and told; the others are acknowledged", async () => {
  const refusals: Refusal[] = [];
  const it = await played({ onRefused: (refusal) => refusals.push(refusal) });
  const good = it.publisher.publish("a", "1");
  await turn();
  await it.server.peer.request(declared, grant);
  const bad = it.publisher.publish("a", "2");
  bad.catch(() => {});
  await turn();
  const last = it.publisher.publish("a", "3");
  await turn();
  await it.server.peer.request(refuse, { topic: 1, number: 2, count: 1, code: Code.checksum, why: "so" });
  await it.server.peer.request(ack, { topics: [{ topic: 1, number: 3 }] });
  await Promise.all([good, last]);
  await assertRejects(() => bad, RefusedError, "cannot publish to a: so (checksum)");
  assertEquals(refusals, [{ topic: "a", count: 1, code: Code.checksum, why: "so" }]);
  assertEquals([it.publisher.refused, it.publisher.pending], [1, 0]);
  await it.publisher.flush();
  await over(it);
});

Deno.test("publisher: without onRefused, flush() rejects with the first refusal", async () => {
  const it = await played();
  it.publisher.send("a", bytes("1"));
  await turn();
  await it.server.peer.request(declared, grant);
  const flushing = it.publisher.flush();
  flushing.catch(() => {});
  await it.server.peer.send(
    controlFrame(refuse, { topic: 1, number: 1, count: 1, code: Code.unsupported, why: "" }),
    controlFrame(ack, { topics: [{ topic: 1, number: 1 }] }),
  );
  await assertRejects(() => flushing, RefusedError, "unsupported");
  await assertRejects(() => it.publisher.flush(), RefusedError, "unsupported");
  await over(it);
});

Deno.test("publisher: a refusal that was lost with its connection comes again after it", async () => {
  await using test = new TestServer({ limits: { maxMessage: 2000 } });
  const peer = await test.greeted(7);
  await peer.request(declare, { request: 1, first: 0, topic: "a" });
  peer.window = 0;
  await peer.send(textFrame(["x"], { topic: 1, number: 1, flags: encodedFlag }));
  await peer.reset();
  const again = await test.greeted(7);
  await again.request(declare, { request: 1, first: 1, topic: "a" });
  assertEquals(again.frames()[0]!.last, 0);
});

Deno.test("publisher: a topic that the server refuses rejects all that was for it, and what is to come", async () => {
  const it = await played();
  const refused = it.publisher.publish("a", "1");
  refused.catch(() => {});
  const fine = it.publisher.publish("b", "1");
  await turn();
  await it.server.peer.request(failed, { request: 1, kind: FrameType.declare, code: Code.topics, why: "full" });
  await it.server.peer.request(declared, { ...grant, request: 2 });
  await it.server.peer.request(ack, { topics: [{ topic: 1, number: 1 }] });
  await assertRejects(() => refused, RefusedError, "cannot publish to a: full (topics)");
  await fine;
  assertThrows(() => it.publisher.send("a", bytes("2")), RefusedError, "topics");
  assertEquals([it.publisher.refused, it.publisher.pending], [1, 0]);
  await over(it);
});

Deno.test("publisher: names and messages that cannot be are refused at once", async () => {
  const it = await played({}, { maxMessage: 10 });
  for (const topic of ["", "a/+", "a//b", "$sys"]) {
    assertThrows(() => it.publisher.send(topic, bytes("x")), UsageError, "cannot publish to");
  }
  it.publisher.send("a", new Uint8Array(10));
  assertThrows(() => it.publisher.send("a", new Uint8Array(11)), RefusedError, "at most 10");
  await assertRejects(() => it.publisher.publish("a", "a long message"), RefusedError, "at most 10");
  assertEquals(it.publisher.sent, 1);
  await over(it);
});

Deno.test("publisher: batches are no larger than a server takes whose messages are small, before it has said so too", async () => {
  await using test = new TestServer({ limits: { maxMessage: 100 } });
  const network = new Network(test);
  const { link } = await network.connect();
  for (let i = 0; i < 1000; i++) link.publisher.send("a", new Uint8Array(i % 101));
  await test.world.wait(link.publisher.flush());
  assertEquals(test.server.topics.get("a")!.log.nextSequence, 1001);
  await network.close(link);
});

Deno.test("publisher: the credit of the connection is shared, and whoever waits for it gets it back", async () => {
  await using test = new TestServer({ limits: { connectionCredit: 10_000, topicCredit: 4_000 } });
  const network = new Network(test);
  const { link } = await network.connect();
  // All are full at once, and nothing is sent afterwards that would set one going.
  for (let topic = 0; topic < 50; topic++) {
    for (let i = 0; i < 20; i++) link.publisher.send(`t/${topic}`, new Uint8Array(1_000));
  }
  await test.world.wait(link.publisher.flush(), 10_000);
  assertEquals(test.server.topics.size, 50);
  assertEquals(test.closes("credit"), 0);
  await network.close(link);
});

Deno.test("publisher: send() says when to wait, ready() when to go on; what is kept is bounded", async () => {
  const it = await played();
  let sent = 0;
  while (it.publisher.send("a", new Uint8Array(10_000))) sent++;
  assert(sent >= 400 && sent < 430, `${sent}`);
  let ready = false;
  it.publisher.ready().then(() => ready = true);
  await turn();
  await it.server.peer.request(declared, { ...grant, credit: 64 * MiB });
  assertEquals(ready, false, "what was sent is not acknowledged");
  await it.server.peer.request(ack, { topics: [{ topic: 1, number: 100 }] });
  assertEquals(ready, false);
  await it.server.peer.request(ack, { topics: [{ topic: 1, number: 250 }] });
  assertEquals(ready, true);
  await over(it);
});

Deno.test("publisher: without acknowledgements flush() waits until everything was written, and nothing is sent again", async () => {
  const it = await played({ acknowledge: false });
  it.publisher.send("a", bytes("1"));
  let flushed = false;
  const flush = () => it.publisher.flush().then(() => flushed = true);
  flush();
  await turn();
  assertEquals(flushed, false, "there is no topic yet");
  await it.server.peer.request(declared, grant);
  assertEquals([flushed, it.server.peer.texts()], [true, ["1"]]);
  await it.server.peer.reset();
  flushed = false;
  flush();
  await turn();
  assertEquals([flushed, it.publisher.pending], [true, 0]);
  it.publisher.send("a", bytes("2"));
  await it.world.run(100);
  await it.server.welcome();
  await it.server.peer.request(declared, { ...grant, request: 2, known: 1, last: 1 });
  assertEquals(it.server.peer.texts(), ["2"]);
  await over(it);
});

Deno.test("publisher: without acknowledgements, credit still bounds what is under way", async () => {
  const it = await played({ acknowledge: false });
  it.publisher.send("a", new Uint8Array(1000));
  await turn();
  await it.server.peer.request(declared, { ...grant, credit: 20_000, largestFrame: 5_000 });
  for (let i = 1; i < 100; i++) it.publisher.send("a", new Uint8Array(1000));
  await turn();
  const counts = () => it.server.peer.named("MESSAGES").reduce((sum, { count }) => sum + (count as number), 0);
  const first = counts();
  assert(first < 25, `${first}`);
  let flushed = false;
  it.publisher.flush().then(() => flushed = true);
  await turn();
  assertEquals(flushed, false);
  for (let number = first; number < 100;) {
    await it.server.peer.request(ack, { topics: [{ topic: 1, number }] });
    number += counts();
  }
  assertEquals(flushed, true);
  await over(it);
});

Deno.test("publisher: when the link ends, whoever waits is told", async () => {
  const it = await played();
  const publishing = it.publisher.publish("a", "1");
  const flushing = it.publisher.flush();
  while (it.publisher.send("a", new Uint8Array(100_000)));
  const ready = it.publisher.ready();
  for (const promise of [publishing, flushing, ready]) promise.catch(() => {});
  await over(it);
  await assertRejects(() => publishing, TransportError, "closed");
  await assertRejects(() => flushing, TransportError, "closed");
  await assertRejects(() => ready, TransportError, "closed");
  await assertRejects(() => it.publisher.publish("a", "2"), TransportError, "closed");
  assertThrows(() => it.publisher.send("a", bytes("2")), TransportError, "closed");
  assert(it.publisher.pending > 0, "and what was not acknowledged can be told");
});

Deno.test("publisher: answers to what nobody asked do no harm", async () => {
  const it = await played();
  it.publisher.send("a", bytes("1"));
  await turn();
  await it.server.peer.send(
    controlFrame(declared, { ...grant, request: 77, topic: 9 }),
    controlFrame(ack, { topics: [{ topic: 9, number: 5 }, { topic: 1, number: 5 }] }),
    controlFrame(refuse, { topic: 9, number: 5, count: 1, code: Code.count, why: "" }),
    controlFrame(failed, { request: 77, kind: FrameType.declare, code: Code.topics, why: "" }),
    controlFrame(failed, { request: 77, kind: 99, code: Code.topics, why: "" }),
  );
  assertEquals([it.publisher.pending, it.publisher.refused], [1, 0]);
  await it.server.peer.request(declared, grant);
  await it.server.peer.request(ack, { topics: [{ topic: 1, number: 1000 }] });
  assertEquals(it.publisher.pending, 0);
  await it.server.peer.request(close, { code: Code.draining, why: "" });
  await over(it);
});
