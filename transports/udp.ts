/**
 * UDP: datagrams, to one address or to a multicast group.
 *
 * @module
 */

import type { Address, Arrived, DatagramPort } from "../core/datagram_port.ts";
import { TransportError } from "../core/errors.ts";
import { formatAddress } from "./endpoint.ts";
import { errorCode } from "./fault.ts";
import { defaultInterface, type NetworkInterface, zoneOf } from "./interfaces.ts";
import { openIpv6Group } from "./udp_node.ts";

/** An address, with its text made when it is asked for. */
class UdpAddress implements Address {
  readonly host: string;
  readonly port: number;

  constructor(host: string, port: number) {
    this.host = host;
    this.port = port;
  }

  get text(): string {
    return formatAddress(this.host, this.port);
  }
}

/** The address of a host and a port. */
export function udpAddress(host: string, port: number): Address {
  return new UdpAddress(host, port);
}

/** Makes the addresses of what comes by one interface: the runtime does not tell by which a link-local one is reached. */
function addressesBy(zone: string | null): (host: string, port: number) => Address {
  const isLocal = /^fe[89ab]/i;
  return (host, port) => new UdpAddress(zone !== null && isLocal.test(host) ? `${host}%${zone}` : host, port);
}

class UdpPort implements DatagramPort {
  readonly address: Address;
  readonly #socket: Deno.DatagramConn;
  readonly #addressOf: (host: string, port: number) => Address;
  #closed = false;

  constructor(socket: Deno.DatagramConn, zone: string | null = null) {
    const { hostname, port } = socket.addr as Deno.NetAddr;
    this.#socket = socket;
    this.#addressOf = addressesBy(zone);
    this.address = new UdpAddress(hostname, port);
  }

  async send(bytes: Uint8Array, to: Address): Promise<void> {
    try {
      await this.#socket.send(bytes, { transport: "udp", hostname: to.host, port: to.port });
    } catch (error) {
      if (this.#closed) return;
      throw new TransportError(`send to ${to.text}`, `udp://${to.text}`, reason(error, bytes.length));
    }
  }

  async receive(into: Uint8Array): Promise<Arrived | null> {
    for (;;) {
      try {
        const [bytes, from] = await this.#socket.receive(into);
        const { hostname, port } = from as Deno.NetAddr;
        return { length: bytes.length, from: this.#addressOf(hostname, port) };
      } catch (error) {
        if (this.#closed) return null;
        // Windows and Linux tell the next receive that nobody listened where something was sent: nothing is wrong here.
        if (["ECONNREFUSED", "ECONNRESET"].includes(errorCode(error))) continue;
        throw new TransportError(`receive on ${this.address.text}`, `udp://${this.address.text}`, reason(error, 0));
      }
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/**
 * A port for datagrams.
 *
 * @param host an address of this machine
 * @param port 0 for a free one
 * @throws {TransportError} when the port is in use, or the address is not this machine's
 *
 * @example
 * ```ts
 * import { openUdp } from "../transports/udp.ts";
 * import { assertEquals } from "@std/assert";
 *
 * using one = openUdp("127.0.0.1", 0);
 * using two = openUdp("127.0.0.1", 0);
 * await one.send(new Uint8Array([1, 2, 3]), two.address);
 * const arrived = await two.receive(new Uint8Array(1500));
 * assertEquals([arrived?.length, arrived?.from.text], [3, one.address.text]);
 * ```
 */
export function openUdp(host: string, port: number): DatagramPort {
  return new UdpPort(bind(host, port));
}

/** A multicast group: where it is, and by which interface it is reached. */
export interface GroupRoute {
  /** A multicast address: IPv4, or IPv6 without brackets. */
  readonly host: string;
  /** 1 to 65,535. */
  readonly port: number;
  /** Where its datagrams leave. */
  readonly interface: NetworkInterface;
  /**
   * How many networks they may cross: 0 keeps them on this machine, 1 on the interface's own network. IPv6 takes 1 alone: the
   * runtime cannot be asked for more.
   */
  readonly ttl: number;
}

/**
 * A port from which datagrams go to a multicast group; receivers on this machine get them, too.
 *
 * @throws {TransportError} when the interface has no address of the group's kind, or does not do multicast
 */
export async function openGroup({ host, interface: route, ttl }: GroupRoute): Promise<DatagramPort> {
  const { name, ipv4 } = route;
  const failed = (error: unknown) => new TransportError(`send on ${name}`, `mcast://${host}`, reason(error, 0));
  if (host.includes(":")) {
    if (route.index === 0) throw failed("it has no link-local IPv6 address");
    if (ttl !== 1) throw failed(`a ttl of ${ttl} cannot be set for IPv6: it is 1`);
    const zone = zoneOf(route);
    return await openIpv6Group(zone, addressesBy(zone)).catch((error) => Promise.reject(failed(error)));
  }
  if (ipv4 === null) throw failed("it has no IPv4 address");
  // The address it is bound to is what decides by which interface multicast leaves.
  const socket = bind(ipv4, 0);
  try {
    const membership = await socket.joinMulticastV4(host, ipv4);
    await membership.setTTL(ttl);
    await membership.leave();
  } catch (error) {
    socket.close();
    throw failed(error);
  }
  return new UdpPort(socket);
}

/**
 * A port that gets a multicast group's datagrams; others on this machine may have it too. What is sent to its port and not
 * to the group may come as well, and so may other groups' datagrams.
 *
 * @param host a multicast address: IPv4, or IPv6 without brackets
 * @param port the group's; 0 for a free one
 * @param interfaces on which it joins: on one of them at least
 * @throws {TransportError} when the port is not free for it, or no interface can join
 */
export async function joinGroup(
  host: string,
  port: number,
  interfaces: readonly NetworkInterface[],
): Promise<DatagramPort> {
  const ipv6 = host.includes(":");
  const socket = bind(ipv6 ? "::" : "0.0.0.0", port, true);
  let failure: unknown = "there is no interface for it";
  let joined = 0;
  for (const one of interfaces) {
    const { name, ipv4, index } = one;
    // Number 0 is what the system chooses.
    if (ipv6 ? index === 0 && one !== defaultInterface : ipv4 === null) {
      failure = `${name} has no ${ipv6 ? "link-local IPv6" : "IPv4"} address`;
      continue;
    }
    try {
      await (ipv6 ? socket.joinMulticastV6(host, index) : socket.joinMulticastV4(host, ipv4!));
      joined++;
    } catch (error) {
      failure = error;
    }
  }
  const [only] = interfaces;
  if (joined > 0) return new UdpPort(socket, interfaces.length === 1 && only!.index > 0 ? zoneOf(only!) : null);
  socket.close();
  throw new TransportError(`join ${host}`, `mcast://${formatAddress(host, port)}`, reason(failure, 0));
}

function bind(host: string, port: number, shared = false): Deno.DatagramConn {
  try {
    // Without loopback a group's receivers on this machine would get nothing.
    return Deno.listenDatagram({ transport: "udp", hostname: host, port, reuseAddress: shared, loopback: true });
  } catch (error) {
    throw listenFault(host, port, error);
  }
}

function listenFault(host: string, port: number, error: unknown): TransportError {
  const address = formatAddress(host, port);
  const why = error instanceof Deno.errors.AddrInUse
    ? "the port is in use"
    : error instanceof Deno.errors.AddrNotAvailable
    ? "this machine has no such address"
    : reason(error, 0);
  return new TransportError(`listen on ${address}`, `udp://${address}`, why);
}

function reason(error: unknown, length: number): string {
  if (errorCode(error) === "EMSGSIZE") return `${length} bytes are more than a datagram may have there`;
  return error instanceof Error ? error.message : String(error);
}
