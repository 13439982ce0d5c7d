import { assert, assertEquals, assertRejects } from "@std/assert";
import { TransportError } from "../../core/errors.ts";
import { unreadMemory } from "../../core/group_inbox.ts";
import type { StartPoint } from "../../core/subscription.ts";
import { KiB, MiB, Random } from "./fixtures.ts";
import { DatagramNet, Multicaster, subscribeGroup } from "./group_ports.ts";
import { collect, Network } from "./links.ts";
import { TestServer, turn } from "./world.ts";

/** A server that multicasts, and a subscription to its group with a link to the server. */
async function linked(
  from: StartPoint,
  options: ConstructorParameters<typeof TestServer>[0] = {},
  // What the group loses is lost at once, unless that is asked for: so it is the log that brings it.
  repair = false,
) {
  const test = new TestServer(options);
  const { world } = test;
  const net = new DatagramNet();
  const caster = new Multicaster(net, test);
  const network = new Network(test);
  const { link } = await network.connect();
  const foreign: string[] = [];
  const subscribe = () =>
    subscribeGroup(net, world, {
      repair,
      log: { link, from },
      onForeign: ({ text }) => foreign.push(text),
    }).subscription;
  return {
    test,
    world,
    net,
    caster,
    network,
    link,
    foreign,
    subscribe,
    async [Symbol.asyncDispose]() {
      await caster[Symbol.asyncDispose]();
      await network.close(link);
      await test[Symbol.asyncDispose]();
    },
  };
}

const run = (topic: string, first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, i) => `${topic} ${first + i} ${topic} ${first + i}`);

Deno.test("group subscription: what was before it, and what the group loses, comes from the log", async () => {
  await using it = await linked("earliest");
  const { world, caster, net } = it;
  for (let i = 0; i < 30; i++) caster.publish("a");
  await world.run(100);
  const subscription = it.subscribe();
  const { lines, done } = collect(subscription.events());
  caster.publish("a");
  await world.run(1_000);
  assertEquals(lines, run("a", 1, 31));
  net.loses = () => true;
  for (let i = 0; i < 10; i++) caster.publish("a");
  caster.publish("b", 3);
  await world.run(50);
  net.loses = () => false;
  // Nothing follows: a heartbeat shows what was lost.
  await world.run(3_000);
  assertEquals(lines.filter((line) => line.startsWith("a")), run("a", 1, 41));
  assertEquals(lines.filter((line) => line.startsWith("b")), run("b", 1, 3));
  caster.publish("a");
  await world.run(100);
  assertEquals(lines.at(-1), "a 42 a 42");
  assertEquals(it.foreign, []);
  await subscription.close();
  await done;
});

Deno.test("group subscription: who reads slowly slows the log, and loses nothing of it", async () => {
  await using it = await linked("earliest", { limits: { retain: 256 * MiB } });
  const { world, caster, test } = it;
  const count = 2 * unreadMemory / MiB;
  for (let i = 0; i < count; i++) caster.publish("a", 16, 64 * KiB - 10);
  await world.run(5_000);
  const subscription = it.subscribe();
  await world.run(5_000);
  assert(subscription.unread > 8 * MiB && subscription.unread < unreadMemory / 2, `${subscription.unread}`);
  assertEquals(test.server.topics.get("a")!.log.firstSequence, 1, "it is the reader that is slow, not the log");
  let next = 1;
  for await (const event of subscription.events()) {
    assert(event.kind === "batch", "nothing is lost");
    assertEquals(event.sequence, next);
    next += event.count;
    if (next > 16 * count) break;
    assert(subscription.unread < unreadMemory / 2, `${subscription.unread}`);
  }
  await subscription.close();
});

Deno.test("group subscription: a server that is restarted: what it has from its beginning on", async () => {
  await using it = await linked("latest");
  const { world, caster, net, network } = it;
  const subscription = it.subscribe();
  const { lines, done } = collect(subscription.events());
  caster.publish("a", 3);
  await world.run(100);
  await caster.finish();
  const next = new TestServer({}, world);
  network.target = next;
  await network.cut();
  net.loses = () => true;
  const again = new Multicaster(net, next);
  for (let i = 0; i < 5; i++) again.publish("a");
  await world.run(10);
  net.loses = () => false;
  await world.run(10_000);
  again.publish("a");
  await world.run(1_000);
  assertEquals(lines, [...run("a", 1, 3), ...run("a", 1, 6)]);
  assertEquals(it.foreign, []);
  await subscription.close();
  await done;
  await again[Symbol.asyncDispose]();
  next.server.close();
});

Deno.test("group subscription: a sender that is another server than the link's is told of, and received", async () => {
  await using it = await linked("latest");
  const { world, caster, net } = it;
  const other = new TestServer({}, world);
  const stranger = new Multicaster(net, other);
  const subscription = it.subscribe();
  const { lines, done } = collect(subscription.events());
  await world.run(2_000);
  caster.publish("a", 2);
  await world.run(100);
  stranger.publish("a", 3);
  await world.run(100);
  net.loses = () => true;
  stranger.publish("a");
  await world.run(3);
  net.loses = () => false;
  stranger.publish("a");
  await world.run(3_000);
  assertEquals(lines, [...run("a", 1, 2), ...run("a", 1, 3), "a 4-4 unrepaired", "a 5 a 5"]);
  assertEquals(it.foreign.length, 1);
  await subscription.close();
  await done;
  await stranger[Symbol.asyncDispose]();
  other.server.close();
});

Deno.test("group subscription: a link that cannot tell what was before ends it with that error", async () => {
  await using it = await linked("earliest");
  const subscription = it.subscribe();
  const reading = assertRejects(() => subscription.events().next(), TransportError, "list topics");
  await it.network.cut();
  await reading;
  await subscription.close();
});

Deno.test("group subscription: close() while the log is being read, asked for, or out of reach", async () => {
  await using it = await linked("earliest");
  const { world, caster, network, test } = it;
  for (let i = 0; i < 100; i++) caster.publish(`t/${i}`, 3);
  await world.run(1_000);
  const readers = () => test.server.topics.get("t/0")!.readers;
  const before = readers();
  await it.subscribe().close();
  for (const turns of [1, 2, 3]) {
    const subscription = it.subscribe();
    for (let i = 0; i < turns; i++) await turn();
    await subscription.close();
  }
  await world.run(1_000);
  assertEquals(readers(), before);
  const subscription = it.subscribe();
  await world.run(1_000);
  network.down = true;
  await network.cut();
  it.net.loses = () => true;
  caster.publish("t/0");
  await world.run(3);
  it.net.loses = () => false;
  caster.publish("t/0");
  await world.run(1_000);
  await subscription.close();
  network.down = false;
  await world.run(10_000);
  assertEquals(readers(), before);
});

Deno.test("group subscription: whatever the network loses, and however often the link is cut, all of it comes in order", async () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = new Random(seed);
    await using it = await linked(random.pick(["latest", "earliest"]), {}, random.chance(0.5));
    const { world, caster, net, network } = it;
    const subscription = it.subscribe();
    const got = new Map<string, number>();
    const told: string[] = [];
    const reading = (async () => {
      for await (const event of subscription.events()) {
        if (event.kind !== "batch") throw new Error(`seed ${seed}: ${JSON.stringify(event)}`);
        assertEquals(event.sequence, (got.get(event.topic) ?? 0) + 1, `seed ${seed}`);
        got.set(event.topic, event.sequence + event.count - 1);
        told.push(event.topic);
      }
    })();
    await world.run(2_000);
    const topics = ["a", "b", "c"];
    for (let i = 0; i < 200; i++) {
      const loss = random.pick([0, 0, 0.1, 0.5, 1]);
      net.loses = () => random.chance(loss);
      for (let j = random.below(4); j > 0; j--) {
        caster.publish(random.pick(topics), random.between(1, 3), random.below(3000));
      }
      await world.run(random.pick([0, 1, 5, 60]));
      if (random.chance(0.03)) await network.cut();
      network.down = random.chance(0.05);
    }
    network.down = false;
    net.loses = () => false;
    await world.run(20_000);
    for (const topic of topics) {
      const { nextSequence } = it.test.server.topics.get(topic)!.log;
      assertEquals(got.get(topic), nextSequence - 1, `seed ${seed}: ${topic}`);
      caster.publish(topic);
      await world.run(10);
      assertEquals(told.at(-1), topic, `seed ${seed}: ${topic} is not behind`);
    }
    await subscription.close();
    await reading;
  }
});
