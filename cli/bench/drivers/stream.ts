/**
 * Our own server, through the library that its users have.
 *
 * @module
 */

import { connect, type Link, type Subscription, type SubscriptionEvent, TransportError } from "../../../mod.ts";
import type { Driver, Receiver, Sender, Sink } from "../driver.ts";

/** The most patterns in one subscription of ours. */
const mostPatterns = 64;

/** How to speak to `stream serve`. */
export const streamDriver: Driver = {
  async receive(endpoint, patterns, sink): Promise<Receiver> {
    const link = await connect(endpoint, { reconnect: false });
    const subscriptions: Subscription[] = [];
    for (let first = 0; first < patterns.length; first += mostPatterns) {
      const some = patterns.slice(first, first + mostPatterns);
      subscriptions.push(link.subscribe(some, { lagPolicy: "wait", verify: true, onEvent: tellOf(sink) }));
    }
    for (const { ready } of subscriptions) await ready;
    return { closed: endOf(link), close: () => void link.close() };
  },

  async send(endpoint, topics): Promise<Sender> {
    return new StreamSender(await connect(endpoint, { reconnect: false }), topics);
  },
};

/** Gives everything that comes to the sink. */
function tellOf(sink: Sink): (event: SubscriptionEvent) => void {
  let bytes: Uint8Array = new Uint8Array(0);
  let view = new DataView(bytes.buffer);
  return (event) => {
    if (event.kind === "batch") {
      if (event.bytes !== bytes) {
        bytes = event.bytes;
        view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      }
      sink.arrived();
      for (let i = 0; i < event.count; i++) sink.take(bytes, view, event.start(i), event.end(i));
    } else if (event.kind === "gap") {
      sink.damaged(`gap: ${event.topic} ${event.first}-${event.last}: ${event.reason}`);
    }
  };
}

/** Resolves when the link was closed from here, and rejects when it ended otherwise. */
function endOf(link: Link): Promise<void> {
  const ended = link.closed.then((error) => {
    if (error !== null) throw error;
  });
  ended.catch(() => {});
  return ended;
}

class StreamSender implements Sender {
  readonly closed: Promise<void>;
  writable = true;
  readonly #link: Link;
  readonly #topics: readonly string[];

  constructor(link: Link, topics: readonly string[]) {
    this.#link = link;
    this.#topics = topics;
    this.closed = endOf(link);
  }

  send(topic: number, message: Uint8Array): boolean {
    return this.writable = this.#link.publisher.send(this.#topics[topic]!, message);
  }

  async ready(): Promise<void> {
    await this.#link.publisher.ready();
    this.writable = true;
  }

  async flush(): Promise<void> {
    await this.#link.publisher.flush();
    const { refused } = this.#link.publisher;
    if (refused > 0) throw new TransportError("publish", this.#link.endpoint, `${refused} messages were refused`);
  }

  async close(): Promise<void> {
    await this.#link.close();
  }
}
