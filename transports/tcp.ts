/**
 * TCP: byte streams without encryption.
 *
 * @module
 */

import type { Connection, Listener } from "../core/connection.ts";
import { type Endpoint, formatEndpoint } from "./endpoint.ts";
import { listenFault } from "./fault.ts";
import { dialSocket, SocketListener, type SocketListenerOptions } from "./socket.ts";

/**
 * Listens for TCP connections. With port 0 the system picks a free one, which `endpoint` then tells.
 *
 * @throws {TransportError} when the port is in use or not permitted, or the address is not this machine's
 *
 * @example
 * ```ts
 * import { parseEndpoint } from "../transports/endpoint.ts";
 * import { dialTcp, listenTcp } from "../transports/tcp.ts";
 * import { assertEquals } from "@std/assert";
 *
 * using listener = listenTcp(parseEndpoint("tcp://127.0.0.1:0"));
 * using dialled = await dialTcp(parseEndpoint(listener.endpoint));
 * using accepted = (await listener.accept())!;
 * await dialled.write(new Uint8Array([1, 2, 3]));
 * assertEquals(await accepted.read(new Uint8Array(16)), 3);
 * ```
 */
export function listenTcp(endpoint: Endpoint, options: SocketListenerOptions = {}): Listener {
  let listener: Deno.TcpListener;
  try {
    listener = Deno.listen({ hostname: endpoint.host, port: endpoint.port });
  } catch (error) {
    throw listenFault(endpoint, formatEndpoint(endpoint), error);
  }
  const accept = async () => undelayed(await listener.accept());
  const bound = formatEndpoint({ ...endpoint, port: listener.addr.port });
  return new SocketListener({ accept, close: () => listener.close() }, bound, options);
}

/**
 * Connects over TCP, to the first of the host's addresses that answers.
 *
 * @throws {TransportError} when nothing listens there, the name is not known, or there is no answer within 10 s
 * @throws the signal's reason when it aborts
 */
export function dialTcp(endpoint: Endpoint, signal?: AbortSignal): Promise<Connection> {
  const { host: hostname, port } = endpoint;
  return dialSocket(endpoint, async (signal) => undelayed(await Deno.connect({ hostname, port, signal })), signal);
}

/** Frames are whole when they are written, so the system need not wait for more to send with them. */
function undelayed(socket: Deno.TcpConn): Deno.TcpConn {
  try {
    socket.setNoDelay(true);
  } catch {
    // Reset already: reading and writing will tell.
  }
  return socket;
}
