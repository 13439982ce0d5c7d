import { assert, assertEquals, assertLess, assertRejects } from "@std/assert";
import { checksumSeal } from "../../core/datagram.ts";
import type { Address, Arrived, DatagramPort } from "../../core/datagram_port.ts";
import { TransportError } from "../../core/errors.ts";
import { GroupSender } from "../../core/group_sender.ts";
import { GroupTransmitter } from "../../core/group_transmitter.ts";
import { defaultLimits } from "../../core/limits.ts";
import { Pattern } from "../../core/pattern.ts";
import { Topics } from "../../core/topics.ts";
import { platform } from "../../transports/platform.ts";
import { blankFrame } from "./fixtures.ts";
import { DatagramNet } from "./group_ports.ts";
import { TestServer } from "./world.ts";

const there: Address = { host: "there", port: 1, text: "there:1" };

/** A port whose sends end at once, as those of a system do that has room. What it receives comes from the event loop. */
class EagerPort implements DatagramPort {
  readonly address = there;
  sent = 0;
  /** How many had been sent when something was received first. */
  sentBefore = -1;
  #close = Promise.withResolvers<null>();

  send(): Promise<void> {
    this.sent++;
    return Promise.resolve();
  }

  async receive(into: Uint8Array): Promise<Arrived | null> {
    if (this.sentBefore >= 0) return await this.#close.promise;
    await new Promise<void>((resolve) => platform.turn(resolve));
    this.sentBefore = this.sent;
    return { length: into.fill(1, 0, 10).length, from: there };
  }

  close(): void {
    this.#close.resolve(null);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

Deno.test("requests are received while there is always something to send", async () => {
  const topics = new Topics(platform, defaultLimits);
  const sender = new GroupSender<Address>(platform, topics, checksumSeal(platform), {
    group: 1,
    session: new Uint8Array(16).fill(1),
    patterns: [new Pattern("#")],
    largest: 1400,
    rate: Infinity,
    wait: false,
  });
  const topic = topics.declare("a");
  assert(typeof topic !== "number");
  topics.create(topic);
  const frame = blankFrame(1300);
  for (let i = 0; i < 1000; i++) assertEquals(topic.append(frame, 0, frame.length, 1, 1), "appended");
  const port = new EagerPort();
  using transmitter = new GroupTransmitter(platform, sender, port, there);
  sender.finish();
  await transmitter.run();
  assertLess(port.sentBefore, 100);
  assertEquals(sender.counts.sent, 1000);
});

Deno.test("group transmitter: an error of its port ends it with that error, and it lets go of the logs", async () => {
  await using test = new TestServer();
  const { world, server } = test;
  const net = new DatagramNet();
  const port = net.open();
  const topic = server.topics.declare("a");
  assert(typeof topic !== "number");
  server.topics.create(topic);
  const sender = new GroupSender<Address>(world, server.topics, checksumSeal(world), {
    group: 1,
    session: new Uint8Array(16),
    patterns: [new Pattern("#")],
    largest: 1400,
    rate: 1e6,
    wait: true,
  });
  const transmitter = new GroupTransmitter(world, sender, port, net.group);
  const running = assertRejects(() => transmitter.run(), TransportError, "the network is down");
  await world.run(100);
  assertEquals(topic.readers, 1);
  port.fail(new TransportError("receive on it", "udp://it", "the network is down"));
  await running;
  assertEquals([topic.readers, port.closed], [0, true]);
});
