/**
 * What the load generator needs of a kind of server: a connection that sends, and one that receives.
 *
 * A driver writes and reads the server's own protocol on a raw socket, so that no client library is what is measured; ours
 * goes through the library that its users have.
 *
 * @module
 */

import type { ReceivedDatagrams } from "./result.ts";

/** Where what a connection receives is counted. One connection has one sink. */
export interface Sink {
  /** Bytes came: the messages of the calls of {@linkcode take} that follow were all there by now. Called once a read. */
  arrived(): void;
  /**
   * One message, in the order in which it came. The bytes are the connection's, and valid during the call only.
   *
   * @param view of the same memory as `bytes`, with the same offsets
   * @param start where the message begins
   * @param end where it ends
   */
  take(bytes: Uint8Array, view: DataView, start: number, end: number): void;
  /** The server said that messages will not come, or what came was broken. Counted as damage, beside the missing numbers. */
  damaged(why: string): void;
  /** A group's receiver said that so many messages will not come: that is no damage. Where this is not there, it is. */
  missed?(count: number): void;
}

/** A connection that receives. */
export interface Receiver {
  /** Rejects with a `TransportError`, a `RefusedError` or a `ProtocolError` when the connection is lost; resolves after {@linkcode close}. */
  readonly closed: Promise<void>;
  /** Bytes that came, those of the server's protocol included. */
  readonly bytes: number;
  /** What became of datagrams; only where those are what comes. */
  readonly datagrams?: ReceivedDatagrams;
  /** Closes it: nothing is counted any more. */
  close(): void;
}

/** A connection that sends. What is sent while a write is pending goes with the next write, all at once. */
export interface Sender {
  /** As {@linkcode Receiver.closed}. */
  readonly closed: Promise<void>;
  /** Whether there is room for more: what {@linkcode send} returned last. */
  readonly writable: boolean;
  /**
   * Sends one message, without waiting. The bytes are copied, and it is always taken.
   *
   * @param topic index in the topics that the connection was opened with
   * @returns whether there is room for more; if not, {@linkcode ready} is to be waited for
   */
  send(topic: number, message: Uint8Array): boolean;
  /** Waits until there is room for more. Rejects when the connection is lost. */
  ready(): Promise<void>;
  /** Waits until the server has taken everything that was sent. Rejects when the connection is lost. */
  flush(): Promise<void>;
  /** Closes it. */
  close(): Promise<void>;
}

/** How to speak to a kind of server. */
export interface Driver {
  /**
   * Subscribes, on a connection of its own. Resolves when the server has confirmed: what is sent from then on is received.
   *
   * @param patterns names of topics; or one that ends in `/#`, which stands for all topics that begin so. Names are
   *   ASCII, `a/b/c`; a driver writes them as its server spells them.
   * @throws {TransportError} when no connection can be made, or something else answers
   * @throws {RefusedError} when the server refuses
   */
  receive(endpoint: string, patterns: readonly string[], sink: Sink): Promise<Receiver>;
  /** Opens a connection that sends to these topics. Throws as {@linkcode receive}. */
  send(endpoint: string, topics: readonly string[]): Promise<Sender>;
}

/**
 * The kinds of server that `bench` knows. `multicast` is our server as what it multicasts is received, `tcp` the same over
 * connections; `limit` is the byte copier.
 */
export type TargetKind = "stream" | "multicast" | "tcp" | "nats" | "redis" | "mqtt" | "limit";
