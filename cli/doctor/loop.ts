/**
 * A publisher and a subscriber of this process, with a multicast group between them: everything is as in `stream serve` and
 * `stream subscribe`, and the datagrams go through real sockets.
 *
 * @module
 */

import { randomBytes } from "../../core/bytes.ts";
import { groupId } from "../../core/datagram.ts";
import { sealOf } from "../../core/encrypted_seal.ts";
import type { Address } from "../../core/datagram_port.ts";
import type { SubscriptionEvent } from "../../core/events.ts";
import { GroupSender, type GroupSenderCounts } from "../../core/group_sender.ts";
import { GroupSubscription } from "../../core/group_subscription.ts";
import { GroupTransmitter } from "../../core/group_transmitter.ts";
import { Link } from "../../core/link.ts";
import { Pattern } from "../../core/pattern.ts";
import type { Publisher } from "../../core/publisher.ts";
import { Server } from "../../core/server.ts";
import { formatAddress } from "../../transports/endpoint.ts";
import type { NetworkInterface } from "../../transports/interfaces.ts";
import { memoryListener } from "../../transports/memory.ts";
import { platform } from "../../transports/platform.ts";
import { joinGroup, openGroup, udpAddress } from "../../transports/udp.ts";
import { openOwn } from "../../transports/udp_group.ts";
import { within } from "./within.ts";

/** How a loop is made. */
export interface LoopOptions {
  /** The group's address; its port is a free one. */
  readonly host: string;
  /** Where it goes. */
  readonly by: NetworkInterface;
  readonly ttl: number;
  /** Bytes of the largest datagram. */
  readonly largest: number;
  /** Bytes a second, at most. */
  readonly rate: number;
  /** 32 bytes, or `null` for no encryption. */
  readonly key: Uint8Array | null;
}

/** What has come, in number. */
export class Arrivals {
  /** Messages. */
  came = 0;
  /** Messages that will not come; 1 where it is not known how many. */
  lost = 0;
  #changed = () => {};

  /** Counts an event of a subscription. */
  take(event: SubscriptionEvent): void {
    if (event.kind === "batch") this.came += event.count;
    else if (event.kind === "gap") this.lost += Math.max(1, event.lost);
    this.#changed();
  }

  /** Waits until so many messages have come or are lost, so many milliseconds at most. */
  async until(count: number, milliseconds: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#changed = () => {
      if (this.came + this.lost >= count) resolve();
    };
    this.#changed();
    await within(milliseconds, promise);
  }
}

/** A loop that is open. Disposing of it closes everything. */
export interface Loop extends AsyncDisposable {
  readonly publisher: Publisher;
  readonly arrivals: Arrivals;
  /** What was sent. */
  readonly counts: Readonly<GroupSenderCounts>;
  /** Why the system did not take a datagram, the first time, or `null`. */
  readonly failure: string | null;
}

/**
 * Opens a loop.
 *
 * @throws {TransportError} when a socket cannot be had, or the interface does not do it
 */
export async function openLoop({ host, by, ttl, largest, rate, key }: LoopOptions): Promise<Loop> {
  await using stack = new AsyncDisposableStack();
  const shared = stack.use(await joinGroup(host, 0, [by]));
  const { port } = shared.address;
  const own = stack.use(openOwn(host, [by]));
  const out = stack.use(await openGroup({ host, port, interface: by, ttl }));
  const group = groupId(platform, formatAddress(host, port));
  const arrivals = new Arrivals();
  stack.use(
    new GroupSubscription(platform, { group: [shared], own }, {
      group,
      seal: sealOf(platform, key, "receiver"),
      patterns: [],
      repair: true,
      largest,
      onEvent: (event) => arrivals.take(event),
    }),
  );
  const server = stack.use(new Server({ platform }));
  const sender = new GroupSender<Address>(platform, server.topics, sealOf(platform, key, "sender"), {
    group,
    session: randomBytes(platform),
    patterns: [new Pattern("#")],
    largest,
    rate,
    wait: true,
  });
  let failure: string | null = null;
  const transmitter = new GroupTransmitter(platform, sender, out, [udpAddress(host, port)], (error) => {
    failure ??= error.message;
  });
  const running = transmitter.run();
  stack.defer(() => running);
  stack.use(transmitter);
  const listener = memoryListener();
  const serving = server.serve(listener);
  stack.defer(() => serving);
  stack.use(listener);
  const { publisher } = stack.use(await new Link(listener.endpoint, { dial: listener.dial, platform }).open());
  const opened = stack.move();
  return {
    publisher,
    arrivals,
    counts: sender.counts,
    get failure() {
      return failure;
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}
