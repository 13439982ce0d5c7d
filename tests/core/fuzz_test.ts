/** Hostile bytes, at a server and at a client: they end their own session, by name, and nothing else. */

import { assert, assertEquals } from "@std/assert";
import * as frames from "../../core/control.ts";
import { codeName, codes } from "../../core/codes.ts";
import { Link } from "../../core/link.ts";
import { FrameType, stamp } from "../../core/frame.ts";
import { collect, firstError, Network, PlayedServer, welcomeFrame } from "./links.ts";
import { controlFrame, idOf, type Peer, publisher, subscribing, TestServer, textFrame, turn, World } from "./world.ts";
import { concat, KiB, MiB, Random, viewOf } from "./fixtures.ts";

const preamble = frames.preamble;
const helloFrame = controlFrame(frames.hello, { features: 0, session: idOf(5), agent: "fuzz", user: "", secret: "" });
const names = new Set(codes().map(({ name }) => name));

/** Every frame a client may send, valid. Those of messages are for topic 2, which the greeting declares. */
const clientFrames: readonly Uint8Array[] = [
  helloFrame,
  controlFrame(frames.declare, { request: 2, first: 3, topic: "fuzz/b" }),
  controlFrame(frames.undeclare, { topic: 2 }),
  controlFrame(frames.subscribe, { ...subscribing, subscription: 2, patterns: [{ pattern: "+/a" }, { pattern: "#" }] }),
  controlFrame(frames.points, { subscription: 3, points: [{ topic: 1, sequence: 1 }, { topic: 77, sequence: 5 }] }),
  controlFrame(frames.unsubscribe, { subscription: 1 }),
  controlFrame(frames.pause, { subscription: 1 }),
  controlFrame(frames.resume, { subscription: 1 }),
  controlFrame(frames.list, { request: 7, pattern: "#" }),
  controlFrame(frames.ping, { token: 1 }),
  controlFrame(frames.pong, { token: 1 }),
  controlFrame(frames.close, { code: 40_000, why: "fuzz" }),
  textFrame(["one", "two", "", "four"], { topic: 2, number: 1 }),
  textFrame(["x".repeat(3000)], { topic: 2, number: 9, extension: new Uint8Array([1, 0, 2, 0, 9, 9]) }),
];

/** Every frame a server may send, valid. */
const serverFrames: readonly Uint8Array[] = (() => {
  const messages = textFrame(["one", "two"], { topic: 1 });
  stamp(viewOf(messages), 0, 1, 1);
  return [
    welcomeFrame(),
    controlFrame(frames.declared, { request: 1, topic: 1, credit: 1000, largestFrame: 1000, known: 0, last: 0 }),
    controlFrame(frames.failed, { request: 1, kind: FrameType.declare, code: 32, why: "no" }),
    controlFrame(frames.failed, { request: 1, kind: FrameType.subscribe, code: 32, why: "no" }),
    controlFrame(frames.ack, { topics: [{ topic: 1, number: 1 }, { topic: 2, number: 4 }] }),
    controlFrame(frames.refuse, { topic: 1, number: 1, count: 2, code: 64, why: "" }),
    controlFrame(frames.deliver, { subscription: 1 }),
    controlFrame(frames.subscribed, { subscription: 1, policy: 3, topics: 1 }),
    controlFrame(frames.announce, { subscription: 1, topic: 1, ordinal: 1, sequence: 1, name: "a" }),
    controlFrame(frames.gap, { subscription: 1, topic: 1, first: 3, last: 9, code: 7 }),
    controlFrame(frames.unsubscribed, { subscription: 1 }),
    controlFrame(frames.listed, {
      request: 2,
      last: 1,
      topics: [{ topic: 1, first: 1, next: 2, bytes: 3, time: 4, name: "a" }],
    }),
    controlFrame(frames.ping, { token: 1 }),
    controlFrame(frames.pong, { token: 1 }),
    controlFrame(frames.drain, { timeout: 1000 }),
    controlFrame(frames.close, { code: 17, why: "fuzz" }),
    messages,
  ];
})();

/** Valid frames in any order, some of them changed, cut, doubled or filled up with anything. */
function mutated(random: Random, choices: readonly Uint8Array[]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let i = random.between(1, 6); i > 0; i--) {
    let part: Uint8Array = random.pick(choices).slice();
    switch (random.below(8)) {
      case 0:
        part[random.below(part.length)] = random.u32();
        break;
      case 1:
        for (let n = random.below(8); n >= 0; n--) part[random.below(part.length)]! ^= 1 << random.below(8);
        break;
      case 2:
        part = part.subarray(0, random.below(part.length));
        break;
      case 3:
        part = concat([part, random.bytes(random.below(30))]);
        break;
      case 4:
        viewOf(part).setUint32(0, random.pick([0, 1, 7, 8, 9, part.length + 1, 65_536, 2 ** 31, 2 ** 32 - 1]), true);
        break;
      case 5:
        part.fill(random.pick([0, 255, 128]), random.below(part.length));
        break;
      default:
        break;
    }
    parts.push(part);
  }
  return concat(parts);
}

/** A server with a publisher and a subscriber that nothing must touch. */
async function withWitnesses(body: (test: TestServer) => Promise<void>): Promise<void> {
  try {
    await watch(body);
  } catch (error) {
    throw firstError(error);
  }
}

async function watch(body: (test: TestServer) => Promise<void>): Promise<void> {
  await using test = new TestServer({
    limits: {
      topics: 50,
      subscriptions: 20,
      publishers: 10,
      memory: 64 * MiB,
      inputMemory: 16 * MiB,
      retain: 256 * KiB,
    },
  });
  const from = await publisher(test, 1);
  const network = new Network(test);
  const { link, events } = await network.connect();
  const { lines, done } = collect(link.subscribe("witness", { from: "earliest" }).events());
  await from.publish("witness", "before");
  await body(test);
  await from.publish("witness", "after");
  assertEquals(lines, ["witness 1 before", "witness 2 after"]);
  assertEquals(events.map(({ kind }) => kind), ["connected"]);
  assertEquals(test.server.connections, 2);
  for (const name of test.server.closes.keys()) assert(names.has(name) || name === "unknown", name);
  await network.close(link);
  await done;
}

/** A peer in the middle of things: it publishes to topic 2, and subscribes to everything. */
async function busy(test: TestServer): Promise<Peer> {
  const peer = test.connect();
  peer.push(
    preamble,
    helloFrame,
    controlFrame(frames.declare, { request: 1, first: 0, topic: "fuzz/a" }),
    controlFrame(frames.subscribe, subscribing),
  );
  await turn();
  return peer;
}

/** Ends what is left of a peer, and checks that its session ended with a reason. */
async function finish(test: TestServer, peer: Peer): Promise<void> {
  const before = [...test.server.closes.values()].reduce((sum, count) => sum + count, 0);
  const ended = peer.ended;
  await peer.end();
  assert(peer.closed, "its connection stays open");
  const after = [...test.server.closes.values()].reduce((sum, count) => sum + count, 0);
  assertEquals(after - before, ended ? 0 : 1, "each session ends once");
}

Deno.test("fuzz: 10,000 random and mutated byte strings at a server", async () => {
  await withWitnesses(async (test) => {
    for (let seed = 1; seed <= 10_000; seed++) {
      const random = new Random(seed);
      try {
        let peer: Peer;
        if (random.chance(0.7)) {
          peer = await busy(test);
          await peer.send(mutated(random, clientFrames));
        } else {
          peer = test.connect();
          const junk = random.bytes(random.below(300));
          await peer.send(random.pick([
            junk,
            concat([preamble, junk]),
            concat([preamble, helloFrame, junk]),
            mutated(random, [preamble, ...clientFrames]),
          ]));
        }
        await finish(test, peer);
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: firstError(error) });
      }
      const bug = test.events.find((event) => event.kind === "bug");
      if (bug?.kind === "bug") throw new Error(`seed ${seed}`, { cause: bug.error });
      test.events.length = 0;
    }
    assertEquals(test.server.connections, 2);
    assert(test.server.topics.size <= 50);
    assert((test.server.closes.get("protocol") ?? 0) > 1000);
  });
});

Deno.test("fuzz: every truncation of every valid frame, and every single byte changed, at a server", async () => {
  await withWitnesses(async (test) => {
    for (const frame of clientFrames) {
      if (frame.length > 1000) continue;
      for (let length = 0; length <= frame.length; length++) {
        const peer = await busy(test);
        await peer.send(frame.subarray(0, length));
        await finish(test, peer);
      }
      for (let at = 0; at < frame.length; at++) {
        for (const value of [0, 1, 0x7f, 0x80, 0xff]) {
          const peer = await busy(test);
          const changed = frame.slice();
          changed[at] = value;
          await peer.send(changed);
          await finish(test, peer);
        }
      }
    }
  });
});

/** What a client of a hostile server lives through; whatever it is, it never throws anything but what it should. */
async function client(random: Random | null, bytes: Uint8Array, cut: boolean): Promise<void> {
  const world = new World();
  const server = new PlayedServer();
  const link = new Link("memory://hostile", { dial: server.dial, platform: world, publisher: { onRefused: () => {} } });
  const opening = link.open();
  opening.catch(() => {});
  await turn();
  if (random === null || random.chance(0.8)) await server.welcome();
  else server.peer.push(preamble);
  if (link.session) {
    const reading = collect(link.subscribe("#", { from: "earliest" }).events()).done;
    reading.catch(() => {});
    const listing = link.topics();
    listing.catch(() => {});
    for (const topic of ["a", "b"]) link.publisher.publish(topic, "x").catch(() => {});
    const most = link.publisher.flush();
    most.catch(() => {});
    await turn();
  }
  await server.peer.send(bytes);
  if (cut) await server.peer.reset();
  else await server.peer.end();
  link.close();
  await world.run(4_000);
  for (const peer of server.peers) await peer.reset();
  const error = await world.wait(link.closed, 10_000);
  if (error !== null) {
    assert(["TransportError", "ProtocolError", "RefusedError"].includes(error.name), `${error.stack}`);
  }
  assertEquals(world.timers, 0);
  await turn();
  link.pool.trim(0);
  assertEquals(link.pool.budget.used, 0, "segments stay behind");
}

Deno.test("fuzz: 3,000 random and mutated byte strings at a client", async () => {
  for (let seed = 1; seed <= 3_000; seed++) {
    const random = new Random(seed);
    const bytes = random.chance(0.15) ? random.bytes(random.below(300)) : mutated(random, serverFrames);
    try {
      await client(random, bytes, random.chance(0.5));
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: firstError(error) });
    }
  }
});

Deno.test("fuzz: every truncation of every valid frame, and every single byte changed, at a client", async () => {
  const before = concat([serverFrames[8]!, serverFrames[6]!]);
  for (const frame of serverFrames) {
    for (let length = 0; length <= frame.length; length++) {
      await client(null, concat([before, frame.subarray(0, length)]), length % 2 === 0);
    }
    for (let at = 0; at < frame.length; at++) {
      const changed = frame.slice();
      changed[at]! ^= 0x80;
      await client(null, concat([before, changed]), at % 2 === 0);
    }
  }
});

Deno.test("fuzz: frames that are valid outside and broken inside harm no subscriber, and are told as gaps", async () => {
  await using test = new TestServer();
  const network = new Network(test);
  const subscribers = [await network.connect(), await network.connect()];
  const readers = subscribers.map(({ link }) => collect(link.subscribe("#", { from: "earliest" }).events()));
  await turn();
  const peer = await test.greeted();
  await peer.request(frames.declare, { request: 1, first: 0, topic: "a" });
  const random = new Random(7);
  const expected: [first: number, last: number][] = [];
  let number = 1;
  for (let i = 0; i < 500; i++) {
    const count = random.between(1, 20);
    const frame = textFrame(Array.from({ length: count }, (_, j) => `${number + j}`), { topic: 1, number });
    // The first length goes over the end, or the last message has bytes left over.
    if (i % 2) frame[48] = random.between(100, 255);
    const view = viewOf(frame);
    view.setUint32(44, test.world.crc32(frame.subarray(48)), true);
    await peer.send(frame);
    if (i % 2) expected.push([number, number + count - 1]);
    number += count;
  }
  for (const { lines } of readers) {
    assertEquals(lines.filter((line) => line.includes("corrupt")), expected.map(([a, b]) => `a ${a}-${b} corrupt`));
    assertEquals(lines.length - expected.length, number - 1 - expected.reduce((sum, [a, b]) => sum + b - a + 1, 0));
  }
  assertEquals([...test.server.closes], []);
  for (const { events } of subscribers) assertEquals(events.length, 1);
  await network.close(...subscribers.map(({ link }) => link));
  await Promise.all(readers.map(({ done }) => done));
});

Deno.test("fuzz: 100 MB of junk behind each of a dozen wrong first packets takes no memory", async () => {
  await withWitnesses(async (test) => {
    const { budget } = test.server.topics.pool;
    const before = budget.used;
    const inputs = test.server.topics.inputs.used;
    const text = (line: string) => new TextEncoder().encode(line);
    const large = new Uint8Array(8);
    viewOf(large).setUint32(0, 2 ** 32 - 1, true);
    large[4] = FrameType.messages;
    large[5] = 48;
    const firsts = [
      text("GET / HTTP/1.1\r\n\r\n"),
      text("SSH-2.0-OpenSSH_9.0\r\n"),
      new Uint8Array([0x16, 0x03, 0x01, 0x02, 0x00, 0x01]),
      new Uint8Array(16),
      new Uint8Array(16).fill(255),
      text("strea"),
      text("stream"),
      concat([text("stream"), new Uint8Array([2, 0])]),
      concat([preamble, new Uint8Array(64)]),
      concat([preamble, large]),
      concat([preamble, helloFrame, large]),
      concat([
        preamble,
        helloFrame,
        controlFrame(frames.welcome, {
          features: 0,
          epoch: idOf(0),
          time: 0,
          maxMessage: 0,
          ownMessage: 0,
          connectionCredit: 0,
          idleTimeout: 0,
          closed: 0,
          why: "",
          agent: "",
        }),
      ]),
      concat([preamble, helloFrame, clientFrames[1]!, textFrame(["x"], { topic: 99 })]),
    ];
    const junk = new Random(3).bytes(MiB);
    for (const first of firsts) {
      const peer = test.connect();
      await peer.send(first);
      let most = 0;
      for (let megabytes = 0; megabytes < 100 && !peer.closed; megabytes++) {
        await peer.send(junk);
        most = Math.max(most, budget.used);
      }
      assert(peer.ended, "it was found out");
      assert(most <= before + 2 * MiB, `${most} bytes are used`);
      await peer.end();
      assert(peer.closed);
    }
    assertEquals(test.server.topics.inputs.used, inputs);
    for (const name of test.server.closes.keys()) assert(names.has(name) && name !== codeName(0), name);
  });
});
