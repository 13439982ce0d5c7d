/**
 * `stream subscribe --multicast`: receives from a group, without a connection to a server.
 *
 * @module
 */

import type { Address } from "../core/datagram_port.ts";
import type { DropReason } from "../core/group_receiver.ts";
import type { GroupKeys } from "../core/group_keys.ts";
import { GroupSubscription } from "../core/group_subscription.ts";
import type { Link } from "../core/link.ts";
import type { StartPoint } from "../core/subscription.ts";
import { isLoopbackInterface } from "../transports/interfaces.ts";
import { platform } from "../transports/platform.ts";
import { defaultGroup, type Group, openReceiver, receptionOf } from "../transports/udp_group.ts";
import { readKey } from "./key_file.ts";
import type { Log } from "./log.ts";

/** How a group is subscribed to. */
export interface GroupCommand {
  readonly group: Group;
  /** Where its key is. */
  readonly keyFile: string | undefined;
  /** To the server that tells the key; `null` where it is not asked. Without a key only what is not encrypted is taken. */
  readonly keyLink: Link | null;
  /** What is wanted of it; empty for everything. */
  readonly patterns: readonly string[];
  /** Whether what is lost is asked for. */
  readonly repair: boolean | string;
  /** To the group's server, for what its sender cannot repair and what was before, from where on; or `null`. */
  readonly link: Link | null;
  readonly from: StartPoint;
}

/** How long nobody may be heard before it is said what to do, in milliseconds; and how often it is looked what is dropped. */
const silence = 3_000;
const watchInterval = 1_000;

/**
 * Joins a group.
 *
 * @param onSender told of the first sender that is heard
 * @throws {TransportError} when it cannot be joined
 */
export async function subscribeGroup(
  command: GroupCommand,
  log: Log,
  onSender: (from: Address) => void,
): Promise<WatchedGroup> {
  const { group, patterns, repair, link, from } = command;
  const key = await keyOf(command, log);
  let heard = false;
  const subscription = new GroupSubscription(platform, await openReceiver(group), {
    ...receptionOf(group, key),
    patterns,
    repair: repair !== false,
    ...(link !== null && { log: { link, from } }),
    onForeign: ({ text }) =>
      log.warn("the group has a sender that is not the server of --repair: what is lost of it may stay so", {
        from: text,
      }),
    onSender: (from, joined) => {
      log.debug(joined ? "a sender is heard" : "a sender has ended", { from: from.text });
      if (joined && !heard) onSender(from);
      heard ||= joined;
    },
  });
  return new WatchedGroup(subscription, command, log, () => heard);
}

/** From a file, or from the server, which tells another whenever it changes it. */
async function keyOf({ group, keyFile, keyLink }: GroupCommand, log: Log): Promise<Uint8Array | GroupKeys | null> {
  if (keyFile !== undefined) return await readKey(keyFile);
  if (keyLink === null) return null;
  const gone = (error: Error) => log.warn("the key of the group is not told any more", { why: error.message });
  return await keyLink.groupKeys(group.address, gone).ready;
}

/** A group's subscription that says once what is wrong with what comes, and what to do when nothing does. */
export class WatchedGroup {
  readonly #subscription: GroupSubscription;
  readonly #command: GroupCommand;
  readonly #log: Log;
  readonly #said = new Set<DropReason>();
  readonly #cancelSilence: () => void;
  #cancelWatch = () => {};
  #closed = false;

  /** @param heard whether there is a sender */
  constructor(subscription: GroupSubscription, command: GroupCommand, log: Log, heard: () => boolean) {
    this.#subscription = subscription;
    this.#command = command;
    this.#log = log;
    this.#cancelSilence = platform.after(silence, () => {
      if (!heard()) log.info(this.#advice());
    });
    this.#watch();
  }

  /** What happens, in order. */
  events(): ReturnType<GroupSubscription["events"]> {
    return this.#subscription.events();
  }

  /** Leaves the group. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelSilence();
    this.#cancelWatch();
    const { datagrams, bytes, requests, dropped } = this.#subscription.receiver;
    await this.#subscription.close();
    this.#log.debug("left the group", { datagrams, bytes, requests, ...Object.fromEntries(dropped) });
  }

  #watch(): void {
    this.#cancelWatch = platform.after(watchInterval, () => {
      this.#watch();
      for (const [reason, count] of this.#subscription.receiver.dropped) {
        const text = this.#trouble(reason);
        if (text === null || this.#said.has(reason)) continue;
        this.#said.add(reason);
        this.#log.warn(text, { dropped: count });
      }
    });
  }

  #advice(): string {
    const { group, keyFile } = this.#command;
    const endpoint = `mcast://${group.address}`;
    const url = endpoint === defaultGroup ? "" : ` ${endpoint}`;
    const key = keyFile === undefined ? "" : ` --key-file ${keyFile}`;
    const network = group.interface === null || isLoopbackInterface(group.interface)
      ? "; from another machine its --multicast URL needs ?interface=NAME"
      : "";
    return `no sender is heard on ${endpoint} yet: start one with stream serve --multicast${url}${key}${network}` +
      " (stream doctor looks for what is in the way)";
  }

  #trouble(reason: DropReason): string | null {
    const { address } = this.#command.group;
    switch (reason) {
      case "encrypted":
        return `what comes on mcast://${address} is encrypted: give --key-from tls://SERVER, or --key-file`;
      case "plain":
        return `what comes on mcast://${address} is not encrypted, and refused since a key is given`;
      case "damaged":
        return this.#command.keyFile === undefined && this.#command.keyLink === null
          ? `damaged datagrams come on mcast://${address}`
          : `datagrams come on mcast://${address} that this key does not open: is it the sender's?`;
      case "large":
        return `datagrams come on mcast://${address} that are larger than expected: give the sender's mtu in --group`;
      case "version":
        return `datagrams of another version come on mcast://${address}`;
      case "senders":
        return `more senders are on mcast://${address} than a receiver takes`;
      default:
        return null;
    }
  }
}
