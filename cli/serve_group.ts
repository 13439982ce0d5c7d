/**
 * The multicast groups of `stream serve`.
 *
 * @module
 */

import { groupId } from "../core/datagram.ts";
import { sealOf } from "../core/encrypted_seal.ts";
import type { Address } from "../core/datagram_port.ts";
import { UsageError } from "../core/errors.ts";
import type { GroupKeys } from "../core/group_keys.ts";
import { GroupSender } from "../core/group_sender.ts";
import { GroupTransmitter } from "../core/group_transmitter.ts";
import { randomBytes } from "../core/bytes.ts";
import { Pattern } from "../core/pattern.ts";
import type { Topics } from "../core/topics.ts";
import { isLoopbackInterface, loopbackInterface, type NetworkInterface } from "../transports/interfaces.ts";
import { platform } from "../transports/platform.ts";
import { openGroup, udpAddress } from "../transports/udp.ts";
import { defaultGroup, type Group, namePorts, portsOf } from "../transports/udp_group.ts";
import type { Log } from "./log.ts";
import { formatMessages, formatRate, parseRate } from "./units.ts";

/** How fast datagrams go unless `rate` says otherwise, in bytes a second: on loopback, and on a network of 1 Gbit/s or less. */
export const loopbackRate = 187_500_000;
export const networkRate = 12_500_000;
/** Bytes of each topic that are kept unless it is said: what is lost is asked for again, and on loopback a second brings more. */
export const groupRetain = 64 * 1024 * 1024;

/** How a server sends to a group. */
export interface ServedGroup extends Omit<Group, "rate"> {
  readonly interface: NetworkInterface;
  /** Bytes a second. */
  readonly rate: number;
}

/**
 * Completes what was asked for.
 *
 * @param open whether anybody on a network may hear it
 * @throws {UsageError} when it may not leave this machine, or there is no way for it
 */
export function servedGroup(group: Group, open: boolean): ServedGroup {
  const chosen = group.interface ?? loopbackInterface();
  const hint = `for example: mcast://${group.address}?interface=eth0`;
  if (chosen === undefined) throw new UsageError("--multicast: this machine has no loopback: name an interface", hint);
  if (group.ttl !== 1 && group.host.includes(":")) {
    throw new UsageError(
      `--multicast: ttl=${group.ttl}: IPv6 multicast goes to the network of its interface, and no further`,
      `leave ttl out, or use an IPv4 group, as ${defaultGroup} is`,
    );
  }
  const local = isLoopbackInterface(chosen);
  if (local && group.host.includes(":")) {
    throw new UsageError("--multicast: loopback carries no IPv6 multicast: name an interface", hint);
  }
  if (!local && !open) {
    throw new UsageError(
      `--multicast: anybody on the network of ${chosen.name} could receive what is sent there`,
      "give --key-file to encrypt it (stream key makes one), or --open if that is meant",
    );
  }
  return { ...group, interface: chosen, rate: rateOf(group, chosen) };
}

/** How fast a group is sent to over an interface, in bytes a second. */
export function rateOf({ rate: text }: Group, by: NetworkInterface): number {
  if (text === null) return isLoopbackInterface(by) ? loopbackRate : networkRate;
  const rate = parseRate(text);
  if ("bytes" in rate) return rate.bytes;
  throw new UsageError(`rate=${text}: datagrams are paced in bits, not in messages`, "for example: rate=100Mbit/s");
}

/** What a group carries. */
export function patternsOf({ topics }: Pick<Group, "topics">): Pattern[] {
  return (topics.length > 0 ? topics : ["#"]).map((pattern) => new Pattern(pattern));
}

/** A group that is being sent to. */
export class ServingGroup implements Disposable {
  readonly #sender: GroupSender<Address>;
  readonly #transmitter: GroupTransmitter;
  readonly #running: Promise<void>;

  /** Sends what topics get from now on. */
  constructor(sender: GroupSender<Address>, transmitter: GroupTransmitter, log: Log) {
    this.#sender = sender;
    this.#transmitter = transmitter;
    const ended = () => {
      const { sent, repaired, expired, bytes } = sender.counts;
      log.info("multicast ended", { datagrams: sent, repaired, expired, bytes });
    };
    this.#running = transmitter.run().then(ended, (error) => log.error("multicast failed", { why: error.message }));
  }

  /**
   * Sends what is in the logs, tells receivers that it ends, and repairs what they miss.
   *
   * @param timeout milliseconds after which it stops with what it has sent
   */
  async drain(timeout: number): Promise<void> {
    this.#sender.finish();
    const cancel = platform.after(timeout, () => this[Symbol.dispose]());
    await this.#running;
    cancel();
  }

  /** Stops at once. */
  [Symbol.dispose](): void {
    this.#transmitter[Symbol.dispose]();
  }
}

/**
 * Begins to send topics to a group.
 *
 * @param key what it is encrypted with, or `null` for no encryption
 * @param wait whether publishers are held rather than that retention overtakes the group
 * @throws {TransportError} when the interface cannot send there
 */
export async function serveGroup(
  topics: Topics,
  group: ServedGroup,
  key: GroupKeys | null,
  wait: boolean,
  log: Log,
): Promise<ServingGroup> {
  const { address, host, largest, rate, topics: patterns } = group;
  const endpoint = `mcast://${address}`;
  const sender = new GroupSender<Address>(platform, topics, sealOf(platform, key, "sender"), {
    group: groupId(platform, address),
    session: randomBytes(platform),
    patterns: patternsOf(group),
    largest,
    rate,
    wait,
    onLagged: (topic, first, last) =>
      log.warn(`${formatMessages(last - first + 1)} not multicast: they came faster than its rate`, { topic }),
  });
  const transmitter = new GroupTransmitter(
    platform,
    sender,
    await openGroup(group),
    portsOf(group).map((port) => udpAddress(host, port)),
    (error) => log.warn(error.message, { group: endpoint }),
  );
  const { name } = group.interface;
  const reach = isLoopbackInterface(group.interface)
    ? `on this machine alone (for a network: --multicast ${defaultGroup}?interface=NAME)`
    : `on the network of ${name}`;
  log.info(`multicasting to ${endpoint} ${reach}`, {
    ...(patterns.length > 0 && { topics: patterns.join(",") }),
    interface: name,
    ports: namePorts(group),
    rate: formatRate({ bytes: rate }),
    encrypted: key !== null,
  });
  return new ServingGroup(sender, transmitter, log);
}
