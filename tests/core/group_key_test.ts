import { assert, assertEquals, assertGreater } from "@std/assert";
import { GroupReceiver } from "../../core/group_receiver.ts";
import { encryptedSeal } from "../../core/encrypted_seal.ts";
import { Random, viewOf } from "./fixtures.ts";
import { calm, group, largest } from "./group_network.ts";
import { GroupWorld } from "./group_world.ts";
import { WorldReceiver } from "./group_world_receiver.ts";

const key = new Random(99).bytes(32);

/** Everything that a sender has sent, as somebody else records it. */
function recorded(world: GroupWorld): Uint8Array[] {
  const datagrams: Uint8Array[] = [];
  world.onSend = (bytes) => datagrams.push(bytes);
  return datagrams;
}

/** Another receiver, which nothing reaches but what a test gives it. */
const another = (world: GroupWorld) => new WorldReceiver(world, 77, world.receivers[0]!.options, () => true);

const got = ({ messages }: WorldReceiver) => [...messages.values()].reduce((sum, { got }) => sum + got, 0);

Deno.test("an encrypted group: everything arrives over a bad network, and no payload can be read", () => {
  const world = new GroupWorld({ seed: 1, key, receivers: 3, weather: { loss: 10, doubled: 10, jitter: 5 } });
  const datagrams = recorded(world);
  const text = new TextEncoder();
  for (let i = 0; i < 100; i++) {
    world.publish("secret/topic", 5);
    world.run(2);
  }
  world.run(3000);
  world.assertComplete();
  assert(world.receivers.every(({ messages }) => [...messages.values()].every(({ lost }) => lost === 0)));
  const name = text.encode("secret/topic").join();
  assert(datagrams.every((bytes) => !bytes.join().includes(name)), "not even the topic's name");
  assertGreater(world.sender.counts.repaired, 10);
  assertGreater(world.receivers[0]!.group.dropped.get("repeated")!, 5);
});

Deno.test("a wrong key delivers nothing, and is counted", () => {
  const world = new GroupWorld({ seed: 2, key });
  const datagrams = recorded(world);
  for (let i = 0; i < 10; i++) {
    world.publish("a", 5);
    world.run(5);
  }
  const { options } = world.receivers[0]!;
  const seal = encryptedSeal(world.platform, new Random(3).bytes(32), "receiver");
  const receiver = new GroupReceiver(world.platform, seal, { ...options, group }, {
    joined: () => {
      throw new Error("nobody is to be heard");
    },
    left: () => {},
  });
  for (const bytes of datagrams) receiver.received(bytes, viewOf(bytes), 0, bytes.length, world.address, 0);
  assertEquals([...receiver.dropped], [["damaged", datagrams.length]]);
});

Deno.test("datagrams of this session that come again are not taken again", () => {
  const world = new GroupWorld({ seed: 4, key });
  const datagrams = recorded(world);
  for (let i = 0; i < 10; i++) {
    world.publish("a", 5);
    world.run(5);
  }
  const receiver = world.receivers[0]!;
  const before = got(receiver);
  assertEquals(before, 50);
  for (const bytes of datagrams) receiver.received(bytes.slice(), world.platform.now());
  assertEquals([got(receiver), receiver.group.dropped.get("repeated")], [before, datagrams.length]);
});

Deno.test("a session that was recorded long ago is not taken for a live one; it is asked, and does not answer", () => {
  const world = new GroupWorld({ seed: 5, key });
  const datagrams = recorded(world);
  for (let i = 0; i < 10; i++) {
    world.publish("a", 5);
    world.run(5);
  }
  const old = datagrams.slice();
  world.run(40_000);
  const receiver = another(world);
  world.weather = { ...calm, loss: 100 };
  for (const bytes of old) {
    receiver.received(bytes.slice(), world.platform.now());
    receiver.poll(world.platform.now());
  }
  assertEquals([receiver.joins, got(receiver)], [0, 0]);
  assertGreater(receiver.group.requests, 0);
  assertEquals(receiver.group.dropped.get("unproven"), old.length);
  receiver.poll(world.platform.now() + 31_000);
  assertEquals(receiver.group.dueAt, Infinity, "it is forgotten");
});

Deno.test("a sender whose clock is wrong is taken when it answers", () => {
  const world = new GroupWorld({ seed: 6, key, skew: 3_600_000_000 });
  for (let i = 0; i < 10; i++) {
    world.publish("a", 5);
    world.run(10);
  }
  const receiver = world.receivers[0]!;
  assertEquals(receiver.joins, 1);
  assertGreater(receiver.group.dropped.get("unproven")!, 0);
  world.run(2000);
  world.assertComplete();
});

Deno.test("a request that comes again costs the sender nothing", () => {
  const world = new GroupWorld({ seed: 7, key });
  world.publish("a", 5);
  world.run(1200);
  const requests: Uint8Array[] = [];
  world.onRequest = (bytes) => requests.push(bytes);
  world.weather = { ...calm, loss: 100 };
  world.publish("a", 5);
  world.run(2);
  world.weather = calm;
  world.run(100);
  assertEquals(requests.length, 1);
  const { repaired } = world.sender.counts;
  assertGreater(repaired, 0);
  const again = requests[0]!;
  const from = world.receivers[0]!.address;
  const now = world.platform.now();
  assertEquals(world.sender.received(again, viewOf(again), 0, again.length, from, now), "repeated");
  world.run(100);
  assertEquals(world.sender.counts.repaired, repaired);
  assert(again.length < largest);
});
