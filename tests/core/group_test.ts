import { assert, assertEquals, assertGreater, assertLess, assertLessOrEqual } from "@std/assert";
import { DatagramFlag, datagramHeader, inDatagram } from "../../core/datagram.ts";
import { stamp } from "../../core/frame.ts";
import { GroupTopics } from "../../core/group_topics.ts";
import { Pattern } from "../../core/pattern.ts";
import { KiB, messagesFrame, viewOf } from "./fixtures.ts";
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

Deno.test("what is no topic name is not given on, whoever announces it", () => {
  const names: string[] = [];
  const topics = new GroupTopics(
    {
      wants: () => true,
      frame: (topic) => void names.push(topic),
      gap: () => assert(false),
    },
    1,
    () => true,
  );
  const announced = ["good", "bad\u001b[2J", "also/+", "", "fine/2"];
  topics.told(announced.map((name, index) => ({ id: index + 1, name, born: 1, start: 1, next: 1 })), 1);
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
