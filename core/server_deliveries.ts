/**
 * The subscriptions of a session that are delivered by datagrams: DATAGRAMS and what follows from it.
 *
 * @module
 */

import type { BodyReader } from "./body_reader.ts";
import { Code, codeText } from "./codes.ts";
import * as frames from "./control.ts";
import { Policy, type Values } from "./control.ts";
import type { DatagramHub, Delivery } from "./datagram_hub.ts";
import type { Address } from "./datagram_port.ts";
import type { Rejection } from "./connection.ts";
import { TransportError, UsageError } from "./errors.ts";
import { FrameType } from "./frame.ts";
import { largestDatagram, leastDatagram, mostPatterns } from "./limits.ts";
import { Pattern } from "./pattern.ts";
import type { SubscribingSession } from "./server_subscription.ts";
import type { Topic } from "./topic.ts";

/** What delivers, and from where. */
export interface DeliveryRoute {
  readonly hub: DatagramHub;
  /** The address that the peer is connected to. */
  readonly at: Address;
}

/** What the deliveries of a session need of it. */
export type DeliveringSession = Pick<
  SubscribingSession,
  "account" | "control" | "refusal" | "codecs" | "recount" | "stir"
>;

/**
 * The deliveries of one session.
 *
 * PAUSE, RESUME and UNSUBSCRIBE may name one that is not: they are for a subscription of the other kind then, or for none.
 */
export class ServerDeliveries {
  readonly #session: DeliveringSession;
  readonly #route: DeliveryRoute | null;
  readonly #defaultPolicy: number;
  readonly #deliveries = new Map<number, Delivery>();
  #finishing = false;

  /**
   * @param route `null` where nothing can be delivered
   * @param defaultPolicy what one gets that asks for {@linkcode Policy.server}
   */
  constructor(
    session: DeliveringSession,
    route: DeliveryRoute | null,
    defaultPolicy: number,
  ) {
    this.#session = session;
    this.#route = route;
    this.#defaultPolicy = defaultPolicy;
  }

  /** DATAGRAMS. */
  open(body: BodyReader): void {
    const request = frames.datagrams.read(body);
    try {
      const refused = this.#refusal(request);
      if (refused === null) this.#begin(request, this.#route!);
      else this.#fail(request.subscription, refused);
    } catch (error) {
      const known = error instanceof UsageError || error instanceof TransportError;
      if (!known) throw error;
      const code = error instanceof UsageError ? Code.pattern : Code.noDatagrams;
      this.#fail(request.subscription, { code, why: error.message });
    }
  }

  /** PAUSE and RESUME. Returns whether it was for one of these. */
  pause(subscription: number, paused: boolean): boolean {
    const delivery = this.#deliveries.get(subscription);
    delivery?.pause(paused);
    return delivery !== undefined;
  }

  /** UNSUBSCRIBE. Returns whether it was for one of these. */
  end(subscription: number): boolean {
    this.#deliveries.get(subscription)?.close();
    return this.#deliveries.delete(subscription);
  }

  /** Whether one has this number. */
  has(subscription: number): boolean {
    return this.#deliveries.has(subscription);
  }

  /** Deliveries in number. */
  get size(): number {
    return this.#deliveries.size;
  }

  /** What may be read has changed: deliveries end of which a part may not be read any more. */
  revise(): void {
    for (const [subscription, delivery] of [...this.#deliveries]) {
      const forbidden = this.#forbidden(delivery.patterns);
      if (forbidden === null) continue;
      this.end(subscription);
      this.#fail(subscription, forbidden);
    }
  }

  /** Nothing more is published. */
  finish(): void {
    this.#finishing = true;
    for (const delivery of this.#deliveries.values()) delivery.finish();
  }

  /** Whether each has sent everything. */
  get finished(): boolean {
    return this.#deliveries.values().every(({ finished }) => finished);
  }

  /** Whether one keeps memory that the logs have given up. */
  get keepsDropped(): boolean {
    return this.#deliveries.values().some(({ keepsDropped }) => keepsDropped);
  }

  /** Lets go of everything. */
  close(): void {
    for (const delivery of this.#deliveries.values()) delivery.close();
    this.#deliveries.clear();
  }

  #refusal(request: Values<typeof frames.datagrams.fields>): Rejection | null {
    const { subscription, policy, largest, patterns } = request;
    const because = (code: Code, why = codeText(code)) => ({ code, why });
    if (this.#route === null) return because(Code.noDatagrams);
    const refused = this.#session.refusal(subscription);
    if (refused !== null) return refused;
    if (patterns.length === 0 || patterns.length > mostPatterns) return because(Code.pattern);
    if (policy > Policy.wait) return because(Code.startPoint, `there is no lag policy ${policy}`);
    if (largest < leastDatagram || largest > largestDatagram) {
      const why = `${largest} bytes is no size of datagrams: it is from ${leastDatagram} to ${largestDatagram}`;
      return because(Code.startPoint, why);
    }
    return null;
  }

  #begin(request: Values<typeof frames.datagrams.fields>, { hub, at }: DeliveryRoute): void {
    const { subscription, largest, since } = request;
    const asked = request.policy === Policy.server ? this.#defaultPolicy : request.policy;
    // One that falls behind sees it by the numbers of what comes: there is nothing to disconnect.
    const policy = asked === Policy.wait ? Policy.wait : Policy.skip;
    const patterns = request.patterns.map(({ pattern }) => new Pattern(pattern));
    const forbidden = this.#forbidden(patterns);
    if (forbidden !== null) {
      this.#fail(subscription, forbidden);
      return;
    }
    const unreadable = hub.topics.unreadable(patterns, this.#session.codecs);
    if (unreadable !== null) {
      this.#fail(subscription, { code: Code.codec, why: unreadable });
      return;
    }
    const wait = policy === Policy.wait;
    const onEncoded = (topic: Topic) => this.#encoded(subscription, topic);
    const delivery = hub.deliver({ at, patterns, largest, since, wait, onEncoded });
    if (delivery === null) {
      this.#fail(subscription, { code: Code.noDatagrams, why: "there is no memory for it" });
      return;
    }
    this.#deliveries.set(subscription, delivery);
    if (this.#finishing) delivery.finish();
    frames.route.write(this.#session.control, { subscription, policy, ...delivery.source });
  }

  /** Why patterns cannot be delivered. That is not looked at topic by topic: all that they match may be read, or none. */
  #forbidden(patterns: readonly Pattern[]): Rejection | null {
    const { name, permissions } = this.#session.account;
    if (permissions.mayReadAll(patterns)) return null;
    const texts = patterns.map(({ text }) => text).join(" ");
    return { code: Code.forbidden, why: `${name} may not read all that ${texts} matches` };
  }

  /** A topic begins to have frames that the peer may not be able to read. */
  #encoded(subscription: number, topic: Topic): void {
    const why = topic.unreadable(this.#session.codecs);
    if (why === null) return;
    this.end(subscription);
    this.#fail(subscription, { code: Code.codec, why });
    this.#session.recount();
    this.#session.stir();
  }

  #fail(request: number, { code, why }: Rejection): void {
    frames.failed.write(this.#session.control, { request, kind: FrameType.datagrams, code, why });
  }
}
