import { assertEquals } from "@std/assert";
import { Code } from "../../core/codes.ts";
import { declare, subscribe, unsubscribe } from "../../core/control.ts";
import { FrameType } from "../../core/frame.ts";
import { AuthorityServer } from "./accounts.ts";
import { MiB } from "./fixtures.ts";
import { type Peer, subscribing, textFrame } from "./world.ts";

/** How somebody was turned away. */
function closeOf(peer: Peer): unknown[] {
  return peer.named("CLOSE").map(({ code, why }) => [code, why])[0] ?? [];
}

Deno.test("a user has so many connections at once, from wherever; another user has its own", async () => {
  await using test = new AuthorityServer({ alice: { limits: { connections: 2 } }, bob: {} });
  const first = await test.user("alice", { from: "192.0.2.1" });
  await test.user("alice", { from: "192.0.2.2" });
  const third = await test.claims("alice", { from: "192.0.2.3" });
  assertEquals(closeOf(third), [Code.connections, "alice may have 2"]);
  await test.user("bob", { from: "192.0.2.3" });
  await first.end();
  await test.user("alice");
});

Deno.test("at the limit a user may connect again with the same id: the connection before is replaced", async () => {
  await using test = new AuthorityServer({ alice: { limits: { connections: 1 } } });
  const first = await test.user("alice", { id: 7 });
  const again = await test.claims("alice", { id: 7 });
  assertEquals([again.names(), first.reason()], [["WELCOME"], "replaced"]);
  assertEquals((await test.claims("alice", { id: 8 })).reason(), "connections");
});

Deno.test("an address has so many connections, known or not; an IPv6 network is one", async () => {
  await using test = new AuthorityServer({ alice: {}, bob: {} });
  test.authority.addressLimits = { ...test.authority.addressLimits, connections: 2 };
  for (const [one, other] of [["192.0.2.1", "192.0.2.2"], ["2001:db8::1", "2001:db8:0:1::1"]] as const) {
    const stranger = test.connectFrom(one);
    const alice = await test.user("alice", { from: one });
    const third = await test.claims("bob", { from: one.replace(/::1$/, "::ffff:2") });
    assertEquals(closeOf(third), [Code.connections, "the most from one address is 2"]);
    await test.user("bob", { from: other });
    await stranger.end();
    await third.end();
    await test.user("bob", { from: one });
    await alice.end();
    await test.user("bob", { from: one });
  }
});

Deno.test("connections are given back however they end", async () => {
  await using test = new AuthorityServer({ alice: { limits: { connections: 1 } } });
  test.authority.addressLimits = { ...test.authority.addressLimits, connections: 1 };
  const ends: ((peer: Peer) => Promise<unknown>)[] = [
    (peer) => peer.end(),
    (peer) => peer.reset(),
    (peer) => peer.send(new Uint8Array(8)),
    () => test.world.run(60_000),
  ];
  for (const end of ends) {
    const peer = await test.user("alice");
    await end(peer);
    await peer.end();
  }
  for (const user of ["mallory", "mallory"]) {
    const peer = await test.claims(user);
    assertEquals(peer.reason(), "authentication");
    await peer.end();
  }
  await test.user("alice");
});

Deno.test("a user has so many subscriptions, over all its connections; an address, too", async () => {
  for (const limited of ["user", "address"]) {
    await using test = new AuthorityServer({ alice: limited === "user" ? { limits: { subscriptions: 3 } } : {} });
    if (limited === "address") {
      test.authority.addressLimits = { ...test.authority.addressLimits, subscriptions: 3 };
    }
    const [one, other] = [await test.user("alice"), await test.user("alice")];
    for (const [peer, subscription] of [[one, 1], [one, 2], [other, 1]] as const) {
      await peer.request(subscribe, { ...subscribing, subscription });
      assertEquals(peer.names(), ["SUBSCRIBED"]);
    }
    for (const peer of [one, other]) {
      await peer.request(subscribe, { ...subscribing, subscription: 9 });
      const why = "alice, or its address, may have 3";
      assertEquals(peer.frames(), [
        { frame: "FAILED", request: 9, kind: FrameType.subscribe, code: Code.subscriptions, why },
      ]);
    }
    await one.request(unsubscribe, { subscription: 1 });
    await other.request(subscribe, { ...subscribing, subscription: 9 });
    assertEquals(other.names(), ["SUBSCRIBED"]);
    // What fails takes nothing.
    await one.end();
    await other.request(subscribe, { ...subscribing, subscription: 4, start: 99 });
    await other.request(subscribe, { ...subscribing, subscription: 5 });
    assertEquals(other.names(), ["FAILED", "SUBSCRIBED"]);
  }
});

Deno.test("a subscription that ends because it is forbidden is given back to its user", async () => {
  await using test = new AuthorityServer({ alice: { limits: { subscriptions: 1 } } });
  const [one, other] = [await test.user("alice"), await test.user("alice")];
  await one.request(subscribe, { ...subscribing, patterns: [{ pattern: "a" }] });
  test.regrant("alice", { subscribe: ["b"], limits: { subscriptions: 1 } });
  await other.request(subscribe, { ...subscribing, patterns: [{ pattern: "b" }] });
  assertEquals(other.names(), ["SUBSCRIBED"]);
});

Deno.test("a user's largest message is told, and a larger one is refused, also when that changes", async () => {
  await using test = new AuthorityServer({ alice: { limits: { maxMessage: 1000 } }, bob: {} });
  const welcomed = await test.claims("bob");
  assertEquals(welcomed.named("WELCOME").map(({ maxMessage, ownMessage }) => [maxMessage, ownMessage]), [[MiB, MiB]]);
  const peer = await test.claims("alice");
  // What it may publish is its own affair: it may read what others publish.
  assertEquals(peer.named("WELCOME").map(({ maxMessage, ownMessage }) => [maxMessage, ownMessage]), [[MiB, 1000]]);
  await peer.request(declare, { request: 1, first: 0, topic: "a" });
  const [declared] = peer.named("DECLARED");
  assertEquals(declared!.largestFrame, 48 + 2 + 1000);
  const topic = declared!.topic as number;
  const send = async (length: number, number: number) => {
    await peer.send(textFrame(["x".repeat(length)], { topic, number }));
    return (await peer.asked()).filter(({ frame }) => frame === "REFUSE").map(({ code }) => code);
  };
  assertEquals(await send(1000, 1), []);
  test.regrant("alice", { limits: { maxMessage: 100 } });
  assertEquals(await send(101, 2), [Code.messageTooLarge]);
  assertEquals(await send(100, 3), []);
  assertEquals(test.server.topics.get("a")?.log.nextSequence, 3);
});
