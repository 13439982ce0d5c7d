import { assertEquals } from "@std/assert";
import { Code } from "../../core/codes.ts";
import { declare, Policy, subscribe } from "../../core/control.ts";
import { FrameType } from "../../core/frame.ts";
import { AuthorityServer, type Grants } from "./accounts.ts";
import { type Peer, type Seen, subscribing, textFrame, Texts } from "./world.ts";

const pattern = (...patterns: string[]) => ({ patterns: patterns.map((pattern) => ({ pattern })) });

/** What of a frame these tests look at: its name, its topic's id or name, and its code. */
function brief(frames: Seen[]): unknown[][] {
  return frames.map((seen) => {
    const { frame, name, topic, request, messages, code } = seen;
    return [frame, name ?? topic ?? request, messages ?? code].filter((value) => value !== undefined);
  });
}

/** A server with alice as she is at first, and root, who may do everything, with messages in these topics. */
async function serverWith(alice: Grants, ...topics: string[]): Promise<{ test: AuthorityServer; root: Texts }> {
  const test = new AuthorityServer({ alice, root: {} });
  const root = new Texts(await test.user("root"));
  for (const topic of topics) await root.publish(topic, `first of ${topic}`);
  return { test, root };
}

/** Changes what alice may do, and lets all happen that follows. */
async function regrants(test: AuthorityServer, grants: Grants): Promise<void> {
  test.regrant("alice", grants);
  await test.world.run(1);
}

/** Subscribes alice to everything from the beginning; what is there already is taken. */
async function subscribes(test: AuthorityServer, ...patterns: string[]): Promise<Peer> {
  const peer = await test.user("alice");
  await peer.request(subscribe, { ...subscribing, ...pattern(...patterns) });
  peer.frames();
  return peer;
}

Deno.test("publish taken away: frames are refused one by one, and the numbers are acknowledged all the same", async () => {
  const { test } = await serverWith({ publish: ["a", "b"] });
  await using _ = test;
  const alice = await test.user("alice");
  for (const topic of ["a", "b"]) await alice.request(declare, { request: 1, first: 0, topic });
  const [a, b] = alice.named("DECLARED").map(({ topic }) => topic as number);
  await alice.send(textFrame(["1"], { topic: a!, number: 1 }));
  await regrants(test, { publish: ["b"] });
  await alice.send(
    textFrame(["2", "3"], { topic: a!, number: 2 }),
    textFrame(["x"], { topic: b!, number: 1 }),
    textFrame(["4"], { topic: a!, number: 4 }),
  );
  const why = "alice may not publish to a";
  const frames = await alice.asked();
  assertEquals(frames.filter(({ frame }) => frame === "REFUSE"), [
    { frame: "REFUSE", topic: a, number: 2, count: 2, code: Code.forbidden, why },
    { frame: "REFUSE", topic: a, number: 4, count: 1, code: Code.forbidden, why },
  ]);
  const acks = frames.flatMap(({ topics }) => (topics ?? []) as { topic: number; number: number }[]);
  assertEquals(new Map(acks.map(({ topic, number }) => [topic, number])), new Map([[a, 4], [b, 1]]));
  assertEquals(test.server.topics.get("a")?.log.nextSequence, 2);

  // A new declaration is refused, and where it is given back, goes on with the next number.
  await alice.request(declare, { request: 2, first: 0, topic: "a" });
  assertEquals(brief(alice.frames()), [["FAILED", 2, Code.forbidden]]);
  await regrants(test, { publish: ["a"] });
  await alice.request(declare, { request: 3, first: 0, topic: "a" });
  assertEquals(alice.named("DECLARED").map(({ topic, known, last }) => [topic, known, last]), [[a, 1, 4]]);
  await alice.send(textFrame(["5"], { topic: a!, number: 5 }));
  assertEquals(brief(await alice.asked()), [["ACK"]]);
  assertEquals(test.server.topics.get("a")?.log.nextSequence, 3);
});

Deno.test("publish given back: what is declared still goes on, without another DECLARE", async () => {
  const { test } = await serverWith({ publish: ["a"] });
  await using _ = test;
  const alice = await test.user("alice");
  const texts = new Texts(alice);
  await texts.publish("a", "1");
  await regrants(test, { publish: [] });
  await texts.publish("a", "2");
  await regrants(test, { publish: ["#"] });
  await texts.publish("a", "3");
  const log = test.server.topics.get("a")?.log;
  assertEquals(log?.nextSequence, 3);
  assertEquals((await alice.asked()).map(({ frame }) => frame).filter((name) => name !== "ACK"), ["REFUSE"]);
});

Deno.test("publish taken away: frames that are held are refused when their turn comes", async () => {
  await using test = new AuthorityServer({ alice: {}, root: {} }, { limits: { retain: 1000, idleTimeout: Infinity } });
  const reader = await test.user("root");
  reader.window = 0;
  await reader.request(subscribe, { ...subscribing, policy: Policy.wait });
  const alice = await test.user("alice");
  const texts = new Texts(alice);
  const text = "x".repeat(900);
  for (let i = 0; i < 400 && test.server.topics.blocked.size === 0; i++) await texts.publish("a", text);
  assertEquals(test.server.topics.blocked.size, 1);
  const next = test.server.topics.get("a")!.log.nextSequence;
  await regrants(test, { publish: [] });
  await reader.accept(Infinity);
  await test.world.run(100);
  assertEquals(alice.named("REFUSE").map(({ number, code }) => [number, code]), [[next, Code.forbidden]]);
  assertEquals(test.server.topics.get("a")!.log.nextSequence, next);
});

Deno.test("a subscription loses what may not be read any more, and is told so; the rest goes on", async () => {
  const { test, root } = await serverWith({ subscribe: ["#"] }, "a", "b");
  await using _ = test;
  const alice = await subscribes(test, "#");
  await regrants(test, { subscribe: ["#", "!b"] });
  assertEquals(alice.frames(), [
    { frame: "GAP", subscription: 1, topic: 2, first: 2, last: 0, code: Code.forbidden },
  ]);
  await root.publish("a", "2");
  await root.publish("b", "not this");
  assertEquals(brief(alice.frames()), [["MESSAGES", 1, ["2"]]]);
});

Deno.test("a subscription of which nothing is left fails, is gone, and may be made again", async () => {
  const { test, root } = await serverWith({ subscribe: ["#"] }, "a", "b");
  await using _ = test;
  const alice = await subscribes(test, "a");
  await alice.request(subscribe, { ...subscribing, subscription: 2, ...pattern("b") });
  alice.frames();
  await regrants(test, { subscribe: ["b"] });
  assertEquals(alice.frames(), [{
    frame: "FAILED",
    request: 1,
    kind: FrameType.subscribe,
    code: Code.forbidden,
    why: "alice may not subscribe to a",
  }]);
  await root.publish("a", "not this");
  await root.publish("b", "2");
  assertEquals(alice.texts(), ["2"]);
  await regrants(test, { subscribe: ["#"] });
  await root.publish("a", "nor this");
  assertEquals(alice.names(), []);
  await alice.request(subscribe, { ...subscribing, start: 0, ...pattern("a") });
  await root.publish("a", "4");
  assertEquals(brief(alice.frames()), [
    ["ANNOUNCE", "a"],
    ["SUBSCRIBED"],
    ["DELIVER"],
    ["MESSAGES", 1, ["4"]],
  ]);
});

Deno.test("what is given back goes on with the next message, announced again", async () => {
  const { test, root } = await serverWith({ subscribe: ["#"] }, "a", "b");
  await using _ = test;
  const alice = await subscribes(test, "#");
  await regrants(test, { subscribe: ["#", "!b"] });
  await root.publish("b", "2", "3");
  alice.frames();
  await regrants(test, { subscribe: ["#"] });
  assertEquals(alice.frames(), [
    { frame: "ANNOUNCE", subscription: 1, topic: 2, ordinal: 2, sequence: 4, name: "b" },
  ]);
  await root.publish("b", "4");
  assertEquals(alice.texts(), ["4"]);
});

Deno.test("topics that were born while they were forbidden come with the next message, too", async () => {
  const { test, root } = await serverWith({ subscribe: ["#", "!b"] }, "a");
  await using _ = test;
  const alice = await subscribes(test, "#");
  await root.publish("b", "1");
  assertEquals(alice.names(), []);
  await regrants(test, { subscribe: ["#"] });
  await root.publish("b", "2");
  assertEquals(brief(alice.frames()), [["ANNOUNCE", "b"], ["MESSAGES", 2, ["2"]]]);
});

Deno.test("taken away and given back before anything was written: the gap is told first", async () => {
  const { test } = await serverWith({ subscribe: ["#"] }, "a");
  await using _ = test;
  const alice = await subscribes(test, "#");
  test.regrant("alice", { subscribe: ["#", "!a"] });
  await regrants(test, { subscribe: ["#"] });
  assertEquals(brief(alice.frames()), [["GAP", 1, Code.forbidden], ["ANNOUNCE", "a"]]);
});

Deno.test("a subscription that publishers wait for holds nobody once it may not read the topic", async () => {
  await using test = new AuthorityServer({ alice: {}, root: {} }, { limits: { retain: 1000, idleTimeout: Infinity } });
  const alice = await test.user("alice");
  alice.window = 0;
  await alice.request(subscribe, { ...subscribing, policy: Policy.wait });
  const root = new Texts(await test.user("root"));
  for (let i = 0; i < 400 && test.server.topics.blocked.size === 0; i++) await root.publish("a", "x".repeat(900));
  assertEquals(test.server.topics.blocked.size, 1);
  await regrants(test, { subscribe: ["b"] });
  await test.world.run(300);
  assertEquals(test.server.topics.blocked.size, 0);
});

Deno.test("who is removed is told so, on every connection, and does not get in again", async () => {
  const { test, root } = await serverWith({});
  await using _ = test;
  const peers = [await test.user("alice"), await test.user("alice")];
  test.authority.accounts.delete("alice");
  test.server.revise();
  await test.world.run(1);
  for (const peer of peers) {
    const [{ code, why }] = peer.named("CLOSE") as [Seen];
    assertEquals([code, why], [Code.removed, "alice: the user may not use this server any more"]);
  }
  assertEquals((await test.claims("alice")).reason(), "authentication");
  await root.publish("a", "x");
  assertEquals(test.closes("removed"), 2);
});

Deno.test("nothing happens to those whose account is as before, nor to others than the user that is meant", async () => {
  const { test, root } = await serverWith({ subscribe: ["a"] }, "a");
  await using _ = test;
  test.grant("bob", {});
  const alice = await subscribes(test, "a");
  const bob = await test.user("bob");
  await bob.request(subscribe, subscribing);
  bob.frames();
  test.server.revise();
  await regrants(test, { subscribe: [] });
  await test.world.run(1);
  assertEquals([bob.names(), alice.names()], [[], ["FAILED"]]);
  await root.publish("a", "2");
  assertEquals(bob.texts(), ["2"]);
});

Deno.test("an account that is made anew, with the same permissions, changes nothing", async () => {
  const { test, root } = await serverWith({ publish: ["a"], subscribe: ["a"] }, "a");
  await using _ = test;
  const alice = await subscribes(test, "#");
  const texts = new Texts(alice);
  await texts.publish("a", "2");
  alice.frames();
  await regrants(test, { publish: ["a"], subscribe: ["a"] });
  assertEquals(alice.names(), []);
  await texts.publish("a", "3");
  await root.publish("a", "4");
  assertEquals(alice.texts(), ["3", "4"]);
});
