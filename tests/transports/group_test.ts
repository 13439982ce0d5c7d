/** A multicast group over real sockets, on loopback. */

import { assertEquals } from "@std/assert";
import { Batch } from "../../core/batch.ts";
import { Code } from "../../core/codes.ts";
import { checksumSeal } from "../../core/datagram.ts";
import type { Address } from "../../core/datagram_port.ts";
import { GroupListener } from "../../core/group_listener.ts";
import { GroupReceiver } from "../../core/group_receiver.ts";
import { GroupSender } from "../../core/group_sender.ts";
import { GroupTransmitter } from "../../core/group_transmitter.ts";
import { defaultLimits } from "../../core/limits.ts";
import { Pattern } from "../../core/pattern.ts";
import { Segment } from "../../core/segment.ts";
import { Topics } from "../../core/topics.ts";
import { platform } from "../../transports/platform.ts";
import { findInterface } from "../../transports/interfaces.ts";
import { joinGroup, openUdp, udpAddress } from "../../transports/udp.ts";
import { messagesFrame, opening } from "../core/fixtures.ts";

const loopback = "127.0.0.1";
const address = "239.255.70.71";
const largest = 1400;
const group = 5;

/** A receiver on loopback that collects the first byte of each message of topic `a`, until there are so many. */
async function listen(port: number, count: number) {
  const seal = checksumSeal(platform);
  const got: number[] = [];
  let gaps = 0;
  const complete = Promise.withResolvers<void>();
  const batch = new Batch();
  const receiver = new GroupReceiver<Address>(platform, seal, {
    group,
    span: 4096,
    largest,
    wait: 5,
    patience: 5_000,
    repair: true,
    largestFrame: 1024 * 1024,
  }, {
    joined: () => ({
      wants: () => true,
      frame: (topic, bytes, view, start, _end, floor) => {
        assertEquals(
          batch.open(topic, new Segment(bytes, view, 0, bytes.length, 0, 1), start, floor, opening(platform)),
          Code.done,
        );
        for (let i = 0; i < batch.count; i++) got.push(batch.payload(i)[0]!);
        if (got.length >= count) complete.resolve();
      },
      gap: () => void gaps++,
    }),
    left: () => {},
  });
  const shared = await joinGroup(address, port, [findInterface(loopback)]);
  const own = openUdp(loopback, 0);
  const listener = new GroupListener(platform, receiver, [shared], own);
  const running = listener.run();
  return {
    port: shared.address.port,
    got,
    receiver,
    complete: complete.promise,
    gaps: () => gaps,
    async close() {
      listener[Symbol.dispose]();
      await running;
    },
  };
}

Deno.test("multicast: two receivers on loopback get every message once and in order", async () => {
  const count = 20_000;
  const first = await listen(0, count);
  const second = await listen(first.port, count);
  const topics = new Topics(platform, { ...defaultLimits, retain: 64 * 1024 * 1024 });
  const session = new Uint8Array(16);
  platform.random(session);
  const sender = new GroupSender<Address>(platform, topics, checksumSeal(platform), {
    group,
    session,
    patterns: [new Pattern("#")],
    largest,
    rate: 50_000_000,
    wait: false,
  });
  const transmitter = new GroupTransmitter(platform, sender, openUdp(loopback, 0), [udpAddress(address, first.port)]);
  const running = transmitter.run();
  const topic = topics.declare("a");
  if (typeof topic === "number") throw new Error(`topic refused: ${topic}`);
  topics.create(topic);
  for (let number = 0; number < count; number += 10) {
    const messages = Array.from({ length: 10 }, (_, i) => new Uint8Array(100).fill(number + i));
    const frame = messagesFrame(messages, { topic: topic.id });
    assertEquals(topic.append(frame, 0, frame.length, 10, platform.time()), "appended");
  }
  await Promise.all([first.complete, second.complete]);
  const expected = Array.from({ length: count }, (_, i) => i & 255);
  for (const receiver of [first, second]) {
    assertEquals(receiver.got, expected);
    assertEquals(receiver.gaps(), 0);
  }
  sender.finish();
  await running;
  await first.close();
  await second.close();
});
