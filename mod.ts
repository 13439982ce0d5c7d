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

import type { Address, DatagramPort } from "./core/datagram_port.ts";
import type { SubscriptionEvent } from "./core/events.ts";
import { GroupSubscription } from "./core/group_subscription.ts";
import { Link, type LinkOptions } from "./core/link.ts";
import { Server, type ServerOptions } from "./core/server.ts";
import type { StartPoint } from "./core/subscription.ts";
import { dial } from "./transports/dial.ts";
import { platform } from "./transports/platform.ts";
import { defaultGroup, openReceiver, parseGroup, receptionOf } from "./transports/udp_group.ts";

export { type Account, type AccountLimits, noLimits } from "./core/account.ts";
export type { Answer, Authority, Claim } from "./core/authority.ts";
export { Batch, type Message } from "./core/batch.ts";
export type { Credentials } from "./core/client_session.ts";
export { Code, codeName, codeText } from "./core/codes.ts";
export type { Connection, Dial, Listener, Platform, Rejection } from "./core/connection.ts";
export type { Address, Arrived, DatagramPort } from "./core/datagram_port.ts";
export { ProtocolError, RefusedError, TransportError, UsageError } from "./core/errors.ts";
export { type Faults, FaultyPort } from "./core/faulty_port.ts";
export { GroupSubscription } from "./core/group_subscription.ts";
export type { Restarted } from "./core/inbox.ts";
export { defaultLimits, type ServerLimits } from "./core/limits.ts";
export { Link, type LinkEvent, type LinkOptions } from "./core/link.ts";
export type { TopicInfo } from "./core/listings.ts";
export { Pattern } from "./core/pattern.ts";
export { Permissions, type Rules } from "./core/permissions.ts";
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

/** How {@linkcode subscribeMulticast} subscribes. */
export interface MulticastOptions {
  /** What is wanted of the group; everything unless given. */
  readonly patterns?: readonly string[];
  /** Whether what is lost is asked for: yes unless `false`, for networks on which nothing can be sent back. */
  readonly repair?: boolean;
  /** A link to the group's server, for what its sender cannot send again, and for what was before: from where on. */
  readonly log?: { readonly link: Link; readonly from: StartPoint };
  /** Told of each sender, when it is heard for the first time and when it has ended. */
  readonly onSender?: (from: Address, heard: boolean) => void;
  /** Told of everything as it comes, as for a subscription to a server. */
  readonly onEvent?: (event: SubscriptionEvent) => void;
  /** The group's key, 32 bytes; without it only what is not encrypted is taken. */
  readonly key?: Uint8Array;
  /** Given each port before it is used; what comes back is used instead. */
  readonly through?: (port: DatagramPort) => DatagramPort;
}

/**
 * Joins a multicast group, and subscribes to what is sent there: without a connection to a server.
 *
 * @param endpoint `mcast://address:port`, joined on the interface of `?interface=`, or on loopback and the default route's
 * @throws {UsageError} when the endpoint is wrong
 * @throws {TransportError} when the group cannot be joined
 *
 * @example
 * ```ts
 * import { subscribeMulticast } from "@stream/stream";
 * import { assertEquals } from "@std/assert";
 *
 * await using ticks = await subscribeMulticast("mcast://239.255.70.70:7071?interface=127.0.0.1", {
 *   patterns: ["ticks/#"],
 *   onSender: (from, heard) => console.log(from.text, heard ? "is heard" : "has ended"),
 * });
 * assertEquals(ticks.unread, 0);
 * ```
 */
export async function subscribeMulticast(
  endpoint: string = defaultGroup,
  options: MulticastOptions = {},
): Promise<GroupSubscription> {
  const group = parseGroup(endpoint);
  const { key = null, through = (port: DatagramPort) => port, patterns = [], repair = true, ...rest } = options;
  const ports = await openReceiver(group);
  return new GroupSubscription(platform, { group: ports.group.map(through), own: through(ports.own) }, {
    ...rest,
    ...receptionOf(group, key),
    patterns,
    repair,
  });
}
