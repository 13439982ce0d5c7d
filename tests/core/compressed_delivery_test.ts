/** Compressed frames on each of the ways that messages go. */

import { assert, assertEquals, assertLess } from "@std/assert";
import type { CompressionOptions } from "../../core/compression.ts";
import { at, encodedFlag, FrameType } from "../../core/frame.ts";
import { KiB, Random, viewOf } from "./fixtures.ts";
import { Follower } from "./datagram_follower.ts";
import { DatagramServer } from "./datagram_subscriber.ts";
import { calm } from "./group_network.ts";
import { DatagramNet, Multicaster, subscribeGroup } from "./group_ports.ts";
import { collect, Network } from "./links.ts";
import { TestServer } from "./world.ts";

const encoder = new TextEncoder();
const text = (number: number) => `{"symbol":"ACME","price":${100 + number / 100},"number":${number}}`;
const lineOf = (number: number) => `a ${number} ${text(number)}`;
const linesOf = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, index) => lineOf(first + index));

/** Publishes numbered messages over a link that compresses. */
async function publisherOf(network: Network, compress: CompressionOptions) {
  const { link } = await network.connect({ publisher: { compress } });
  let number = 0;
  return {
    link,
    send: async (count: number) => {
      const last = number + count;
      while (number < last) link.publisher.send("a", encoder.encode(text(++number)));
      await network.world.wait(link.publisher.flush());
    },
  };
}

/** How many frames of a topic are compressed, and how many there are. */
function framesOf(test: TestServer): { compressed: number; all: number; largest: number } {
  const { log } = test.server.topics.get("a")!;
  const counts = { compressed: 0, all: 0, largest: 0 };
  for (let segment = log.first; segment !== null; segment = segment.next) {
    for (let offset = segment === log.first ? log.firstOffset : segment.start; offset < segment.end;) {
      assertEquals(segment.bytes[offset + at.type], FrameType.messages);
      if (segment.view.getUint16(offset + at.flags, true) & encodedFlag) counts.compressed++;
      counts.all++;
      counts.largest = Math.max(counts.largest, segment.lengthAt(offset));
      offset += segment.lengthAt(offset);
    }
  }
  return counts;
}

for (const codec of ["deflate", "zstd", "auto"] as const) {
  Deno.test(`${codec}: over a connection, from the start, from inside a frame, and live`, async () => {
    await using test = new TestServer();
    const network = new Network(test);
    const from = await publisherOf(network, { codec });
    await from.send(1_000);
    const { link } = await network.connect();
    const earliest = collect(link.subscribe("a", { from: "earliest" }).events());
    const inside = collect(link.subscribe("a", { from: { sequence: 777 }, verify: true }).events());
    const last = collect(link.subscribe("a", { from: { last: 3 } }).events());
    await test.world.run(10);
    await from.send(500);
    await test.world.run(10);
    assertEquals(earliest.lines, linesOf(1, 1_500));
    assertEquals(inside.lines, linesOf(777, 1_500));
    assertEquals(last.lines, linesOf(998, 1_500));
    const { compressed, all } = framesOf(test);
    assert(compressed > 0 && compressed === all);
    const { before, after } = from.link.publisher.compressed!;
    assertLess(after, before / 4);
    await network.close(link, from.link);
    for (const { done } of [earliest, inside, last]) await done;
  });

  Deno.test(`${codec}: a connection that is lost doubles nothing and loses nothing`, async () => {
    await using test = new TestServer();
    const network = new Network(test);
    network.cuts = [200, 900, 1_500, 2_500].map((written) => ({ written }));
    const from = await publisherOf(network, { codec });
    for (let round = 0; round < 40; round++) await from.send(25);
    assert(network.dialled > 3);
    const { link } = await network.connect();
    const { lines, done } = collect(link.subscribe("a", { from: "earliest" }).events());
    await test.world.run(10);
    assertEquals(lines, linesOf(1, 1_000));
    await network.close(link, from.link);
    await done;
  });
}

Deno.test("by datagrams: packed, in fragments, lost and repaired, and what was before over the link", async () => {
  await using test = new DatagramServer({}, 3);
  const network = new Network(test);
  const from = await publisherOf(network, { codec: "zstd" });
  await from.send(300);
  await using follower = await Follower.of(test, { from: "earliest" });
  await using small = await Follower.of(test, { from: "latest", largest: 512 });
  test.network.weather = { loss: 10, doubled: 5, jitter: 5 };
  for (let round = 0; round < 20; round++) {
    await from.send(round % 2 === 0 ? 40 : 600);
    await test.world.run(50);
  }
  test.network.weather = calm;
  await test.world.run(5_000);
  const { compressed, all, largest } = framesOf(test);
  assert(compressed === all && largest > 1_400, "some frames go in fragments");
  assertEquals(follower.lines, linesOf(1, 6_700));
  assertEquals(small.lines, linesOf(301, 6_700));
  await network.close(from.link);
});

Deno.test("by multicast: what was lost comes again from the group, or from the log", async () => {
  for (const repair of [true, false]) {
    await using test = new TestServer();
    const net = new DatagramNet();
    await using _caster = new Multicaster(net, test);
    const network = new Network(test);
    const from = await publisherOf(network, { codec: "deflate" });
    await from.send(100);
    const { link } = await network.connect();
    const random = new Random(5);
    const { subscription } = subscribeGroup(net, test.world, { repair, log: { link, from: "earliest" } });
    const { lines, done } = collect(subscription.events());
    await test.world.run(100);
    net.loses = (to) => to.text === net.group.text && random.chance(0.2);
    for (let round = 0; round < 20; round++) {
      await from.send(round % 2 === 0 ? 40 : 400);
      await test.world.run(50);
    }
    net.loses = () => false;
    await from.send(1);
    await test.world.run(10_000);
    assertEquals(lines, linesOf(1, 4_501));
    const { compressed, all } = framesOf(test);
    assert(compressed >= all - 1);
    await subscription.close();
    await done;
    await network.close(link, from.link);
  }
});

Deno.test("a message of megabytes is compressed in one piece", async () => {
  await using test = new TestServer({ limits: { maxMessage: 4 << 20, retain: 16 << 20 } });
  const network = new Network(test);
  const { link } = await network.connect({ publisher: { compress: { codec: "zstd" } } });
  const sizes: number[] = [];
  const subscription = link.subscribe("large");
  await test.world.wait(subscription.ready);
  const read = async () => {
    for await (const { payload } of subscription) sizes.push(payload.length);
  };
  const reading = read();
  for (const size of [64 * KiB - 60, 64 * KiB, 4 << 20]) link.publisher.send("large", new Uint8Array(size));
  await test.world.wait(link.publisher.flush());
  await test.world.run(10);
  assertEquals(sizes, [64 * KiB - 60, 64 * KiB, 4 << 20]);
  const { log } = test.server.topics.get("large")!;
  assertLess(log.bytes, 4 * KiB);
  assertEquals(viewOf(log.first!.bytes).getUint16(log.firstOffset + at.flags, true), encodedFlag);
  await network.close(link);
  await reading;
});
