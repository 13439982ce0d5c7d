/**
 * Our own server, as what it multicasts is received; what is published goes to it over a connection.
 *
 * @module
 */

import { unhex } from "../../../core/bytes.ts";
import type { DatagramPort } from "../../../core/datagram_port.ts";
import { TransportError } from "../../../core/errors.ts";
import { FaultyPort } from "../../../core/faulty_port.ts";
import { GroupSubscription } from "../../../core/group_subscription.ts";
import { platform } from "../../../transports/platform.ts";
import { openReceiver, parseGroup, receptionOf } from "../../../transports/udp_group.ts";
import type { Driver, Receiver, Sink } from "../driver.ts";
import type { GroupJob } from "../job.ts";
import { mulberry32 } from "../message.ts";
import type { ReceivedDatagrams } from "../result.ts";
import { streamDriver, tellOf } from "./stream.ts";

/** How long a sender may take until it is heard, in milliseconds: its heartbeats come every second. */
const patience = 10_000;

/** How to receive from a group: each receiver has faults of its own. @param job `null` for who only sends */
export function multicastDriver(job: GroupJob | null): Driver {
  let receivers = 0;
  return {
    async receive(_endpoint, patterns, sink): Promise<Receiver> {
      const receiver = new GroupSubscriber(job!, receivers++);
      try {
        await receiver.join(patterns, sink);
      } catch (error) {
        receiver.close();
        throw error;
      }
      return receiver;
    },
    send: streamDriver(null).send,
  };
}

class GroupSubscriber implements Receiver {
  readonly closed: Promise<void>;
  readonly #job: GroupJob;
  /** Tells it from others in this process. */
  readonly #index: number;
  readonly #ports: FaultyPort[] = [];
  readonly #end = Promise.withResolvers<void>();
  #subscription: GroupSubscription | null = null;

  constructor(job: GroupJob, index: number) {
    this.#job = job;
    this.#index = index;
    this.closed = this.#end.promise;
    this.closed.catch(() => {});
  }

  /** Joins, and waits until the sender is heard: what it sends from then on is received. */
  async join(patterns: readonly string[], sink: Sink): Promise<void> {
    const { endpoint, key, repair } = this.#job;
    const group = parseGroup(endpoint);
    const { group: shared, own } = await openReceiver(group);
    const heard = Promise.withResolvers<void>();
    const fail = (why: string) => {
      const error = new TransportError(`receive from mcast://${group.address}`, endpoint, why);
      heard.reject(error);
      this.#end.reject(error);
    };
    const ports = { group: shared.map((port) => this.#faulty(port)), own: this.#faulty(own) };
    this.#subscription = new GroupSubscription(platform, ports, {
      ...receptionOf(group, key === null ? null : unhex(key)),
      patterns,
      repair,
      onEvent: tellOf(sink, ({ topic, first, lost, reason }) => {
        sink.arrived();
        if (lost > 0 && sink.missed) sink.missed(lost);
        else sink.damaged(`gap: ${topic}, from ${first}: ${reason}`);
      }),
      onSender: (_from, is) => is ? heard.resolve() : fail("its sender has ended"),
    });
    const timer = setTimeout(() => fail(`no sender is heard within ${patience / 1000} s`), patience);
    await heard.promise.finally(() => clearTimeout(timer));
  }

  get bytes(): number {
    return this.#subscription!.receiver.bytes;
  }

  get datagrams(): ReceivedDatagrams {
    const { receiver } = this.#subscription!;
    const faults = { lost: 0, reordered: 0, duplicated: 0 };
    for (const { counts } of this.#ports) {
      faults.lost += counts.lost;
      faults.reordered += counts.reordered;
      faults.duplicated += counts.duplicated;
    }
    let missed = 0;
    let unrepaired = 0;
    for (const { arrivals } of receiver.sessions.values()) {
      missed += arrivals.missed;
      unrepaired += arrivals.lost;
    }
    return { faults, missed, unrepaired, requests: receiver.requests };
  }

  close(): void {
    this.#end.resolve();
    this.#subscription?.close();
  }

  #faulty(port: DatagramPort): DatagramPort {
    const { faults, seed } = this.#job;
    if (Math.max(faults.loss, faults.reorder, faults.duplicate) === 0) return port;
    const faulty = new FaultyPort(port, faults, mulberry32(seed + 2 * this.#index + this.#ports.length));
    this.#ports.push(faulty);
    return faulty;
  }
}
