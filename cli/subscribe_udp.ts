/**
 * `stream subscribe --udp`: messages come by datagrams, everything else goes over the connection to the server.
 *
 * @module
 */

import { DatagramSubscription } from "../core/datagram_subscription.ts";
import type { Link } from "../core/link.ts";
import type { StartPoint } from "../core/subscription.ts";
import { platform } from "../transports/platform.ts";
import { openUdp, udpAddress } from "../transports/udp.ts";
import { isLoopback } from "./endpoints.ts";
import { defaultDatagram } from "../transports/udp_group.ts";
import { untilAborted } from "./link.ts";
import type { Log } from "./log.ts";
import type { Source } from "./receive.ts";
import type { LagPolicy } from "./serve_options.ts";

/** What is subscribed to. */
export interface UdpCommand {
  readonly patterns: readonly string[];
  readonly from: StartPoint;
  readonly lagPolicy: LagPolicy | undefined;
}

/** How long nothing may come, not even a heartbeat, before it is said what may be in the way; in milliseconds. */
const silence = 3_000;

/**
 * Subscribes. What is lost and the server cannot send again by datagram comes over the link, and so does what was before.
 *
 * @throws {RefusedError} when the server delivers no datagrams
 * @throws the signal's reason when it aborts
 */
export async function subscribeUdp(command: UdpCommand, link: Link, log: Log, signal: AbortSignal): Promise<Source> {
  const { patterns, from, lagPolicy } = command;
  const { host } = link.remote!;
  const subscription = new DatagramSubscription(link, openUdp(anyAddress(host), 0), {
    patterns,
    from,
    ...(lagPolicy && { lagPolicy }),
    largest: defaultDatagram,
    addressOf: udpAddress,
  });
  try {
    const granted = await untilAborted(subscription.ready, signal);
    if (lagPolicy !== undefined && granted !== lagPolicy) {
      log.warn(`the server grants the lag policy ${granted}, not ${lagPolicy}`);
    }
  } catch (error) {
    await subscription.close();
    throw error;
  }
  const cancel = watch(subscription, link, log);
  let left: Promise<void> | null = null;
  const leave = async () => {
    cancel();
    await subscription.close();
    const { datagrams, bytes, requests } = subscription.receiver;
    log.debug("left", { datagrams, bytes, requests });
  };
  return { events: () => subscription.events(), close: () => left ??= leave() };
}

/** Says when datagrams do not come though the link is there, and when they come again. Returns what ends that. */
function watch(subscription: DatagramSubscription, link: Link, log: Log): () => void {
  let seen = 0;
  let linked = link.welcome;
  let missed = false;
  let cancel = () => {};
  const look = () => {
    const { datagrams } = subscription.receiver;
    if (datagrams > seen) {
      if (missed) log.info("datagrams come again");
      missed = false;
    } else if (!missed && link.welcome !== null && link.welcome === linked) {
      missed = true;
      const { host } = link.remote!;
      log.warn(`no datagram comes from ${host}: is UDP blocked on the way? Without --udp messages come over TCP`);
    }
    seen = datagrams;
    linked = link.welcome;
    cancel = platform.after(silence, look);
  };
  cancel = platform.after(silence, look);
  return () => cancel();
}

/** The address from which everything can be reached that is of the kind of a host: this machine alone, if it is that. */
function anyAddress(host: string): string {
  if (isLoopback(host)) return host.includes(":") ? "::1" : "127.0.0.1";
  return host.includes(":") ? "::" : "0.0.0.0";
}
