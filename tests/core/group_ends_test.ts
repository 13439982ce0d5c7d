// How receivers of a multicast group come to know its senders, and how sessions end.

import { assert, assertEquals, assertGreater } from "@std/assert";
import { GroupReceiver } from "../../core/group_receiver.ts";
import { viewOf } from "./fixtures.ts";
import { calm, cutOff, group } from "./group_network.ts";
import { GroupWorld, totals, traffic } from "./group_world.ts";

Deno.test("one who joins late begins where it joined, and misses nothing from there on", () => {
  const world = new GroupWorld({ seed: 8, weather: { loss: 5, doubled: 1, jitter: 3 } });
  traffic(world, 200);
  const late = world.join();
  traffic(world, 300);
  world.run(1500);
  world.assertComplete();
  assert([...late.messages.values()].every(({ lost }) => lost === 0));
});

Deno.test("one who joins while others are repaired begins with what is new", () => {
  const world = new GroupWorld({ seed: 9 });
  world.publish("a", 1);
  world.run(1200);
  world.weather = cutOff;
  for (let i = 0; i < 200; i++) world.publish("a", 20);
  world.run(100);
  const repairs: Uint8Array[] = [];
  world.onSend = (bytes) => {
    // The flag of a repair.
    if (bytes[3]! & 2) repairs.push(bytes);
  };
  world.weather = calm;
  world.run(1000);
  world.assertComplete();
  const late = world.join();
  for (const bytes of repairs) late.group.received(bytes, viewOf(bytes), 0, bytes.length, world.address, 0);
  assertEquals([late.joins, late.group.dropped.get("unproven")], [0, repairs.length]);
  assertGreater(repairs.length, 50);
  world.run(1100);
  const { arrivals } = [...late.group.sessions.values()][0]!;
  assertEquals([arrivals.next, arrivals.missed], [world.sender.counts.sent + 1, 0]);
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

Deno.test("a sender that ends stays as long as somebody asks", () => {
  const world = new GroupWorld({ seed: 11, receivers: 3, rate: 100_000 });
  world.publish("a", 1);
  world.run(1200);
  world.weather = cutOff;
  let published = 1;
  for (let i = 0; i < 100; i++, published += 20) world.publish("a", 20);
  world.run(1500);
  world.weather = { ...calm, loss: 30 };
  world.sender.finish();
  const begun = world.platform.now();
  while (!world.sender.finished) world.run(1);
  assertGreater(world.platform.now() - begun, 5000);
  assertEquals(totals(world), Array(3).fill({ got: published, lost: 0 }));
  assertEquals(world.receivers.map(({ leaves }) => leaves), [1, 1, 1]);
});

Deno.test("a sender that ends tells how far all topics are, and what was lost at the end of each is reported", () => {
  const world = new GroupWorld({ seed: 12, session: { repair: false, patience: 50 } });
  for (let i = 0; i < 200; i++) world.publish(`topic/${i}`, 1);
  world.run(2000);
  world.weather = cutOff;
  for (let i = 0; i < 200; i++) world.publish(`topic/${i}`, 2);
  while (world.sender.counts.sent === 0 || world.sender.dueAt(world.platform.now()) < world.platform.now() + 4) {
    world.run(1);
  }
  world.weather = calm;
  world.sender.finish();
  while (!world.sender.finished) world.run(1);
  assertEquals([totals(world), world.receivers[0]!.leaves], [[{ got: 200, lost: 400 }], 1]);
});

Deno.test("who has messages of a topic without a name does not leave before it is told", () => {
  const world = new GroupWorld({ seed: 13 });
  for (let i = 0; i < 100; i++) world.topic(`topic/${i}`);
  world.run(1200);
  world.weather = cutOff;
  world.topic("late");
  world.publish("late", 3);
  world.sender.finish();
  // All topics were told by then, and that it ends.
  world.run(60);
  world.weather = calm;
  world.run(5000);
  assertEquals([world.receivers[0]!.messages.get("late")?.got, world.receivers[0]!.leaves], [3, 1]);
});

Deno.test("a sender that is not heard for half a minute is left", () => {
  const world = new GroupWorld({ seed: 11 });
  world.publish("a", 1);
  world.run(100);
  world.weather = { ...calm, loss: 100 };
  world.run(31_000);
  assertEquals([world.receivers[0]!.leaves, world.receivers[0]!.group.dueAt], [1, Infinity]);
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
