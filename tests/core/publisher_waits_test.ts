/** Whoever waits for acknowledgements asks for them, and so does not wait for the delay that they otherwise have. */

import { assert, assertEquals, assertLess } from "@std/assert";
import fc from "fast-check";
import { ack, declared, ping, Policy, pong, subscribe } from "../../core/control.ts";
import { Link } from "../../core/link.ts";
import { ackDelay } from "../../core/limits.ts";
import type { PublisherOptions } from "../../core/publisher.ts";
import { KiB, MiB } from "./fixtures.ts";
import { Network, PlayedServer } from "./links.ts";
import { controlFrame, subscribing, TestServer, turn, World } from "./world.ts";

/** Waits for something that takes no time: many turns, but the clock stands. */
async function atOnce<T>(what: Promise<T>, turns = 200): Promise<T> {
  let done = false;
  const settled = () => done = true;
  what.then(settled, settled);
  for (let i = 0; i < turns && !done; i++) await turn();
  assert(done, "it takes time");
  return what;
}

const grant = { request: 1, topic: 1, credit: MiB, largestFrame: 64 * KiB, known: 0, last: 0 };

/** A link to a server that the test plays, with topic `a` declared. */
async function played(options: PublisherOptions = {}, change: Partial<typeof grant> = {}) {
  const world = new World();
  const server = new PlayedServer();
  const link = new Link("memory://played", { dial: server.dial, platform: world, publisher: options });
  const opening = link.open();
  await turn();
  await server.welcome();
  await opening;
  link.publisher.send("a", new Uint8Array(1));
  await turn();
  await server.peer.request(declared, { ...grant, ...change });
  await server.peer.request(ack, { topics: [{ topic: 1, number: 1 }] });
  server.peer.frames();
  const over = async () => {
    const closing = link.close();
    await server.peer.end();
    await world.wait(closing);
  };
  return { world, server, link, publisher: link.publisher, over };
}

const oneByte = new Uint8Array(1);

Deno.test("publisher: publish() and flush() do not wait for the delay", async () => {
  await using test = new TestServer();
  const network = new Network(test);
  const { link } = await network.connect();
  const { publisher } = link;
  for (let i = 0; i < 5; i++) await atOnce(publisher.publish("a", `${i}`));
  await atOnce(Promise.all(Array.from({ length: 100 }, (_, i) => publisher.publish(`t/${i % 3}`, `${i}`))));
  for (let i = 0; i < 100; i++) {
    publisher.send("a", oneByte);
    if (i % 10 === 0) await turn();
  }
  await atOnce(publisher.flush());
  publisher.send("a", oneByte);
  await turn();
  assertEquals(publisher.pending, 1, "nobody waits: it is not acknowledged yet");
  await atOnce(publisher.flush());
  assertEquals([publisher.pending, test.world.now()], [0, 0]);
  await network.close(link);
});

Deno.test("publisher: who does not wait asks for nothing, and has few acknowledgements", async () => {
  await using test = new TestServer();
  const network = new Network(test);
  const { link } = await network.connect();
  let times = 0;
  link.publisher.send("a", oneByte);
  await turn();
  for (let i = 0; i < 10 * ackDelay; i++) {
    const before = link.publisher.pending;
    link.publisher.send("a", oneByte);
    await test.world.run(1);
    if (link.publisher.pending <= before) times++;
  }
  assertLess(times, 13);
  await test.world.run(ackDelay);
  assertEquals(link.publisher.pending, 0);
  await network.close(link);
});

Deno.test("publisher: ready() and publish() that wait for room do not wait for the delay", async () => {
  for (const acknowledge of [true, false]) {
    await using test = new TestServer({ limits: { retain: 64 * MiB } });
    const network = new Network(test);
    const { link } = await network.connect({ publisher: { acknowledge } });
    const { publisher } = link;
    while (publisher.send("a", new Uint8Array(60_000)));
    await atOnce(publisher.ready(), 5_000);
    while (publisher.send("a", new Uint8Array(700)));
    await atOnce(Promise.all([publisher.publish("a", "1"), publisher.publish("b", "2"), publisher.flush()]), 5_000);
    assertEquals(test.world.now(), 0);
    await network.close(link);
  }
});

Deno.test("publisher: ready() asks, behind what is to be written", async () => {
  const { server, publisher, over } = await played({}, { credit: 64 * MiB });
  while (publisher.send("a", new Uint8Array(60_000)));
  const ready = publisher.ready();
  ready.catch(() => {});
  await turn();
  const frames = server.peer.frames();
  assertEquals(frames.findIndex(({ frame, token }) => frame === "PING" && token === 1), frames.length - 1);
  await server.peer.request(pong, { token: 1 });
  publisher.publish("a", "in line").catch(() => {});
  await turn();
  assertEquals(server.peer.names(), [], "once is enough");
  await over();
});

Deno.test("publisher: publish() that waits for room asks", async () => {
  const { server, publisher, over } = await played({}, { credit: 64 * MiB });
  while (publisher.send("a", new Uint8Array(60_000)));
  await turn();
  assert(server.peer.named("PING").every(({ token }) => token !== 1));
  publisher.publish("a", "in line").catch(() => {});
  await turn();
  assertEquals(server.peer.names(), ["PING"]);
  await over();
});

Deno.test("publisher: the PING goes behind the message, in the same write", async () => {
  const { server, publisher, over } = await played();
  const writes: number[] = [];
  const { write } = server.peer.connection;
  server.peer.connection.write = (bytes) => {
    writes.push(bytes.length);
    return write(bytes);
  };
  const publishing = publisher.publish("a", "one");
  await turn();
  assertEquals(server.peer.frames().map(({ frame }) => frame), ["MESSAGES", "PING"]);
  assertEquals(writes, [48 + 4 + 16]);
  await server.peer.send(controlFrame(ack, { topics: [{ topic: 1, number: 2 }] }), controlFrame(pong, { token: 1 }));
  await atOnce(publishing);
  await over();
});

Deno.test("publisher: behind all of them, when many wait to be written", async () => {
  const { server, publisher, over } = await played();
  for (const topic of ["b", "c"]) publisher.send(topic, oneByte);
  await turn();
  await server.peer.request(declared, { ...grant, request: 2, topic: 2 });
  await server.peer.request(declared, { ...grant, request: 3, topic: 3 });
  await turn();
  server.peer.frames();
  server.peer.window = 0;
  publisher.send("a", oneByte);
  await turn();
  for (let i = 0; i < 3_000; i++) publisher.send(["a", "b", "c"][i % 3]!, new Uint8Array(100));
  const publishing = publisher.publish("a", "last");
  publishing.catch(() => {});
  await server.peer.accept(Infinity);
  const frames = server.peer.frames();
  assertEquals(frames.filter(({ frame }) => frame === "PING").length, 1);
  assertEquals(frames.at(-1)!.frame, "PING");
  assertEquals(frames.reduce((sum, { count }) => sum + (count as number ?? 0), 0), 3_002);
  await over();
});

Deno.test("publisher: one PING is under way at a time, and another follows for those who came later", async () => {
  const { server, publisher, over } = await played();
  const pings = () => server.peer.named("PING");
  const all = ["1", "2", "3"].map((text) => publisher.publish("a", text));
  await turn();
  const [first, ...more] = pings();
  assertEquals(more, []);
  all.push(publisher.publish("a", "4"), publisher.flush());
  await turn();
  assertEquals(pings(), []);
  await server.peer.request(pong, { token: 0 });
  assertEquals(pings(), [], "another one was answered");
  await server.peer.send(
    controlFrame(ack, { topics: [{ topic: 1, number: 4 }] }),
    controlFrame(pong, { token: first!.token as number }),
  );
  assertEquals(pings().length, 1);
  await server.peer.send(
    controlFrame(ack, { topics: [{ topic: 1, number: 5 }] }),
    controlFrame(pong, { token: first!.token as number }),
  );
  assertEquals(pings(), [], "nobody waits any more");
  await atOnce(Promise.all(all));
  await over();
});

Deno.test("publisher: an answer without the acknowledgement does not make it ask again and again", async () => {
  const { server, publisher, over } = await played();
  publisher.publish("a", "held").catch(() => {});
  await turn();
  const [asked] = server.peer.named("PING");
  for (let i = 0; i < 5; i++) await server.peer.request(pong, { token: asked!.token as number });
  assertEquals(server.peer.names(), []);
  await over();
});

Deno.test("publisher: a message that is held is acknowledged when it is appended, without another PING", async () => {
  await using test = new TestServer({ limits: { retain: 32 * KiB } });
  const network = new Network(test);
  const { link } = await network.connect();
  const slow = await test.greeted();
  await slow.request(subscribe, { ...subscribing, policy: Policy.wait });
  slow.window = 0;
  while (test.server.topics.blocked.size === 0) {
    link.publisher.send("a", new Uint8Array(1000));
    await turn();
  }
  let done = false;
  const publishing = link.publisher.publish("a", "held").then(() => done = true);
  for (let i = 0; i < 10; i++) await turn();
  assertEquals(done, false);
  await slow.accept(MiB);
  await atOnce(publishing);
  assertEquals(test.world.now(), 0);
  await network.close(link);
});

Deno.test("publisher: credit that comes back late does not make who waits for it wait for the delay, too", async () => {
  await using test = new TestServer({ limits: { retain: 32 * KiB, connectionCredit: 20 * KiB } });
  const network = new Network(test);
  const { link } = await network.connect();
  const slow = await test.greeted();
  await slow.request(subscribe, { ...subscribing, policy: Policy.wait, patterns: [{ pattern: "a" }] });
  slow.window = 0;
  await atOnce(link.publisher.publish("b", "1"));
  while (test.server.topics.blocked.size === 0) {
    link.publisher.send("a", new Uint8Array(1000));
    await turn();
  }
  link.publisher.send("a", new Uint8Array(15_000));
  await turn();
  let done = false;
  const publishing = link.publisher.publish("b", "2".padEnd(5000)).then(() => done = true);
  for (let i = 0; i < 10; i++) await turn();
  assertEquals(
    [done, test.server.topics.get("b")!.log.nextSequence],
    [false, 2],
    "all credit is taken by what is held",
  );
  await slow.accept(MiB);
  await atOnce(publishing);
  assertEquals(test.world.now(), 0);
  await network.close(link);
});

for (const wait of ["publish", "flush"] as const) {
  Deno.test(`publisher: ${wait}() that waited before a reconnect does not wait for the delay after it`, async () => {
    await using test = new TestServer();
    const network = new Network(test);
    const { link } = await network.connect();
    await atOnce(link.publisher.publish("a", "1"));
    network.down = true;
    await network.cut();
    if (wait === "flush") link.publisher.send("a", oneByte);
    const waiting = wait === "flush" ? link.publisher.flush() : link.publisher.publish("a", "2");
    await test.world.run(1_000);
    network.down = false;
    await test.world.until(() => network.open > 0);
    const reconnected = test.world.now();
    await atOnce(waiting);
    assertEquals(test.world.now(), reconnected);
    await network.close(link);
  });
}

Deno.test("publisher: no credit is so small, and no message so large beside it, that the delay holds it up", async () => {
  const sizes = fc.array(fc.oneof(fc.integer({ min: 0, max: 100 }), fc.integer({ min: 0, max: 3_000 })), {
    minLength: 1,
    maxLength: 60,
  });
  const credits = fc.constantFrom(1, 200, 3_200, 4_000, 70_000);
  await fc.assert(
    fc.asyncProperty(
      sizes,
      credits,
      credits,
      fc.boolean(),
      async (sizes, topicCredit, connectionCredit, acknowledge) => {
        await using test = new TestServer({ limits: { topicCredit, connectionCredit, maxMessage: 3_000 } });
        const network = new Network(test);
        const { link } = await network.connect({ publisher: { acknowledge } });
        for (const [i, size] of sizes.entries()) {
          link.publisher.send(i % 3 === 0 ? "b" : "a", new Uint8Array(size));
          if (i % 5 !== 0) await turn();
        }
        // Nobody waits for anything, so that nothing but the credit brings acknowledgements.
        const appended = () =>
          ["a", "b"].reduce((sum, topic) => sum + (test.server.topics.get(topic)?.log.nextSequence ?? 1) - 1, 0);
        for (let i = 0; i < 500 && appended() < sizes.length; i++) await turn();
        assertEquals([appended(), test.world.now()], [sizes.length, 0]);
        await network.close(link);
      },
    ),
    { numRuns: 100 },
  );
});

Deno.test("publisher: without acknowledgements flush() asks for none", async () => {
  const { server, publisher, over } = await played({ acknowledge: false });
  publisher.send("a", oneByte);
  await atOnce(publisher.flush());
  assertEquals(server.peer.names(), ["MESSAGES"]);
  const publishing = publisher.publish("a", "1");
  await turn();
  assertEquals(server.peer.names(), ["MESSAGES", "PING"], "publish() does");
  await server.peer.send(controlFrame(ack, { topics: [{ topic: 1, number: 3 }] }), controlFrame(ping, { token: 9 }));
  await atOnce(publishing);
  assertEquals(server.peer.named("PONG"), [{ frame: "PONG", token: 9 }]);
  await over();
});

Deno.test("publisher: with many topics, what the server has not read yet is bounded; the rest grows until it has", async () => {
  const { server, publisher, over } = await played({}, { credit: 64 * MiB });
  const topics = Array.from({ length: 100 }, (_, i) => `t/${i}`);
  for (const topic of topics) publisher.send(topic, oneByte);
  await turn();
  for (const [index, { request }] of server.peer.named("DECLARE").entries()) {
    await server.peer.request(declared, { ...grant, request: request as number, topic: 2 + index });
  }
  const message = new Uint8Array(1000);
  const sendAll = async (rounds: number) => {
    for (let round = 0; round < rounds; round++) {
      for (const topic of topics) publisher.send(topic, message);
      await turn();
    }
    const frames = server.peer.frames();
    const sent = frames.filter(({ frame }) => frame === "MESSAGES");
    return {
      pings: frames.filter(({ token }) => token === 2).length,
      counts: sent.map(({ count }) => count as number),
    };
  };
  const first = await sendAll(20);
  assertEquals(first.pings, 1);
  const written = first.counts.reduce((sum, count) => sum + 1048 * count, 0);
  assert(written > 900 * KiB && written < 1300 * KiB, `${written}`);
  assertEquals((await sendAll(5)).counts, [], "none is written");
  await server.peer.request(pong, { token: 2 });
  const { pings, counts } = await sendAll(0);
  assertEquals(pings, 1);
  assert(counts.length > 30 && counts.every((count) => count > 5 && count < 17), `${counts}`);
  await over();
});

Deno.test("publisher: with many topics there is room for more, so that the frame of each can grow; still it is bounded", async () => {
  const { publisher, over } = await played();
  const fill = (topics: number) => {
    let bytes = 0;
    for (let i = 0; i < topics; i++) publisher.send(`t/${i}`, oneByte);
    for (let i = 0; publisher.send(`t/${i % topics}`, new Uint8Array(1000)); i++) bytes += 1000;
    return bytes / MiB;
  };
  const few = fill(3);
  assert(few > 3.5 && few < 4.1, `${few}`);
  const many = few + fill(5_000);
  assert(many > 21 && many < 23.6, `${many}`);
  const most = many + fill(30_000);
  assert(most > 28 && most < 32, `${most}`);
  await over();
});
