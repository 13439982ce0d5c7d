/**
 * Sockets to servers of other kinds.
 *
 * @module
 */

import { TransportError } from "../../../core/errors.ts";
import { parseEndpoint } from "../../../transports/endpoint.ts";
import { dialFault } from "../../../transports/fault.ts";
import type { Address } from "./address.ts";

/**
 * Connects over TCP.
 *
 * @param limit how long to wait for an answer, in milliseconds
 * @throws {TransportError} when nothing listens there, the name is not known, or there is no answer in time
 */
export async function dial(address: Address, limit: number): Promise<Deno.TcpConn> {
  const { host: hostname, port, text } = address;
  const ending = new AbortController();
  const timer = setTimeout(() => ending.abort(), limit);
  try {
    const socket = await Deno.connect({ hostname, port, signal: ending.signal });
    try {
      socket.setNoDelay(true);
    } catch {
      // Reset already: reading and writing will tell.
    }
    return socket;
  } catch (error) {
    if (ending.signal.aborted) {
      const late = `no answer within ${limit / 1000} s: check the address, and what a firewall lets through`;
      throw new TransportError(`connect to ${text}`, text, late, error);
    }
    throw connectFault(address, error);
  } finally {
    clearTimeout(timer);
  }
}

/** The failure to connect, or to be answered, for a user. */
export function connectFault({ host, port, text }: Address, error: unknown): TransportError {
  return dialFault({ ...parseEndpoint("tcp://localhost"), host, port }, text, error);
}
