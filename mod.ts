/**
 * `stream` for other programs: connect to a server, publish and subscribe.
 *
 * @example
 * ```ts
 * import { connect, listen, serve } from "@stream/stream";
 * import { assertEquals } from "@std/assert";
 *
 * await using server = serve();
 * using listener = await listen("tcp://127.0.0.1:0");
 * server.serve(listener);
 *
 * await using link = await connect(listener.endpoint);
 * const subscription = link.subscribe("greetings/#");
 * await subscription.ready;
 * await link.publisher.publish("greetings/world", "hello");
 *
 * for await (const { topic, payload } of subscription) {
 *   assertEquals(topic, "greetings/world");
 *   assertEquals(new TextDecoder().decode(payload), "hello");
 *   break;
 * }
 * ```
 *
 * @module
 */

import { Link, type LinkOptions } from "./core/link.ts";
import { Server, type ServerOptions } from "./core/server.ts";
import { dial } from "./transports/dial.ts";
import { platform } from "./transports/platform.ts";

export { Batch, type Message } from "./core/batch.ts";
export { Code, codeName, codeText } from "./core/codes.ts";
export type { Connection, Dial, Listener, Platform } from "./core/connection.ts";
export { ProtocolError, RefusedError, TransportError, UsageError } from "./core/errors.ts";
export type { Restarted } from "./core/inbox.ts";
export { defaultLimits, type ServerLimits } from "./core/limits.ts";
export { Link, type LinkEvent, type LinkOptions } from "./core/link.ts";
export type { TopicInfo } from "./core/listings.ts";
export { Pattern } from "./core/pattern.ts";
export { Publisher, type PublisherOptions, type Refusal } from "./core/publisher.ts";
export { type LagPolicy, Server, type ServerEvent, type ServerOptions } from "./core/server.ts";
export { GapError, type GapEvent, type SubscriptionEvent } from "./core/events.ts";
export { type Granted, type StartPoint, Subscription, type SubscriptionOptions } from "./core/subscription.ts";
export { listen } from "./transports/dial.ts";

/** The endpoint that a server listens on, and that is connected to, where none is given. */
export const defaultEndpoint = "tcp://127.0.0.1:7070";

/** How {@linkcode connect} makes a link. */
export type ConnectOptions = Partial<LinkOptions>;

/**
 * Connects to a server, and stays connected until the link is closed.
 *
 * @param endpoint `tcp://host:port`
 * @throws {UsageError} when the endpoint is wrong
 * @throws {TransportError} when there is no connection to be had
 * @throws {RefusedError} when the server has as many connections as it takes
 */
export function connect(endpoint: string = defaultEndpoint, options: ConnectOptions = {}): Promise<Link> {
  return new Link(endpoint, { dial, platform, ...options }).open();
}

/** Makes a server; it listens where its `serve` method is told to. */
export function serve(options: Partial<ServerOptions> = {}): Server {
  return new Server({ platform, ...options });
}
