import { assert, assertEquals, assertLess, assertLessOrEqual, assertMatch } from "@std/assert";
import fc from "fast-check";
import { noId } from "../../core/bytes.ts";
import { Code } from "../../core/codes.ts";
import { datagrams, Policy, unsubscribe } from "../../core/control.ts";
import { largestSequence } from "../../core/limits.ts";
import { type MemoryPort, requestDatagram, seenDatagram } from "./datagram_network.ts";
import { DatagramServer, type DatagramSubscriber, textsOf, wanting } from "./datagram_subscriber.ts";
import { addressOf, idOf, publisher, serverAddress } from "./world.ts";
import { KiB, MiB, Random } from "./fixtures.ts";

const frameNames = (one: DatagramSubscriber, port?: MemoryPort) =>
  new Set(one.came(port).flatMap(({ frames }) => frames).map(({ frame }) => frame));

Deno.test("nothing is sent to anybody before it asks; then a cookie; and with the cookie, what has come since DATAGRAMS", async () => {
  await using test = new DatagramServer();
  const from = await publisher(test);
  await from.publish("a", "before");
  const one = await test.subscriber();
  await from.publish("a", "1");
  await from.publish("b", "2");
  await test.world.run(5000);
  assertEquals(test.network.sent, []);
  await one.ask();
  const [answer, ...more] = one.came();
  assertEquals([answer!.frames.map(({ frame }) => frame), more], [["COOKIE"], []]);
  assertEquals([answer!.group, answer!.session], [one.route.group, one.route.session]);
  await test.world.run(5000);
  assertEquals(one.came(), []);
  await one.ask({ cookie: answer!.frames[0]!.cookie as string });
  const came = one.came();
  assertEquals(came[0]!.frames.map(({ frame }) => frame), ["BEAT"], "the names come before what has them");
  assertEquals(textsOf(came), ["1", "2"]);
  assertEquals(came.filter(({ numbered }) => numbered).map(({ number }) => number), [1]);
});

Deno.test("topics are to come from the next message on, those that were created after `since` from their first", async () => {
  await using test = new DatagramServer();
  const from = await publisher(test);
  await from.publish("a", "1", "2");
  await from.publish("b", "1", "2", "3");
  for (
    const [since, starts] of [[largestSequence, [3, 4]], [2, [3, 4]], [1, [3, 1]], [0, [1, 1]]] as [number, number[]][]
  ) {
    const one = await test.subscriber({ since });
    await one.prove();
    const [beat] = one.came().flatMap(({ frames }) => frames);
    const rows = beat!.topics as { start: number; next: number }[];
    assertEquals(rows.map(({ start }) => start), starts);
    assertEquals(rows.map(({ next }) => next), [3, 4], "none of them is sent again");
  }
});

Deno.test("a cookie is smaller than what asked for it, and a datagram of many requests gets one", async () => {
  await using test = new DatagramServer();
  const one = await test.subscriber();
  const { group, session: target } = one.route;
  for (const count of [1, 2, 16, 30]) {
    const request = requestDatagram(test.world, group, ...Array(count).fill({ target }));
    await one.send(request);
    await test.world.run(100);
    const answers = test.network.takeSentTo(one.port.address);
    assertEquals(answers.length, 1);
    assertLess(answers[0]!.length, request.length);
  }
});

Deno.test("a request for another session, of another group or with another's cookie gets nothing of this one", async () => {
  await using test = new DatagramServer();
  const from = await publisher(test);
  const [one, two] = [await test.subscriber(), await test.subscriber()];
  const cookie = await one.prove();
  await one.ask({ target: two.route.session });
  await one.ask({ target: idOf(1) });
  await one.ask({ target: noId });
  one.came();
  await one.send(requestDatagram(test.world, two.route.group, { target: one.route.session }));
  await one.send(requestDatagram(test.world, 99, { target: one.route.session }));
  assertEquals(frameNames(one), new Set());
  await two.ask({ cookie });
  assertEquals(frameNames(two), new Set(["COOKIE"]));
  await from.publish("a", "1");
  await test.world.run(10);
  assertEquals([one.texts(), two.texts()], [["1"], []]);
});

Deno.test("what is no request is passed over: truncated, damaged, random, empty or large", async () => {
  await using test = new DatagramServer();
  const one = await test.subscriber();
  const { group, session: target } = one.route;
  const request = requestDatagram(test.world, group, { target });
  const random = new Random(3);
  const hostile = [
    ...Array.from({ length: request.length }, (_, length) => request.slice(0, length)),
    ...Array.from({ length: request.length }, (_, at) => request.with(at, request[at]! ^ 0x41)),
    ...Array.from({ length: 100 }, () => random.bytes(random.below(300))),
    new Uint8Array(2048),
    new Uint8Array(65_000),
    requestDatagram(test.world, group, { target, ranges: Array(17).fill({ first: 1, count: 1 }) }),
    requestDatagram(test.world, group, { target, ranges: [{ first: 1, count: 257 }] }),
    requestDatagram(test.world, group, { target, ranges: [{ first: 0, count: 1 }] }),
    requestDatagram(test.world, group, { target, topics: Array.from({ length: 17 }, (_, topic) => ({ topic })) }),
  ];
  for (const bytes of hostile) await one.port.send(bytes, one.server);
  await test.world.run(5);
  assertEquals(one.came(), []);
  await one.prove();
  assertEquals(frameNames(one), new Set(["BEAT"]));
});

Deno.test("many deliveries over one port are kept apart", async () => {
  await using test = new DatagramServer();
  const from = await publisher(test);
  const subscribers: DatagramSubscriber[] = [];
  for (let i = 0; i < 50; i++) subscribers.push(await test.subscriber({ patterns: [{ pattern: `t/${i % 10}` }] }));
  for (const subscriber of subscribers) await subscriber.prove();
  for (let i = 0; i < 100; i++) await from.publish(`t/${i % 10}`, `${i}`);
  await test.world.run(10);
  for (const [index, subscriber] of subscribers.entries()) {
    const came = subscriber.came();
    assertEquals(textsOf(came), Array.from({ length: 10 }, (_, i) => `${10 * i + index % 10}`));
    assert(
      came.every(({ session, group }) => session === subscriber.route.session && group === subscriber.route.group),
    );
  }
  // Each repairs what it has sent itself.
  const [one, two] = [subscribers[0]!, subscribers[1]!];
  await two.peer.request(unsubscribe, { subscription: 1 });
  for (const subscriber of [one, two]) {
    await subscriber.ask({ cookie: await subscriber.prove().catch(() => noId), ranges: [{ first: 1, count: 256 }] });
  }
  const again = one.came().filter(({ repair }) => repair);
  assertEquals(textsOf(again), Array.from({ length: 10 }, (_, i) => `${10 * i}`));
  assertEquals(two.came(), []);
});

Deno.test("who is silent for a minute is sent nothing more; when it asks again, everything since then", async () => {
  await using test = new DatagramServer();
  const from = await publisher(test);
  const one = await test.subscriber();
  const cookie = await one.prove();
  await from.publish("a", "1");
  await test.world.run(59_000);
  await from.publish("a", "2");
  await test.world.run(500);
  assertEquals(one.texts(), ["1", "2"]);
  await test.world.run(1_000);
  one.came();
  await from.publish("a", "3");
  await test.world.run(300_000);
  assertEquals(one.came(), []);
  await one.ask({ cookie });
  const came = one.came();
  assertEquals(came[0]?.frames[0]?.frame, "BEAT");
  assertEquals(textsOf(came), ["3"]);
});

Deno.test("who is silent for a minute gets a heartbeat as soon as it asks again, even when there is nothing new", async () => {
  await using test = new DatagramServer();
  const one = await test.subscriber();
  const cookie = await one.prove();
  await test.world.run(100_000);
  one.came();
  await one.ask({ cookie });
  assertEquals(frameNames(one), new Set(["BEAT"]));
  await test.world.run(10_000);
  assertLess(7, one.came().length);
});

Deno.test("a subscriber that comes from another address is sent to there, once it has proven that one", async () => {
  await using test = new DatagramServer();
  const from = await publisher(test);
  const one = await test.subscriber();
  const cookie = await one.prove();
  one.came();
  const elsewhere = test.network.open(addressOf("203.0.113.9", 1234));
  // What is known of the session does not help without the cookie of that address.
  await one.ask({ cookie }, elsewhere);
  await from.publish("a", "1");
  await test.world.run(10);
  assertEquals(frameNames(one, elsewhere), new Set(["COOKIE"]));
  assertEquals(one.texts(), ["1"]);
  await one.prove(elsewhere);
  await from.publish("a", "2");
  await test.world.run(2_000);
  assertEquals([one.texts(), one.texts(elsewhere)], [[], ["2"]]);
  // What was sent to the old address is repaired to the new one.
  await one.ask({ cookie: await one.cookie(elsewhere), ranges: [{ first: 1, count: 1 }] }, elsewhere);
  assertEquals([one.texts(), one.texts(elsewhere)], [[], ["1"]]);
});

Deno.test("a cookie is good for ten minutes at least, and not for ever", async () => {
  await using test = new DatagramServer();
  const one = await test.subscriber();
  const cookie = await one.cookie();
  await test.world.run(600_000);
  await one.ask({ cookie });
  assertEquals(frameNames(one), new Set(["BEAT"]));
  await test.world.run(610_000);
  one.came();
  await one.ask({ cookie });
  assertEquals(frameNames(one), new Set(["COOKIE"]));
});

Deno.test("a port that fails to receive is used again soon", async () => {
  await using test = new DatagramServer();
  const one = await test.subscriber();
  for (let i = 0; i < 3; i++) test.network.at(serverAddress).fail("the network is down");
  await test.world.run(1_000);
  await one.prove();
  assertEquals(frameNames(one), new Set(["BEAT"]));
  // And nothing waits for it once the server is closed.
  test.network.at(serverAddress).fail("the network is down");
  await test.world.run(10);
});

Deno.test("with the policy wait publishers are held for a subscriber, but not for one that was silent for a minute", async () => {
  await using test = new DatagramServer({ limits: { retain: 4 * KiB, maxWait: 5_000 } });
  const { topics } = test.server;
  const from = await publisher(test);
  const one = await test.subscriber({ policy: Policy.wait });
  const publish = async () => {
    await from.publish("a", ...Array(20).fill("x".repeat(500)));
    return topics.blocked.size > 0;
  };
  assert(await publish(), "it has not said yet where it is");
  const cookie = await one.prove();
  await test.world.run(500);
  assertEquals([topics.blocked.size, one.texts().length], [0, 20]);
  await test.world.run(70_000);
  assert(!await publish());
  await one.ask({ cookie });
  await test.world.run(500);
  assertLess(one.texts().length, 20);
  await publish();
  await test.world.run(500);
  assertEquals([topics.blocked.size, one.texts().length], [0, 20]);
});

Deno.test("deliveries take memory, as much as there is; what ends gives it back", async () => {
  await using test = new DatagramServer({ limits: { inputMemory: 4 * MiB } });
  const { inputs } = test.server.topics;
  const peer = await test.greeted();
  const before = inputs.used;
  let count = 0;
  const subscription = () => 1 + count++;
  for (;;) {
    await peer.request(datagrams, { ...wanting, subscription: subscription() });
    const [told] = peer.frames();
    if (told?.frame === "ROUTE") continue;
    assertEquals([told?.frame, told?.code], ["FAILED", Code.noDatagrams]);
    assertMatch(told?.why as string, /memory/);
    break;
  }
  assertLess(10, count);
  assertLess(count, 30);
  for (let id = 1; id < count; id++) await peer.request(unsubscribe, { subscription: id });
  await peer.request(unsubscribe, { subscription: 1 });
  assertEquals(inputs.used, before);
});

Deno.test("datagrams go no faster than they may, by address", async () => {
  const rates: string[] = [];
  await using test = new DatagramServer({
    datagramRate: ({ text }) => {
      rates.push(text);
      return 500_000;
    },
  });
  const from = await publisher(test);
  const one = await test.subscriber();
  assertEquals(rates, [serverAddress.text]);
  await one.prove();
  one.came();
  await from.publish("a", ...Array(2000).fill("x".repeat(1000)));
  await test.world.run(3_000);
  const sent = test.network.takeSentTo(one.port.address).reduce((sum, { length }) => sum + length, 0);
  // A burst goes at once, and heartbeats do not count.
  assert(sent > 1_500_000 && sent < 1_500_000 + 32 * 1400 + 100_000, `${sent}`);
});

Deno.test("a bug of ours in a delivery is told, and ends that alone", async () => {
  await using test = new DatagramServer();
  const from = await publisher(test);
  const [one, two] = [await test.subscriber(), await test.subscriber()];
  await two.prove();
  await one.prove();
  const { time } = test.world;
  const bug = new Error("a bug");
  let told = 0;
  // The first heartbeat asks for the time.
  test.world.time = () => {
    if (told++ === 0) throw bug;
    return time.call(test.world);
  };
  await test.world.run(1_000);
  const bugs = test.events.splice(0).filter(({ kind }) => kind === "bug");
  assertEquals(bugs, [{ kind: "bug", peer: serverAddress.text, error: bug }]);
  const subscribers = [one, two];
  for (const subscriber of subscribers) subscriber.came();
  await from.publish("a", "1");
  await test.world.run(10);
  assertEquals(subscribers.map((subscriber) => subscriber.texts()).sort(), [[], ["1"]]);
});

/** Something that a stranger may do. */
type Deed =
  | { readonly kind: "wait"; readonly milliseconds: number }
  | { readonly kind: "publish"; readonly length: number }
  | { readonly kind: "bytes"; readonly who: number; readonly length: number }
  | { readonly kind: "cut"; readonly who: number; readonly length: number }
  | {
    readonly kind: "ask";
    readonly who: number;
    readonly cookie: "none" | "own" | "another's" | "no one's";
    readonly times: number;
    readonly ranges: boolean;
  };

const strangers = 4;
const who = fc.nat(strangers - 1);
const deed = <K extends Deed["kind"]>(kind: K) => fc.constant(kind);
const deeds: fc.Arbitrary<Deed[]> = fc.array(
  fc.oneof(
    fc.record({ kind: deed("wait"), milliseconds: fc.constantFrom(1, 1, 7, 7, 300, 300, 300, 61_000) }),
    fc.record({ kind: deed("publish"), length: fc.nat(3000) }),
    fc.record({ kind: deed("bytes"), who, length: fc.nat(3000) }),
    fc.record({ kind: deed("cut"), who, length: fc.nat(110) }),
    {
      weight: 8,
      arbitrary: fc.record({
        kind: deed("ask"),
        who,
        cookie: fc.constantFrom("none", "none", "own", "another's", "no one's"),
        times: fc.constantFrom(1, 1, 1, 2, 5, 18),
        ranges: fc.boolean(),
      }),
    },
  ),
  { minLength: 5, maxLength: 40 },
);

/** One who may be anybody, and what is known of it. */
interface Stranger {
  readonly port: MemoryPort;
  cookie: string;
  proven: boolean;
  /** Bytes that it sent, and that were sent to it. */
  sent: number;
  got: number;
}

Deno.test("whatever is asked for by whoever: an unproven address gets only cookies, and fewer bytes than it sent", async () => {
  const tally = { cookies: 0, proven: 0, messages: 0 };
  await fc.assert(
    fc.asyncProperty(deeds, fc.integer(), async (deeds, seed) => {
      await using test = new DatagramServer({}, seed);
      const { network, world } = test;
      const random = new Random(seed);
      const from = await publisher(test);
      const { route: { group, session: target } } = await test.subscriber();
      const all = Array.from({ length: strangers }, (_, i): Stranger => {
        return { port: network.open(addressOf("203.0.113.9", 1000 + i)), cookie: noId, proven: false, sent: 0, got: 0 };
      });
      const check = () => {
        for (const stranger of all) {
          for (const bytes of network.takeSentTo(stranger.port.address)) {
            stranger.got += bytes.length;
            const [first, ...more] = seenDatagram(world, bytes).frames;
            if (!stranger.proven) assertEquals([first?.frame, more], ["COOKIE", []]);
            if (first?.frame === "COOKIE") {
              stranger.cookie = first.cookie as string;
              tally.cookies++;
            }
            if (first?.frame === "MESSAGES") tally.messages++;
          }
          if (!stranger.proven) assertLessOrEqual(stranger.got, stranger.sent);
        }
      };
      const send = async (stranger: Stranger, bytes: Uint8Array) => {
        stranger.sent += bytes.length;
        await stranger.port.send(bytes, serverAddress);
      };
      const ask = async (stranger: Stranger, { cookie: whose, times, ranges }: Deed & { kind: "ask" }) => {
        const other = random.pick(all.filter((it) => it !== stranger));
        const cookie = { "none": noId, "own": stranger.cookie, "another's": other.cookie, "no one's": idOf(77) }[whose];
        if (whose === "own" && cookie !== noId) {
          stranger.proven = true;
          tally.proven++;
        }
        const request = { target, cookie, ranges: ranges ? [{ first: 1, count: 256 }] : [] };
        await send(stranger, requestDatagram(world, group, ...Array(times).fill(request)));
      };
      for (const deed of deeds) {
        if (deed.kind === "wait") await world.run(deed.milliseconds);
        else if (deed.kind === "publish") await from.publish("a", "x".repeat(deed.length));
        else {
          const stranger = all[deed.who]!;
          if (deed.kind === "bytes") await send(stranger, random.bytes(deed.length));
          else if (deed.kind === "cut") {
            await send(stranger, requestDatagram(world, group, { target }).subarray(0, deed.length));
          } else await ask(stranger, deed);
        }
        await world.run(2);
        check();
      }
    }),
    { numRuns: 150 },
  );
  assert(tally.cookies > 200 && tally.proven > 50 && tally.messages > 20, JSON.stringify(tally));
});
