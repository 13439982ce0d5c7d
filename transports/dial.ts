/**
 * Every transport there is: one table from scheme to how it listens and dials.
 *
 * @module
 */

import type { Connection, Dial, Listener } from "../core/connection.ts";
import { UsageError } from "../core/errors.ts";
import { type Endpoint, formatEndpoint, parseEndpoint } from "./endpoint.ts";
import type { Scheme } from "./schemes.ts";
import type { SocketListenerOptions } from "./socket.ts";
import { dialTcp, listenTcp } from "./tcp.ts";
import { listenTls } from "./tls.ts";
import { dialTls, type TlsTrust } from "./tls_dial.ts";
import type { TlsIdentity } from "./tls_identity.ts";

/** How a listener may be set up, whatever its scheme. */
export interface ListenOptions extends Pick<SocketListenerOptions, "onAcceptError" | "onRejected"> {
  /** What listeners for TLS show; they need it. */
  readonly tls?: TlsIdentity;
}

/** The byte streams of one scheme. */
export interface Transport {
  /** Connects; rejects with a `TransportError`, or with the signal's reason. */
  dial(endpoint: Endpoint, trust: TlsTrust, signal?: AbortSignal): Promise<Connection>;
  /** Listens; throws or rejects with a `TransportError`. */
  listen(endpoint: Endpoint, options?: ListenOptions): Listener | Promise<Listener>;
}

/** The transports, by scheme. */
export const transports: Readonly<Partial<Record<Scheme, Transport>>> = {
  tcp: { dial: (endpoint, _, signal) => dialTcp(endpoint, signal), listen: listenTcp },
  tls: {
    dial: dialTls,
    listen(endpoint, { tls, ...options } = {}) {
      if (tls !== undefined) return listenTls(endpoint, tls, options);
      throw new UsageError(`cannot listen on ${formatEndpoint(endpoint)} without a certificate`, "give it one");
    },
  },
};

const dialled = Object.keys(transports) as Scheme[];

/**
 * Opens a connection to an endpoint of any scheme in the table.
 *
 * @param trust whom a connection with TLS trusts
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
export async function dial(text: string, signal?: AbortSignal, trust: TlsTrust = {}): Promise<Connection> {
  const endpoint = parseEndpoint(text, dialled);
  if (endpoint.port === 0) {
    throw new UsageError(
      `wrong endpoint ${JSON.stringify(text)}: port 0 cannot be connected to`,
      "only a listener takes 0",
    );
  }
  return await transports[endpoint.scheme]!.dial(endpoint, trust, signal);
}

/** What opens connections and, where they are with TLS, trusts so. */
export function dialer(trust: TlsTrust): Dial {
  return (text, signal) => dial(text, signal, trust);
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
