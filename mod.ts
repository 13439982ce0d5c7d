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
import { dialer } from "./transports/dial.ts";
import { splitCredentials } from "./transports/endpoint.ts";
import { platform } from "./transports/platform.ts";
import type { TlsTrust } from "./transports/tls_dial.ts";
import { defaultGroup, openReceiver, parseGroup, receptionOf } from "./transports/udp_group.ts";

export { type Account, type AccountLimits, everybody, noLimits } from "./core/account.ts";
export type { Answer, Authority, Claim } from "./core/authority.ts";
export { Batch, type Message } from "./core/batch.ts";
export { Codec, type CodecName } from "./core/codec.ts";
export type { Credentials } from "./core/client_session.ts";
export { Code, codeName, codeText } from "./core/codes.ts";
export type { CompressionCounts, CompressionOptions } from "./core/compression.ts";
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
export type { TlsTrust } from "./transports/tls_dial.ts";
export { type KeyPair, TlsIdentity, type TlsServing } from "./transports/tls_identity.ts";
export { selfSigned } from "./transports/tls_self_signed.ts";

/** The endpoint that a server listens on, and that is connected to, where none is given. */
export const defaultEndpoint = "tcp://127.0.0.1:7070";

/** How {@linkcode connect} makes a link. */
export interface ConnectOptions extends Partial<LinkOptions> {
  /** Whom a `tls://` endpoint trusts, and the own certificate; whom the runtime trusts unless given. */
  readonly tls?: TlsTrust;
}

/**
 * Connects to a server, and stays connected until the link is closed.
 *
 * @param endpoint `tcp://host:port` or `tls://host:port`; a user and its password, or a token, may stand before the host
 * @throws {UsageError} when the endpoint is wrong
 * @throws {TransportError} when there is no connection to be had, or the server's certificate is not to be trusted
 * @throws {RefusedError} when the server does not know who this is, or has as many connections as it takes
 *
 * @example
 * ```ts
 * import { connect, listen, selfSigned, serve, TlsIdentity } from "@stream/stream";
 *
 * const tls = new TlsIdentity(await selfSigned(["localhost"]));
 * await using server = serve();
 * using listener = await listen("tls://127.0.0.1:0", { tls });
 * server.serve(listener);
 *
 * await using link = await connect(listener.endpoint, { tls: { pin: tls.fingerprint } });
 * await link.publisher.publish("greetings/world", "hello");
 * ```
 */
export function connect(endpoint: string = defaultEndpoint, options: ConnectOptions = {}): Promise<Link> {
  const { tls = {}, ...rest } = options;
  const { endpoint: server, credentials } = splitCredentials(endpoint);
  const given = credentials === null ? {} : { credentials };
  return new Link(server, { dial: dialer(tls), platform, ...given, ...rest }).open();
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
