/**
 * Multicast groups, as options name them.
 *
 * @module
 */

import type { Seal } from "../core/datagram.ts";
import { checksumSeal } from "../core/datagram.ts";
import { encryptedSeal, type GroupRole } from "../core/encrypted_seal.ts";
import { UsageError } from "../core/errors.ts";
import { parseEndpoint } from "../transports/endpoint.ts";
import { findInterface, type NetworkInterface } from "../transports/interfaces.ts";
import { platform } from "../transports/platform.ts";
import { parseRate } from "./units.ts";

/** The group that is meant when none is named. */
export const defaultGroup = "mcast://239.255.70.70:7071";
/** Bytes of the largest datagram unless `mtu` says otherwise: it fits every link, tunnels included. */
export const defaultDatagram = 1400;
/** Headers of UDP and IPv4, and of UDP and IPv6. */
const headers = { ipv4: 28, ipv6: 48 } as const;
/** The least `mtu`: what IPv6 asks of every link, and room enough for a heartbeat with a topic. */
export const leastMtu = 576;
/** How many networks datagrams cross: the interface's own. */
const defaultTtl = 1;

/** A group. */
export interface Group {
  /** Address and port: `239.255.70.70:7071`. What its id is made of. */
  readonly address: string;
  readonly host: string;
  readonly port: number;
  /** Patterns of the topics it carries; empty for all. */
  readonly topics: readonly string[];
  /** Where it is sent and joined, or `null` where that was not said. */
  readonly interface: NetworkInterface | null;
  readonly ttl: number;
  /** Bytes a second, or `null` where that was not said. */
  readonly rate: number | null;
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
 * import { parseGroup } from "./group.ts";
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
  const ipv6 = host.includes(":");
  const name = options.get("interface");
  const rate = options.get("rate");
  const mtu = Number(options.get("mtu") ?? 0);
  if (mtu !== 0 && mtu < leastMtu) throw wrong(`mtu=${mtu}: the least is ${leastMtu}`);
  return {
    address: ipv6 ? `[${host}]:${port}` : `${host}:${port}`,
    host,
    port,
    topics,
    interface: name === undefined ? null : findInterface(name),
    ttl: Number(options.get("ttl") ?? defaultTtl),
    rate: rate === undefined ? null : bytesOf(rate, wrong),
    largest: mtu === 0 ? defaultDatagram : mtu - headersOf(host),
  };
}

/** Bytes that a datagram to a host is longer in a packet. */
export function headersOf(host: string): number {
  return host.includes(":") ? headers.ipv6 : headers.ipv4;
}

/** What protects a group's datagrams. @param key 32 bytes, or `null` for no encryption */
export function sealOf(key: Uint8Array | null, role: GroupRole): Seal {
  return key === null ? checksumSeal(platform) : encryptedSeal(platform, key, role);
}

function isMulticast(host: string): boolean {
  if (host.includes(":")) return /^ff/i.test(host);
  const first = /^(\d+)\.\d+\.\d+\.\d+$/.exec(host)?.[1];
  return first !== undefined && Number(first) >= 224 && Number(first) <= 239;
}

function bytesOf(text: string, wrong: (why: string, hint?: string) => UsageError): number {
  const rate = parseRate(text);
  if ("bytes" in rate) return rate.bytes;
  throw wrong(`rate=${text}: datagrams are paced in bits, not in messages`, "for example: rate=100Mbit/s");
}
