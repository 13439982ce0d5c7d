/** Who is sent compressed frames, and who is refused them. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { Codec, codecFeatures, codecNames, featureOf, isCodec } from "../../core/codec.ts";
import { Code } from "../../core/codes.ts";
import {
  announce,
  datagrams,
  declare,
  declared,
  deliver,
  failed as failedFrame,
  hello,
  Policy,
  preamble,
  Start,
  subscribe,
  subscribed,
  undeclare,
  unsubscribe,
} from "../../core/control.ts";
import { RefusedError } from "../../core/errors.ts";
import { at, FrameType, stamp } from "../../core/frame.ts";
import { compressed, framesIn, viewOf } from "./fixtures.ts";
import { DatagramServer, wanting } from "./datagram_subscriber.ts";
import { collect, PlayedServer } from "./links.ts";
import { controlFrame, idOf, type Peer, publisher, subscribing, TestServer, textFrame, turn, World } from "./world.ts";

const { deflate, zstd } = Codec;

/** A peer that knows these codecs. */
async function greeted(test: TestServer, id: number, ...codecs: Codec[]): Promise<Peer> {
  const peer = test.connect();
  const features = codecs.reduce((sum, codec) => sum | featureOf(codec), 0);
  await peer.send(preamble, controlFrame(hello, { features, session: idOf(id), agent: "test", user: "", secret: "" }));
  assertEquals(peer.frames().map(({ frame, features }) => [frame, features]), [["WELCOME", features]]);
  return peer;
}

/** A publisher of one frame after the other, of 20 messages each, to the topic `a`. */
async function publishing(test: TestServer, topic = "a") {
  const peer = await test.greeted(1);
  await peer.request(declare, { request: 1, first: 0, topic });
  const id = peer.named("DECLARED")[0]!.topic as number;
  let number = 1;
  return {
    peer,
    send: async (codec: Codec | null) => {
      const plain = textFrame(Array.from({ length: 20 }, (_, i) => `message ${number + i}`), { topic: id, number });
      number += 20;
      const frame = codec === null ? plain : compressed(plain, codec);
      await peer.send(frame);
      return frame;
    },
  };
}

const failed = (code: string, request = 1, kind: number = FrameType.subscribe, topic = "a") => ({
  frame: "FAILED",
  request,
  kind,
  code: Code.codec,
  why: `the subscriber does not know ${code}, by which frames are compressed of topic ${topic}`,
});

Deno.test("the codecs have numbers, names and bits that may never change", () => {
  assertEquals([Codec, codecFeatures], [{ deflate: 1, zstd: 2 }, 3]);
  assertEquals([featureOf(deflate), featureOf(zstd)], [1, 2]);
  assertEquals([0, 1, 2, 3, 255].map(isCodec), [false, true, true, false, false]);
  assertEquals([0, 1, 2, 3, 4].map(codecNames), ["", "deflate", "zstd", "deflate, zstd", ""]);
});

Deno.test("WELCOME has the codecs of HELLO that the server knows, and no bit of another feature", async () => {
  await using test = new TestServer();
  for (const [features, granted] of [[0, 0], [1, 1], [2, 2], [3, 3], [0xffff_ffff, 3], [8, 0]]) {
    const peer = test.connect();
    await peer.send(
      preamble,
      controlFrame(hello, { features: features!, session: idOf(90 + features!), agent: "test", user: "", secret: "" }),
    );
    assertEquals(peer.frames()[0]!.features, granted);
  }
});

Deno.test("a compressed frame is delivered to the byte to who knows its codec", async () => {
  await using test = new TestServer();
  const subscriber = await greeted(test, 2, zstd, deflate);
  await subscriber.request(subscribe, { ...subscribing, start: Start.earliest });
  const from = await publishing(test);
  subscriber.bytes();
  const sent = [await from.send(zstd), await from.send(null), await from.send(deflate)];
  assertEquals(from.peer.named("REFUSE"), []);
  const came = framesIn(subscriber.bytes()).filter((frame) => frame[at.type] === FrameType.messages);
  // All but what the server stamps.
  const inside = (frame: Uint8Array) => [frame.subarray(0, at.sequence), frame.subarray(at.number)];
  assertEquals(came.map(inside), sent.map(inside));
});

Deno.test("a subscription fails before the first frame that it cannot read; those beside it go on", async () => {
  await using test = new TestServer();
  const able = await greeted(test, 2, zstd);
  const unable = await greeted(test, 3, deflate);
  for (const peer of [able, unable]) {
    await peer.request(subscribe, { ...subscribing, subscription: 1 });
    await peer.request(subscribe, { ...subscribing, subscription: 2, patterns: [{ pattern: "b" }] });
  }
  const from = await publishing(test);
  await from.send(null);
  for (const peer of [able, unable]) {
    assertEquals(peer.names(), ["SUBSCRIBED", "SUBSCRIBED", "ANNOUNCE", "DELIVER", "MESSAGES"]);
  }
  await from.send(zstd);
  await from.send(null);
  assertEquals(able.names(), ["MESSAGES", "MESSAGES"]);
  assertEquals(unable.frames(), [failed("zstd")]);
  await (await publisher(test)).publish("b", "x");
  assertEquals(unable.texts(), ["x"]);
  assertEquals(test.server.topics.get("a")!.readers, 1);
  assertEquals([...test.server.closes], []);
  // Its number may be used again, for what can be read.
  await unable.request(subscribe, { ...subscribing, patterns: [{ pattern: "c" }] });
  assertEquals(unable.names(), ["SUBSCRIBED"]);
});

Deno.test("a topic that begins with a compressed frame is not even announced to who cannot read it", async () => {
  await using test = new TestServer();
  const exact = await greeted(test, 2);
  const wild = await greeted(test, 3);
  await exact.request(subscribe, { ...subscribing, patterns: [{ pattern: "a" }] });
  await wild.request(subscribe, subscribing);
  for (const peer of [exact, wild]) assertEquals(peer.names(), ["SUBSCRIBED"]);
  await (await publishing(test)).send(deflate);
  for (const peer of [exact, wild]) assertEquals(peer.frames(), [failed("deflate")]);
});

Deno.test("the reason names the codec, however long the name of the topic is", async () => {
  await using test = new TestServer();
  const peer = await greeted(test, 2);
  await peer.request(subscribe, subscribing);
  peer.frames();
  const topic = "x".repeat(255);
  await (await publishing(test, topic)).send(zstd);
  assertEquals(peer.named("FAILED").map(({ why }) => why), [failed("zstd", 1, 10, topic).why.slice(0, 255)]);
});

Deno.test("SUBSCRIBE to a topic that has had compressed frames fails, wherever it is to start, and as long as the topic is", async () => {
  await using test = new TestServer({ limits: { retain: 4096, maxMessage: 1024 } });
  const from = await publishing(test);
  await from.send(zstd);
  for (let i = 0; i < 100; i++) await from.send(null);
  assert(test.server.topics.get("a")!.log.firstSequence > 20, "the frame itself is no longer kept");
  const peer = await greeted(test, 2, deflate);
  for (const start of [Start.latest, Start.earliest]) {
    await peer.request(subscribe, { ...subscribing, start });
    assertEquals(peer.frames(), [failed("zstd")]);
  }
  await from.send(deflate);
  const none = await greeted(test, 3);
  await none.request(subscribe, subscribing);
  assertEquals(none.frames(), [failed("deflate, zstd")]);
});

Deno.test("a subscription that is paused, behind, or not confirmed fails too", async () => {
  await using test = new TestServer();
  const from = await publishing(test);
  await from.send(null);
  const peer = await greeted(test, 2);
  peer.window = 0;
  await peer.request(subscribe, { ...subscribing, start: Start.earliest, policy: Policy.wait });
  await from.send(zstd);
  await peer.accept(Infinity);
  const names = peer.names();
  assertEquals([names.at(-1), names.filter((name) => name === "MESSAGES").length <= 1], ["FAILED", true]);
  const { readers, guarded } = test.server.topics.get("a")!;
  assertEquals([readers, guarded], [0, []]);
  await peer.request(unsubscribe, { subscription: 1 });
  assertEquals(peer.names(), ["UNSUBSCRIBED"]);
});

Deno.test("a frame that is refused is no reason to refuse a subscription", async () => {
  await using test = new TestServer();
  const peer = await greeted(test, 2);
  await peer.request(subscribe, subscribing);
  const from = await publishing(test);
  peer.frames();
  await from.peer.send(compressed(textFrame(["x".repeat(100)], { topic: 1, number: 1 }), zstd, 0xffff_ffff));
  assertEquals(from.peer.named("REFUSE").map(({ code }) => code), [Code.messageTooLarge]);
  await from.peer.request(undeclare, { topic: 1 });
  assertEquals(peer.frames(), []);
});

Deno.test("DATAGRAMS fails as SUBSCRIBE does, at once or later", async () => {
  await using test = new DatagramServer();
  const later = await test.subscriber();
  await later.prove();
  const from = await publishing(test);
  await from.send(zstd);
  await test.world.run(100);
  assertEquals(later.peer.frames(), [failed("zstd", 1, FrameType.datagrams)]);
  assertEquals(later.texts(), []);
  assertEquals(test.server.topics.get("a")!.readers, 0);
  const peer = await greeted(test, 50);
  await peer.request(datagrams, wanting);
  assertEquals(peer.frames(), [failed("zstd", 1, FrameType.datagrams)]);
  const able = await greeted(test, 51, zstd);
  const subscriber = await test.subscriber({}, able);
  await subscriber.prove();
  await from.send(zstd);
  await test.world.run(100);
  const frames = subscriber.came().flatMap(({ frames }) => frames);
  assertEquals(frames.filter(({ frame }) => frame === "MESSAGES").length, 1);
});

Deno.test("a server that grants no codec is sent what is not compressed, and the publisher is told once", async () => {
  const server = new PlayedServer();
  const world = new World();
  let told = 0;
  const link = await server.open(world, { publisher: { compress: { codec: "auto" }, onUncompressed: () => told++ } });
  const { publisher } = link;
  publisher.send("a", new TextEncoder().encode("long and always the same ".repeat(100)));
  await turn();
  const answer = { request: 1, topic: 1, credit: 1 << 20, largestFrame: 65_536, known: 0, last: 0 };
  await server.peer.send(controlFrame(declared, answer));
  assertEquals(server.peer.texts(), ["long and always the same ".repeat(100)]);
  assertEquals(told, 1);
  await server.peer.reset();
  await world.run(2_000);
  await server.welcome();
  assertEquals([server.peers.length, told], [2, 1]);
  const closed = world.wait(link.close());
  await server.peer.end();
  await closed;
});

Deno.test("a subscription that fails later ends with the reason, behind what it got", async () => {
  const server = new PlayedServer();
  const world = new World();
  const link = await server.open(world);
  const subscription = link.subscribe("#");
  const { lines, done } = collect(subscription.events());
  done.catch(() => {});
  const one = textFrame(["1"], { topic: 1 });
  stamp(viewOf(one), 0, 1, 0);
  await server.peer.send(
    controlFrame(announce, { subscription: 1, topic: 1, ordinal: 1, sequence: 1, name: "a" }),
    controlFrame(subscribed, { subscription: 1, policy: Policy.skip, topics: 1 }),
    controlFrame(deliver, { subscription: 1 }),
    one,
  );
  await subscription.ready;
  const { frame: _, ...values } = failed("zstd");
  await server.peer.send(controlFrame(failedFrame, values));
  const error = await assertRejects(() => done, RefusedError, "does not know zstd");
  assertEquals([error.code, lines], [Code.codec, ["a 1 1"]]);
  const closed = world.wait(link.close());
  await server.peer.end();
  await closed;
});
