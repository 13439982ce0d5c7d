/** A subscription by datagrams as a program has it: a link that is made again when it is cut, a port, and what came. */

import type { Address } from "../../core/datagram_port.ts";
import { DatagramSubscription, type DatagramSubscriptionOptions } from "../../core/datagram_subscription.ts";
import type { Link } from "../../core/link.ts";
import type { MemoryPort } from "./datagram_network.ts";
import type { DatagramServer } from "./datagram_subscriber.ts";
import { collect, type Cut, Network } from "./links.ts";
import { addressOf } from "./world.ts";

export class Follower implements AsyncDisposable {
  readonly test: DatagramServer;
  /** Where its connections go. */
  readonly network: Network;
  readonly link: Link;
  readonly port: MemoryPort;
  readonly subscription: DatagramSubscription;
  /** What happened, as `collect` has it. */
  readonly lines: string[];
  /** Settles when there is nothing more to read. */
  readonly done: Promise<void>;

  /** @param read whether it reads by itself; otherwise {@linkcode lines} stays empty */
  private constructor(test: DatagramServer, network: Network, link: Link, address: Address, options: FollowerOptions) {
    const { read = true, ...others } = options;
    this.test = test;
    this.network = network;
    this.link = link;
    this.port = test.network.open(address);
    this.subscription = new DatagramSubscription(link, this.port, {
      patterns: ["#"],
      from: "latest",
      largest: 1400,
      addressOf,
      ...others,
    });
    const { lines, done } = read ? collect(this.subscription.events()) : { lines: [], done: Promise.resolve() };
    this.lines = lines;
    this.done = done;
    this.done.catch(() => {});
  }

  /** One that has subscribed. `connection` says how its connections behave. */
  static async of(test: DatagramServer, options: FollowerOptions = {}, connection: Cut = {}): Promise<Follower> {
    const network = new Network(test);
    network.usual = connection;
    const { link } = await network.connect();
    const follower = new Follower(test, network, link, addressOf("198.51.100.8", 60_000 + followers++), options);
    try {
      await test.world.wait(follower.subscription.ready);
      return follower;
    } catch (error) {
      await follower.close();
      throw error;
    }
  }

  /** Datagrams that came. */
  get datagrams(): number {
    return this.subscription.receiver.datagrams;
  }

  /** Ends it, and its link. */
  async close(): Promise<void> {
    const { world } = this.test;
    await world.wait(this.subscription.close());
    await world.wait(this.link.close());
    await this.done.catch(() => {});
  }

  /** As {@linkcode close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** How one subscribes, and whether it reads by itself; otherwise its `lines` stay empty. */
export type FollowerOptions = Partial<DatagramSubscriptionOptions> & { readonly read?: boolean };

let followers = 0;
