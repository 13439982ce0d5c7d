// What strangers can do to a multicast group, and what they cannot.

import { assertEquals, assertGreater, assertLess, assertLessOrEqual } from "@std/assert";
import fc from "fast-check";
import { noId, writeU64 } from "../../core/bytes.ts";
import { checksumSeal, DatagramFlag, datagramHeader, DatagramWriter } from "../../core/datagram.ts";
import { at } from "../../core/frame.ts";
import { FrameWriter } from "../../core/frame_writer.ts";
import { writeBeat } from "../../core/group_frames.ts";
import { GroupReceiver } from "../../core/group_receiver.ts";
import { blankFrame, KiB, MiB, Random, viewOf, VirtualPlatform } from "./fixtures.ts";
import { calm, cutOff, group, largest } from "./group_network.ts";
import { GroupWorld } from "./group_world.ts";

Deno.test("who has no cookie gets none of what it asks for, and what it gets is smaller than what it sent", () => {
  const world = new GroupWorld({ seed: 9 });
  world.publish("a", 1);
  world.run(20);
  const { sender, receivers: [receiver] } = world;
  const forged = new GroupReceiver(world.platform, world.seal, { ...receiver!.options, group }, receiver!);
  // It has heard of the sender, and then of a datagram that it has not got.
  forged.received(world.last.slice(), viewOf(world.last), 0, world.last.length, world.address, 0);
  const request = new Uint8Array(largest);
  const length = forged.next(request, viewOf(request), 2000);
  assertGreater(length, 0);
  assertEquals(sender.received(request, viewOf(request), 0, length, { text: "victim" }, world.platform.now()), null);
  assertEquals([sender.requests.unproven, sender.requests.accepted], [1, 0]);
  const answer = new Uint8Array(largest);
  const answered = sender.next(answer, viewOf(answer), world.platform.now());
  assertEquals(sender.to, { text: "victim" });
  assertLess(answered, length);
});

Deno.test("a request that is sent from elsewhere, or again, buys no more bytes than it cost", () => {
  for (const key of [undefined, new Random(1).bytes(32)]) {
    const world = new GroupWorld({ seed: 10, ...(key && { key }) });
    world.publish("a", 1);
    world.run(1200);
    const requests: Uint8Array[] = [];
    world.onRequest = (bytes) => requests.push(bytes);
    world.weather = cutOff;
    for (let i = 0; i < 100; i++) world.publish("a", 20);
    world.run(20);
    world.weather = calm;
    world.run(500);
    world.assertComplete();
    assertGreater(requests.length, 0);
    let [cost, bought] = [0, 0];
    world.onSend = (bytes) => {
      if (world.sender.to !== null) bought += bytes.length;
    };
    const { repaired } = world.sender.counts;
    for (const from of [{ text: "victim" }, world.receivers[0]!.address]) {
      for (let i = 0; i < 50; i++) {
        for (const request of requests) {
          const copy = request.slice();
          cost += copy.length;
          world.sender.received(copy, viewOf(copy), 0, copy.length, from, world.platform.now());
        }
        world.run(10);
      }
    }
    assertLessOrEqual(bought, cost);
    assertEquals(world.sender.counts.repaired, repaired);
  }
});

Deno.test("frames that are sealed rightly and make no sense are counted, never thrown, never given on as messages", () => {
  const mutations = fc.array(fc.record({ at: fc.nat(1400), value: fc.nat(255) }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(mutations, fc.nat(), (mutations, seed) => {
      const world = new GroupWorld({ seed: 15 });
      const receiver = world.receivers[0]!;
      let count = 0;
      const random = new Random(seed);
      world.onSend = (bytes) => {
        if (count++ < 2) return;
        for (const { at, value } of mutations) {
          if (random.chance(0.5)) bytes[40 + at % (bytes.length - 44)] = value;
        }
        world.seal.close(bytes, viewOf(bytes), 0, bytes.length - 4);
        const lenient = { wants: () => true, frame: () => {}, gap: () => {} };
        const target = new GroupReceiver(world.platform, world.seal, { ...receiver.options, group }, {
          joined: () => lenient,
          left: () => {},
        });
        target.received(bytes, viewOf(bytes), 0, bytes.length, world.address, 0);
        target.expire(10_000);
        const from = { text: "somebody" };
        world.sender.received(bytes, viewOf(bytes), 0, bytes.length, from, world.platform.now());
      };
      for (let i = 0; i < 5; i++) {
        world.publish("a", 3);
        world.run(3);
      }
    }),
    { numRuns: 200 },
  );
});

const options = { group, span: 4096, largest, wait: 20, patience: 5000, repair: true, largestFrame: MiB };
/** Bytes of datagrams that come early: what spans so many, and a block that is spare. */
const early = (4096 + 64) * largest;

/** A receiver, and a sender that says what it likes. */
function setUp(more: { topics?: number } = {}) {
  const platform = new VirtualPlatform();
  const seal = checksumSeal(platform);
  const bytes = new Uint8Array(65_536);
  const view = viewOf(bytes);
  const receiver = new GroupReceiver<string>(platform, seal, { ...options, ...more }, {
    joined: () => ({ wants: () => true, frame: () => {}, gap: () => {} }),
    left: () => {},
  });
  const session = (id: number) => new DatagramWriter(seal, group, new Uint8Array(16).fill(id).fill(id >> 8, 0, 8));
  let writer = session(1);
  let now = 0;
  return {
    receiver,
    /** Begins another session. */
    session: (id: number) => writer = session(id),
    send(body: Uint8Array, flags: number, number: number) {
      bytes.set(body, datagramHeader);
      const length = writer.finish(bytes, view, datagramHeader + body.length, flags, number);
      receiver.received(bytes, view, 0, length, "hostile", now += 0.01);
    },
    /** Lets the receiver ask and give up. */
    poll() {
      receiver.expire(now);
      while (receiver.next(bytes, view, now) > 0);
    },
    memory: () => receiver.sessions.values().reduce((sum, { memory }) => sum + memory, 0),
  };
}

/** A frame of a topic. */
function frameOf(topic: number, length: number, sequence = 1): Uint8Array {
  const frame = blankFrame(length);
  viewOf(frame).setUint32(at.topic, topic, true);
  writeU64(viewOf(frame), at.sequence, sequence);
  return frame;
}

Deno.test("a sender that jumps its numbers takes 6 MB of a receiver at most", () => {
  const { send, poll, memory } = setUp();
  const random = new Random(1);
  let number = 1;
  for (let i = 0; i < 20_000; i++) {
    send(frameOf(1, 1300), DatagramFlag.numbered, number);
    number += random.pick([1, 2, 64, 65, 5000, 1, 2 ** 30]);
    if (i % 100 === 0) poll();
    assertLessOrEqual(memory(), early + 64 * 4096);
  }
});

Deno.test("a sender that leaves one datagram out takes no more, however much it sends", () => {
  const { send, poll, memory } = setUp();
  send(frameOf(1, 100), DatagramFlag.numbered, 1);
  for (let number = 3; number < 100_000; number++) {
    send(frameOf(1, 100), DatagramFlag.numbered, number);
    if (number % 100 === 0) poll();
  }
  assertLessOrEqual(memory(), early + 64 * 4096);
});

Deno.test("senders that leave datagrams out take 64 MiB of a receiver together, and others are heard", () => {
  const { send, session, memory, receiver } = setUp();
  for (let id = 1; id <= 63; id++) {
    session(id);
    send(frameOf(1, 100), DatagramFlag.numbered, 1);
    for (let number = 3; number < 4000; number += 64) send(frameOf(1, 100), DatagramFlag.numbered, number);
  }
  assertLessOrEqual(memory(), 64 * MiB + 64 * 64 * 4096);
  assertGreater(memory(), 63 * MiB);
  session(64);
  for (let number = 1; number <= 10; number++) send(frameOf(1, 100), DatagramFlag.numbered, number);
  assertEquals([...receiver.sessions.values()].at(-1)!.arrivals.next, 11);
});

Deno.test("a sender that opens sessions opens 64", () => {
  const { send, session, receiver } = setUp();
  for (let id = 1; id <= 10_000; id++) {
    session(id);
    send(frameOf(1, 100), DatagramFlag.numbered, 1);
  }
  assertEquals([receiver.sessions.size, receiver.dropped.get("senders")], [64, 10_000 - 64]);
});

Deno.test("the topics of all sessions together are bounded", () => {
  const { send, session, receiver } = setUp({ topics: 1000 });
  const writer = new FrameWriter();
  for (let id = 1; id <= 20; id++) {
    session(id);
    for (let first = 0; first < 1000; first += 20) {
      writer.clear(true);
      const rows = Array.from(
        { length: 20 },
        (_, i) => ({ id: first + i, name: `t/${first + i}`, born: 1, start: 1, next: 1 }),
      );
      assertEquals(writeBeat(writer, 1300, 0, noId, rows), 20);
      send(writer.bytes(), 0, 1);
    }
  }
  assertEquals(receiver.sessions.values().reduce((sum, { topics }) => sum + topics, 0), 1000);
});

Deno.test("frames of topics without a name take a megabyte, and a request every 50 ms", () => {
  const { send, memory, poll, receiver } = setUp();
  for (let topic = 1; topic <= 20_000; topic++) {
    send(frameOf(topic, 1200), DatagramFlag.numbered, topic);
    if (topic % 100 === 0) poll();
    assertLessOrEqual(memory(), MiB);
  }
  assertGreater(memory(), MiB - 2 * KiB);
  // Two hundred milliseconds have passed.
  assertLessOrEqual(receiver.requests, 6);
});

Deno.test("fragments take what has come of them, and no more than the largest frame", () => {
  const { send, memory } = setUp();
  const fragment = (length: number, offset: number) => {
    const body = new Uint8Array(1308);
    viewOf(body).setUint32(0, length, true);
    viewOf(body).setUint32(4, offset, true);
    return body;
  };
  let number = 1;
  send(fragment(MiB, 0), DatagramFlag.numbered | DatagramFlag.fragment, number++);
  assertLessOrEqual(memory(), 2 * KiB, "not what was announced");
  for (let offset = 1300; offset < 2 * MiB; offset += 1300) {
    send(fragment(MiB, offset), DatagramFlag.numbered | DatagramFlag.fragment, number++);
    assertLessOrEqual(memory(), MiB);
  }
  for (const length of [MiB + 1, 2 ** 32 - 1]) {
    for (let offset = 0; offset < 2 * MiB; offset += 1300) {
      send(fragment(length, offset), DatagramFlag.numbered | DatagramFlag.fragment, number++);
      assertEquals(memory(), 0);
    }
  }
});
