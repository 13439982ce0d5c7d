/** A receiver and a sender that were written from docs/PROTOCOL.md alone, and the real ones. */

import { assert, assertEquals, assertGreater } from "@std/assert";
import { Batch } from "../../core/batch.ts";
import { Code } from "../../core/codes.ts";
import { checksumSeal } from "../../core/datagram.ts";
import { encryptedSeal } from "../../core/encrypted_seal.ts";
import { GroupReceiver } from "../../core/group_receiver.ts";
import { Segment } from "../../core/segment.ts";
import { opening, Random, viewOf, VirtualPlatform } from "./fixtures.ts";
import { group, largest } from "./group_network.ts";
import { GroupWorld } from "./group_world.ts";
import { payloadOf } from "./group_world_receiver.ts";
import { Receiver } from "./receiver_from_document.ts";
import { Sender } from "./sender_from_document.ts";

const here = "192.0.2.7:40000";
const topics = ["a", "b/c"];

/** Every message from where each topic begins, in order. */
const inOrder = (messages: ReadonlyMap<string, ReadonlyMap<number, Uint8Array>>, first = 1) => {
  for (const [topic, of] of messages) {
    assertEquals([...of.keys()], Array.from({ length: of.size }, (_, i) => first + i), topic);
    for (const [sequence, payload] of of) assertEquals(payload, payloadOf(topic, sequence), `${topic} ${sequence}`);
  }
};

for (const key of [null, new Random(7).bytes(32)]) {
  const how = key === null ? "" : ", with a key";

  Deno.test(`a receiver written from the document gets everything, and asks for what is lost${how}`, () => {
    const world = new GroupWorld({ seed: 1, receivers: 0, ...(key && { key }) });
    const random = new Random(2);
    const receiver = new Receiver(group, key, () => random.u32() / 2 ** 32);
    let loss = 0;
    let lost = 0;
    const { platform } = world;
    world.onSend = (bytes) => {
      if (world.sender.to !== null && world.sender.to.text !== here) return;
      if (random.chance(loss)) lost++;
      else receiver.received(bytes, platform.now(), platform.time());
    };
    const run = (milliseconds: number, publishes: boolean) => {
      for (let i = 0; i < milliseconds; i++) {
        if (publishes) world.publish(random.pick(topics), random.between(1, 3));
        world.run(1);
        const request = receiver.request(platform.now());
        if (request && !random.chance(loss)) {
          world.sender.received(request, viewOf(request), 0, request.length, { text: here }, platform.now());
        }
      }
    };
    run(1500, false);
    assertEquals(receiver.requests, 1, "for a cookie");
    run(200, true);
    assertEquals([lost, receiver.requests], [0, 1]);
    loss = 0.2;
    run(300, true);
    assertGreater(lost, 20);
    loss = 0;
    run(1000, false);
    assertGreater(world.sender.counts.repaired, 20);
    assertEquals([world.sender.requests.unproven, world.sender.requests.malformed], [1, 0]);
    world.sender.finish();
    run(10, false);
    assert(receiver.finished);
    assertEquals(receiver.gaps, []);
    inOrder(receiver.messages);
    for (const topic of topics) {
      assertEquals(receiver.messages.get(topic)!.size, world.topic(topic).log.nextSequence - 1);
    }
  });

  Deno.test(`a sender written from the document is received whole, and repairs what was lost${how}`, () => {
    const platform = new VirtualPlatform(3);
    const random = new Random(4);
    const sender = new Sender(group, key, largest, () => random.u32() / 2 ** 32);
    const received = new Map<string, Map<number, Uint8Array>>(topics.map((topic) => [topic, new Map()]));
    const batch = new Batch();
    let left = 0;
    const seal = key === null ? checksumSeal(platform) : encryptedSeal(platform, key, "receiver");
    const options = { span: 512, largest, wait: 10, patience: 5_000, repair: true, largestFrame: 65_536 };
    const receiver = new GroupReceiver<string>(platform, seal, { group, ...options }, {
      joined: () => ({
        wants: () => true,
        frame: (topic, bytes, view, start, _end, floor) => {
          assertEquals(
            batch.open(topic, new Segment(bytes, view, 0, bytes.length, 0, 1), start, floor, opening(platform)),
            Code.done,
          );
          for (let i = 0; i < batch.count; i++) received.get(topic)!.set(batch.sequence + i, batch.payload(i).slice());
        },
        gap: (topic, first, last) => assert(false, `${topic} ${first} to ${last}`),
      }),
      left: () => void left++,
    });
    const published = new Map(topics.map((topic) => [topic, 0]));
    const request = new Uint8Array(largest);
    const run = (milliseconds: number, publishes: boolean, loss: number) => {
      for (let i = 0; i < milliseconds; i++) {
        platform.advance(1);
        const now = platform.now();
        if (publishes) {
          const topic = random.pick(topics);
          const first = published.get(topic)! + 1;
          sender.publish(topic, [payloadOf(topic, first), payloadOf(topic, first + 1)]);
          published.set(topic, first + 1);
        }
        for (const [datagram, to] of sender.sends(platform.time())) {
          if (!random.chance(loss)) {
            receiver.received(datagram, viewOf(datagram), 0, datagram.length, to ?? "group", now);
          }
        }
        receiver.expire(now);
        for (let length = receiver.next(request, viewOf(request), now); length > 0;) {
          if (!random.chance(loss)) sender.received(request.slice(0, length), here);
          length = receiver.next(request, viewOf(request), now);
        }
      }
    };
    run(1200, false, 0);
    run(100, true, 0);
    run(300, true, 0.2);
    run(500, false, 0);
    sender.finish();
    run(5, false, 0);
    assertEquals([left, [...receiver.dropped]], [1, []]);
    assertGreater(receiver.requests, 10);
    inOrder(received);
    for (const topic of topics) assertEquals(received.get(topic)!.size, published.get(topic));
  });
}
