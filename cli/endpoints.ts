/**
 * The endpoints that options name: where a server listens, and which server is meant.
 *
 * @module
 */

import { UsageError } from "../core/errors.ts";
import { type Endpoint, formatEndpoint, parseEndpoint } from "../transports/endpoint.ts";
import type { Scheme } from "../transports/schemes.ts";

/** What a server listens on and clients connect to. */
const serverSchemes: readonly Scheme[] = ["tcp", "tls"];

/** The server that is meant when none is named. */
export const defaultServer = "tcp://127.0.0.1:7070";

/**
 * Reads the endpoint of a server, which has no topic in it.
 *
 * @returns the endpoint with its port: `tcp://127.0.0.1:7070`
 * @throws {UsageError} when it is wrong; the message names the part
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { parseServer } from "./endpoints.ts";
 *
 * assert(parseServer("tcp://localhost") === "tcp://localhost:7070");
 * ```
 */
export function parseServer(text: string): string {
  const endpoint = parseWithoutTopic(text);
  if (endpoint.topic !== null || endpoint.topics.length > 0) {
    throw new UsageError(
      `wrong endpoint ${JSON.stringify(text)}: a server has no topic in it`,
      `topics are named apart: ${formatEndpoint(withoutTopics(endpoint))}`,
    );
  }
  return formatEndpoint(endpoint);
}

/** How those are known who come to a server. */
export interface Admission {
  /** Whether anybody is let in, or secrets may go unencrypted, and that is meant. */
  readonly open: boolean;
  /** Whether there is a file of users. */
  readonly users: boolean;
  /** Whether those who come with TLS show a certificate. */
  readonly certificates: boolean;
}

/**
 * Throws a `UsageError` for an endpoint to listen on that other machines may reach, where that is not safe and `open` does not
 * say that it is meant.
 *
 * @param endpoint as {@linkcode parseServer} returns it
 */
export function requireOpen(endpoint: string, { open, users, certificates }: Admission): void {
  const { scheme, host, port } = parseEndpoint(endpoint);
  if (open || isLoopback(host)) return;
  const encrypted = scheme === "tls";
  if (encrypted && (users || certificates)) return;
  if (users) {
    throw new UsageError(
      `--listen: ${endpoint} is not on loopback and not encrypted: passwords and messages could be read on the way`,
      `listen on ${formatEndpoint({ ...parseEndpoint(endpoint), scheme: "tls" })}, or give --open if that is meant`,
    );
  }
  throw new UsageError(
    `--listen: ${endpoint} is not on loopback: anybody who reaches it could publish and subscribe`,
    `say who may with --auth FILE, give --open if that is meant, or listen on ${scheme}://127.0.0.1:${port}`,
  );
}

/** Whether a host, without brackets, is this machine to itself. A name other than localhost may be anything. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host.endsWith(".localhost") || host === "::1" ||
    /^127\.\d+\.\d+\.\d+$/.test(host) || /^::ffff:7f[0-9a-f]{2}:/.test(host);
}

function parseWithoutTopic(text: string): Endpoint {
  try {
    return parseEndpoint(text, serverSchemes);
  } catch (error) {
    // The example for endpoints in general has a topic in it, which would be wrong in its turn.
    if (!(error instanceof UsageError) || !error.hint?.startsWith("for example: ")) throw error;
    throw new UsageError(error.message, `for example: ${defaultServer}`);
  }
}

function withoutTopics(endpoint: Endpoint): Endpoint {
  return { ...endpoint, topic: null, topics: [] };
}
