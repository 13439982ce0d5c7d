import { assert, assertEquals, assertGreater, assertLess, assertLessOrEqual } from "@std/assert";
import fc from "fast-check";
import { Pattern } from "../../core/pattern.ts";
import { calm, GroupWorld, largest, type WorldOptions } from "./group_world.ts";

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

Deno.test("a calm network: everyone gets everything, and nobody asks for anything", () => {
  const world = new GroupWorld({ seed: 1, receivers: 3 });
  world.run(5);
  const published = traffic(world, 500);
  world.run(100);
  world.assertComplete();
  assertEquals(totals(world), Array(3).fill({ got: published, lost: 0 }));
  assertEquals(world.receivers.map(({ requests }) => requests), [0, 0, 0]);
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
  assertEquals(world.receivers[0]!.requests, 1);
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
  const world = new GroupWorld({ seed: 6, receivers: 50 });
  world.publish("a", 1);
  world.run(20);
  world.weather = { ...calm, loss: 100 };
  world.publish("a", 1);
  world.run(2);
  world.weather = calm;
  world.run(200);
  world.assertComplete();
  const requests = world.receivers.reduce((sum, receiver) => sum + receiver.requests, 0);
  assertLessOrEqual(requests, 25);
  assertLessOrEqual(world.sender.counts.repaired, 3);
});

Deno.test("only topics that are wanted are given on", () => {
  const world = new GroupWorld({ seed: 7, wants: (topic) => topic === "t/1" });
  traffic(world, 100);
  world.run(100);
  world.assertComplete();
  assertEquals([...world.receivers[0]!.messages.keys()], ["t/1"]);
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
  fc.assert(
    fc.property(worlds, (options) => {
      const world = new GroupWorld(options);
      const published = traffic(world, 200);
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
