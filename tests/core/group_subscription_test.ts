import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { TransportError, UsageError } from "../../core/errors.ts";
import { GapError, type SubscriptionEvent } from "../../core/events.ts";
import { unreadMemory } from "../../core/group_inbox.ts";
import { KiB, MiB, uncaughtError } from "./fixtures.ts";
import { DatagramNet, Multicaster, subscribeGroup } from "./group_ports.ts";
import { collect } from "./links.ts";
import { TestServer, turn } from "./world.ts";

/** An event as a line: `topic first-last`, with the reason of a gap. */
function line(event: SubscriptionEvent): string {
  if (event.kind === "restarted") return event.kind;
  const { topic } = event;
  if (event.kind === "gap") return `${topic} ${event.first}-${event.last} ${event.reason}`;
  const text = new TextDecoder().decode(event.payload(0)).trimEnd();
  assertEquals(text, `${topic} ${event.sequence}`, "a message under another's number");
  return `${topic} ${event.sequence}-${event.sequence + event.count - 1}`;
}

Deno.test("group subscription: events, batches, messages and onEvent give the same", async () => {
  await using test = new TestServer();
  const net = new DatagramNet();
  const { world } = test;
  await using caster = new Multicaster(net, test);
  const told: string[] = [];
  const { subscription: telling } = subscribeGroup(net, world, { onEvent: (event) => told.push(line(event)) });
  const [byEvents, byBatches, byMessages] = [0, 0, 0].map(() => subscribeGroup(net, world).subscription);
  const seen: string[][] = [[], [], []];
  const reading = [
    (async () => {
      for await (const event of byEvents!.events()) seen[0]!.push(line(event));
    })(),
    (async () => {
      for await (const batch of byBatches!.batches()) seen[1]!.push(line(batch));
    })(),
    (async () => {
      for await (const { topic, sequence, payload } of byMessages!) {
        assertEquals(new TextDecoder().decode(payload), `${topic} ${sequence}`);
        seen[2]!.push(`${topic} ${sequence}`);
      }
    })(),
  ];
  await world.run(100);
  for (const [topic, count] of [["a", 2], ["b", 1], ["a", 3]] as const) {
    caster.publish(topic, count);
    await world.run(100);
  }
  assertEquals(told, ["a 1-2", "b 1-1", "a 3-5"]);
  assertEquals(seen, [told, told, ["a 1", "a 2", "b 1", "a 3", "a 4", "a 5"]]);
  for (const iterate of [() => telling.events(), () => telling.batches(), () => telling[Symbol.asyncIterator]()]) {
    assertThrows(iterate, UsageError, "onEvent");
  }
  for (const subscription of [telling, byEvents!, byBatches!, byMessages!]) await subscription.close();
  await Promise.all(reading);
  assertEquals(seen[2]!.length, 6);
});

Deno.test("group subscription: what is lost is repaired, or reported where nothing is asked for", async () => {
  await using test = new TestServer();
  const net = new DatagramNet();
  const { world } = test;
  await using caster = new Multicaster(net, test);
  const repaired = subscribeGroup(net, world).subscription;
  const alone = subscribeGroup(net, world, { repair: false }).subscription;
  const one = collect(repaired.events());
  const other = collect(alone.events());
  caster.publish("a");
  await world.run(2_000);
  net.loses = () => true;
  caster.publish("a", 3);
  await world.run(3);
  net.loses = () => false;
  caster.publish("a");
  await world.run(1_000);
  assertEquals(one.lines, [1, 2, 3, 4, 5].map((n) => `a ${n} a ${n}`));
  assertEquals(other.lines, ["a 1 a 1", "a 2-4 unrepaired", "a 5 a 5"]);
  assertEquals(alone.receiver.requests, 0);
  // Who iterates over messages alone is told by an error, and can go on.
  const { subscription: third } = subscribeGroup(net, world, { repair: false });
  const got: number[] = [];
  const read = async () => {
    for await (const { sequence } of third) got.push(sequence);
  };
  const reading = assertRejects(read, GapError, "lost: 7 to 7");
  await world.run(2_000);
  caster.publish("a");
  await world.run(100);
  net.loses = () => true;
  caster.publish("a");
  await world.run(3);
  net.loses = () => false;
  caster.publish("a");
  await world.run(1_000);
  await reading;
  const again = read();
  await turn();
  assertEquals(got, [6, 8]);
  for (const subscription of [repaired, alone, third]) await subscription.close();
  await Promise.all([again, one.done, other.done]);
});

Deno.test("group subscription: only what is wanted", async () => {
  await using test = new TestServer();
  const net = new DatagramNet();
  await using caster = new Multicaster(net, test);
  const { subscription } = subscribeGroup(net, test.world, { patterns: ["a/+", "b"] });
  const { lines, done } = collect(subscription.events());
  for (const topic of ["a/1", "a", "b", "b/1", "a/2"]) caster.publish(topic);
  await test.world.run(1_000);
  assertEquals(lines, ["a/1", "b", "a/2"].map((topic) => `${topic} 1 ${topic} 1`));
  await subscription.close();
  await done;
});

Deno.test("group subscription: a reader that is slow: bounded memory, what is dropped is told as soon as there is room", async () => {
  await using test = new TestServer({ limits: { retain: 4 * MiB } });
  const net = new DatagramNet();
  const { world } = test;
  await using caster = new Multicaster(net, test);
  const { subscription } = subscribeGroup(net, world);
  const events = subscription.events();
  caster.publish("a");
  await world.run(100);
  const count = Math.ceil(1.3 * unreadMemory / MiB);
  for (let i = 0; i < count; i++) {
    caster.publish("a", 16, 64 * KiB - 10);
    await world.run(5);
    assert(subscription.unread <= unreadMemory, `${subscription.unread}`);
  }
  caster.publish("b", 16, 64 * KiB - 10);
  await world.run(1_000);
  assert(subscription.unread > unreadMemory / 2, `${subscription.unread}`);
  const read = async () => line((await events.next()).value!);
  let lagged = 0;
  for (let next = 1; next <= 16 * count + 1;) {
    const text = await read();
    const [, first, last] = /^a (\d+)-(\d+)/.exec(text)!;
    assertEquals(Number(first), next);
    next = Number(last) + 1;
    if (text.endsWith(" lagged")) lagged++;
  }
  assertEquals([lagged, await read()], [1, "b 1-16 lagged"]);
  assertEquals(subscription.unread, 0);
  caster.publish("a");
  caster.publish("b");
  await world.run(100);
  assertEquals([await read(), await read()], [`a ${16 * count + 2}-${16 * count + 2}`, "b 17-17"]);
  await subscription.close();
});

Deno.test("group subscription: a sender that ends is left without a word, one that dies is a gap after half a minute", async () => {
  await using test = new TestServer();
  const net = new DatagramNet();
  const { world } = test;
  const heard: boolean[] = [];
  const { subscription } = subscribeGroup(net, world, {
    onSender: (from, joined) => {
      assert(from.text.startsWith("host:"));
      heard.push(joined);
    },
  });
  const { lines, done } = collect(subscription.events());
  const first = new Multicaster(net, test);
  first.publish("a", 2);
  await world.run(100);
  await first.finish();
  await world.run(100);
  assertEquals([heard, lines], [[true, false], ["a 1 a 1", "a 2 a 2"]]);
  const next = new TestServer({}, world);
  const second = new Multicaster(net, next);
  second.publish("a");
  await world.run(100);
  await second[Symbol.asyncDispose]();
  await world.run(29_000);
  assertEquals([heard.length, lines.length], [3, 3]);
  await world.run(2_000);
  assertEquals(heard, [true, false, true, false]);
  assertEquals(lines.slice(2), ["a 1 a 1", "# 0-0 sender-lost"]);
  await using third = new Multicaster(net, test);
  third.publish("a");
  await world.run(100);
  assertEquals(lines.slice(4), ["a 3 a 3"]);
  await subscription.close();
  await done;
  assertEquals(heard, [true, false, true, false, true, false]);
  next.server.close();
});

Deno.test("group subscription: two senders with topics of the same names", async () => {
  await using one = new TestServer();
  const { world } = one;
  const other = new TestServer({}, world);
  const net = new DatagramNet();
  await using first = new Multicaster(net, one);
  await using second = new Multicaster(net, other);
  const { subscription } = subscribeGroup(net, world);
  await world.run(2_000);
  for (let i = 0; i < 10; i++) {
    for (let j = 0; j < 50; j++) first.publish("a");
    second.publish("a", 3);
    await world.run(2);
  }
  await world.run(100);
  const { lines, done } = collect(subscription.events());
  await turn();
  // Each has its own numbers: in order, but mixed.
  const next = [1, 1];
  for (const text of lines) {
    const number = Number(/^a \d+ a (\d+)$/.exec(text)![1]);
    assert(next.includes(number), `${number} after ${next}`);
    next[next.indexOf(number)]!++;
  }
  assertEquals(next.toSorted((a, b) => a - b), [31, 501]);
  await subscription.close();
  await done;
  other.server.close();
});

for (const which of ["shared", "own"] as const) {
  Deno.test(`group subscription: an error of its ${which} port ends the iteration with that error, after what had come`, async () => {
    await using test = new TestServer();
    const net = new DatagramNet();
    const { world } = test;
    await using caster = new Multicaster(net, test);
    const group = subscribeGroup(net, world);
    const { subscription } = group;
    caster.publish("a");
    await world.run(100);
    group[which].fail(new TransportError("receive on it", "udp://it", "the network is down"));
    await turn();
    assert(group.shared.closed && group.own.closed, "it receives nothing more");
    const events = subscription.events();
    assertEquals(line((await events.next()).value!), "a 1-1");
    await assertRejects(() => events.next(), TransportError, "the network is down");
    const waiting = subscribeGroup(net, world);
    const reading = assertRejects(() => waiting.subscription.events().next(), TransportError, "the network is down");
    await turn();
    waiting[which].fail(new TransportError("receive on it", "udp://it", "the network is down"));
    await reading;
    await subscription.close();
    await waiting.subscription.close();
  });
}

Deno.test("group subscription: close() before a sender is heard, while a reader waits, in the middle, and again", async () => {
  await using test = new TestServer();
  const net = new DatagramNet();
  const { world } = test;
  await using caster = new Multicaster(net, test);
  const unheard = subscribeGroup(net, world).subscription;
  await unheard.close();
  assertEquals((await unheard.events().next()).done, true);

  const waited = subscribeGroup(net, world).subscription;
  const waiting = waited.events().next();
  await world.run(2_000);
  await waited.close();
  assertEquals((await waiting).done, true);

  await using middle = subscribeGroup(net, world).subscription;
  await world.run(2_000);
  caster.publish("a", 3);
  caster.publish("a", 3);
  await world.run(100);
  const got: number[] = [];
  for await (const { sequence } of middle) {
    got.push(sequence);
    if (sequence === 2) await middle.close();
  }
  assertEquals(got, [1, 2]);
  assertEquals(middle.unread, 0);
  await middle.close();

  const told: string[] = [];
  const telling = subscribeGroup(net, world, {
    onEvent: (event) => {
      told.push(line(event));
      telling.close();
    },
  }).subscription;
  await world.run(2_000);
  caster.publish("a");
  caster.publish("a");
  await world.run(100);
  assertEquals(told, ["a 7-7"]);
});

Deno.test("group subscription: an error in onEvent is nobody's to catch, and ends the subscription", async () => {
  await using test = new TestServer();
  const net = new DatagramNet();
  const { world } = test;
  await using caster = new Multicaster(net, test);
  const told: string[] = [];
  const failing = new Error("in the user's function");
  const { subscription, shared, own } = subscribeGroup(net, world, {
    onEvent: (event) => {
      told.push(line(event));
      throw failing;
    },
  });
  {
    using uncaught = uncaughtError();
    caster.publish("a");
    caster.publish("b");
    await world.run(100);
    assertEquals(await uncaught.error, failing);
  }
  caster.publish("a");
  await world.run(100);
  assertEquals(told, ["a 1-1"]);
  assert(shared.closed && own.closed);
  await subscription.close();
});
