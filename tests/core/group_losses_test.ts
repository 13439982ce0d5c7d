// What losses cost a multicast group: requests, repairs, and time of those who lose nothing.

import { assert, assertEquals, assertGreater, assertGreaterOrEqual, assertLess, assertLessOrEqual } from "@std/assert";
import { KiB, MiB } from "./fixtures.ts";
import { calm, cutOff, largest } from "./group_network.ts";
import { flood, GroupWorld, totals } from "./group_world.ts";
import { WorldReceiver } from "./group_world_receiver.ts";

const roomy = { retain: 64 * MiB, memory: 512 * MiB };

const small = { retain: 256 * KiB, memory: 64 * MiB };

/** A world in which every receiver has its cookie. */
function settled(options: ConstructorParameters<typeof GroupWorld>[0]): GroupWorld {
  const world = new GroupWorld(options);
  world.publish("a", 1);
  world.run(1200);
  return world;
}

const requestsOf = (world: GroupWorld) => world.receivers.reduce((sum, { group }) => sum + group.requests, 0);

/** Lets time pass until all receivers have everything of `a`. Returns how long that took. */
function catchUp(world: GroupWorld): number {
  const { log } = world.topic("a");
  const begun = world.platform.now();
  while (world.receivers.some(({ messages }) => messages.get("a")!.next < log.nextSequence)) {
    assertLess(world.platform.now() - begun, 60_000);
    world.run(10);
  }
  return world.platform.now() - begun;
}

Deno.test("a gap of 10,000 datagrams costs about 40 requests", () => {
  const world = settled({ seed: 1, limits: roomy });
  const before = requestsOf(world);
  world.weather = cutOff;
  while (world.sender.counts.sent < 10_000) {
    world.publish("a", 30);
    world.run(1);
  }
  world.run(100);
  world.weather = calm;
  catchUp(world);
  assertEquals(totals(world)[0]!.lost, 0);
  assertGreaterOrEqual(world.sender.counts.repaired, 9_999);
  assertLessOrEqual(requestsOf(world) - before, 50);
  assertLessOrEqual(world.sender.counts.repaired, 10_200, "nearly all of them go once");
});

Deno.test("a gap costs few requests, too, while as much comes as can be sent", () => {
  const world = settled({ seed: 2, limits: roomy });
  const before = requestsOf(world);
  world.weather = cutOff;
  flood(world, 3000);
  world.weather = calm;
  flood(world, 3000);
  catchUp(world);
  assertEquals(totals(world)[0]!.lost, 0);
  assertGreater(world.sender.counts.repaired, 4000);
  assertLessOrEqual(requestsOf(world) - before, world.sender.counts.repaired / 50);
});

Deno.test("100 single losses cost at most a request each", () => {
  const world = settled({ seed: 3, limits: roomy });
  const before = requestsOf(world);
  const missed = () => [...world.receivers[0]!.group.sessions.values()][0]!.arrivals.missed;
  for (let i = 0; missed() < 100; i++) {
    world.weather = i % 10 === 5 ? cutOff : calm;
    world.publish("a", 5);
    world.run(10);
  }
  world.weather = calm;
  catchUp(world);
  assertEquals([totals(world)[0]!.lost, world.sender.counts.repaired], [0, missed()]);
  assertLessOrEqual(requestsOf(world) - before, missed());
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

Deno.test("fifty receivers that miss the name of a topic ask a few times", () => {
  const asked = [1, 2, 3, 4, 5].map((seed) => {
    const world = settled({ seed, receivers: 50 });
    const before = requestsOf(world);
    world.topic("b");
    world.weather = cutOff;
    world.run(400);
    world.weather = calm;
    // It comes between two heartbeats, and the next one that tells the name comes soon after.
    world.publish("b", 1);
    world.run(200);
    world.assertComplete();
    return requestsOf(world) - before;
  }).sort((a, b) => a - b);
  assertLessOrEqual(asked[2]!, 12);
});

/** How often a receiver asks in ten seconds that has got these datagrams and gets no answer. */
function unanswered(world: GroupWorld, datagrams: readonly Uint8Array[]): number {
  const receiver = new WorldReceiver(world, 77, world.receivers[0]!.options, () => true);
  const begun = world.platform.now();
  for (const bytes of datagrams) receiver.received(bytes.slice(), begun);
  for (let now = begun; now < begun + 10_000; now++) receiver.poll(now);
  return receiver.group.requests;
}

Deno.test("who needs a cookie asks for it five times a second, and seldom who does not", () => {
  const world = new GroupWorld({ seed: 7, session: { patience: 20_000 } });
  const datagrams: Uint8Array[] = [];
  world.onSend = (bytes) => datagrams.push(bytes);
  for (let i = 0; i < 3; i++) {
    world.publish("a", 1);
    world.run(1);
  }
  const [first, , third] = datagrams.filter((bytes) => bytes[3]! & 1);
  const beat = datagrams.find((bytes) => !(bytes[3]! & 1))!;
  assertLessOrEqual(unanswered(world, [beat, first!]), 15);
  const asked = unanswered(world, [beat, first!, third!]);
  assert(asked >= 45 && asked <= 60, `${asked}`);
});

Deno.test("a receiver that loses nine of ten does not stop the others", () => {
  const got = [0, 90].map((loss) => {
    const world = settled({ seed: 1, receivers: 4, rate: 1_000_000, limits: { ...roomy, retain: 8 * MiB } });
    world.receivers[3]!.weather = { ...calm, loss };
    flood(world, 3000);
    const others = totals(world).slice(0, 3);
    assert(others.every(({ lost }) => lost === 0));
    return Math.min(...others.map(({ got }) => got));
  }) as [number, number];
  assertGreater(got[1], got[0] / 16);
});

Deno.test("a receiver that is paused for a second gets everything, and the others do not wait for it", () => {
  const world = settled({ seed: 3, receivers: 3, limits: roomy });
  const before = requestsOf(world);
  world.receivers[2]!.pause(1000);
  for (let i = 0; i < 1000; i++) {
    world.publish("a", 25);
    world.run(1);
  }
  assertEquals(totals(world).map(({ got }) => got > 24_900), [true, true, false]);
  assertLess(catchUp(world), 2000);
  assertEquals(totals(world), Array(3).fill({ got: 25_001, lost: 0 }));
  assertLessOrEqual(requestsOf(world) - before, 15);
});

Deno.test("a receiver that has missed much does not hold up what others need", () => {
  const world = settled({ seed: 20, receivers: 2, rate: 200_000, limits: roomy });
  const [one, other] = world.receivers as [WorldReceiver, WorldReceiver];
  other.weather = cutOff;
  for (let i = 0; i < 400; i++) {
    world.publish("a", 10);
    world.run(10);
  }
  other.weather = null;
  // It asks for the most that may be on the way, which takes seconds.
  world.run(500);
  one.weather = cutOff;
  world.publish("a", 1);
  world.run(10);
  one.weather = null;
  world.run(500);
  assertEquals(one.messages.get("a")!.next, world.topic("a").log.nextSequence);
  assertLess(other.messages.get("a")!.next, world.topic("a").log.nextSequence);
  catchUp(world);
});

/** The most bytes of some datagrams that went within a second. */
function mostOfSecond(sent: readonly { at: number; length: number }[]): number {
  let most = 0;
  let sum = 0;
  let oldest = 0;
  for (const { at, length } of sent) {
    sum += length;
    while (sent[oldest]!.at <= at - 1000) sum -= sent[oldest++]!.length;
    most = Math.max(most, sum);
  }
  return most;
}

Deno.test("repairs take at most a fifth of the rate over any second, whatever the rate", () => {
  for (const rate of [100_000, 1_000_000, 12_500_000]) {
    const world = settled({ seed: 5, receivers: 3, rate, weather: { ...calm, loss: 30 }, limits: roomy });
    const sent: { at: number; length: number }[] = [];
    world.onSend = (bytes) => {
      // The flag of a repair.
      if (bytes[3]! & 2) sent.push({ at: world.platform.now(), length: bytes.length });
    };
    flood(world, 1500);
    world.weather = cutOff;
    world.run(2000);
    world.weather = { ...calm, loss: 30 };
    world.run(5000);
    assertGreater(mostOfSecond(sent), rate / 10);
    assertLessOrEqual(mostOfSecond(sent), rate / 5);
  }
});

Deno.test("heartbeats are within the rate, and leave most of it to messages", () => {
  const rate = 200_000;
  const world = settled({ seed: 6, rate, limits: roomy });
  const sent: { at: number; length: number; numbered: boolean }[] = [];
  world.onSend = (bytes) => {
    sent.push({ at: world.platform.now(), length: bytes.length, numbered: (bytes[3]! & 1) !== 0 });
  };
  for (let i = 0; i < 3000; i++) {
    world.publish(`topic ${i}`, 1);
    world.publish("a", 10);
    world.run(1);
  }
  assertLessOrEqual(mostOfSecond(sent), rate + 32 * largest);
  assertLessOrEqual(mostOfSecond(sent.filter(({ numbered }) => !numbered)), rate / 4);
});

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

Deno.test("where publishers are held, nothing is lost even if a third is lost on the way all the time", () => {
  const rough = { ...calm, loss: 30 };
  const world = settled({ seed: 18, rate: 1_000_000, limits: { ...small, retain: 8 * MiB }, weather: rough });
  assertEquals(world.receivers[0]!.joins, 1);
  for (let i = 0; i < 8000; i++) {
    for (let k = 0; k < 2; k++) world.publish("a", 50);
    world.run(1);
  }
  world.run(10_000);
  assertEquals([totals(world)[0]!.lost, world.sender.counts.expired], [0, 0]);
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

Deno.test("where the rate is low, new messages make room for few repairs, too: nothing is lost", () => {
  const rough = { ...calm, loss: 20 };
  const world = settled({
    seed: 19,
    receivers: 4,
    rate: 30_000,
    limits: { ...small, retain: 8 * MiB },
    weather: rough,
  });
  for (let i = 0; i < 60_000; i += 100) {
    for (let k = 0; k < 4; k++) world.publish("a", 20);
    world.run(100);
  }
  assertEquals(totals(world).map(({ lost }) => lost), [0, 0, 0, 0]);
  assertGreater(world.sender.counts.repaired, 50);
});
