/**
 * What a datagram costs at both ends of a multicast group, the network left out. One iteration is 1,000 datagrams, each of a
 * frame of 20 messages of 64 B.
 */

import { checksumSeal } from "../core/datagram.ts";
import type { Address, Arrived, DatagramPort } from "../core/datagram_port.ts";
import { encryptedSeal, type GroupRole } from "../core/encrypted_seal.ts";
import { at, FrameType, messagesHeader, writePrefix } from "../core/frame.ts";
import { GroupSender } from "../core/group_sender.ts";
import { GroupSubscription } from "../core/group_subscription.ts";
import { defaultLimits } from "../core/limits.ts";
import { Pattern } from "../core/pattern.ts";
import { Topics } from "../core/topics.ts";
import { platform } from "../transports/platform.ts";

const count = 1000;
const messages = 20;
const size = 64;
const largest = 1400;
const address: Address = { host: "here", port: 1, text: "here:1" };

/** A frame as it stands in an input. */
function frameOf(topic: number): Uint8Array {
  const length = messagesHeader + messages * (1 + size);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  writePrefix(view, 0, length, FrameType.messages, messagesHeader);
  view.setUint32(at.topic, topic, true);
  view.setUint16(at.count, messages, true);
  view.setUint32(at.payload, length - messagesHeader, true);
  for (let offset = messagesHeader; offset < length; offset += 1 + size) bytes[offset] = size;
  return bytes;
}

/** A port on which comes what is put there. */
class Fed implements DatagramPort {
  readonly address = address;
  #give: ((arrived: Arrived | null) => void) | null = null;
  #into = new Uint8Array(0);

  /** A datagram comes: somebody waits for it. */
  feed(bytes: Uint8Array, length: number): void {
    const give = this.#give!;
    this.#give = null;
    this.#into.set(bytes.subarray(0, length));
    give({ length, from: address });
  }

  send(): Promise<void> {
    return Promise.resolve();
  }

  receive(into: Uint8Array): Promise<Arrived | null> {
    this.#into = into as Uint8Array<ArrayBuffer>;
    return new Promise((resolve) => this.#give = resolve);
  }

  close(): void {
    this.#give?.(null);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

for (const name of ["checksum", "encrypted"] as const) {
  const key = new Uint8Array(32);
  const sealOf = (role: GroupRole) => name === "checksum" ? checksumSeal(platform) : encryptedSeal(platform, key, role);
  const topics = new Topics(platform, defaultLimits);
  const sender = new GroupSender<Address>(platform, topics, sealOf("sender"), {
    group: 1,
    session: crypto.getRandomValues(new Uint8Array(16)),
    patterns: [new Pattern("#")],
    largest,
    rate: Infinity,
    wait: true,
  });
  const topic = topics.declare("a");
  if (typeof topic === "number") throw new Error("it is a topic");
  topics.create(topic);
  const frame = frameOf(topic.id);
  const bytes = new Uint8Array(largest);
  const view = new DataView(bytes.buffer);
  const append = () => {
    for (let i = 0; i < count; i++) topic.append(frame, 0, frame.length, messages, platform.time());
  };
  const next = () => sender.next(bytes, view, platform.now());

  Deno.bench("append", { group: name, baseline: true }, append);
  Deno.bench("append and pack", { group: name }, () => {
    append();
    while (next() > 0);
  });

  const fed = new Fed();
  let received = 0;
  const subscription = new GroupSubscription(platform, { group: [fed], own: new Fed() }, {
    group: 1,
    seal: sealOf("receiver"),
    patterns: [],
    repair: true,
    largest,
    onEvent: (event) => {
      if (event.kind === "batch") received += event.count;
      else throw new Error(`${event.kind} where nothing is lost`);
    },
  });
  Deno.bench("append, pack and receive", { group: name }, async () => {
    append();
    const due = received + count * messages;
    for (let length = next(); length > 0; length = next()) {
      fed.feed(bytes, length);
      await Promise.resolve();
    }
    if (received < due && received > count * messages) throw new Error("not everything came");
  });
  addEventListener("unload", () => void subscription.close());
}
