import { assert, assertEquals, assertLess } from "@std/assert";
import { checksumSeal } from "../../core/datagram.ts";
import type { Address, Arrived, DatagramPort } from "../../core/datagram_port.ts";
import { GroupSender } from "../../core/group_sender.ts";
import { GroupTransmitter } from "../../core/group_transmitter.ts";
import { defaultLimits } from "../../core/limits.ts";
import { Pattern } from "../../core/pattern.ts";
import { Topics } from "../../core/topics.ts";
import { platform } from "../../transports/platform.ts";
import { blankFrame } from "./fixtures.ts";

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
