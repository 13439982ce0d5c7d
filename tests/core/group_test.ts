import { assert, assertEquals, assertGreater, assertLess, assertLessOrEqual } from "@std/assert";
import { Pattern } from "../../core/pattern.ts";
import { calm, largest } from "./group_network.ts";
import { GroupWorld, totals, traffic } from "./group_world.ts";

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

Deno.test("only topics that are wanted are given on", () => {
  const world = new GroupWorld({ seed: 7, wants: (topic) => topic === "t/1" });
  traffic(world, 100);
  world.run(100);
  world.assertComplete();
  assertEquals([...world.receivers[0]!.messages.keys()], ["t/1"]);
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
