import { assert, assertEquals, assertLess, assertRejects } from "@std/assert";
import { RefusedError } from "../../core/errors.ts";
import { Follower } from "./datagram_follower.ts";
import { seenDatagram } from "./datagram_network.ts";
import { calm } from "./group_network.ts";
import { DatagramServer } from "./datagram_subscriber.ts";
import { addressOf, publisher, serverAddress } from "./world.ts";
import { KiB } from "./fixtures.ts";

/** Lines for messages of a topic whose texts are their numbers. */
const numbers = (topic: string, first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, i) => `${topic} ${first + i} ${first + i}`);
const texts = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => `${first + i}`);

Deno.test("messages come by datagrams, in order; what was before comes over the link if that was asked for", async () => {
  await using test = new DatagramServer();
  const from = await publisher(test);
  await from.publish("a", ...texts(1, 5));
  await using latest = await Follower.of(test);
  await using earliest = await Follower.of(test, { from: "earliest" });
  await using last = await Follower.of(test, { from: { last: 2 } });
  await from.publish("a", ...texts(6, 9));
  await from.publish("b", "1");
  await test.world.run(1_000);
  assertEquals(latest.lines, [...numbers("a", 6, 9), "b 1 1"]);
  assertEquals(earliest.lines, [...numbers("a", 1, 9), "b 1 1"]);
  assertEquals(last.lines, [...numbers("a", 4, 9), "b 1 1"]);
  for (const { datagrams } of [latest, earliest, last]) assert(datagrams > 3);
  for (const follower of [latest, earliest, last]) await follower.close();
  assertEquals(test.server.topics.get("a")!.readers, 0);
});

Deno.test("what is published while the start is asked for over a slow link is not skipped", async () => {
  for (const from of ["earliest", { last: 1 }, { sequence: 5 }, { ago: 10_000 }] as const) {
    await using test = new DatagramServer();
    const { world } = test;
    const publishing = await publisher(test);
    await publishing.publish("old", ...texts(1, 5));
    await world.run(20_000);
    await publishing.publish("a", ...texts(1, 5));
    await publishing.publish("b", ...texts(1, 5));
    const delay = {
      milliseconds: 100,
      after: (milliseconds: number, run: () => void) => void world.after(milliseconds, run),
    };
    await using follower = await Follower.of(test, { from, patterns: ["a", "b"] }, { delay });
    await publishing.publish("a", ...texts(6, 8));
    await publishing.publish("b", ...texts(6, 8));
    await world.run(2_000);
    const first = from === "earliest" || "ago" in from ? 1 : 5;
    for (const topic of ["a", "b"]) {
      const lines = follower.lines.filter((line) => line.startsWith(topic));
      assertEquals(lines, numbers(topic, first, 8), JSON.stringify(from));
    }
  }
});

Deno.test("a subscription that is refused rejects, and leaves nothing behind", async () => {
  await using test = new DatagramServer();
  test.network.taken.add(serverAddress.text);
  await assertRejects(() => Follower.of(test), RefusedError, "the port is in use");
});

for (const seconds of [1, 29, 31, 59, 61, 300]) {
  Deno.test(`datagrams that are blocked for ${seconds} s: everything comes after that, and nothing is reported as lost`, async () => {
    await using test = new DatagramServer();
    const from = await publisher(test);
    await using follower = await Follower.of(test);
    await from.publish("a", ...texts(1, 3));
    await test.world.run(100);
    test.network.blocked = true;
    await from.publish("a", ...texts(4, 6));
    await test.world.run(1_000 * seconds);
    await from.publish("a", "7");
    await from.publish("b", "1");
    test.network.blocked = false;
    await test.world.run(15_000);
    assertEquals(follower.lines.filter((line) => line.startsWith("a")), numbers("a", 1, 7));
    assertEquals(follower.lines.filter((line) => line.startsWith("b")), ["b 1 1"]);
    assertEquals(follower.lines.length, 8);
  });
}

Deno.test("datagrams that never came through: once they do, everything since the subscription", async () => {
  await using test = new DatagramServer();
  const from = await publisher(test);
  await from.publish("a", "1");
  test.network.blocked = true;
  await using follower = await Follower.of(test);
  await from.publish("a", "2");
  await test.world.run(200_000);
  await from.publish("a", "3");
  assertEquals(follower.lines, []);
  test.network.blocked = false;
  await test.world.run(2_000);
  assertEquals(follower.lines, numbers("a", 2, 3));
});

Deno.test("who waits for datagrams that are blocked asks for them now and then, not all the time", async () => {
  await using test = new DatagramServer();
  await using follower = await Follower.of(test);
  await test.world.run(1_000);
  test.network.blocked = true;
  test.network.sent.length = 0;
  await test.world.run(300_000);
  const asked = test.network.sent.filter(({ from }) => from === follower.port.address.text).length;
  assert(asked >= 25 && asked <= 400, `${asked}`);
});

Deno.test("a cookie that gets through where nothing else does is not asked with all the time", async () => {
  await using test = new DatagramServer();
  const { carry } = test.network;
  // Heartbeats, and whatever else is larger than a cookie.
  test.network.carry = (from, to, bytes) => {
    if (from.text === serverAddress.text && bytes.length > 90) return;
    carry.call(test.network, from, to, bytes);
  };
  const publishing = await publisher(test);
  await publishing.publish("a", "1");
  await using follower = await Follower.of(test);
  await test.world.run(20_000);
  assertLess(follower.subscription.receiver.requests, 40);
});

Deno.test("a NAT that forgets the way: within the keepalive datagrams come again by the new one", async () => {
  for (const meanwhile of [3, 0]) {
    await using test = new DatagramServer();
    const from = await publisher(test);
    await using follower = await Follower.of(test);
    await from.publish("a", ...texts(1, 3));
    await test.world.run(1_000);
    follower.port.seenAs = addressOf("198.51.100.8", 40_001);
    await from.publish("a", ...texts(4, 3 + meanwhile));
    await test.world.run(10_000);
    const { datagrams } = follower;
    await test.world.run(3_000);
    assert(follower.datagrams >= datagrams + 3, "heartbeats come");
    assertEquals(follower.lines, numbers("a", 1, 3 + meanwhile));
  }
});

Deno.test("a link that is cut and made again: everything once, and nothing is reported as lost", async () => {
  await using test = new DatagramServer();
  const from = await publisher(test);
  await using follower = await Follower.of(test);
  await from.publish("a", ...texts(1, 3));
  await test.world.run(100);
  follower.network.down = true;
  await follower.network.cut();
  await from.publish("a", ...texts(4, 6));
  await test.world.run(70_000);
  await from.publish("a", ...texts(7, 8));
  follower.network.down = false;
  await test.world.run(10_000);
  await from.publish("a", ...texts(9, 10));
  await test.world.run(1_000);
  assertEquals(follower.lines, numbers("a", 1, 10));
});

Deno.test("what is missing when the link is cut is brought when it is made again, however late", async () => {
  await using test = new DatagramServer();
  const from = await publisher(test);
  await using follower = await Follower.of(test);
  await from.publish("a", "1");
  await test.world.run(100);
  const { carry } = test.network;
  // It hears of the messages, and does not get them.
  test.network.carry = (from, to, bytes) => {
    if (!seenDatagram(test.world, bytes).numbered) carry.call(test.network, from, to, bytes);
  };
  await from.publish("a", ...texts(2, 4));
  await test.world.run(100);
  follower.network.down = true;
  await follower.network.cut();
  await test.world.run(100_000);
  assertEquals(follower.lines, ["a 1 1"]);
  test.network.carry = carry;
  follower.network.down = false;
  await test.world.run(10_000);
  assertEquals(follower.lines, numbers("a", 1, 4));
});

Deno.test("a topic that was born while the link was cut comes from its first message on; an older one does not", async () => {
  await using test = new DatagramServer();
  const from = await publisher(test);
  await from.publish("old", ...texts(1, 5));
  await from.publish("other", "1");
  await using follower = await Follower.of(test);
  await test.world.run(100);
  follower.network.down = true;
  await follower.network.cut();
  await from.publish("new", ...texts(1, 3));
  await from.publish("old", "6");
  follower.network.down = false;
  await test.world.run(10_000);
  await from.publish("new", "4");
  await test.world.run(1_000);
  const of = (topic: string) => follower.lines.filter((line) => line.startsWith(topic));
  assertEquals([of("old"), of("new"), of("other")], [numbers("old", 6, 6), numbers("new", 1, 4), []]);
});

Deno.test("a topic that was born while the link was cut, and of which too little is kept: what is missing is reported", async () => {
  await using test = new DatagramServer({ limits: { retain: 4 * KiB } });
  const from = await publisher(test);
  await using follower = await Follower.of(test);
  await test.world.run(100);
  follower.network.down = true;
  await follower.network.cut();
  await from.publish("new", ...Array(40).fill("x".repeat(500)));
  follower.network.down = false;
  await test.world.run(10_000);
  const { firstSequence } = test.server.topics.get("new")!.log;
  assert(firstSequence > 10);
  assertEquals(follower.lines[0], `new 1-${firstSequence - 1} expired`);
  assertEquals(follower.lines.length, 1 + 40 - firstSequence + 1);
});

Deno.test("a link that was cut before a datagram came through: what was missed meanwhile is not passed over in silence", async () => {
  await using test = new DatagramServer();
  const from = await publisher(test);
  await from.publish("a", "1");
  test.network.blocked = true;
  await using follower = await Follower.of(test);
  await from.publish("a", "2");
  await test.world.run(5_000);
  await follower.network.cut();
  await test.world.run(5_000);
  test.network.blocked = false;
  await from.publish("a", "3");
  await test.world.run(15_000);
  assertEquals(follower.lines, ["# 0-0 sender-lost", "a 3 3"]);
});

Deno.test("a server that is started anew: that is told, then everything that it has", async () => {
  await using test = new DatagramServer();
  const from = await publisher(test);
  await using second = new DatagramServer({}, 2, test.network);
  await using follower = await Follower.of(test);
  await from.publish("a", ...texts(1, 3));
  await test.world.run(100);
  follower.network.down = true;
  test.server.close();
  await test.world.run(1_000);
  follower.network.target = second;
  const again = await publisher(second);
  await again.publish("a", ...texts(1, 2));
  await again.publish("b", "1");
  follower.network.down = false;
  await test.world.run(10_000);
  await again.publish("a", "3");
  await test.world.run(1_000);
  assertEquals(follower.lines.slice(0, 4), [...numbers("a", 1, 3), "restarted"]);
  const rest = follower.lines.slice(4);
  assertEquals(rest.filter((line) => line.startsWith("a")), numbers("a", 1, 3));
  assertEquals(rest.filter((line) => line.startsWith("b")), ["b 1 1"]);
  assertEquals(rest.length, 4);
});

Deno.test("a server that is started anew while its datagrams are blocked: that is told as soon as the link is there", async () => {
  await using test = new DatagramServer();
  await using second = new DatagramServer({}, 2, test.network);
  await using follower = await Follower.of(test);
  await test.world.run(100);
  test.network.blocked = true;
  test.server.close();
  await test.world.run(1_000);
  follower.network.target = second;
  await test.world.run(10_000);
  assertEquals(follower.lines, ["restarted"]);
});

Deno.test("an unread subscription pauses the server, which goes on when it is read: nothing is lost", async () => {
  await using test = new DatagramServer({ datagramRate: () => 100_000_000 });
  const from = await publisher(test);
  await using follower = await Follower.of(test, { read: false });
  const text = "x".repeat(60 * KiB);
  const topic = () => test.server.topics.get("a")!;
  let count = 0;
  // Retention must not overtake it, as this is not what is tested.
  for (; count < 500; count++) {
    await from.publish("a", text);
    if (count % 20 === 0) await test.world.run(50);
  }
  await test.world.run(5_000);
  assert(topic().log.firstSequence > 1);
  let read = 0;
  let lost = 0;
  const reading = (async () => {
    for await (const event of follower.subscription.events()) {
      if (event.kind === "batch") read += event.count;
      else if (event.kind === "gap") lost += event.lost;
    }
  })();
  await test.world.run(20_000);
  assertEquals([read + lost, lost > 0], [count, true]);
  await follower.close();
  await reading;
});

Deno.test("loss, doubles and delays: everything once and in order", async () => {
  await using test = new DatagramServer();
  const from = await publisher(test);
  await using follower = await Follower.of(test);
  test.network.weather = { loss: 30, doubled: 10, jitter: 20 };
  for (let i = 1; i <= 300; i++) {
    await from.publish("a", `${i}`);
    if (i % 3 === 0) await test.world.run(1);
  }
  await test.world.run(5_000);
  test.network.weather = calm;
  await test.world.run(5_000);
  assertEquals(follower.lines, numbers("a", 1, 300));
});
