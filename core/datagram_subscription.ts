/**
 * A subscription whose messages come by datagrams, sent to it alone; everything else goes over a link to the server.
 *
 * @module
 */

import { checksumSeal } from "./datagram.ts";
import type { Address, DatagramPort } from "./datagram_port.ts";
import type { DatagramRoute } from "./datagram_route.ts";
import type { SubscriptionEvent } from "./events.ts";
import type { GroupReceiver } from "./group_receiver.ts";
import { GroupSubscription } from "./group_subscription.ts";
import type { Link } from "./link.ts";
import type { StartPoint } from "./subscription.ts";

/** What is subscribed to, and how. */
export interface DatagramSubscriptionOptions {
  /** Never empty. */
  readonly patterns: readonly string[];
  readonly from: StartPoint;
  /** What shall happen when retention is faster; the server's default unless given. */
  readonly lagPolicy?: "skip" | "disconnect" | "wait";
  /** Bytes of the largest datagram. */
  readonly largest: number;
  /** Makes an address. */
  readonly addressOf: (host: string, port: number) => Address;
}

/** A group of one: the server sends to this port as long as the link is there, and again when it is there again. */
export class DatagramSubscription implements AsyncDisposable {
  /** Resolves with the policy granted when the server has said where it sends from; rejects when it refuses. */
  readonly ready: Promise<"skip" | "wait">;
  readonly #route: DatagramRoute;
  readonly #subscription: GroupSubscription;

  /**
   * Takes the port over.
   *
   * @param link over IP, and open; it stays its owner's
   */
  constructor(link: Link, port: DatagramPort, options: DatagramSubscriptionOptions) {
    const { platform } = link;
    const { patterns, from, lagPolicy, largest, addressOf } = options;
    const subscription = this.#subscription = new GroupSubscription(platform, { group: [], own: port }, {
      group: null,
      seal: checksumSeal(platform),
      patterns,
      repair: true,
      largest,
      log: { link, from },
      onPause: (paused) => this.#route.pause(paused),
    });
    this.#route = link.route({
      patterns,
      ...(lagPolicy && { lagPolicy }),
      largest,
      // Datagrams go where the connection goes: a name may stand for several addresses.
      onRoute: ({ port, group, session }, restarted) =>
        subscription.expect(group, session, addressOf(link.remote!.host, port), restarted),
      onFail: (error) => subscription.fail(error),
    });
    this.ready = this.#route.ready;
  }

  /** What came, and was asked for, in number. */
  get receiver(): GroupReceiver<Address> {
    return this.#subscription.receiver;
  }

  /** Everything that happens, in order, as for a subscription over the link. */
  events(): AsyncIterableIterator<SubscriptionEvent> {
    return this.#subscription.events();
  }

  /** Leaves; what was received and not read is forgotten. */
  async close(): Promise<void> {
    this.#route.close();
    await this.#subscription.close();
  }

  /** As {@linkcode close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
