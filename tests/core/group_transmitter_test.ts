import { assert, assertEquals, assertLess, assertRejects } from "@std/assert";
import { readU64 } from "../../core/bytes.ts";
import { checksumSeal, DatagramFlag, inDatagram } from "../../core/datagram.ts";
import type { Platform } from "../../core/connection.ts";
import type { Address, Arrived, DatagramPort } from "../../core/datagram_port.ts";
import { TransportError } from "../../core/errors.ts";
import { GroupSender } from "../../core/group_sender.ts";
import { GroupTransmitter } from "../../core/group_transmitter.ts";
import { defaultLimits } from "../../core/limits.ts";
import { Pattern } from "../../core/pattern.ts";
import { Topics } from "../../core/topics.ts";
import { platform } from "../../transports/platform.ts";
import { blankFrame, viewOf } from "./fixtures.ts";
import { DatagramNet } from "./group_ports.ts";
import { TestServer } from "./world.ts";

const range = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, index) => first + index);

const there: Address = { host: "there", port: 1, text: "there:1" };

/** A port whose sends end at once, as those of a system do that has room. What it receives comes from the event loop. */
class EagerPort implements DatagramPort {
  readonly address = there;
  sent = 0;
  /** Where each went, and its number: 0 for one that has none of its own. */
  readonly went: { readonly to: Address; readonly number: number }[] = [];
  /** How many had been sent when something was received first. */
  sentBefore = -1;
  #close = Promise.withResolvers<null>();

  send(bytes: Uint8Array, to: Address): Promise<void> {
    this.sent++;
    const numbered = (bytes[inDatagram.flags]! & DatagramFlag.numbered) !== 0;
    this.went.push({ to, number: numbered ? readU64(viewOf(bytes), inDatagram.number) : 0 });
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

/** A sender that has so many datagrams to send, as fast as it may, and then ends. */
function senderOf(count: number, rate = Infinity, clock: Platform = platform): GroupSender<Address> {
  const topics = new Topics(clock, defaultLimits);
  const sender = new GroupSender<Address>(clock, topics, checksumSeal(platform), {
    group: 1,
    session: new Uint8Array(16).fill(1),
    patterns: [new Pattern("#")],
    largest: 1400,
    rate,
    wait: false,
  });
  const topic = topics.declare("a");
  assert(typeof topic !== "number");
  topics.create(topic);
  const frame = blankFrame(1300);
  for (let i = 0; i < count; i++) assertEquals(topic.append(frame, 0, frame.length, 1, 1), "appended");
  sender.finish();
  return sender;
}

Deno.test("requests are received while there is always something to send", async () => {
  const port = new EagerPort();
  const sender = senderOf(1000);
  using transmitter = new GroupTransmitter(platform, sender, port, [there]);
  await transmitter.run();
  assertLess(port.sentBefore, 100);
  assertEquals(sender.counts.sent, 1000);
});

Deno.test("datagrams take turns with the ports of a group by their numbers, and heartbeats go to the first", async () => {
  const port = new EagerPort();
  const ports = [7, 8, 9].map((port) => ({ ...there, port }));
  using transmitter = new GroupTransmitter(platform, senderOf(20), port, ports);
  await transmitter.run();
  assertEquals(port.went.filter(({ number }) => number > 0).map(({ number }) => number), range(1, 20));
  assert(port.went.some(({ number }) => number === 0), "heartbeats, too");
  for (const { to, number } of port.went) assertEquals(to.port, 7 + number % 3);
});

Deno.test("where nothing else is to be done, what is due within a moment is napped for, and not where there is", async () => {
  for (const [turnTakes, naps] of [[0.001, true], [0.2, false]] as const) {
    let now = 0;
    let napped = 0;
    const idle = {
      ...platform,
      now: () => now,
      turn: (callback: () => void) =>
        platform.turn(() => {
          now += turnTakes;
          callback();
        }),
      after: (delay: number, callback: () => void) => {
        platform.turn(() => {
          now += delay;
          callback();
        });
        return () => {};
      },
      nap: (milliseconds: number) => {
        assert(milliseconds > 0 && milliseconds <= 0.15, `${milliseconds}`);
        napped++;
        now += milliseconds;
      },
    };
    const sender = senderOf(200, 1e9, idle);
    using transmitter = new GroupTransmitter(idle, sender, new EagerPort(), [there]);
    await transmitter.run();
    assertEquals([sender.counts.sent, napped > 0], [200, naps]);
  }
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
  const transmitter = new GroupTransmitter(world, sender, port, [net.group]);
  const running = assertRejects(() => transmitter.run(), TransportError, "the network is down");
  await world.run(100);
  assertEquals(topic.readers, 1);
  port.fail(new TransportError("receive on it", "udp://it", "the network is down"));
  await running;
  assertEquals([topic.readers, port.closed], [0, true]);
});
