import { assert, assertEquals } from "@std/assert";
import { Code } from "../../core/codes.ts";
import { close, declare, hello, ping, preamble } from "../../core/control.ts";
import { largestHello } from "../../core/limits.ts";
import { controlFrame, idOf, TestServer } from "./world.ts";
import { concat } from "./fixtures.ts";

const greeting = controlFrame(hello, { features: 0, session: idOf(7), agent: "test", user: "", secret: "" });

Deno.test("handshake: WELCOME tells the epoch, the limits and who speaks", async () => {
  await using test = new TestServer();
  const peer = test.connect();
  await peer.send(preamble, greeting);
  const [welcome, ...more] = peer.frames();
  assertEquals(more, []);
  assertEquals(welcome, {
    frame: "WELCOME",
    features: 0,
    epoch: test.server.topics.epoch,
    time: test.world.time(),
    maxMessage: 1024 * 1024,
    ownMessage: 1024 * 1024,
    connectionCredit: 16 * 1024 * 1024,
    idleTimeout: 45_000,
    closed: Code.done,
    why: "",
    agent: "stream/0.1",
  });
  assertEquals(test.events, [{ kind: "opened", peer: "peer 1", agent: "test", user: "everybody" }]);
});

Deno.test("handshake: the same, a byte at a time", async () => {
  await using test = new TestServer();
  const peer = test.connect();
  for (const byte of concat([preamble, greeting])) await peer.send(new Uint8Array([byte]));
  assertEquals(peer.names(), ["WELCOME"]);
});

Deno.test("handshake: a newer minor version is welcome, longer frames too", async () => {
  await using test = new TestServer();
  const peer = test.connect();
  const newer = preamble.slice();
  newer[7] = 9;
  const longer = concat([greeting, new Uint8Array(5)]);
  new DataView(longer.buffer).setUint32(0, longer.length, true);
  await peer.send(newer, longer);
  assertEquals(peer.names(), ["WELCOME"]);
});

for (let wrong = 0; wrong < 7; wrong++) {
  const name = wrong < 6 ? "not-stream" : "version";
  Deno.test(`handshake: a preamble that is wrong at byte ${wrong} ends with ${name}, as soon as it is there`, async () => {
    await using test = new TestServer();
    const peer = test.connect();
    const bytes = preamble.slice(0, wrong + 1);
    bytes[wrong]! ^= 0x40;
    await peer.send(bytes);
    assertEquals(peer.reason(), name);
    assert(peer.ended && !peer.closed, "the peer reads why before the connection goes");
    await peer.end();
    assert(peer.closed);
    assertEquals([...test.server.closes], [[name, 1]]);
  });
}

Deno.test("handshake: a peer that never ends its side is not waited for", async () => {
  await using test = new TestServer();
  const peer = test.connect();
  await peer.send(new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"));
  assertEquals(peer.reason(), "not-stream");
  await test.world.run(2_500);
  assert(peer.closed);
  assertEquals(test.server.connections, 0);
});

Deno.test("handshake: a trickle of bytes, one a second, does not outlast 5 s", async () => {
  await using test = new TestServer();
  const peer = test.connect();
  const bytes = concat([preamble, greeting]);
  for (let second = 0; second < 5; second++) {
    assertEquals(test.closes("handshake-timeout"), 0);
    await peer.send(bytes.subarray(second, second + 1));
    await test.world.run(1_000);
  }
  assertEquals(peer.reason(), "handshake-timeout");
  // Whatever still comes is passed over, and does not keep it either.
  for (let second = 5; second < 8; second++) {
    await peer.send(bytes.subarray(second, second + 1));
    await test.world.run(1_000);
  }
  assert(peer.closed);
  assertEquals(test.server.connections, 0);
});

Deno.test("handshake: pings before HELLO do not outlast the deadline", async () => {
  await using test = new TestServer();
  const peer = test.connect();
  await peer.send(preamble);
  for (let second = 0; second < 5; second++) {
    await peer.request(ping, { token: second });
    await test.world.run(1_000);
  }
  assertEquals(peer.reason(), "handshake-timeout");
});

Deno.test("handshake: the first frame is HELLO, the second is not", async () => {
  await using test = new TestServer();
  const early = test.connect();
  await early.send(preamble, controlFrame(declare, { request: 1, first: 0, topic: "a" }));
  assertEquals(early.reason(), "protocol");
  const twice = await test.greeted();
  await twice.send(greeting);
  assertEquals(twice.reason(), "protocol");
});

Deno.test("handshake: a HELLO may have a KiB and no byte more", async () => {
  await using test = new TestServer();
  const padded = new Uint8Array(largestHello);
  padded.set(greeting);
  new DataView(padded.buffer).setUint32(0, padded.length, true);
  const most = test.connect();
  await most.send(preamble, padded);
  assertEquals(most.names(), ["WELCOME"]);
  const larger = test.connect();
  new DataView(padded.buffer).setUint32(0, padded.length + 1, true);
  await larger.send(preamble, padded.subarray(0, 8));
  assertEquals(larger.reason(), "frame-too-large");
});

Deno.test("handshake: a peer may end it", async () => {
  await using test = new TestServer();
  const said = test.connect();
  await said.send(preamble, controlFrame(close, { code: Code.done, why: "" }));
  await said.end();
  assert(said.closed);
  const unsaid = test.connect();
  await unsaid.send(preamble);
  await unsaid.end();
  assert(unsaid.closed);
  const broken = test.connect();
  await broken.send(preamble.subarray(0, 3));
  await broken.reset();
  assert(broken.closed);
  assertEquals([...test.server.closes], [["done", 1], ["connection-lost", 2]]);
});
