import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Code } from "../../core/codes.ts";
import { announce, deliver, failed, gap, subscribed, unsubscribed } from "../../core/control.ts";
import { RefusedError, TransportError, UsageError } from "../../core/errors.ts";
import { GapError } from "../../core/events.ts";
import { FrameType, stamp } from "../../core/frame.ts";
import type { SubscriptionOptions } from "../../core/subscription.ts";
import { collect, Network, PlayedServer } from "./links.ts";
import { controlFrame, idOf, publisher, TestServer, textFrame, turn, World } from "./world.ts";
import { KiB, MiB, viewOf } from "./fixtures.ts";

/** A link to a server that the test plays. */
async function played() {
  const world = new World();
  const server = new PlayedServer();
  const link = await server.open(world);
  const subscribe = (options: SubscriptionOptions = {}) => link.subscribe("#", options);
  return { world, server, link, subscribe };
}

async function over({ link, server, world }: Awaited<ReturnType<typeof played>>): Promise<void> {
  const closing = link.close();
  await server.peer.end();
  await world.wait(closing);
  assertEquals(world.timers, 0);
}

const announced = (topic: number, name: string, sequence = 1, ordinal = topic) =>
  controlFrame(announce, { subscription: 1, topic, ordinal, sequence, name });
const confirmed = controlFrame(subscribed, { subscription: 1, policy: 1, topics: 1 });
const delivering = controlFrame(deliver, { subscription: 1 });

function message(sequence: number, text: string, topic = 1): Uint8Array {
  const frame = textFrame([text], { topic });
  stamp(viewOf(frame), 0, sequence, 1);
  return frame;
}

Deno.test("subscription: ready tells what was granted", async () => {
  await using test = new TestServer({ lagPolicy: "wait" });
  const network = new Network(test);
  const { link } = await network.connect();
  assertEquals(await test.world.wait(link.subscribe("a/#").ready), { lagPolicy: "wait", topics: 0 });
  await test.world.wait(link.publisher.publish("a/b", "x"));
  const asked = link.subscribe(["a/#", "b"], { lagPolicy: "disconnect" });
  assertEquals(await test.world.wait(asked.ready), { lagPolicy: "disconnect", topics: 1 });
  await network.close(link);
});

Deno.test("subscription: patterns that are not well formed are wrong usage; what the server refuses is told twice", async () => {
  await using test = new TestServer({ limits: { subscriptions: 1 } });
  const network = new Network(test);
  const { link } = await network.connect();
  assertThrows(() => link.subscribe("a/#/b"), UsageError);
  assertThrows(() => link.subscribe([]), UsageError);
  link.subscribe("a");
  const refused = link.subscribe("b");
  await test.world.wait(assertRejects(() => refused.ready, RefusedError, "cannot subscribe to b"));
  await assertRejects(() => refused.events().next(), RefusedError, "subscriptions");
  await refused.close();
  await network.close(link);
});

Deno.test("subscription: what is ended before it was confirmed is not waited for", async () => {
  const it = await played();
  const left = it.subscribe();
  const closing = left.close();
  await it.server.peer.request(unsubscribed, { subscription: 1 });
  await closing;
  await assertRejects(() => left.ready, Error, "closed");
  const subscription = it.subscribe();
  await over(it);
  await assertRejects(() => subscription.ready, TransportError, "closed");
  assertEquals((await subscription.events().next()).done, true);
  const late = it.link.subscribe("#");
  await assertRejects(() => late.ready, TransportError, "closed");
});

Deno.test("subscription: close() while its SUBSCRIBE fails", async () => {
  const it = await played();
  const subscription = it.subscribe();
  const closing = subscription.close();
  await it.server.peer.send(
    controlFrame(failed, { request: 1, kind: FrameType.subscribe, code: Code.subscriptions, why: "" }),
    controlFrame(unsubscribed, { subscription: 1 }),
  );
  await closing;
  await over(it);
});

Deno.test("subscription: close() wakes a reader that waits, and forgets what was not read", async () => {
  await using test = new TestServer();
  const network = new Network(test);
  const { link } = await network.connect();
  const subscription = link.subscribe("#", { from: "earliest" });
  const { lines, done } = collect(subscription.events());
  await test.world.wait(link.publisher.publish("a", "1"));
  await turn();
  await test.world.wait(subscription.close());
  await done;
  assertEquals(lines, ["a 1 1"]);
  await subscription.close();
  await test.world.wait(link.publisher.publish("a", "2"));
  const again = link.subscribe("#", { from: "earliest" });
  await test.world.wait(link.publisher.publish("a", "3"));
  assert(again.unread > 0);
  await test.world.wait(again.close());
  assertEquals(again.unread, 0);
  await network.close(link);
});

Deno.test("subscription: close() while the link is down, and after it was lost on the way", async () => {
  await using test = new TestServer();
  const network = new Network(test);
  const { link } = await network.connect();
  const one = link.subscribe("#");
  const two = link.subscribe("#");
  await test.world.wait(Promise.all([one.ready, two.ready]));
  const closing = one.close();
  network.down = true;
  await network.cut();
  await closing;
  await two.close();
  network.down = false;
  await test.world.run(10_000);
  assertEquals(test.server.connections, 1);
  await network.close(link);
});

Deno.test("subscription: it resumes after a loss where it was, with what was published meanwhile", async () => {
  await using test = new TestServer();
  const network = new Network(test);
  const { link } = await network.connect();
  const from = await publisher(test);
  await from.publish("a", "0");
  const subscription = link.subscribe("#");
  await test.world.wait(subscription.ready);
  const { lines, done } = collect(subscription.events());
  await from.publish("a", "1");
  for (let i = 2; i < 6; i++) {
    await network.cut();
    await from.publish("a", `${i}`);
    await from.publish(`new/${i}`, "first", "second");
    await test.world.run(1_000);
  }
  assertEquals(lines.filter((line) => line.startsWith("a")), [1, 2, 3, 4, 5].map((i) => `a ${i + 1} ${i}`));
  assertEquals(lines.filter((line) => line.startsWith("new")).length, 8);
  await network.close(link);
  await done;
});

Deno.test("subscription: lost before it was confirmed, it starts where it was asked to, or goes on where it was", async () => {
  const it = await played();
  const { lines, done } = collect(it.subscribe({ from: "earliest" }).events());
  await it.server.peer.send(announced(1, "a"), delivering, message(1, "1"), message(2, "2"));
  await it.server.peer.reset();
  await it.world.run(100);
  await it.server.welcome();
  const [, again] = it.server.peer.frames();
  assertEquals([again!.frame, again!.start], ["SUBSCRIBE", 1]);
  await it.server.peer.send(announced(1, "a"), announced(2, "b"), confirmed, delivering);
  await it.server.peer.send(message(1, "1"), message(2, "2"), message(3, "3"), message(1, "b", 2));
  await it.server.peer.reset();
  await it.world.run(200);
  await it.server.welcome();
  assertEquals(
    it.server.peer.frames().slice(1).map(({ frame, start, value, points }) => [frame, start ?? points, value]),
    [
      ["POINTS", [{ topic: 1, sequence: 4 }, { topic: 2, sequence: 2 }], undefined],
      ["SUBSCRIBE", 6, 2],
    ],
  );
  await over(it);
  await done;
  assertEquals(lines, ["a 1 1", "a 2 2", "a 3 3", "b 1 b"]);
});

Deno.test("subscription: lost before it was confirmed, what `latest` passes over in a topic that had begun is a gap", async () => {
  const it = await played();
  const { lines, done } = collect(it.subscribe().events());
  await it.server.peer.send(announced(1, "a", 5), delivering, message(5, "5"));
  await it.server.peer.reset();
  await it.world.run(100);
  await it.server.welcome();
  await it.server.peer.send(announced(1, "a", 9), confirmed);
  await over(it);
  await done;
  assertEquals(lines, ["a 5 5", "a 6-8 lagged"]);
});

Deno.test("subscription: a restarted server is told as `restarted`, and read from its earliest, whatever the start was", async () => {
  const it = await played();
  const { lines, done } = collect(it.subscribe({ from: { sequence: 3 } }).events());
  await it.server.peer.send(announced(1, "a", 3), confirmed, delivering, message(2, "2"), message(3, "3"));
  await it.server.peer.reset();
  await it.world.run(100);
  await it.server.welcome({ epoch: idOf(100) });
  const [, request] = it.server.peer.frames();
  assertEquals([request!.frame, request!.start, request!.value], ["SUBSCRIBE", 1, 0]);
  // It is lost again before all is announced: it starts at the earliest again, and misses nothing.
  await it.server.peer.send(announced(1, "b", 1), delivering, message(1, "new"));
  await it.server.peer.reset();
  await it.world.run(200);
  await it.server.welcome({ epoch: idOf(100) });
  const [, again] = it.server.peer.frames();
  assertEquals([again!.frame, again!.start], ["SUBSCRIBE", 1]);
  await it.server.peer.send(announced(1, "b", 1), announced(2, "c", 7), confirmed, delivering);
  await it.server.peer.send(message(1, "new"), message(2, "newer"), message(7, "c", 2));
  await over(it);
  await done;
  assertEquals(lines, ["a 3 3", "restarted", "b 1 new", "b 2 newer", "c 7 c"]);
});

Deno.test("subscription: a restart before anything was announced or confirmed is none", async () => {
  const it = await played();
  const { lines, done } = collect(it.subscribe().events());
  await turn();
  await it.server.peer.reset();
  await it.world.run(100);
  await it.server.welcome({ epoch: idOf(100) });
  const [, request] = it.server.peer.frames();
  assertEquals([request!.frame, request!.start], ["SUBSCRIBE", 0]);
  await over(it);
  await done;
  assertEquals(lines, []);
});

Deno.test("subscription: topics of an old epoch are not taken for those of a new one, confirmed or not", async () => {
  const it = await played();
  const { lines, done } = collect(it.subscribe({ from: "earliest" }).events());
  await it.server.peer.send(announced(1, "a"), delivering, message(1, "1"), message(2, "2"));
  await it.server.peer.reset();
  await it.world.run(100);
  await it.server.welcome({ epoch: idOf(100) });
  await it.server.peer.send(announced(1, "b"), confirmed, delivering, message(1, "1"), message(2, "2"));
  await over(it);
  await done;
  assertEquals(lines, ["a 1 1", "a 2 2", "restarted", "b 1 1", "b 2 2"]);
});

Deno.test("subscription: frames that the server may not send end the session with protocol, and the link", async () => {
  const cases: [string, Uint8Array[]][] = [
    ["before any DELIVER", [announced(1, "a"), message(1, "1")]],
    ["of a topic that was not announced", [announced(1, "a"), delivering, message(1, "1", 2)]],
  ];
  for (const [what, frames] of cases) {
    const it = await played();
    const subscription = it.subscribe();
    await it.server.peer.send(...frames);
    assertEquals(it.server.peer.reason(), "protocol", what);
    await it.server.peer.end();
    assertEquals((await it.link.closed)?.message.includes(what), true);
    await assertRejects(() => subscription.events().next(), Error, what);
  }
});

Deno.test("subscription: a corrupt frame in the middle is a gap, and the session lives", async () => {
  await using test = new TestServer();
  const network = new Network(test);
  const { link } = await network.connect();
  const subscription = link.subscribe("#", { from: "earliest" });
  await test.world.wait(subscription.ready);
  const { lines, done } = collect(subscription.events());
  const from = await publisher(test);
  await from.publish("a", "1");
  // Valid outside, its checksum too, and broken inside.
  const broken = textFrame(["xx", "yy"], { topic: 1, number: 2 });
  broken[48] = 5;
  viewOf(broken).setUint32(44, test.world.crc32(broken.subarray(48)), true);
  await from.peer.send(broken);
  await from.peer.send(textFrame(["4"], { topic: 1, number: 4 }));
  assertEquals(lines, ["a 1 1", "a 2-3 corrupt", "a 4 4"]);
  assertEquals([...test.server.closes], []);
  await network.close(link);
  await done;
});

Deno.test("subscription: iterating over messages throws GapError for a gap, and can go on", async () => {
  const it = await played();
  const subscription = it.subscribe({ from: "earliest" });
  await it.server.peer.send(announced(1, "a"), confirmed, delivering, message(1, "1"));
  await it.server.peer.send(controlFrame(gap, { subscription: 1, topic: 1, first: 2, last: 4, code: Code.lagged }));
  await it.server.peer.send(message(5, "5"));
  const got: number[] = [];
  const read = async () => {
    for await (const { sequence } of subscription) got.push(sequence);
  };
  await assertRejects(read, GapError, "2 to 4: lagged");
  const reading = read();
  await turn();
  assertEquals(got, [1, 5]);
  await over(it);
  await reading;
});

Deno.test("subscription: a reader that does not read bounds what is received: the server is asked to pause, then to go on", async () => {
  await using test = new TestServer({ limits: { retain: 64 * MiB } });
  const network = new Network(test);
  const { link } = await network.connect();
  const subscription = link.subscribe("#", { from: "earliest" });
  await test.world.wait(subscription.ready);
  const from = await publisher(test);
  for (let i = 0; i < 600; i++) await from.publish("a", `${i}`.padEnd(60 * KiB));
  assert(subscription.unread > 4 * MiB && subscription.unread < 5 * MiB, `${subscription.unread}`);
  let most = 0;
  let next = 0;
  for await (const batch of subscription.batches()) {
    most = Math.max(most, subscription.unread);
    for (let i = 0; i < batch.count; i++) assertEquals(parseInt(new TextDecoder().decode(batch.payload(i))), next++);
    if (next === 600) break;
    await turn();
  }
  assert(most < 5 * MiB, `${most}`);
  assertEquals(subscription.unread, 0);
  await network.close(link);
});

Deno.test("subscription: a paused one is not paused on the next connection, nor for ever", async () => {
  await using test = new TestServer({ limits: { retain: 64 * MiB } });
  const network = new Network(test);
  const { link } = await network.connect();
  const subscription = link.subscribe("#", { from: "earliest" });
  await test.world.wait(subscription.ready);
  const from = await publisher(test);
  for (let i = 0; i < 100; i++) await from.publish("a", `${i}`.padEnd(60 * KiB));
  for (let i = 0; i < 5; i++) {
    await network.cut();
    await test.world.run(10_000);
    assert(subscription.unread < 9 * MiB, `${subscription.unread}`);
  }
  const got: number[] = [];
  for await (const { sequence } of subscription) {
    got.push(sequence);
    if (sequence === 100) break;
    await turn();
  }
  assertEquals(got, Array.from({ length: 100 }, (_, i) => i + 1));
  await network.close(link);
});

for (
  const [what, rounds, awaited] of [["a little", 150, 1], ["a lot", 800, 1], [
    "a lot, and many answers at once",
    400,
    20,
  ]] as const
) {
  Deno.test(`subscription: who publishes from inside it, under wait, while another fills the log: ${what}`, async () => {
    await using test = new TestServer({ limits: { retain: MiB, idleTimeout: 3_600_000 }, lagPolicy: "wait" });
    const network = new Network(test);
    const { link } = await network.connect();
    const { link: other } = await network.connect();
    const subscription = link.subscribe("room", { from: "earliest" });
    await test.world.wait(subscription.ready);
    // The other one fills the log before the first answer, so that the subscription is paused by then.
    const filling = (async () => {
      for (let i = 0; i < rounds; i++) {
        await other.publisher.ready();
        other.publisher.send("room", new TextEncoder().encode(`${i}`.padEnd(60 * KiB)));
      }
      await other.publisher.flush();
    })();
    await test.world.run(100);
    assert(test.server.topics.blocked.size > 0, "the publisher is held");
    let read = 0;
    let answered = 0;
    const answering = (async () => {
      for await (const { payload } of subscription) {
        if (payload.length < 1000) {
          if (++answered === rounds * awaited && read === rounds) return;
          continue;
        }
        read++;
        await Promise.all(Array.from({ length: awaited }, () => link.publisher.publish("room", "answer")));
      }
    })();
    await test.world.wait(answering, 20_000).catch((error) => {
      throw new Error(`${read} read, ${answered} answered, ${[...test.server.closes]}`, { cause: error });
    });
    await test.world.wait(filling);
    assertEquals([...test.server.closes], []);
    assertEquals([read, answered], [rounds, rounds * awaited]);
    await network.close(link, other);
  });
}
