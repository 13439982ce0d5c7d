/**
 * The way by which a link's subscription gets datagrams: asked for anew on each connection.
 *
 * @module
 */

import type { ClientSession, ValuesOf } from "./client_session.ts";
import type { Code } from "./codes.ts";
import * as frames from "./control.ts";
import { Policy } from "./control.ts";
import { RefusedError, TransportError } from "./errors.ts";
import { largestSequence } from "./limits.ts";

/** Where a server sends from, and as whom. */
export type Route = Pick<ValuesOf<typeof frames.route>, "port" | "group" | "session">;

/** What is asked for. */
export interface RouteOptions {
  readonly patterns: readonly string[];
  /** What shall happen when retention is faster; the server's default unless given. */
  readonly lagPolicy?: "skip" | "disconnect" | "wait";
  /** Bytes of the largest datagram. */
  readonly largest: number;
  /**
   * Told of each route: the first, and after each reconnect another. `restarted`: it is of another life of the server, or of
   * another server, than the one before.
   */
  readonly onRoute: (route: Route, restarted: boolean) => void;
  /** Told when there will be no other: the server refuses, be it after a reconnect, or the link is lost for good. */
  readonly onFail: (error: Error) => void;
}

/** What a route needs of its link. */
export interface RoutingLink {
  readonly endpoint: string;
  readonly session: ClientSession | null;
  /** Forgets the route, once it has ended. */
  removeRoute(route: DatagramRoute): void;
}

/** A subscription's way. Made by a link. */
export class DatagramRoute {
  /** Its number in its link. */
  readonly id: number;
  /** Resolves with the policy granted when the server has said where it sends from; rejects when it refuses. */
  readonly ready: Promise<"skip" | "wait">;
  readonly #link: RoutingLink;
  readonly #options: RouteOptions;
  readonly #ready = Promise.withResolvers<"skip" | "wait">();
  #paused = false;
  /** Of the server that was asked, and of the one that the last route was of; empty before there was one. */
  #asked = "";
  #epoch = "";
  /** Topics of that one that were created after this ordinal are wanted from their first message on. */
  #since = largestSequence;

  /** @internal */
  constructor(link: RoutingLink, id: number, options: RouteOptions) {
    this.#link = link;
    this.id = id;
    this.#options = options;
    this.ready = this.#ready.promise;
    this.ready.catch(() => {});
  }

  /** Whether the server shall send nothing new. */
  pause(paused: boolean): void {
    if (paused === this.#paused) return;
    this.#paused = paused;
    this.#link.session?.send(paused ? frames.pause : frames.resume, { subscription: this.id });
  }

  /** Ends it. */
  close(): void {
    this.#link.session?.send(frames.unsubscribe, { subscription: this.id });
    this.#link.removeRoute(this);
  }

  /**
   * The link is up.
   *
   * @internal
   */
  connected(session: ClientSession, epoch: string): void {
    const { patterns, lagPolicy, largest } = this.#options;
    this.#asked = epoch;
    session.send(frames.datagrams, {
      subscription: this.id,
      policy: Policy[lagPolicy ?? "server"],
      largest,
      since: this.#restarted ? 0 : this.#since,
      patterns: patterns.map((pattern) => ({ pattern })),
    });
    if (this.#paused) session.send(frames.pause, { subscription: this.id });
  }

  /**
   * ROUTE.
   *
   * @internal
   */
  routed({ policy, port, group, session, ordinal }: ValuesOf<typeof frames.route>): void {
    const restarted = this.#restarted;
    if (restarted) this.#since = 0;
    else if (this.#epoch === "") this.#since = ordinal;
    this.#epoch = this.#asked;
    this.#options.onRoute({ port, group, session }, restarted);
    this.#ready.resolve(policy === Policy.wait ? "wait" : "skip");
  }

  /**
   * DATAGRAMS failed.
   *
   * @internal
   */
  failed(code: Code, why: string): void {
    this.fail(new RefusedError(`get ${this.#options.patterns.join(" ")} by datagrams`, code, why));
    this.#link.removeRoute(this);
  }

  /**
   * Nothing will come any more: for the error, or since the link was closed.
   *
   * @internal
   */
  fail(error: Error | null): void {
    const { endpoint } = this.#link;
    this.#ready.reject(error ?? new TransportError("get datagrams", endpoint, "the link was closed"));
    if (error !== null) this.#options.onFail(error);
  }

  /** Whether the server that was asked is not the one that the last route was of. */
  get #restarted(): boolean {
    return this.#epoch !== "" && this.#asked !== this.#epoch;
  }
}
