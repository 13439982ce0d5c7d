import { assert, assertEquals, assertLess, assertMatch } from "@std/assert";
import { Code } from "../../core/codes.ts";
import { datagrams, hello, pause, Policy, preamble, resume, subscribe, unsubscribe } from "../../core/control.ts";
import { FrameType } from "../../core/frame.ts";
import { DatagramServer, textsOf, wanting } from "./datagram_subscriber.ts";
import { KiB, MiB } from "./fixtures.ts";
import { controlFrame, idOf, Peer, publisher, serverAddress, subscribing, TestServer } from "./world.ts";

const pattern = (...patterns: string[]) => ({ patterns: patterns.map((pattern) => ({ pattern })) });

Deno.test("DATAGRAMS is answered by ROUTE: the port of the connection's address, and a session of its own", async () => {
  await using test = new DatagramServer();
  await (await publisher(test)).publish("a", "1");
  const peer = await test.greeted();
  await peer.request(datagrams, { ...wanting, subscription: 3 });
  await peer.request(datagrams, { ...wanting, subscription: 4, policy: Policy.wait });
  await (peer.request(datagrams, { ...wanting, subscription: 5, policy: Policy.disconnect }));
  const routes = peer.frames();
  const { port } = serverAddress;
  const ordinal = 1;
  assertEquals(routes.map(({ group: _, session: __, ...told }) => told), [
    { frame: "ROUTE", subscription: 3, policy: Policy.skip, port, ordinal },
    { frame: "ROUTE", subscription: 4, policy: Policy.wait, port, ordinal },
    { frame: "ROUTE", subscription: 5, policy: Policy.skip, port, ordinal },
  ]);
  assertEquals(new Set(routes.map(({ session }) => session)).size, 3);
  assertEquals(new Set(routes.map(({ group }) => group)).size, 3);
});

Deno.test("DATAGRAMS: who asks for no lag policy is granted the server's", async () => {
  for (const [lagPolicy, granted] of [["skip", "skip"], ["disconnect", "skip"], ["wait", "wait"]] as const) {
    await using test = new DatagramServer({ lagPolicy });
    assertEquals((await test.subscriber()).route.policy, Policy[granted]);
  }
});

Deno.test("DATAGRAMS fails: in use, no pattern, a wrong one, too many, too small, too large, an unknown policy", async () => {
  await using test = new DatagramServer();
  const { peer } = await test.subscriber({ subscription: 1 });
  await peer.request(subscribe, { ...subscribing, subscription: 2 });
  assertEquals(peer.names(), ["SUBSCRIBED"]);
  const cases: [Partial<typeof wanting>, number, RegExp][] = [
    [{ subscription: 1 }, Code.subscriptionInUse, /of that number/],
    [{ subscription: 2 }, Code.subscriptionInUse, /of that number/],
    [{ patterns: [] }, Code.pattern, /pattern/],
    [pattern("a/#/b"), Code.pattern, /a\/#\/b/],
    [pattern("ok", ""), Code.pattern, /pattern/],
    [pattern(...Array(65).fill("a")), Code.pattern, /pattern/],
    [{ largest: 511 }, Code.startPoint, /511.*512 to 65000/],
    [{ largest: 0 }, Code.startPoint, /512 to 65000/],
    [{ largest: 65_001 }, Code.startPoint, /512 to 65000/],
    [{ policy: 4 }, Code.startPoint, /policy/],
    [{ policy: 255 }, Code.startPoint, /policy/],
  ];
  for (const [change, code, why] of cases) {
    await peer.request(datagrams, { ...wanting, subscription: 9, ...change });
    const [failed, ...more] = peer.frames();
    assertEquals(more, []);
    const request = change.subscription ?? 9;
    assertEquals({ ...failed, why: "" }, { frame: "FAILED", request, kind: FrameType.datagrams, code, why: "" });
    assertMatch(failed!.why as string, why);
  }
  for (const largest of [512, 65_000]) {
    await test.subscriber({ subscription: largest, largest, ...pattern(...Array(64).fill("a")) }, peer);
  }
});

Deno.test("SUBSCRIBE of a number that a delivery has fails; both kinds together are as many as there may be", async () => {
  await using test = new DatagramServer({ limits: { subscriptions: 2 } });
  const { peer } = await test.subscriber({ subscription: 1 });
  const codes = () => peer.named("FAILED").map(({ request, kind, code }) => [request, kind, code]);
  await peer.request(subscribe, { ...subscribing, subscription: 1 });
  assertEquals(codes(), [[1, FrameType.subscribe, Code.subscriptionInUse]]);
  await peer.request(subscribe, { ...subscribing, subscription: 2 });
  assertEquals(peer.names(), ["SUBSCRIBED"]);
  await peer.request(subscribe, { ...subscribing, subscription: 3 });
  await peer.request(datagrams, { ...wanting, subscription: 4 });
  assertEquals(codes(), [
    [3, FrameType.subscribe, Code.subscriptions],
    [4, FrameType.datagrams, Code.subscriptions],
  ]);
  await peer.request(unsubscribe, { subscription: 1 });
  assertEquals(peer.frames(), [{ frame: "UNSUBSCRIBED", subscription: 1 }]);
  await peer.request(subscribe, { ...subscribing, subscription: 1 });
  assertEquals(peer.names(), ["SUBSCRIBED"]);
});

Deno.test("DATAGRAMS fails where the server delivers none, and where there is no port for it: with the reason", async () => {
  await using without = new TestServer();
  const peer = await without.greeted();
  await peer.request(datagrams, wanting);
  assertEquals(peer.frames().map(({ request, code }) => [request, code]), [[1, Code.noDatagrams]]);

  await using test = new DatagramServer();
  test.network.taken.add(serverAddress.text);
  const other = await test.greeted();
  await other.request(datagrams, wanting);
  const [failed] = other.frames();
  assertEquals([failed!.code, failed!.why], [Code.noDatagrams, "cannot listen on 192.0.2.1:7070: the port is in use"]);
  test.network.taken.clear();
  await test.subscriber({}, other);
});

Deno.test("DATAGRAMS fails on a connection that does not go over IP", async () => {
  await using test = new DatagramServer();
  const peer = new Peer("no address");
  const { local: _, ...connection } = peer.connection;
  test.server.accept(connection);
  await peer.send(
    preamble,
    controlFrame(hello, { features: 0, session: idOf(7), agent: "test", user: "", secret: "" }),
  );
  await peer.request(datagrams, wanting);
  assertEquals(peer.frames().map(({ frame, code }) => [frame, code]), [
    ["WELCOME", undefined],
    ["FAILED", Code.noDatagrams],
  ]);
});

Deno.test("PAUSE and RESUME: nothing new is sent between them", async () => {
  await using test = new DatagramServer();
  const from = await publisher(test);
  const one = await test.subscriber();
  await one.prove();
  await from.publish("a", "1");
  await test.world.run(1);
  assertEquals(one.texts(), ["1"]);
  await one.peer.request(pause, { subscription: 1 });
  await from.publish("a", "2", "3");
  await test.world.run(500);
  assertEquals(one.texts(), []);
  await one.peer.request(resume, { subscription: 1 });
  await test.world.run(1);
  assertEquals(one.texts(), ["2", "3"]);
  assertEquals(one.peer.names(), []);
});

Deno.test("PAUSE, RESUME and UNSUBSCRIBE reach the subscription of their number, of whichever kind it is", async () => {
  await using test = new DatagramServer();
  const { world } = test;
  const from = await publisher(test);
  const one = await test.subscriber({ subscription: 1 });
  await one.prove();
  await one.peer.request(subscribe, { ...subscribing, subscription: 2 });
  await one.peer.request(pause, { subscription: 2 });
  await from.publish("a", "1");
  await world.run(1);
  assertEquals([one.texts(), one.peer.texts()], [["1"], []]);
  await one.peer.request(resume, { subscription: 2 });
  await one.peer.request(pause, { subscription: 1 });
  await from.publish("a", "2");
  await world.run(1);
  assertEquals([one.texts(), one.peer.texts()], [[], ["1", "2"]]);
  await one.peer.request(unsubscribe, { subscription: 2 });
  await one.peer.request(resume, { subscription: 1 });
  await from.publish("a", "3");
  await world.run(1);
  assertEquals([one.texts(), one.peer.texts()], [["2", "3"], []]);
});

Deno.test("UNSUBSCRIBE, and the end of the session however it comes, free everything, and nothing more is sent", async () => {
  for (const how of ["unsubscribe", "end", "reset", "replaced"] as const) {
    await using test = new DatagramServer();
    const from = await publisher(test);
    await from.publish("a", "1");
    const topic = test.server.topics.get("a")!;
    const timers = test.world.timers;
    const one = await test.subscriber({}, await test.greeted(7));
    const cookie = await one.prove();
    assertEquals([topic.readers, topic.guarded.length, test.world.timers], [1, 1, timers + 1], how);
    if (how === "unsubscribe") await one.peer.request(unsubscribe, { subscription: 1 });
    else if (how === "end") await one.peer.end();
    else if (how === "reset") await one.peer.reset();
    else await test.peer(7);
    assertEquals([topic.readers, topic.guarded.length, topic.waiting.length], [0, 0, 0], how);
    assertEquals(test.world.timers, timers, `${how}: its timer is gone`);
    one.came();
    await from.publish("a", "2");
    await from.publish("b", "3");
    await one.ask();
    await one.ask({ cookie, ranges: [{ first: 1, count: 1 }] });
    await test.world.run(3000);
    assertEquals(one.came(), [], how);
  }
});

Deno.test("a shutdown ends deliveries when everything was sent and said, and those that nobody has proven at once", async () => {
  await using test = new DatagramServer();
  const from = await publisher(test);
  const one = await test.subscriber();
  const silent = await test.subscriber();
  await one.prove();
  one.came();
  await from.publish("a", "1", "2", "3");
  const drained = test.server.drain(10_000);
  await test.world.run(250);
  assertEquals(silent.peer.reason(), "draining");
  assertEquals(one.peer.reason(), null);
  await test.world.wait(drained, 3000);
  const came = one.came();
  assertEquals(textsOf(came), ["1", "2", "3"]);
  const newest = Math.max(...came.filter(({ numbered }) => numbered).map(({ number }) => number));
  const finishes = came.filter(({ frames }) => frames.some(({ frame }) => frame === "FINISH"));
  assertLess(4, finishes.length);
  assert(finishes.every(({ number }) => number === newest + 1));
});

Deno.test("a shutdown does not wait for what is asked for while it goes on", async () => {
  await using test = new DatagramServer();
  const from = await publisher(test);
  const peer = await test.greeted();
  await peer.request(subscribe, subscribing);
  await peer.request(pause, { subscription: 1 });
  await from.publish("a", "1");
  const began = test.world.now();
  const drained = test.server.drain(10_000);
  await test.world.run(1);
  peer.frames();
  // What it has paused keeps the session.
  await test.subscriber({ subscription: 2 }, peer);
  await peer.request(resume, { subscription: 1 });
  await test.world.wait(drained);
  assertLess(test.world.now() - began, 3000);
});

Deno.test("memory: a connection is closed whose delivery stands in the oldest memory, and publishers go on", async () => {
  await using test = new DatagramServer({
    limits: { memory: 6 * MiB, retain: 64 * KiB, maxMessage: MiB },
    datagramRate: () => 10_000,
  });
  const from = await publisher(test);
  const peers = [];
  for (let i = 0; i < 10 && test.closes("memory") === 0; i++) {
    const one = await test.subscriber();
    await one.prove();
    await from.publish("a", "x".repeat(MiB - 1000));
    // It has begun with the message, and will not end.
    await test.world.run(10);
    await one.peer.request(pause, { subscription: 1 });
    peers.push(one.peer);
  }
  const closed = peers.filter(({ closed }) => closed).length;
  assert(closed >= 1 && closed < peers.length, `${closed} of ${peers.length}`);
  assert(peers.slice(0, closed).every(({ closed }) => closed), "those who paused first");
  await from.publish("a", "y");
  await test.world.run(100);
  assertEquals((await from.peer.asked()).map(({ frame }) => frame).filter((frame) => frame !== "ACK"), []);
  assertEquals(test.server.topics.blocked.size, 0);
});
