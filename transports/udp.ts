/**
 * UDP: datagrams, to one address or to a multicast group.
 *
 * @module
 */

import type { Address, Arrived, DatagramPort } from "../core/datagram_port.ts";
import { TransportError } from "../core/errors.ts";
import { formatAddress } from "./endpoint.ts";
import { errorCode } from "./fault.ts";

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

class UdpPort implements DatagramPort {
  readonly address: Address;
  readonly #socket: Deno.DatagramConn;
  #closed = false;

  constructor(socket: Deno.DatagramConn) {
    const { hostname, port } = socket.addr as Deno.NetAddr;
    this.#socket = socket;
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
        return { length: bytes.length, from: new UdpAddress(hostname, port) };
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
 * A port for datagrams. The address it is bound to decides on which interface multicast leaves.
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
  try {
    return new UdpPort(Deno.listenDatagram({ transport: "udp", hostname: host, port }));
  } catch (error) {
    throw listenFault(host, port, error);
  }
}

/**
 * A port that gets a multicast group's datagrams; others on this machine may have it too. What is sent to its port and not
 * to the group may come as well, and so may other groups' datagrams.
 *
 * @param group an IPv4 multicast address
 * @param port the group's
 * @param interfaces addresses of this machine, on whose interfaces it joins
 * @throws {TransportError} when the port is not free for it, or an interface cannot join
 */
export async function joinGroup(group: string, port: number, interfaces: readonly string[]): Promise<DatagramPort> {
  let socket: Deno.DatagramConn;
  try {
    socket = Deno.listenDatagram({ transport: "udp", hostname: "0.0.0.0", port, reuseAddress: true });
  } catch (error) {
    throw listenFault("0.0.0.0", port, error);
  }
  try {
    for (const address of interfaces) await socket.joinMulticastV4(group, address);
  } catch (error) {
    socket.close();
    throw new TransportError(`join ${group}`, `mcast://${formatAddress(group, port)}`, reason(error, 0));
  }
  return new UdpPort(socket);
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
