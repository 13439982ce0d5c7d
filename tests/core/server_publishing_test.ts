import { assert, assertEquals } from "@std/assert";
import { Codec } from "../../core/codec.ts";
import { Code } from "../../core/codes.ts";
import { declare, subscribe, undeclare } from "../../core/control.ts";
import { checksumSeal } from "../../core/datagram.ts";
import { at, encodedFlag, FrameType } from "../../core/frame.ts";
import { GroupSender } from "../../core/group_sender.ts";
import { Pattern } from "../../core/pattern.ts";
import { controlFrame, type Peer, subscribing, TestServer, textFrame } from "./world.ts";
import { codecOf, concat, KiB, MiB, viewOf } from "./fixtures.ts";

/** Declares a topic and returns its id. */
async function declares(peer: Peer, topic: string, first = 0): Promise<number> {
  await peer.request(declare, { request: 1, first, topic });
  const [declared] = peer.named("DECLARED");
  return declared!.topic as number;
}

function changed(frame: Uint8Array, change: (view: DataView) => void): Uint8Array {
  const copy = frame.slice();
  change(viewOf(copy));
  return copy;
}

Deno.test("DECLARE gives the id, the credit and the largest useful frame", async () => {
  await using test = new TestServer();
  const peer = await test.greeted();
  await peer.request(declare, { request: 5, first: 0, topic: "a/b" });
  const answer = {
    frame: "DECLARED",
    request: 5,
    topic: 1,
    credit: MiB,
    largestFrame: 64 * KiB,
    known: 0,
    last: 0,
  };
  assertEquals(peer.frames(), [answer]);
  await peer.request(declare, { request: 6, first: 0, topic: "a/b" });
  assertEquals(peer.frames(), [{ ...answer, request: 6, known: 1 }]);
  assertEquals(test.server.topics.get("a/b"), undefined, "a declared topic does not exist for others");
});

Deno.test("DECLARE: where messages are small, the largest useful frame is one of them", async () => {
  await using test = new TestServer({ limits: { maxMessage: 1000 } });
  const peer = await test.greeted();
  await peer.request(declare, { request: 1, first: 0, topic: "a" });
  assertEquals(peer.frames()[0]!.largestFrame, 48 + 2 + 1000);
});

Deno.test("DECLARE: of what a group carries, the largest useful frame fits one of its datagrams", async () => {
  await using test = new TestServer();
  const { topics } = test.server;
  const patterns = [new Pattern("a/#")];
  const options = { group: 1, session: new Uint8Array(16), patterns, largest: 1400, rate: Infinity, wait: true };
  const sender = new GroupSender(test.world, topics, checksumSeal(test.world), options);
  const peer = await test.greeted();
  const id = await declares(peer, "a/b");
  const largestOf = async (topic: string) => {
    await peer.request(declare, { request: 1, first: 0, topic });
    return peer.frames()[0]!.largestFrame;
  };
  assertEquals([await largestOf("a/b"), await largestOf("b")], [1400 - 40 - 4, 64 * KiB]);
  // A publisher makes frames before it is told.
  await peer.send(textFrame(["x".repeat(2000), "y"], { topic: id, number: 1 }));
  assertEquals(topics.get("a/b")?.log.nextSequence, 3);
  sender.close();
  assertEquals(await largestOf("a/b"), 64 * KiB);
});

Deno.test("DECLARE fails for a name no topic can have, the server's own, and one topic too many", async () => {
  await using test = new TestServer({ limits: { topics: 2 } });
  const peer = await test.greeted();
  const cases: [string, number][] = [
    ["", Code.topicName],
    ["a//b", Code.topicName],
    ["a/+", Code.topicName],
    ["#", Code.topicName],
    ["a\n", Code.topicName],
    ["$sys/a", Code.reservedTopic],
  ];
  for (const [topic, code] of cases) {
    await peer.request(declare, { request: 9, first: 0, topic });
    const [failed, ...more] = peer.frames();
    assertEquals(more, []);
    assertEquals({ ...failed, why: "" }, { frame: "FAILED", request: 9, kind: FrameType.declare, code, why: "" });
  }
  await declares(peer, "a");
  await declares(peer, "b");
  await peer.request(declare, { request: 9, first: 0, topic: "c" });
  assertEquals(peer.frames()[0]!.code, Code.topics);
  await peer.request(declare, { request: 9, first: 0, topic: "a" });
  assertEquals(peer.names(), ["DECLARED"], "the session goes on, and what there is can be declared");
});

Deno.test("ACK is cumulative, and one carries those of all topics", async () => {
  await using test = new TestServer();
  const peer = await test.greeted();
  const a = await declares(peer, "a");
  const b = await declares(peer, "b");
  await peer.send(
    textFrame(["1", "2"], { topic: a, number: 1 }),
    textFrame(["x"], { topic: b, number: 1 }),
    textFrame(["3"], { topic: a, number: 3 }),
  );
  const acks = await peer.asked();
  const last = new Map(
    acks.flatMap(({ topics }) => (topics as { topic: number; number: number }[]).map((it) => [it.topic, it.number])),
  );
  assertEquals([...last].sort(), [[a, 3], [b, 1]]);
  await peer.send(concat([
    textFrame(["4"], { topic: a, number: 4 }),
    textFrame(["y"], { topic: b, number: 2 }),
    textFrame(["5"], { topic: a, number: 5 }),
  ]));
  assertEquals(await peer.asked(), [{ frame: "ACK", topics: [{ topic: a, number: 5 }, { topic: b, number: 2 }] }]);
  assertEquals(test.server.topics.get("a")!.log.nextSequence, 6);
});

Deno.test("the server stamps the sequence and its time; numbers may have holes", async () => {
  await using test = new TestServer();
  const peer = await test.greeted();
  const a = await declares(peer, "a");
  await peer.send(textFrame(["1", "2"], { topic: a, number: 10 }));
  await test.world.run(5);
  await peer.send(textFrame(["3"], { topic: a, number: 500 }));
  const { log } = test.server.topics.get("a")!;
  const segment = log.first!;
  const second = segment.start + segment.lengthAt(segment.start);
  assertEquals([segment.sequenceAt(segment.start), segment.sequenceAt(second)], [1, 3]);
  assertEquals(segment.timeAt(second) - segment.timeAt(segment.start), 5_000);
  assertEquals(log.lastTime, test.world.time());
});

const extension = new Uint8Array([77, 1, 1, 0, 9]);
const optional = new Uint8Array([77, 0, 1, 0, 9]);
const encoded = (expanded: number) => good({ flags: encodedFlag, extension: codecOf(Codec.zstd, expanded) });
const good = (parts = {}) => textFrame(["abc", "de"], { topic: 1, number: 1, ...parts });
const refusals: [string, number, Uint8Array][] = [
  ["a wrong checksum", Code.checksum, changed(good(), (view) => view.setUint8(50, 7))],
  [
    "a wrong checksum of the extension",
    Code.checksum,
    changed(good({ extension: optional }), (view) => view.setUint8(48, 1)),
  ],
  ["a count of 0", Code.count, changed(good(), (view) => view.setUint16(at.count, 0, true))],
  ["a count that the length cannot hold", Code.count, changed(good(), (view) => view.setUint16(at.count, 8, true))],
  ["a codec that is not named", Code.corrupt, good({ flags: encodedFlag })],
  ["a codec that is unknown", Code.unsupported, good({ flags: encodedFlag, extension: codecOf(3, 100) })],
  ["an expanded length that is too large", Code.messageTooLarge, encoded(0xffff_ffff)],
  ["an expanded length that cannot hold the count", Code.count, encoded(1)],
  ["a mandatory entry that is unknown", Code.unsupported, good({ extension })],
  ["an extension that is not whole", Code.corrupt, good({ extension: optional.subarray(0, 4) })],
];

for (const [what, code, frame] of refusals) {
  Deno.test(`REFUSE: ${what}; the session goes on, and ACK passes the frame`, async () => {
    await using test = new TestServer();
    const peer = await test.greeted();
    const topic = await declares(peer, "a");
    await peer.send(concat([frame, textFrame(["ok"], { topic, number: 3 })]));
    const [refuse, ack, ...more] = peer.frames();
    assertEquals(more, []);
    const count = viewOf(frame).getUint16(at.count, true);
    assertEquals({ ...refuse, why: "" }, { frame: "REFUSE", topic, number: 1, count, code, why: "" });
    assertEquals(ack, { frame: "ACK", topics: [{ topic, number: Math.max(3, count) }] });
    assertEquals(test.server.topics.get("a")?.log.nextSequence ?? 1, count === 8 ? 1 : 2);
  });
}

Deno.test("REFUSE: messages that are too large, alone and in a batch", async () => {
  await using test = new TestServer({ limits: { maxMessage: 1000 } });
  const peer = await test.greeted();
  const topic = await declares(peer, "a");
  await peer.send(textFrame(["x".repeat(1000)], { topic, number: 1 }));
  assertEquals(await peer.asked(), [{ frame: "ACK", topics: [{ topic, number: 1 }] }]);
  await peer.send(textFrame(["x".repeat(1001)], { topic, number: 2 }));
  assertEquals(peer.frames().map(({ frame, code }) => [frame, code]), [["REFUSE", Code.messageTooLarge], [
    "ACK",
    undefined,
  ]]);
  await peer.send(textFrame(["x".repeat(900), "x".repeat(900)], { topic, number: 3 }));
  assertEquals(peer.frames()[0]!.code, Code.messageTooLarge);
  assertEquals(test.server.topics.get("a")!.log.nextSequence, 2);
});

Deno.test("REFUSE: a frame that overlaps what came before", async () => {
  await using test = new TestServer();
  const peer = await test.greeted();
  const topic = await declares(peer, "a");
  await peer.send(textFrame(["1", "2", "3"], { topic, number: 1 }));
  peer.frames();
  await peer.send(textFrame(["3", "4"], { topic, number: 3 }));
  assertEquals(peer.frames().map(({ frame, code }) => [frame, code]), [["REFUSE", Code.number], ["ACK", undefined]]);
});

Deno.test("an extension that is optional and a header of a later version are passed on as they are", async () => {
  await using test = new TestServer();
  const peer = await test.greeted();
  const topic = await declares(peer, "a");
  const frame = textFrame(["x"], { topic, number: 1, extension: optional, header: 56 });
  await peer.send(frame);
  await peer.request(subscribe, subscribing);
  const segment = test.server.topics.get("a")!.log.first!;
  const stored = segment.bytes.subarray(segment.start, segment.end);
  assertEquals(stored.subarray(48), frame.subarray(48));
  assertEquals(peer.texts(), ["x"]);
});

const broken: [string, Uint8Array][] = [
  ["lengths that do not agree", changed(good(), (view) => view.setUint32(at.payload, 3, true))],
  ["a header that is too short", changed(good(), (view) => view.setUint8(at.header, 40))],
  ["a topic that is not declared", good({ topic: 2 })],
  ["the number 0", good({ number: 0 })],
  ["a number above 2^53", changed(good(), (view) => view.setUint32(at.number + 4, 1 << 22, true))],
];

for (const [what, frame] of broken) {
  Deno.test(`a frame with ${what} ends its session with protocol, and no other`, async () => {
    await using test = new TestServer();
    const peer = await test.greeted();
    const other = await test.greeted();
    await declares(other, "a");
    await declares(peer, "a");
    await peer.send(frame);
    assertEquals(peer.reason(), "protocol");
    await other.send(good());
    assertEquals(await other.asked(), [{ frame: "ACK", topics: [{ topic: 1, number: 2 }] }]);
  });
}

Deno.test("a frame of messages before any DECLARE ends its session", async () => {
  await using test = new TestServer();
  const peer = await test.greeted();
  await peer.send(good());
  assertEquals(peer.reason(), "protocol");
});

Deno.test("duplicates are recognised by publisher, topic and number, on the connection and on the next", async () => {
  await using test = new TestServer();
  const first = await test.greeted(7);
  const a = await declares(first, "a");
  await first.send(textFrame(["1", "2"], { topic: a, number: 1 }), textFrame(["1", "2"], { topic: a, number: 1 }));
  assertEquals(await first.asked(), [{ frame: "ACK", topics: [{ topic: a, number: 2 }] }]);
  await first.reset();

  const again = await test.greeted(7);
  await again.request(declare, { request: 1, first: 1, topic: "a" });
  const [declared] = again.frames();
  assertEquals([declared!.known, declared!.last, declared!.topic], [1, 2, a]);
  await again.send(textFrame(["1", "2"], { topic: a, number: 1 }), textFrame(["3"], { topic: a, number: 3 }));
  assertEquals(await again.asked(), [{ frame: "ACK", topics: [{ topic: a, number: 3 }] }]);

  const other = await test.greeted(8);
  await declares(other, "a");
  await other.send(textFrame(["other"], { topic: a, number: 1 }));
  assertEquals(test.server.topics.get("a")!.log.nextSequence, 5);
});

Deno.test("a frame that was refused is not told as appended on the next connection: it comes again, and is refused again", async () => {
  await using test = new TestServer();
  const first = await test.greeted(7);
  const topic = await declares(first, "a");
  const bad = textFrame(["bad"], { topic, number: 2, flags: encodedFlag });
  await first.send(textFrame(["1"], { topic, number: 1 }), bad, textFrame(["3"], { topic, number: 3 }));
  await first.reset();

  // The publisher has seen nothing of the answers.
  const again = await test.greeted(7);
  await again.request(declare, { request: 1, first: 1, topic: "a" });
  const { known, last } = again.frames()[0]!;
  assertEquals(known, 1);
  assert(last as number < 2, `last is ${last}`);
  await again.send(textFrame(["1"], { topic, number: 1 }));
  assertEquals(
    await again.asked(),
    [{ frame: "ACK", topics: [{ topic, number: 1 }] }],
    "not what is to be refused yet",
  );
  await again.send(bad);
  assertEquals(again.names(), ["REFUSE", "ACK"]);
  await again.send(textFrame(["3"], { topic, number: 3 }));
  assertEquals(test.server.topics.get("a")!.log.nextSequence, 3, "and nothing came twice");
});

Deno.test("a publisher that knows of its refused frames is told the last number", async () => {
  await using test = new TestServer();
  const first = await test.greeted(7);
  const topic = await declares(first, "a");
  await first.send(
    textFrame(["bad"], { topic, number: 1, flags: encodedFlag }),
    textFrame(["2"], { topic, number: 2 }),
  );
  await first.reset();
  const again = await test.greeted(7);
  await again.request(declare, { request: 1, first: 2, topic: "a" });
  assertEquals(again.frames()[0]!.last, 2);
});

Deno.test("a topic remembers so many publishers; an idle one makes room, a connected one does not", async () => {
  await using test = new TestServer({ limits: { publishers: 3 } });
  const peers = [];
  for (let id = 1; id <= 3; id++) {
    const peer = await test.greeted(id);
    await declares(peer, "a");
    peers.push(peer);
    await test.world.run(10);
  }
  const fourth = await test.greeted(4);
  await fourth.request(declare, { request: 3, first: 0, topic: "a" });
  const [failed] = fourth.frames();
  assertEquals([failed!.frame, failed!.request, failed!.code], ["FAILED", 3, Code.publishers]);
  await peers[1]!.send(textFrame(["x"], { topic: 1, number: 1 }));
  await peers[1]!.reset();
  await declares(fourth, "a");
  const back = await test.greeted(2);
  await fourth.reset();
  await back.request(declare, { request: 1, first: 1, topic: "a" });
  const [declared] = back.frames();
  assertEquals([declared!.known, declared!.last], [0, 0], "it was forgotten, and is told so");
});

Deno.test("a publisher's numbers are forgotten after 10 minutes, and it is told", async () => {
  await using test = new TestServer();
  const peer = await test.greeted(7);
  const topic = await declares(peer, "a");
  await peer.send(textFrame(["x"], { topic, number: 1 }));
  await peer.reset();
  await test.world.run(500_000);
  const still = await test.greeted(7);
  await still.request(declare, { request: 1, first: 2, topic: "a" });
  assertEquals(still.frames()[0]!.known, 1);
  await still.reset();
  await test.world.run(620_000);
  const late = await test.greeted(7);
  await late.request(declare, { request: 1, first: 2, topic: "a" });
  assertEquals(late.frames()[0]!.known, 0);
});

Deno.test("UNDECLARE gives the topic up; of one that is not declared it ends the session", async () => {
  await using test = new TestServer();
  const peer = await test.greeted();
  const topic = await declares(peer, "a");
  await peer.send(textFrame(["x"], { topic, number: 1 }), controlFrame(undeclare, { topic }));
  assertEquals(await peer.asked(), [{ frame: "ACK", topics: [{ topic, number: 1 }] }], "what is due is still told");
  assertEquals(await declares(peer, "a"), topic);
  await peer.send(textFrame(["y"], { topic, number: 2 }));
  assertEquals(test.server.topics.get("a")!.log.nextSequence, 3);
  await peer.send(controlFrame(undeclare, { topic }), textFrame(["z"], { topic, number: 3 }));
  assertEquals(peer.reason(), "protocol");
  const other = await test.greeted();
  await other.request(undeclare, { topic });
  assertEquals(other.reason(), "protocol");
});

Deno.test("a topic that was only declared is forgotten after 10 minutes without use, and then has another id", async () => {
  await using test = new TestServer();
  const peer = await test.greeted();
  assertEquals(await declares(peer, "a"), 1);
  await peer.request(undeclare, { topic: 1 });
  await peer.reset();
  await test.world.run(620_000);
  assertEquals(test.server.topics.size, 0);
  const other = await test.greeted();
  assertEquals(await declares(other, "a"), 2);
});

Deno.test("more bytes of messages than a frame may have end the session with frame-too-large", async () => {
  await using test = new TestServer({ limits: { maxMessage: 100 * KiB } });
  const peer = await test.greeted();
  const prefix = new Uint8Array(8);
  const view = viewOf(prefix);
  view.setUint32(0, 48 + 65_535 + 3 + 100 * KiB + 1, true);
  view.setUint8(at.type, FrameType.messages);
  view.setUint8(at.header, 48);
  await peer.send(prefix);
  assertEquals(peer.reason(), "frame-too-large");
  const again = await test.peer(1000);
  assertEquals(again.frames()[0]!.closed, Code.frameTooLarge);
});

Deno.test("an id tells two publishers apart, and the same id again replaces the first", async () => {
  await using test = new TestServer();
  const first = await test.greeted(7);
  const topic = await declares(first, "a");
  const second = await test.greeted(7);
  assertEquals(first.reason(), "replaced");
  await declares(second, "a");
  await second.send(textFrame(["x"], { topic, number: 1 }));
  await first.end();
  assertEquals(await second.asked(), [{ frame: "ACK", topics: [{ topic, number: 1 }] }]);
  assertEquals(test.closes("replaced"), 1);
});
