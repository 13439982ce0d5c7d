import { assert, assertEquals, assertGreater, assertGreaterOrEqual, assertLess, assertLessOrEqual } from "@std/assert";
import fc from "fast-check";
import { DatagramFlag, inDatagram } from "../../core/datagram.ts";
import { Pattern } from "../../core/pattern.ts";
import { datagramHeader } from "../../core/datagram.ts";
import { stamp } from "../../core/frame.ts";
import { GroupTopics } from "../../core/group_topics.ts";
import { GroupReceiver } from "../../core/group_receiver.ts";
import { KiB, messagesFrame, MiB, Random, viewOf } from "./fixtures.ts";
import { calm, group, GroupWorld, largest, type WorldOptions } from "./group_world.ts";

const totals = (world: GroupWorld) =>
  world.receivers.map(({ messages }) => {
    const all = [...messages.values()];
    return { got: all.reduce((sum, { got }) => sum + got, 0), lost: all.reduce((sum, { lost }) => sum + lost, 0) };
  });

/** Publishes for a while, then lets everything settle. */
function traffic(world: GroupWorld, milliseconds: number, perMillisecond = 5, topics = 4): number {
  let published = 0;
  for (let i = 0; i < milliseconds; i++) {
    const count = world.random.below(2 * perMillisecond + 1);
    const name = `t/${world.random.below(topics)}`;
    if (count > 0 && world.publish(name, count)) published += count;
    world.run(1);
  }
  return published;
}

Deno.test("a calm network: everyone gets everything, and nobody asks for anything but a cookie", () => {
  const world = new GroupWorld({ seed: 1, receivers: 3 });
  world.run(5);
  const published = traffic(world, 500);
  world.run(1000);
  world.assertComplete();
  assertEquals(totals(world), Array(3).fill({ got: published, lost: 0 }));
  assertEquals(world.receivers.map(({ group }) => group.requests), [1, 1, 1]);
});

Deno.test("many small messages go in one datagram, and no datagram is larger than it may be", () => {
  const world = new GroupWorld({ seed: 2 });
  world.run(5);
  for (let i = 0; i < 200; i++) world.publish(`t/${i % 3}`, 10);
  world.run(1000);
  world.assertComplete();
  const bytes = [...world.topics.matching([new Pattern("#")])].reduce((sum, { log }) => sum + log.bytes, 0);
  assertLess(world.sender.counts.sent, 1.3 * bytes / (largest - 44));
  assert(world.sizes.every((size) => size <= largest));
});

Deno.test("without traffic there are heartbeats, fewer and fewer", () => {
  const world = new GroupWorld({ seed: 3 });
  world.publish("a", 1);
  world.run(100);
  const soon = world.sender.counts.beats;
  assertGreater(soon, 4);
  world.run(10_000);
  assertLessOrEqual(world.sender.counts.beats - soon, 14);
  assertEquals(world.sender.counts.sent, 1);
});

Deno.test("a lost tail is noticed by the heartbeats and repaired", () => {
  const world = new GroupWorld({ seed: 4 });
  world.publish("a", 5);
  world.run(50);
  world.weather = { ...calm, loss: 100 };
  world.publish("a", 7);
  world.run(3);
  world.weather = calm;
  world.run(200);
  world.assertComplete();
  assertEquals(totals(world), [{ got: 12, lost: 0 }]);
  assertEquals(world.receivers[0]!.group.requests, 2, "for a cookie, and for what was lost");
});

Deno.test("what cannot be repaired is reported, and what comes after it is not held up longer than it was waited for", () => {
  const world = new GroupWorld({ seed: 5, session: { repair: false, patience: 50 } });
  world.publish("a", 5);
  world.run(20);
  world.weather = { ...calm, loss: 100 };
  world.publish("a", 7);
  world.publish("b", 2);
  world.run(3);
  world.weather = calm;
  world.publish("a", 1);
  world.run(200);
  world.assertComplete();
  assertEquals(totals(world)[0]!.lost, 9);
});

Deno.test("fifty receivers that lose the same datagram ask a few times, and are repaired together", () => {
  const asked = [1, 2, 3, 4, 5, 6, 7, 8, 9].map((seed) => {
    const world = new GroupWorld({ seed, receivers: 50 });
    world.publish("a", 1);
    world.run(1200);
    const requests = () => world.receivers.reduce((sum, { group }) => sum + group.requests, 0);
    assertEquals(requests(), 50, "each has its cookie");
    world.weather = { ...calm, loss: 100 };
    world.publish("a", 1);
    world.run(2);
    world.weather = calm;
    world.run(200);
    world.assertComplete();
    assertLessOrEqual(world.sender.counts.repaired, 3);
    return requests() - 50;
  }).sort((a, b) => a - b);
  assertLessOrEqual(asked[4]!, 8);
  assertLessOrEqual(asked[8]!, 25);
});

Deno.test("who has no cookie gets none of what it asks for, and what it gets is smaller than what it sent", () => {
  const world = new GroupWorld({ seed: 9 });
  world.publish("a", 1);
  world.run(20);
  const { sender, receivers: [receiver] } = world;
  const forged = new GroupReceiver(world.platform, world.seal, { ...receiver!.options, group }, receiver!);
  // It has heard of the sender, and then of a datagram that it has not got.
  forged.received(world.last.slice(), viewOf(world.last), 0, world.last.length, world.address, 0);
  const request = new Uint8Array(largest);
  const length = forged.next(request, viewOf(request), 2000);
  assertGreater(length, 0);
  assertEquals(sender.received(request, viewOf(request), 0, length, { text: "victim" }, world.platform.now()), null);
  assertEquals([sender.requests.unproven, sender.requests.accepted], [1, 0]);
  const answer = new Uint8Array(largest);
  const answered = sender.next(answer, viewOf(answer), world.platform.now());
  assertEquals(sender.to, { text: "victim" });
  assertLess(answered, length);
});

Deno.test("only topics that are wanted are given on", () => {
  const world = new GroupWorld({ seed: 7, wants: (topic) => topic === "t/1" });
  traffic(world, 100);
  world.run(100);
  world.assertComplete();
  assertEquals([...world.receivers[0]!.messages.keys()], ["t/1"]);
});

Deno.test("what is no topic name is not given on, whoever announces it", () => {
  const names: string[] = [];
  const topics = new GroupTopics({
    wants: () => true,
    frame: (topic) => void names.push(topic),
    gap: () => assert(false),
  }, 1);
  const announced = ["good", "bad\u001b[2J", "also/+", "", "fine/2"];
  topics.named(announced.map((name, index) => ({ id: index + 1, name, born: 1, start: 1, next: 1 })));
  for (const index of announced.keys()) {
    const frame = messagesFrame([new Uint8Array(1)], { topic: index + 1 });
    stamp(viewOf(frame), 0, 1, 0);
    topics.frame(frame, viewOf(frame), 0, frame.length);
  }
  assertEquals(names, ["good", "fine/2"]);
});

Deno.test("publishers to a group are told to make frames that fit a datagram, and others are not", () => {
  const world = new GroupWorld({ seed: 19, receivers: 0 });
  const fits = largest - datagramHeader - world.seal.length;
  const topic = world.topic("t/1");
  assertEquals(world.topics.usefulFrame(topic), fits);
  const frame = messagesFrame([new Uint8Array(fits - 48 - 2)], { topic: topic.id });
  assertEquals(frame.length, fits);
  topic.append(frame, 0, frame.length, 1, world.platform.time());
  world.run(10);
  assertEquals([world.sender.counts.sent, Math.max(...world.sizes)], [1, largest]);
  world.sender.close();
  assertEquals(world.topics.usefulFrame(topic), 64 * KiB);
});

Deno.test("one who joins late begins where it joined, and misses nothing from there on", () => {
  const world = new GroupWorld({ seed: 8, weather: { loss: 5, doubled: 1, jitter: 3 } });
  traffic(world, 200);
  const late = world.join();
  traffic(world, 300);
  world.run(1500);
  world.assertComplete();
  assert([...late.messages.values()].every(({ lost }) => lost === 0));
});

Deno.test("one who joins while others are repaired does not begin with what they lost", () => {
  const world = new GroupWorld({ seed: 19, receivers: 2 });
  world.publish("a", 1);
  world.run(1200);
  world.weather = { ...calm, loss: 100 };
  world.publish("a", 1);
  world.run(2);
  world.weather = calm;
  const sent: Uint8Array[] = [];
  world.onSend = (bytes) => sent.push(bytes);
  for (let i = 0; i < 50; i++) world.publish(`b/${i}`, 30);
  world.run(100);
  const repair = sent.find((bytes) => bytes[inDatagram.flags]! & DatagramFlag.repair)!;
  const late = world.join();
  late.received(repair, world.platform.now());
  assertEquals([late.joins, late.group.dropped.get("unproven")], [0, 1]);
  world.run(2000);
  assertEquals([late.joins, late.group.requests, late.messages.size], [1, 1, 0]);
});

Deno.test("one who joins in the middle of a large frame begins behind it, and has lost nothing", () => {
  const world = new GroupWorld({ seed: 8, receivers: 0, rate: 1_400_000 });
  world.publish("a", 3);
  world.run(100);
  // Larger than a datagram by so much that there is a heartbeat before its end.
  const topic = world.topic("a");
  const large = messagesFrame([new Uint8Array(300_000)], { topic: topic.id });
  assertEquals(topic.append(large, 0, large.length, 1, world.platform.time()), "appended");
  // Some hear a heartbeat first, some a fragment.
  for (let i = 0; i < 100; i++) {
    world.run(2);
    world.join();
  }
  world.run(500);
  world.publish("a", 2);
  world.run(200);
  for (const { messages } of world.receivers) {
    assertEquals(messages.get("a"), { first: 5, next: 7, got: 2, lost: 0 });
  }
});

Deno.test("a sender that ends says so, and is left when everything has come", () => {
  const world = new GroupWorld({ seed: 10, receivers: 2, weather: { loss: 20, doubled: 0, jitter: 2 } });
  const published = traffic(world, 100);
  world.sender.finish();
  world.run(3000);
  assert(world.sender.finished);
  world.assertComplete();
  assertEquals(totals(world), Array(2).fill({ got: published, lost: 0 }));
  assertEquals(world.receivers.map(({ joins, leaves }) => [joins, leaves]), [[1, 1], [1, 1]]);
});

Deno.test("a sender that is not heard for half a minute is left", () => {
  const world = new GroupWorld({ seed: 11 });
  world.publish("a", 1);
  world.run(100);
  world.weather = { ...calm, loss: 100 };
  world.run(31_000);
  assertEquals([world.receivers[0]!.leaves, world.receivers[0]!.group.dueAt], [1, Infinity]);
});

Deno.test("a topic whose name was lost is asked for, and its messages are kept until then", () => {
  const world = new GroupWorld({ seed: 12 });
  world.publish("a", 1);
  world.run(1200);
  world.topic("b");
  world.weather = { ...calm, loss: 100 };
  world.run(400);
  world.weather = calm;
  world.publish("b", 3);
  // Between two heartbeats.
  world.run(1);
  world.sender.counts.beats = 0;
  world.run(60);
  world.assertComplete();
  assertEquals(world.receivers[0]!.messages.get("b"), { first: 1, next: 4, got: 3, lost: 0 });
});

Deno.test("two senders of one group are kept apart, and another group's datagrams are dropped", () => {
  const [one, two] = [new GroupWorld({ seed: 13 }), new GroupWorld({ seed: 14 })];
  const senders: string[] = [];
  const got: string[] = [];
  const receiver = new GroupReceiver(one.platform, one.seal, { ...one.receivers[0]!.options, group }, {
    joined: (sender) => {
      senders.push(sender);
      return {
        wants: () => true,
        frame: (topic) => void got.push(`${senders.indexOf(sender)} ${topic}`),
        gap: () => assert(false),
      };
    },
    left: () => {},
  });
  const take = (bytes: Uint8Array) => receiver.received(bytes, viewOf(bytes), 0, bytes.length, one.address, 0);
  for (const [index, world] of [one, two].entries()) {
    world.publish(`topic ${index}`, 1);
    world.onSend = take;
    world.run(10);
  }
  assertEquals(new Set(senders).size, 2);
  assertEquals(got, ["0 topic 0", "1 topic 1"]);
  const other = new GroupReceiver(
    one.platform,
    one.seal,
    { ...one.receivers[0]!.options, group: 8 },
    one.receivers[0]!,
  );
  other.received(one.last, viewOf(one.last), 0, one.last.length, one.address, 0);
  assertEquals([...other.dropped], [["foreign", 1]]);
});

Deno.test("frames that are sealed rightly and make no sense are counted, never thrown, never given on as messages", () => {
  const mutations = fc.array(fc.record({ at: fc.nat(1400), value: fc.nat(255) }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(mutations, fc.nat(), (mutations, seed) => {
      const world = new GroupWorld({ seed: 15 });
      const receiver = world.receivers[0]!;
      let count = 0;
      const random = new Random(seed);
      world.onSend = (bytes) => {
        if (count++ < 2) return;
        for (const { at, value } of mutations) {
          if (random.chance(0.5)) bytes[40 + at % (bytes.length - 44)] = value;
        }
        world.seal.close(bytes, viewOf(bytes), 0, bytes.length - 4);
        const lenient = { wants: () => true, frame: () => {}, gap: () => {} };
        const target = new GroupReceiver(world.platform, world.seal, { ...receiver.options, group }, {
          joined: () => lenient,
          left: () => {},
        });
        target.received(bytes, viewOf(bytes), 0, bytes.length, world.address, 0);
        target.expire(10_000);
        const from = { text: "somebody" };
        world.sender.received(bytes, viewOf(bytes), 0, bytes.length, from, world.platform.now());
      };
      for (let i = 0; i < 5; i++) {
        world.publish("a", 3);
        world.run(3);
      }
    }),
    { numRuns: 200 },
  );
});

/** Publishes more than the rate, for a while. */
function flood(world: GroupWorld, milliseconds: number): number {
  let held = 0;
  for (let i = 0; i < milliseconds; i++) {
    for (let k = 0; k < 4; k++) if (!world.publish("a", 10)) held++;
    world.run(1);
  }
  return held;
}

const small = { retain: 256 * KiB, memory: 64 * MiB };

Deno.test("publishers are held, so that what was sent of late can be sent again: nothing is lost", () => {
  const rough = { loss: 5, doubled: 0, jitter: 1 };
  const world = new GroupWorld({ seed: 16, limits: small, rate: 1_000_000, weather: rough, receivers: 2 });
  world.run(10);
  assertGreater(flood(world, 800), 100);
  world.run(5000);
  world.assertComplete();
  assert(totals(world).every(({ lost }) => lost === 0));
  assertEquals(world.sender.counts.expired, 0);
});

Deno.test("where retention is faster than the rate, what was not sent and what is gone is reported soon", () => {
  const rough = { loss: 5, doubled: 0, jitter: 1 };
  const lagged: number[] = [];
  const world = new GroupWorld({
    seed: 17,
    limits: small,
    rate: 500_000,
    weather: rough,
    wait: false,
    onLagged: (_topic, first, last) => lagged.push(last - first + 1),
  });
  world.run(10);
  assertEquals(flood(world, 800), 0);
  world.run(5000);
  world.assertComplete();
  const [{ got, lost }] = totals(world) as [{ got: number; lost: number }];
  assertGreater(got, 1000);
  assertGreaterOrEqual(lost, lagged.reduce((sum, count) => sum + count, 0));
});

const weather = fc.record({
  loss: fc.constantFrom(0, 1, 5, 10, 20, 30),
  doubled: fc.constantFrom(0, 5),
  jitter: fc.constantFrom(0, 2, 20),
});

Deno.test("over any network every receiver ends with every message once and in order, or with a reported gap", () => {
  const worlds: fc.Arbitrary<WorldOptions> = fc.record({
    seed: fc.integer(),
    receivers: fc.integer({ min: 1, max: 6 }),
    weather,
    rate: fc.constantFrom(500_000, 12_500_000),
  });
  const partition = fc.constantFrom(0, 20, 500);
  const keyed = fc.boolean();
  fc.assert(
    fc.property(worlds, partition, keyed, (options, partition, keyed) => {
      const world = new GroupWorld({ ...options, ...(keyed && { key: new Random(options.seed).bytes(32) }) });
      let published = traffic(world, 100);
      // Nobody hears anybody for a while.
      world.weather = { ...calm, loss: 100 };
      published += traffic(world, partition);
      world.weather = options.weather!;
      published += traffic(world, 100);
      world.run(3000);
      world.weather = calm;
      world.run(6000);
      world.assertComplete();
      for (const { got, lost } of totals(world)) {
        assertLessOrEqual(got + lost, published);
        assertEquals(lost, 0, "time enough was there for repair");
      }
    }),
    { numRuns: 60 },
  );
});
