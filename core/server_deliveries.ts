/**
 * The subscriptions of a session that are delivered by datagrams: DATAGRAMS and what follows from it.
 *
 * @module
 */

import type { BodyReader } from "./body_reader.ts";
import { Code, codeText } from "./codes.ts";
import * as frames from "./control.ts";
import { Policy } from "./control.ts";
import type { DatagramHub, Delivery } from "./datagram_hub.ts";
import type { Address } from "./datagram_port.ts";
import { TransportError, UsageError } from "./errors.ts";
import { FrameType } from "./frame.ts";
import type { FrameWriter } from "./frame_writer.ts";
import { largestDatagram, leastDatagram, mostPatterns } from "./limits.ts";
import { Pattern } from "./pattern.ts";

/** The deliveries of one session. */
export class ServerDeliveries {
  readonly #hub: DatagramHub | null;
  readonly #at: Address | undefined;
  readonly #defaultPolicy: number;
  readonly #most: number;
  readonly #deliveries = new Map<number, Delivery>();

  /**
   * @param hub `null` where the server delivers none
   * @param at the address that the peer is connected to
   * @param defaultPolicy what one gets that asks for {@linkcode Policy.server}
   * @param most deliveries at a time
   */
  constructor(hub: DatagramHub | null, at: Address | undefined, defaultPolicy: number, most: number) {
    this.#hub = hub;
    this.#at = at;
    this.#defaultPolicy = defaultPolicy;
    this.#most = most;
  }

  /** DATAGRAMS. The answer goes to `control`. */
  open(body: BodyReader, control: FrameWriter): void {
    const { subscription, policy, largest, patterns } = frames.datagrams.read(body);
    const fail = (code: Code, why: string = codeText(code)) =>
      frames.failed.write(control, { request: subscription, kind: FrameType.datagrams, code, why });
    if (this.#hub === null || this.#at === undefined) return fail(Code.noDatagrams);
    if (this.#deliveries.has(subscription)) return fail(Code.subscriptionInUse);
    if (this.#deliveries.size >= this.#most) return fail(Code.subscriptions);
    if (patterns.length === 0 || patterns.length > mostPatterns) return fail(Code.pattern);
    if (largest < leastDatagram || largest > largestDatagram || policy > Policy.wait) return fail(Code.startPoint);
    try {
      // One that falls behind is told by the numbers it sees: there is nothing to disconnect.
      const granted = (policy === Policy.server ? this.#defaultPolicy : policy) === Policy.wait
        ? Policy.wait
        : Policy.skip;
      const delivery = this.#hub.deliver({
        at: this.#at,
        patterns: patterns.map(({ pattern }) => new Pattern(pattern)),
        largest,
        wait: granted === Policy.wait,
      });
      this.#deliveries.set(subscription, delivery);
      const { port, group, session } = delivery;
      frames.route.write(control, { subscription, policy: granted, port, group, session });
    } catch (error) {
      if (error instanceof UsageError) return fail(Code.pattern, error.message);
      if (error instanceof TransportError) return fail(Code.noDatagrams, error.message);
      throw error;
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

  /** Nothing more is published. */
  finish(): void {
    for (const delivery of this.#deliveries.values()) delivery.finish();
  }

  /** Whether each has sent everything. */
  get finished(): boolean {
    return this.#deliveries.values().every(({ finished }) => finished);
  }

  /** Lets go of everything. */
  close(): void {
    for (const delivery of this.#deliveries.values()) delivery.close();
    this.#deliveries.clear();
  }
}
