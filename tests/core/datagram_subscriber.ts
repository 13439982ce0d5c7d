/** A server that delivers datagrams, and subscribers that are played by the test: they ask for what it says. */

import { assertEquals } from "@std/assert";
import { noId } from "../../core/bytes.ts";
import { datagrams, Policy, type route, type Values } from "../../core/control.ts";
import type { Address } from "../../core/datagram_port.ts";
import type { repair } from "../../core/group_frames.ts";
import { largestSequence } from "../../core/limits.ts";
import type { ServerOptions } from "../../core/server.ts";
import {
  DatagramNetwork,
  type MemoryPort,
  requestDatagram,
  type SeenDatagram,
  seenDatagram,
} from "./datagram_network.ts";
import { addressOf, type Peer, serverAddress, TestServer, World } from "./world.ts";

type Route = Values<typeof route.fields>;

/** What a DATAGRAMS says unless a test says otherwise. */
export const wanting: Values<typeof datagrams.fields> = {
  subscription: 1,
  policy: Policy.server,
  largest: 1400,
  since: largestSequence,
  patterns: [{ pattern: "#" }],
};

/** A server that delivers over a network of its own. */
export class DatagramServer extends TestServer {
  readonly network: DatagramNetwork;
  #subscribers = 0;

  /** @param network another server's, which is closed */
  constructor(
    options: Omit<Partial<ServerOptions>, "platform"> = {},
    seed = 1,
    network: DatagramNetwork = new DatagramNetwork(new World(seed), seed),
  ) {
    // Peers do not answer when they are pinged.
    const limits = { idleTimeout: Infinity, ...options.limits };
    super({ openDatagrams: network.open, ...options, limits }, network.world);
    this.network = network;
  }

  /** A subscriber that was told where its datagrams come from. */
  async subscriber(change: Partial<typeof wanting> = {}, peer?: Peer): Promise<DatagramSubscriber> {
    peer ??= await this.greeted();
    await peer.request(datagrams, { ...wanting, ...change });
    const [told, ...more] = peer.frames();
    assertEquals([told?.frame, more], ["ROUTE", []]);
    const port = this.network.open(addressOf("198.51.100.7", 50_000 + this.#subscribers++));
    return new DatagramSubscriber(this.network, peer, port, told as unknown as Route);
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    this.network[Symbol.dispose]();
    this.server.close();
    // What waits for its turn has it.
    await this.world.run(1);
    await super[Symbol.asyncDispose]();
  }
}

/** A subscriber, its connection and its port. */
export class DatagramSubscriber {
  readonly peer: Peer;
  readonly port: MemoryPort;
  readonly route: Route;
  readonly #network: DatagramNetwork;

  constructor(network: DatagramNetwork, peer: Peer, port: MemoryPort, route: Route) {
    this.#network = network;
    this.peer = peer;
    this.port = port;
    this.route = route;
  }

  /** Where its requests go. */
  get server(): Address {
    return addressOf(serverAddress.host, this.route.port);
  }

  /** Sends a request, for its own session unless it says otherwise, and lets happen what follows soon. */
  async ask(request: Partial<Values<typeof repair.fields>> = {}, port: MemoryPort = this.port): Promise<void> {
    const { group, session } = this.route;
    await this.send(requestDatagram(this.#network.world, group, { target: session, ...request }), port);
  }

  /** Sends any bytes, and lets happen what follows soon. */
  async send(bytes: Uint8Array, port: MemoryPort = this.port): Promise<void> {
    await port.send(bytes, this.server);
    await this.#network.world.run(2);
  }

  /** Gets a cookie. */
  async cookie(port: MemoryPort = this.port): Promise<string> {
    await this.ask({ cookie: noId }, port);
    const cookie = this.came(port).flatMap(({ frames }) => frames).find(({ frame }) => frame === "COOKIE");
    assertEquals(cookie?.frame, "COOKIE");
    return cookie!.cookie as string;
  }

  /** Proves its address. Returns the cookie. */
  async prove(port: MemoryPort = this.port): Promise<string> {
    const cookie = await this.cookie(port);
    await this.ask({ cookie }, port);
    return cookie;
  }

  /** What was sent to it since the last look. */
  came(port: MemoryPort = this.port): SeenDatagram[] {
    return this.#network.takeSentTo(port.seenAs).map((bytes) => seenDatagram(this.#network.world, bytes));
  }

  /** The texts that were sent to it since the last look. */
  texts(port: MemoryPort = this.port): string[] {
    return textsOf(this.came(port));
  }
}

/** The texts in datagrams. */
export function textsOf(datagrams: readonly SeenDatagram[]): string[] {
  return datagrams.flatMap(({ frames }) => frames).flatMap(({ messages }) => (messages ?? []) as string[]);
}
