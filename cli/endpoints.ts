/**
 * The endpoints that options name: where a server listens, and which server is meant.
 *
 * @module
 */

import { UsageError } from "../core/errors.ts";
import { type Endpoint, formatEndpoint, parseEndpoint } from "../transports/endpoint.ts";
import type { Scheme } from "../transports/schemes.ts";

/** What a server listens on and clients connect to. */
const serverSchemes: readonly Scheme[] = ["tcp"];

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

/**
 * Throws a `UsageError` for an endpoint to listen on that other machines may reach, unless `open` says that this is meant.
 *
 * @param endpoint as {@linkcode parseServer} returns it
 */
export function requireOpen(endpoint: string, open: boolean): void {
  if (open || isLoopback(parseEndpoint(endpoint).host)) return;
  throw new UsageError(
    `--listen: ${endpoint} is not on loopback: anybody who reaches it could publish and subscribe`,
    "give --open if that is meant, or listen on tcp://127.0.0.1:7070",
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
