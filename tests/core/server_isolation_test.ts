/** What one user does is nothing to another, and tells it nothing. */

import { assertEquals } from "@std/assert";
import { Codec } from "../../core/codec.ts";
import { Code } from "../../core/codes.ts";
import { declare, list, points, Start, subscribe } from "../../core/control.ts";
import { AuthorityServer } from "./accounts.ts";
import { compressed } from "./fixtures.ts";
import { subscribing, textFrame, Texts } from "./world.ts";

const pattern = (...patterns: string[]) => ({ patterns: patterns.map((pattern) => ({ pattern })) });

Deno.test("points tell nothing of topics that may not be read, nor how much there was of forgotten ones", async () => {
  const limits = { forgetAfter: 1_000, retainFor: 500 };
  await using test = new AuthorityServer({ root: {}, alice: { subscribe: ["pub/#"] } }, { limits });
  const root = await test.user("root");
  const from = new Texts(root);
  for (const topic of ["gone", "pub/here", "secret"]) await from.publish(topic, "one", "two", "three");
  const ids = ["gone", "pub/here", "secret"].map((topic) => test.server.topics.get(topic)!.id);
  await root.end();
  await test.world.run(20_000);
  assertEquals(test.server.topics.get("gone"), undefined, "it is forgotten");
  const others = new Texts(await test.user("root"));
  for (const topic of ["pub/here", "secret"]) await others.publish(topic, "four");
  const known = [...ids, ...["pub/here", "secret"].map((topic) => test.server.topics.get(topic)!.id), 99];
  const alice = await test.user("alice");
  await alice.request(points, { subscription: 1, points: known.map((topic) => ({ topic, sequence: 1 })) });
  const start = { start: Start.resume, epoch: test.server.topics.epoch, ...pattern("pub/none") };
  await alice.request(subscribe, { ...subscribing, ...start });
  const gaps = alice.named("GAP").map(({ topic, last, code }) => [topic, last, code]);
  const live = new Set(["pub/here", "secret"].map((topic) => test.server.topics.get(topic)!.id));
  const unknown = known.filter((topic, index) => !live.has(topic) && known.indexOf(topic) === index);
  assertEquals(gaps, unknown.map((topic) => [topic, 0, Code.forgotten]), "of a topic that never was it is the same");
});

Deno.test("who may read nothing of it gets an empty list at once", async () => {
  await using test = new AuthorityServer({ root: {}, alice: { subscribe: ["pub/#"] } });
  await new Texts(await test.user("root")).publish("secret", "one");
  const alice = await test.user("alice");
  await alice.request(list, { request: 3, pattern: "secret/#" });
  assertEquals(alice.frames(), [{ frame: "LISTED", request: 3, last: 1, topics: [] }]);
});

Deno.test("a user's many publishers crowd out each other, and nobody else's", async () => {
  await using test = new AuthorityServer({ alice: {}, mallory: {} }, { limits: { publishers: 8 } });
  const first = await test.user("alice", { id: 1 });
  const before = new Texts(first);
  await before.publish("t", "one");
  await first.end();
  for (let id = 100; id < 130; id++) {
    const peer = await test.user("mallory", { id });
    await peer.request(declare, { request: 1, first: 0, topic: "t" });
    assertEquals(peer.names(), ["DECLARED"]);
    await peer.end();
  }
  const again = await test.user("alice", { id: 1 });
  await again.request(declare, { request: 1, first: 1, topic: "t" });
  assertEquals(again.named("DECLARED").map(({ known, last }) => [known, last]), [[1, 1]]);
});

Deno.test("a subscription that cannot be read any more is not counted any more", async () => {
  await using test = new AuthorityServer({ root: {}, alice: { limits: { subscriptions: 1 } } });
  const root = await test.user("root");
  await root.request(declare, { request: 1, first: 0, topic: "t" });
  const topic = root.named("DECLARED")[0]!.topic as number;
  const alice = await test.user("alice");
  await alice.request(subscribe, { ...subscribing, ...pattern("t") });
  assertEquals(alice.names(), ["SUBSCRIBED"]);
  await root.send(compressed(textFrame(["x".repeat(500)], { topic, number: 1 }), Codec.zstd));
  assertEquals(alice.named("FAILED").map(({ code }) => code), [Code.codec]);
  await alice.request(subscribe, { ...subscribing, ...pattern("other") });
  assertEquals(alice.names(), ["SUBSCRIBED"]);
});
