/**
 * Our own server, through the library that its users have.
 *
 * @module
 */

import {
  connect,
  type Connection,
  type GapEvent,
  type Link,
  type Subscription,
  type SubscriptionEvent,
  TransportError,
} from "../../../mod.ts";
import { dial } from "../../../transports/dial.ts";
import type { Driver, Receiver, Sender, Sink } from "../driver.ts";
import type { BenchTrust } from "../tls.ts";

/** The most patterns in one subscription of ours. */
const mostPatterns = 64;

/**
 * How to speak to `stream serve`.
 *
 * @param trust whom to trust at `tls://` endpoints
 */
export function streamDriver(trust: BenchTrust | null): Driver {
  const tls = trust ?? {};
  return {
    async receive(endpoint, patterns, sink): Promise<Receiver> {
      let counted: CountedConnection | null = null;
      const link = await connect(endpoint, {
        reconnect: false,
        dial: async (endpoint, signal) => counted = new CountedConnection(await dial(endpoint, signal, tls)),
      });
      const subscriptions: Subscription[] = [];
      for (let first = 0; first < patterns.length; first += mostPatterns) {
        const some = patterns.slice(first, first + mostPatterns);
        subscriptions.push(link.subscribe(some, { lagPolicy: "wait", verify: true, onEvent: tellOf(sink) }));
      }
      for (const { ready } of subscriptions) await ready;
      return {
        closed: endOf(link),
        get bytes() {
          return counted?.bytes ?? 0;
        },
        close: () => void link.close(),
      };
    },

    async send(endpoint, topics): Promise<Sender> {
      return new StreamSender(await connect(endpoint, { reconnect: false, tls }), topics);
    },
  };
}

/** Counts what comes on a connection. */
class CountedConnection implements Connection {
  readonly peer: string;
  bytes = 0;
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.peer = connection.peer;
    this.#connection = connection;
  }

  read(into: Uint8Array): Promise<number | null> {
    return this.#connection.read(into).then((count) => {
      this.bytes += count ?? 0;
      return count;
    });
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#connection.write(bytes);
  }

  closeWrite(): Promise<void> {
    return this.#connection.closeWrite();
  }

  close(): void {
    this.#connection.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/**
 * Gives everything that comes to the sink.
 *
 * @param onGap told of messages that will not come: damage, unless it says otherwise
 */
export function tellOf(
  sink: Sink,
  onGap: (gap: GapEvent) => void = ({ topic, first, last, reason }) =>
    sink.damaged(`gap: ${topic} ${first}-${last}: ${reason}`),
): (event: SubscriptionEvent) => void {
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
    } else if (event.kind === "gap") onGap(event);
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
