import { assert, assertEquals, assertGreater, assertGreaterOrEqual, assertLessOrEqual } from "@std/assert";
import { KiB, MiB } from "./fixtures.ts";
import { calm } from "./group_network.ts";
import { flood, GroupWorld, totals } from "./group_world.ts";

// What losses cost a multicast group: requests, repairs, and time of those who lose nothing.

const small = { retain: 256 * KiB, memory: 64 * MiB };

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
