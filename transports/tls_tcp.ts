/**
 * Sockets of `node:net` over connections that the runtime's own listener has accepted.
 *
 * The listener of `node:net` would do, but in Deno 2.9.6 it accepts nothing any more, and does not say so, once the process has
 * been short of open files for a moment.
 *
 * @module
 */

import { Socket } from "node:net";
import process from "node:process";

/** What the runtime calls a connection: its number among the open resources. */
const resource = "Deno.internal.rid";

/** What `node:net` itself builds on. */
interface Binding {
  readonly TCP: new (type: number) => { openFromRid(rid: number): number };
  readonly constants: { readonly SOCKET: number };
}

/**
 * Takes a connection over, which is not to be used any more. It is then open twice, so that it counts as two files.
 *
 * Throws where this runtime has no way of doing so.
 */
export function toNodeSocket(connection: Deno.TcpConn): Socket {
  const symbol = Object.getOwnPropertySymbols(connection).find(({ description }) => description === resource);
  const { binding } = process as unknown as { binding(name: string): Binding };
  try {
    const { TCP, constants } = binding("tcp_wrap");
    const handle = new TCP(constants.SOCKET);
    const status = handle.openFromRid((connection as unknown as Record<symbol, number>)[symbol!]!);
    if (status !== 0) throw new Error(`the connection could not be taken over: ${status}`);
    const options = { handle, readable: true, writable: true };
    const socket = new Socket(options);
    // Closed before, it would end for both.
    socket.once("close", () => connection.close());
    return socket;
  } catch (error) {
    connection.close();
    throw error;
  }
}
