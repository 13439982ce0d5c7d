import { assert, assertEquals } from "@std/assert";
import { Code } from "../../core/codes.ts";
import { close, declare, list, pause, ping, pong, subscribe } from "../../core/control.ts";
import { at, FrameType, optionalFrame } from "../../core/frame.ts";
import { memoryListener } from "../../transports/memory.ts";
import { controlFrame, type Peer, publisher, subscribing, TestServer, textFrame, turn } from "./world.ts";
import { concat, KiB, MiB, viewOf } from "./fixtures.ts";

/** What the server says of the last session when an id comes back. */
async function remembered(test: TestServer, id: number): Promise<number> {
  const peer = await test.peer(id);
  const { closed } = peer.frames()[0]!;
  await peer.reset();
  return closed as number;
}

/** A frame of 16 bytes with a type and flags of its own. */
function strange(type: number, flags: number): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = viewOf(bytes);
  view.setUint32(0, 16, true);
  view.setUint8(at.type, type);
  view.setUint8(at.header, 8);
  view.setUint16(at.flags, flags, true);
  return bytes;
}

Deno.test("write-deadline: a peer that accepts no byte for 10 s is cut off; one byte is enough", async () => {
  await using test = new TestServer();
  const from = await publisher(test);
  const frozen = await test.greeted(7);
  const slow = await test.greeted(8);
  for (const peer of [frozen, slow]) {
    await peer.request(subscribe, subscribing);
    peer.window = 0;
  }
  await from.publish("a", "x".repeat(1000));
  for (let i = 0; i < 3; i++) {
    await test.world.run(9_000);
    await slow.accept(1);
    assertEquals(test.closes("write-deadline"), i === 0 ? 0 : 1);
    await slow.request(pong, { token: 0 });
  }
  assert(frozen.closed && !slow.closed);
  assertEquals(await remembered(test, 7), Code.writeDeadline);
  await test.world.run(10_500);
  assert(slow.closed);
});

Deno.test("idle: a silent peer is pinged after a third of the time, and closed at its end", async () => {
  await using test = new TestServer({ limits: { idleTimeout: 30_000 } });
  const peer = await test.greeted(7);
  await test.world.run(9_500);
  assertEquals(peer.names(), []);
  await test.world.run(1_000);
  assertEquals(peer.names(), ["PING"]);
  await test.world.run(10_000);
  assertEquals(peer.names(), ["PING"]);
  await test.world.run(9_000);
  assertEquals(test.closes("idle"), 0);
  await test.world.run(1_000);
  assertEquals(peer.reason(), "idle");
  await peer.end();
  assertEquals(await remembered(test, 7), Code.idle);
});

Deno.test("idle: any byte keeps a session, an answer to a ping for example", async () => {
  await using test = new TestServer({ limits: { idleTimeout: 30_000 } });
  const peer = await test.greeted();
  for (let i = 0; i < 10; i++) {
    await test.world.run(11_000);
    assertEquals(peer.named("PING").length > 0, true);
    await peer.request(pong, { token: 0 });
  }
  assertEquals(test.server.connections, 1);
});

Deno.test("PING is answered with its token", async () => {
  await using test = new TestServer();
  const peer = await test.greeted();
  await peer.request(ping, { token: 2 ** 53 - 1 });
  assertEquals(peer.frames(), [{ frame: "PONG", token: 2 ** 53 - 1 }]);
});

Deno.test("output-memory: a peer that asks and does not read is closed, and told when it reads", async () => {
  await using test = new TestServer();
  const peer = await test.greeted(7);
  peer.window = 0;
  const pings = concat(Array(4096).fill(controlFrame(ping, { token: 1 })));
  for (let i = 0; i < 40 && test.closes("output-memory") === 0; i++) await peer.send(pings);
  assertEquals(test.closes("output-memory"), 1);
  await peer.accept(4 * MiB);
  assertEquals(peer.reason(), "output-memory");
  assertEquals(await remembered(test, 7), Code.outputMemory);
});

Deno.test("output-memory: lists and subscriptions that fail count, too", async () => {
  await using test = new TestServer();
  for (
    const frame of [
      controlFrame(list, { request: 1, pattern: "a/#/b" }),
      controlFrame(subscribe, { ...subscribing, start: 9 }),
    ]
  ) {
    const peer = await test.greeted();
    peer.window = 0;
    for (let i = 0; i < 100 && !peer.ended && test.closes("output-memory") === 0; i++) {
      await peer.send(concat(Array(1000).fill(frame)));
    }
    await peer.accept(4 * MiB);
    assertEquals(peer.reason(), "output-memory");
    test.server.closes.clear();
  }
});

Deno.test("input-memory: a frame that finds no room ends its session, and no other", async () => {
  await using test = new TestServer({ limits: { inputMemory: 600 * KiB } });
  const quiet = await test.greeted();
  const peer = await test.greeted(7);
  await peer.request(declare, { request: 1, first: 0, topic: "a" });
  peer.frames();
  await peer.send(textFrame(["x".repeat(900 * KiB)], { topic: 1, number: 1 }));
  assertEquals(peer.reason(), "input-memory");
  assertEquals(test.closes("input-memory"), 1);
  await quiet.request(ping, { token: 1 });
  assertEquals(quiet.names(), ["PONG"]);
  await peer.end();
  assertEquals(await remembered(test, 7), Code.inputMemory);
});

Deno.test("input-memory: where there is not even an idle read for a connection, it is closed and counted", async () => {
  await using test = new TestServer({ limits: { inputMemory: 10 * KiB } });
  const peers = [await test.greeted(), await test.greeted(), test.connect()];
  assertEquals(peers.map(({ closed }) => closed), [false, false, true]);
  assertEquals(test.closes("input-memory"), 1);
  assertEquals(test.server.connections, 2);
});

Deno.test("frame-too-large: control frames are at most 64 KiB", async () => {
  await using test = new TestServer();
  const peer = await test.greeted(7);
  const bytes = strange(FrameType.points, 0);
  viewOf(bytes).setUint32(0, 64 * KiB + 1, true);
  await peer.send(bytes);
  assertEquals(peer.reason(), "frame-too-large");
  await peer.end();
  assertEquals(await remembered(test, 7), Code.frameTooLarge);
});

Deno.test("protocol: frames that do not belong there, unknown ones that are not optional, short ones, lengths that lie", async () => {
  await using test = new TestServer();
  const lying = strange(FrameType.ping, 0);
  lying[at.header] = 17;
  const short = strange(FrameType.ping, 0).slice(0, 12);
  viewOf(short).setUint32(0, 12, true);
  const cases = [strange(FrameType.welcome, 0), strange(FrameType.listed, 0), strange(200, 0), short, lying];
  for (const bytes of cases) {
    const peer = await test.greeted(7);
    await peer.send(bytes);
    assertEquals(peer.reason(), "protocol");
    await peer.end();
    assertEquals(await remembered(test, 7), Code.protocol);
  }
  const peer = await test.greeted();
  await peer.send(strange(200, optionalFrame), controlFrame(ping, { token: 3 }));
  assertEquals(peer.names(), ["PONG"], "an optional one is passed over");
});

Deno.test("connections: one too many is told, and counts for nothing", async () => {
  await using test = new TestServer({ limits: { connections: 2 } });
  const peers = [await test.greeted(), await test.greeted()];
  const third = test.connect();
  await turn();
  assertEquals(third.reason(), "connections");
  assertEquals(test.server.connections, 2);
  await third.end();
  assert(third.closed);
  await peers[0]!.reset();
  await test.greeted();
  assertEquals(test.server.connections, 2);
  assertEquals([...test.server.closes], [["connections", 1], ["connection-lost", 1]]);
});

Deno.test("connections: of a flood so many are told why, the others are just closed; none stays", async () => {
  await using test = new TestServer({ limits: { connections: 1 } });
  await test.greeted();
  const flood = Array.from({ length: 1000 }, () => test.connect());
  await turn();
  const told = flood.filter((peer) => peer.bytes().length > 0).length;
  assert(told >= 200 && told <= 300, `${told}`);
  assertEquals(test.server.connections, 1);
  await test.world.run(3_000);
  assert(flood.every(({ closed }) => closed));
});

Deno.test("replaced: the same id again ends the session before it; the new one is not told of its own doing", async () => {
  await using test = new TestServer();
  const first = await test.greeted(7);
  const second = await test.peer(7);
  assertEquals(first.reason(), "replaced");
  assertEquals(test.closes("replaced"), 1);
  assertEquals(second.frames().map(({ frame, closed }) => [frame, closed]), [["WELCOME", Code.done]]);
  await first.end();
  await second.request(ping, { token: 1 });
  assertEquals(second.names(), ["PONG"]);
});

Deno.test("a close reason is remembered for 10 minutes, told once, and not for an ordinary end", async () => {
  await using test = new TestServer();
  const fails = async (id: number) => {
    const peer = await test.greeted(id);
    await peer.send(strange(200, 0));
    await peer.end();
  };
  await fails(7);
  await fails(8);
  await test.world.run(590_000);
  assertEquals(await remembered(test, 7), Code.protocol);
  assertEquals(await remembered(test, 7), Code.done, "it was told");
  await test.world.run(20_000);
  assertEquals(await remembered(test, 8), Code.done);
  const polite = await test.greeted(9);
  await polite.request(close, { code: Code.done, why: "" });
  assertEquals(await remembered(test, 9), Code.done);
  assertEquals(await remembered(test, 9), Code.done, "a lost connection is no reason either");
});

Deno.test("events: who came, who went and why; counted by name", async () => {
  await using test = new TestServer();
  const peer = await test.greeted();
  await peer.request(close, { code: Code.corrupt, why: "enough" });
  await test.greeted();
  assertEquals(test.events, [
    { kind: "opened", peer: "peer 1", agent: "test", user: "everybody" },
    { kind: "closed", peer: "peer 1", code: Code.corrupt, why: "enough" },
    { kind: "opened", peer: "peer 2", agent: "test", user: "everybody" },
  ]);
  assertEquals([...test.server.closes], [["corrupt", 1]]);
});

Deno.test("what a peer says of its own end is counted, unknown codes as one, and not told back to it", async () => {
  await using test = new TestServer();
  for (const code of [Code.corrupt, 40_000, 50_000]) {
    const peer = await test.greeted(7);
    await peer.request(close, { code, why: "enough" });
    await peer.end();
  }
  assertEquals([...test.server.closes], [["corrupt", 1], ["unknown", 2]]);
  assertEquals(await remembered(test, 7), Code.done);
});

/** A subscriber that has not read what is there for it. */
async function behind(test: TestServer): Promise<Peer> {
  const peer = await test.greeted();
  await peer.request(subscribe, subscribing);
  peer.window = 100;
  return peer;
}

Deno.test("drain: nothing more is appended, subscribers get what is in the logs, then everybody is told", async () => {
  await using test = new TestServer();
  const from = await publisher(test);
  const peer = await behind(test);
  await from.publish("a", "1".repeat(100_000), "2".repeat(100_000));
  from.peer.frames();
  const greeting = test.connect();
  const listening = memoryListener();
  const serving = test.server.serve(listening);
  let drained = false;
  const draining = test.server.drain(10_000).then(() => drained = true);
  await serving;
  await turn();
  assertEquals(greeting.frames().at(-1)!.code, Code.draining);
  const [drain, end] = from.peer.frames();
  assertEquals([drain, end!.frame, end!.code], [{ frame: "DRAIN", timeout: 10_000 }, "CLOSE", Code.draining]);
  assert(!peer.ended);
  await peer.accept(MiB);
  assertEquals(peer.frames().map(({ frame }) => frame).slice(-3), ["DRAIN", "MESSAGES", "CLOSE"]);
  assertEquals(drained, false);
  for (const each of [from.peer, peer, greeting]) await each.end();
  await draining;
  assertEquals(test.closes("draining"), 3);
});

Deno.test("drain: a frame that comes late is neither appended nor acknowledged", async () => {
  await using test = new TestServer();
  const from = await publisher(test);
  await from.publish("a", "1");
  await from.peer.request(subscribe, subscribing);
  from.peer.frames();
  from.peer.window = 0;
  await from.publish("a", "2".repeat(1000));
  const draining = test.server.drain(10_000);
  await turn();
  await from.publish("a", "3");
  assertEquals(test.server.topics.get("a")!.log.nextSequence, 3);
  await from.peer.accept(MiB);
  const acks = from.peer.named("ACK").flatMap(({ topics }) => topics as { number: number }[]);
  assertEquals(acks.map(({ number }) => number), [2]);
  await from.peer.end();
  await draining;
});

Deno.test("drain: who does not read is cut off at its end; a paused subscription too", async () => {
  await using test = new TestServer();
  const from = await publisher(test);
  const frozen = await behind(test);
  const paused = await test.greeted();
  await paused.request(subscribe, subscribing);
  await paused.request(pause, { subscription: 1 });
  await from.publish("a", "1".repeat(1000));
  const draining = test.server.drain(5_000);
  await test.world.run(4_900);
  assert(!frozen.closed && !paused.closed);
  await test.world.wait(draining, 1_200);
  assert(frozen.closed && paused.closed);
});

Deno.test("drain and close: a connection that comes afterwards is not served", async () => {
  await using test = new TestServer();
  const peer = await behind(test);
  const draining = test.server.drain(1_000);
  const late = test.connect();
  await turn();
  assertEquals(late.reason(), "draining");
  await late.end();
  await peer.reset();
  await draining;
  const later = test.connect();
  await turn();
  assert(later.closed);
  assertEquals(test.server.connections, 0);
});

Deno.test("a peer that ends its side while something is being written to it leaves nothing behind", async () => {
  await using test = new TestServer();
  const from = await publisher(test);
  const peer = await test.greeted();
  await peer.request(subscribe, subscribing);
  await from.publish("a", "x");
  await from.publish("b", "x");
  peer.window = 0;
  for (const topic of ["a", "b", "a", "b"]) await from.publish(topic, "x".repeat(20_000));
  await peer.end();
  peer.frames();
  await peer.accept(10 * MiB);
  assert(peer.closed);
  for (const name of ["a", "b"]) {
    const topic = test.server.topics.get(name)!;
    assertEquals([topic.readers, topic.waiting.length], [0, 0]);
  }
  await from.publish("a", "y");
});

Deno.test("a bug in a session closes its connection with internal, is reported, and the server goes on", async () => {
  const test = new TestServer();
  const other = await test.greeted();
  const peer = await test.greeted(7);
  const { topics } = test.server;
  const declares = topics.declare;
  topics.declare = () => {
    throw new TypeError("a bug");
  };
  await peer.request(declare, { request: 1, first: 0, topic: "a" });
  topics.declare = declares;
  assertEquals(peer.reason(), "internal");
  await test.world.run(3_000);
  assert(peer.closed, "though it did not end its side");
  assertEquals(test.server.connections, 1);
  assertEquals(test.events.filter(({ kind }) => kind === "bug").length, 1);
  test.events.length = 0;
  await other.request(ping, { token: 1 });
  assertEquals(other.names(), ["PONG"]);
  assertEquals(await remembered(test, 7), Code.internal);
  await test[Symbol.asyncDispose]();
});

Deno.test("a bug that shows while something is to be written closes its session with internal, too", async () => {
  const test = new TestServer();
  const from = await publisher(test);
  const peer = await test.greeted(7);
  await peer.request(subscribe, subscribing);
  const { topics } = test.server;
  const after = topics.after;
  topics.after = () => {
    throw new TypeError("a bug");
  };
  await peer.request(list, { request: 1, pattern: "#" });
  topics.after = after;
  assertEquals(test.closes("internal"), 1);
  assertEquals(peer.reason(), "internal");
  await test.world.run(3_000);
  assert(peer.closed);
  assertEquals(test.events.filter(({ kind }) => kind === "bug").length, 1);
  test.events.length = 0;
  await from.publish("a", "x");
  assertEquals((await from.peer.asked()).map(({ frame }) => frame), ["ACK"]);
  await test[Symbol.asyncDispose]();
});
