import { assert, assertEquals } from "@std/assert";
import { Code } from "../../core/codes.ts";
import { datagrams, declare, list, points, Start, subscribe } from "../../core/control.ts";
import { FrameType } from "../../core/frame.ts";
import { AuthorityServer, TestAuthority } from "./accounts.ts";
import { wanting } from "./datagram_subscriber.ts";
import { DatagramNetwork } from "./datagram_network.ts";
import { type Peer, type Seen, subscribing, textFrame, Texts, World } from "./world.ts";

const pattern = (...patterns: string[]) => ({ patterns: patterns.map((pattern) => ({ pattern })) });
const names = (frames: Seen[]) => frames.filter(({ frame }) => frame === "ANNOUNCE").map(({ name }) => name);

/** A server with a user who may do everything, and messages in these topics. */
async function serverWith(alice: object, topics: readonly string[]): Promise<{ test: AuthorityServer; from: Texts }> {
  const test = new AuthorityServer({ alice, root: {} });
  const from = new Texts(await test.user("root"));
  for (const topic of topics) await from.publish(topic, `of ${topic}`);
  return { test, from };
}

/** Who publishes what, and what is said to that. */
const declarations: [rules: string[], topic: string, code: number, why: string][] = [
  [["a/#"], "a/b", Code.done, ""],
  [["a/#"], "b", Code.forbidden, "alice may not publish to b"],
  [[], "a", Code.forbidden, "alice may not publish to a"],
  [["#", "!a/secret"], "a/secret", Code.forbidden, "alice may not publish to a/secret"],
  [["!a/#", "a/b"], "a/b", Code.forbidden, "alice may not publish to a/b"],
  [["#"], "$sys/a", Code.forbidden, "alice may not publish to $sys/a"],
  [["$sys/#"], "$sys/a", Code.reservedTopic, "topic $sys/a: topics that begin with $ are the server's own"],
  [["#"], "a//b", Code.topicName, "topic a//b: the name is not one a topic can have"],
];

for (const [publish, topic, code, why] of declarations) {
  Deno.test(`DECLARE of ${topic} by who may publish to [${publish}]: ${why || "declared"}`, async () => {
    await using test = new AuthorityServer({ alice: { publish } });
    const peer = await test.user("alice");
    await peer.request(declare, { request: 5, first: 0, topic });
    const [answer] = peer.frames();
    if (code === Code.done) assertEquals(answer!.frame, "DECLARED");
    else assertEquals(answer, { frame: "FAILED", request: 5, kind: FrameType.declare, code, why });
    assertEquals(test.server.topics.size, code === Code.done ? 1 : 0, "what is refused takes no room");
  });
}

Deno.test("a topic that somebody else declared is no more open than another", async () => {
  const { test } = await serverWith({ publish: [] }, ["a"]);
  await using _ = test;
  const peer = await test.user("alice");
  await peer.request(declare, { request: 1, first: 0, topic: "a" });
  assertEquals(peer.names(), ["FAILED"]);
  await peer.send(textFrame(["x"], { topic: 1, number: 1 }));
  assertEquals(peer.reason(), "protocol");
  assertEquals(test.server.topics.get("a")?.log.nextSequence, 2);
});

const subscriptions: [rules: string[], patterns: string[], why: string][] = [
  [["a/#"], ["a/b"], ""],
  [["a/#"], ["#"], ""],
  [["a/#"], ["b"], "alice may not subscribe to b"],
  [["a/#"], ["b/#"], "alice may not subscribe to b/#"],
  [["a/#"], ["a", "b"], "alice may not subscribe to b"],
  [["#", "!a/#"], ["a/b"], "alice may not subscribe to a/b"],
  [["#", "!a/#"], ["a/+"], "alice may not subscribe to a/+"],
  [["#", "!a/b"], ["a/+"], ""],
  [[], ["#"], "alice may not subscribe to #"],
  [["#"], ["$sys/#"], "alice may not subscribe to $sys/#"],
];

for (const [rules, patterns, why] of subscriptions) {
  Deno.test(`SUBSCRIBE to ${patterns} by who may read [${rules}]: ${why || "subscribed"}`, async () => {
    await using test = new AuthorityServer({ alice: { subscribe: rules } });
    const peer = await test.user("alice");
    await peer.request(subscribe, { ...subscribing, subscription: 3, ...pattern(...patterns) });
    const [answer] = peer.frames();
    if (why === "") assertEquals(answer!.frame, "SUBSCRIBED");
    else assertEquals(answer, { frame: "FAILED", request: 3, kind: FrameType.subscribe, code: Code.forbidden, why });
  });
}

Deno.test("a pattern that reaches forbidden topics says nothing of them, be they there before or created later", async () => {
  const { test, from } = await serverWith({ subscribe: ["#", "!a/secret"] }, ["a/open", "a/secret", "b"]);
  await using _ = test;
  const peer = await test.user("alice");
  await peer.request(subscribe, { ...subscribing, ...pattern("a/+") });
  const frames = peer.frames();
  assertEquals(names(frames), ["a/open"]);
  assertEquals(frames.filter(({ frame }) => frame === "SUBSCRIBED").map(({ topics }) => topics), [1]);
  await from.publish("a/secret", "more");
  await from.publish("a/new", "n");
  assertEquals(peer.texts(), ["n"]);
  const other = await test.user("alice");
  await other.request(subscribe, { ...subscribing, ...pattern("a/#") });
  other.frames();
  test.regrant("alice", { subscribe: ["#", "!a/later", "!a/secret"] });
  await from.publish("a/later", "l");
  assertEquals([...peer.names(), ...other.names()], []);
});

Deno.test("resume points that name forbidden topics are answered by GAP, and nothing else of them", async () => {
  const { test, from } = await serverWith({ subscribe: ["#", "!secret"] }, ["open", "secret"]);
  await using _ = test;
  await from.publish("secret", "2", "3");
  const { epoch } = test.server.topics;
  const peer = await test.user("alice");
  const known = [{ topic: 1, sequence: 2 }, { topic: 2, sequence: 2 }];
  await peer.request(points, { subscription: 1, points: known });
  await peer.request(subscribe, { ...subscribing, start: Start.resume, epoch, value: 2 });
  const frames = peer.frames();
  assertEquals(names(frames), ["open"]);
  assertEquals(frames.filter(({ frame }) => frame === "GAP"), [
    { frame: "GAP", subscription: 1, topic: 2, first: 2, last: 0, code: Code.forbidden },
  ]);
  assertEquals(frames.some(({ frame }) => frame === "MESSAGES"), false);
});

Deno.test("LIST passes over what may not be read", async () => {
  const { test } = await serverWith({ subscribe: ["#", "!b/#"] }, ["a", "b/x", "b/y", "c"]);
  await using _ = test;
  const peer = await test.user("alice");
  for (const [asked, expected] of [["#", ["a", "c"]], ["b/#", []], ["a", ["a"]]] as const) {
    await peer.request(list, { request: 1, pattern: asked });
    const [listed, ...more] = peer.frames() as unknown as { last: number; topics: { name: string }[] }[];
    assertEquals([listed!.topics.map(({ name }) => name), listed!.last, more], [[...expected], 1, []]);
  }
});

/** A server that delivers by datagrams, and asks who somebody is. */
class DatagramAuthorityServer extends AuthorityServer {
  readonly #network: DatagramNetwork;

  constructor(users: ConstructorParameters<typeof AuthorityServer>[0]) {
    const network = new DatagramNetwork(new World());
    const options = { openDatagrams: network.open, limits: { idleTimeout: Infinity } };
    super(users, options, network.world, new TestAuthority());
    this.#network = network;
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    this.#network[Symbol.dispose]();
    this.server.close();
    await this.world.run(1);
    await super[Symbol.asyncDispose]();
  }
}

Deno.test("DATAGRAMS: all of it may be read, or none is delivered; that holds when it changes", async () => {
  await using test = new DatagramAuthorityServer({ alice: { subscribe: ["a/#", "!a/secret"] } });
  const peer = await test.user("alice");
  const failed = (...patterns: string[]) => [{
    frame: "FAILED",
    request: 1,
    kind: FrameType.datagrams,
    code: Code.forbidden,
    why: `alice may not read all that ${patterns.join(" ")} matches`,
  }];
  for (const patterns of [["#"], ["a/+"], ["a/secret"], ["a/open", "b"]]) {
    await peer.request(datagrams, { ...wanting, ...pattern(...patterns) });
    assertEquals(peer.frames(), failed(...patterns));
  }
  await peer.request(datagrams, { ...wanting, subscription: 1, ...pattern("a/x/#") });
  await peer.request(datagrams, { ...wanting, subscription: 2, ...pattern("a/y") });
  assertEquals(peer.names(), ["ROUTE", "ROUTE"]);
  test.regrant("alice", { subscribe: ["a/#", "!a/x/y"] });
  await test.world.run(1);
  assertEquals(peer.frames(), failed("a/x/#"));
});

/** The number that a publisher is told to be known by. */
async function lastKnown(peer: Peer, topic: string): Promise<unknown> {
  await peer.request(declare, { request: 1, first: 0, topic });
  return peer.named("DECLARED").map(({ known, last }) => [known, last])[0];
}

Deno.test("the ids of one user mean nothing to another: no session is replaced, no numbers are known", async () => {
  await using test = new AuthorityServer({ alice: {}, mallory: {} });
  const alice = await test.user("alice", { id: 7 });
  const from = new Texts(alice);
  await from.publish("a", "1", "2");
  const mallory = await test.user("mallory", { id: 7 });
  assertEquals(await lastKnown(mallory, "a"), [0, 0]);
  await mallory.send(textFrame(["3"], { topic: 1, number: 1 }));
  await from.publish("a", "4");
  assertEquals(test.closes("replaced"), 0);
  assertEquals(test.server.topics.get("a")?.log.nextSequence, 5);
  const again = await test.user("alice", { id: 7 });
  assertEquals(await lastKnown(again, "a"), [1, 3]);
  assertEquals(test.closes("replaced"), 1);
  assert(!mallory.closed);
});

Deno.test("why a session ended is told to its user alone", async () => {
  await using test = new AuthorityServer({ alice: {}, mallory: {} });
  const alice = await test.user("alice", { id: 7 });
  await alice.send(new Uint8Array(8));
  assertEquals(alice.reason(), "protocol");
  await alice.end();
  const closed = async (user: string) => (await test.claims(user, { id: 7 })).frames()[0]!.closed;
  assertEquals([await closed("mallory"), await closed("alice")], [Code.done, Code.protocol]);
});
