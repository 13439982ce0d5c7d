/**
 * One datagram to a group: can it be sent, which way does it go, and is it heard on this machine?
 *
 * @module
 */

import { TransportError } from "../../core/errors.ts";
import type { NetworkInterface } from "../../transports/interfaces.ts";
import { platform } from "../../transports/platform.ts";
import { joinGroup, openGroup, udpAddress } from "../../transports/udp.ts";
import { within } from "./within.ts";

/** What came of it. */
export interface Probe {
  /** Why it could not be joined or sent, in the system's words, or `null`. */
  readonly failure: string | null;
  /** The address it was heard from, which is that of the interface it left by; `null` if it was not heard. */
  readonly heard: string | null;
}

/** How long it may take, in milliseconds: on one machine it is there at once. */
const patience = 500;

/**
 * Sends it, to a port of its own, so that it disturbs nobody. With a TTL of 0 this machine's receivers get it, and no network
 * does; IPv6 sockets of the runtime take no 0, so that it reaches the network of the interface.
 *
 * @param host the group: IPv4, or IPv6 without brackets
 * @param by the interface it is to leave by
 * @param on the interfaces that are joined to hear it
 */
export async function probe(host: string, by: NetworkInterface, on: readonly NetworkInterface[]): Promise<Probe> {
  try {
    using receiver = await joinGroup(host, 0, on);
    const { port } = receiver.address;
    using sender = await openGroup({ host, port, interface: by, ttl: host.includes(":") ? 1 : 0 });
    const sent = new Uint8Array(16);
    platform.random(sent);
    await sender.send(sent, udpAddress(host, port));
    const came = new Uint8Array(64);
    for (;;) {
      const arrived = await within(patience, receiver.receive(came));
      if (arrived === null) return { failure: null, heard: null };
      const same = arrived.length === sent.length && sent.every((byte, index) => came[index] === byte);
      if (same) return { failure: null, heard: arrived.from.host };
    }
  } catch (error) {
    if (error instanceof TransportError) return { failure: error.message, heard: null };
    throw error;
  }
}
