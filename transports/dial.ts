/**
 * Every transport there is: one table from scheme to how it listens and dials.
 *
 * @module
 */

import type { Connection, Listener } from "../core/connection.ts";
import { UsageError } from "../core/errors.ts";
import { type Endpoint, parseEndpoint } from "./endpoint.ts";
import type { Scheme } from "./schemes.ts";
import type { SocketListenerOptions } from "./socket.ts";
import { dialTcp, listenTcp } from "./tcp.ts";

/** How a listener may be set up, whatever its scheme. */
export type ListenOptions = Pick<SocketListenerOptions, "onAcceptError">;

/** The byte streams of one scheme. */
export interface Transport {
  /** Connects; rejects with a `TransportError`, or with the signal's reason. */
  dial(endpoint: Endpoint, signal?: AbortSignal): Promise<Connection>;
  /** Listens; throws or rejects with a `TransportError`. */
  listen(endpoint: Endpoint, options?: ListenOptions): Listener | Promise<Listener>;
}

/** The transports, by scheme. */
export const transports: Readonly<Partial<Record<Scheme, Transport>>> = {
  tcp: { dial: dialTcp, listen: listenTcp },
};

const dialled = Object.keys(transports) as Scheme[];

/**
 * Opens a connection to an endpoint of any scheme in the table.
 *
 * @throws {UsageError} when the endpoint is wrong
 * @throws {TransportError} when it cannot be reached
 * @throws the signal's reason when it aborts
 *
 * @example
 * ```ts
 * import { dial, listen } from "../transports/dial.ts";
 *
 * using listener = await listen("tcp://127.0.0.1:0");
 * using connection = await dial(listener.endpoint);
 * using accepted = await listener.accept();
 * ```
 */
export async function dial(text: string, signal?: AbortSignal): Promise<Connection> {
  const endpoint = parseEndpoint(text, dialled);
  if (endpoint.port === 0) {
    throw new UsageError(
      `wrong endpoint ${JSON.stringify(text)}: port 0 cannot be connected to`,
      "only a listener takes 0",
    );
  }
  return await transports[endpoint.scheme]!.dial(endpoint, signal);
}

/**
 * Listens on an endpoint of any scheme in the table.
 *
 * @throws {UsageError} when the endpoint is wrong
 * @throws {TransportError} when the port is in use or not permitted
 */
export async function listen(text: string, options: ListenOptions = {}): Promise<Listener> {
  const endpoint = parseEndpoint(text, dialled);
  if (endpoint.topic !== null || endpoint.topics.length > 0) {
    throw new UsageError(
      `wrong endpoint ${JSON.stringify(text)}: a listener serves all topics, so it names none`,
      `for example: ${endpoint.scheme}://127.0.0.1:7070`,
    );
  }
  return await transports[endpoint.scheme]!.listen(endpoint, options);
}
