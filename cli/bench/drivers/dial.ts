/**
 * Sockets to servers of other kinds.
 *
 * @module
 */

import { TransportError } from "../../../core/errors.ts";
import { parseEndpoint } from "../../../transports/endpoint.ts";
import { dialFault } from "../../../transports/fault.ts";
import { handshakeFault } from "../../../transports/tls_fault.ts";
import { shaken } from "../../../transports/tls_dial.ts";
import type { BenchTrust } from "../tls.ts";
import type { Address } from "./address.ts";

/**
 * Connects over TCP, or with TLS.
 *
 * @param limit how long to wait for an answer, in milliseconds
 * @param trust whom to trust; `null` without TLS
 * @throws {TransportError} when nothing listens there, the name is not known, there is no answer in time, or the certificate is
 * not to be trusted
 */
export async function dial(
  address: Address,
  limit: number,
  trust: BenchTrust | null,
): Promise<Deno.TcpConn | Deno.TlsConn> {
  const { host: hostname, port, text } = address;
  const ending = new AbortController();
  const { signal } = ending;
  const timer = setTimeout(() => ending.abort(), limit);
  const seconds = limit / 1000;
  let late = `no answer within ${seconds} s: check the address, and what a firewall lets through`;
  try {
    const socket = await Deno.connect({ hostname, port, signal });
    late = `what listens there has said nothing for ${seconds} s: is it TLS that is spoken there?`;
    try {
      socket.setNoDelay(true);
    } catch {
      // Reset already: reading and writing will tell.
    }
    return trust === null ? socket : await shaken(await startTls(socket, address, trust), signal);
  } catch (error) {
    if (signal.aborted) throw new TransportError(`connect to ${text}`, text, late, error);
    throw connectFault(address, error);
  } finally {
    clearTimeout(timer);
  }
}

/** Begins TLS on a connection. It takes the socket over; its handshake is still to be waited for. */
export function startTls(socket: Deno.TcpConn, { host }: Address, { ca }: BenchTrust): Promise<Deno.TlsConn> {
  return Deno.startTls(socket, { hostname: host, caCerts: ca === undefined ? [] : [ca] });
}

/** The failure to connect, or to be answered, for a user. */
export function connectFault({ host, port, text }: Address, error: unknown): TransportError {
  const endpoint = { ...parseEndpoint("tcp://localhost"), host, port };
  const why = handshakeFault(endpoint, error);
  return dialFault(endpoint, text, why === null ? error : new Error(why, { cause: error }));
}
