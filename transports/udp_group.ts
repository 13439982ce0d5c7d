/**
 * Multicast groups by their endpoints, and the ports of who listens to one.
 *
 * @module
 */

import type { GroupKeys } from "../core/group_keys.ts";
import { groupId } from "../core/datagram.ts";
import type { DatagramPort, GroupPorts } from "../core/datagram_port.ts";
import { sealOf } from "../core/encrypted_seal.ts";
import { UsageError } from "../core/errors.ts";
import type { GroupSubscriptionOptions } from "../core/group_subscription.ts";
import { formatAddress, parseEndpoint } from "./endpoint.ts";
import {
  defaultInterface,
  findInterface,
  isLoopbackInterface,
  loopbackInterface,
  type NetworkInterface,
} from "./interfaces.ts";
import { platform } from "./platform.ts";
import { joinGroup, openUdp } from "./udp.ts";

/** The group that is meant when none is named. */
export const defaultGroup = "mcast://239.255.70.70:7071";
/** Bytes of the largest datagram unless `mtu` says otherwise: it fits every link, tunnels included. */
export const defaultDatagram = 1400;
/** Headers of UDP and IPv4, and of UDP and IPv6. */
const headers = { ipv4: 28, ipv6: 48 } as const;
const largestPort = 65_535;
/** The least `mtu`: what IPv6 asks of every link, and room enough for a heartbeat with a topic. */
export const leastMtu = 576;
/** How many networks datagrams cross: the interface's own. */
const defaultTtl = 1;
/**
 * How many ports a group has, in a row: each has a receive buffer of its own, which nobody but the system can make larger, and
 * with one a receiver that does not run for a millisecond loses some of 100,000 datagrams a second.
 */
const defaultPorts = 4;

/** A group, as its endpoint names it. */
export interface Group {
  /** Address and port: `239.255.70.70:7071`. What its id is made of. */
  readonly address: string;
  /** A multicast address: IPv4, or IPv6 without brackets. */
  readonly host: string;
  /** 1 to 65,535: the first of its ports. */
  readonly port: number;
  /** How many ports it has, in a row. Datagrams take turns. */
  readonly ports: number;
  /** Patterns of the topics it carries; empty for all. */
  readonly topics: readonly string[];
  /** Where it is sent and joined, or `null` where that was not said. */
  readonly interface: NetworkInterface | null;
  /** How many networks its datagrams may cross. */
  readonly ttl: number;
  /** A RATE as it was typed, or `null` where that was not said. */
  readonly rate: string | null;
  /** Bytes of the largest datagram. */
  readonly largest: number;
}

/**
 * Reads the endpoint of a group: `mcast://239.255.70.70:7071?interface=eth0&ttl=4&rate=100Mbit/s`.
 *
 * @throws {UsageError} when it is wrong, or names an interface that this machine has not
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseGroup } from "../transports/udp_group.ts";
 *
 * const { address, ttl, largest } = parseGroup("mcast://239.1.2.3?mtu=1500");
 * assertEquals([address, ttl, largest], ["239.1.2.3:7071", 1, 1472]);
 * ```
 */
export function parseGroup(text: string): Group {
  const { host, port, topics, options } = parseEndpoint(text, ["mcast"]);
  const wrong = (why: string, hint?: string) => new UsageError(`wrong endpoint ${JSON.stringify(text)}: ${why}`, hint);
  if (!isMulticast(host)) {
    throw wrong(
      `${host} is not the address of a group`,
      `those are 224.0.0.0 to 239.255.255.255 and ff00::/8: ${defaultGroup} is good for a network of one's own`,
    );
  }
  if (port === 0) throw wrong("a group needs a port", `for example: ${defaultGroup}`);
  const name = options.get("interface");
  const mtu = Number(options.get("mtu") ?? 0);
  if (mtu !== 0 && mtu < leastMtu) throw wrong(`mtu=${mtu}: the least is ${leastMtu}`);
  const ports = Number(options.get("ports") ?? defaultPorts);
  if (port + ports - 1 > largestPort) {
    throw wrong(
      `a group has ${ports} ports in a row, and ${largestPort} is the last one`,
      "give ports=1, or a lower port",
    );
  }
  return {
    address: formatAddress(host, port),
    host,
    port,
    ports,
    topics,
    interface: name === undefined ? null : findInterface(name),
    ttl: Number(options.get("ttl") ?? defaultTtl),
    rate: options.get("rate") ?? null,
    largest: mtu === 0 ? defaultDatagram : mtu - headersOf(host),
  };
}

/** The ports of a group. */
export function portsOf({ port, ports }: Pick<Group, "port" | "ports">): number[] {
  return Array.from({ length: ports }, (_, index) => port + index);
}

/** The ports of a group, for people: `7071 to 7074`. */
export function namePorts({ port, ports }: Pick<Group, "port" | "ports">): string {
  return ports === 1 ? `${port}` : `${port} to ${port + ports - 1}`;
}

/** Bytes that a datagram to a host is longer in a packet. */
export function headersOf(host: string): number {
  return host.includes(":") ? headers.ipv6 : headers.ipv4;
}

/** What fits the usual link is taken, whatever the sender keeps below. */
const leastLargest = 1472;

/** Bytes of the largest datagram that is taken: its sender's are as large as the endpoint says, or smaller. */
function largestTaken({ largest }: Group): number {
  return Math.max(largest, leastLargest);
}

/**
 * Which datagrams a group's receiver takes.
 *
 * @internal
 * @param key 32 bytes, or keys that change; `null` for those that are not encrypted
 */
export function receptionOf(
  group: Group,
  key: Uint8Array | GroupKeys | null,
): Pick<GroupSubscriptionOptions, "group" | "seal" | "largest"> {
  return {
    group: groupId(platform, group.address),
    seal: sealOf(platform, key, "receiver"),
    largest: largestTaken(group),
  };
}

/**
 * The ports of a receiver: on the interface that the endpoint names, or else on loopback and the default route's.
 *
 * @throws {TransportError} when the group cannot be joined
 */
export async function openReceiver(to: Group): Promise<GroupPorts> {
  const { host, interface: chosen } = to;
  const loopback = loopbackInterface();
  const interfaces = chosen !== null
    ? [chosen]
    : loopback === undefined
    ? [defaultInterface]
    : [loopback, defaultInterface];
  using opened = new DisposableStack();
  const group: DatagramPort[] = [];
  for (const port of portsOf(to)) group.push(opened.use(await joinGroup(host, port, interfaces)));
  const own = openOwn(host, interfaces);
  opened.move();
  return { group, own };
}

/**
 * The port of a group's receiver from which its requests leave: on this machine alone, where the group is.
 *
 * @param interfaces on which the group is joined
 * @throws {TransportError} when there is none to be had
 */
export function openOwn(host: string, interfaces: readonly NetworkInterface[]): DatagramPort {
  const local = interfaces.every(isLoopbackInterface);
  return openUdp(local ? "127.0.0.1" : host.includes(":") ? "::" : "0.0.0.0", 0);
}

function isMulticast(host: string): boolean {
  if (host.includes(":")) return /^ff/i.test(host);
  const first = /^(\d+)\.\d+\.\d+\.\d+$/.exec(host)?.[1];
  return first !== undefined && Number(first) >= 224 && Number(first) <= 239;
}
