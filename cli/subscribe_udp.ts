/**
 * `stream subscribe --udp`: messages come by datagrams, everything else goes over the connection to the server.
 *
 * @module
 */

import { sealOf } from "../core/encrypted_seal.ts";
import type { Link } from "../core/link.ts";
import { GroupSubscription } from "../core/group_subscription.ts";
import type { StartPoint } from "../core/subscription.ts";
import { platform } from "../transports/platform.ts";
import { openUdp, udpAddress } from "../transports/udp.ts";
import { isLoopback } from "./endpoints.ts";
import { defaultDatagram } from "../transports/udp_group.ts";
import { untilAborted } from "./link.ts";
import type { Log } from "./log.ts";
import type { Source } from "./receive.ts";
import type { LagPolicy } from "./serve.ts";

/** What is subscribed to. */
export interface UdpCommand {
  readonly patterns: readonly string[];
  readonly from: StartPoint;
  readonly lagPolicy: LagPolicy | undefined;
}

/** How long nothing may come before it is said what may be in the way, in milliseconds. */
const silence = 3_000;

/**
 * Subscribes. What is lost and the server cannot send again by datagram comes over the link, and so does what was before.
 *
 * @throws {RefusedError} when the server delivers no datagrams
 * @throws the signal's reason when it aborts
 */
export async function subscribeUdp(command: UdpCommand, link: Link, log: Log, signal: AbortSignal): Promise<Source> {
  const { patterns, from, lagPolicy } = command;
  // Datagrams go where the connection goes: a name may stand for several addresses.
  const serverHost = () => link.remote!.host;
  const own = openUdp(anyAddress(serverHost()), 0);
  const subscription = new GroupSubscription(platform, { group: [], own }, {
    group: null,
    seal: sealOf(platform, null, "receiver"),
    patterns,
    repair: true,
    largest: defaultDatagram,
    log: { link, from },
    onPause: (paused) => route.pause(paused),
  });
  const route = link.route({
    patterns,
    ...(lagPolicy && { lagPolicy }),
    largest: defaultDatagram,
    onRoute: ({ port, group, session }) => subscription.expect(group, session, udpAddress(serverHost(), port)),
  });
  try {
    const granted = await untilAborted(route.ready, signal);
    if (lagPolicy !== undefined && granted !== lagPolicy) {
      log.warn(`the server grants the lag policy ${granted}, not ${lagPolicy}`);
    }
  } catch (error) {
    await subscription.close();
    throw error;
  }
  link.closed.then((error) => {
    if (error !== null) subscription.fail(error);
  });
  const cancel = platform.after(silence, () => {
    if (subscription.receiver.datagrams > 0) return;
    log.warn(`no datagram comes from ${serverHost()}: is UDP blocked on the way? Without --udp messages come over TCP`);
  });
  return {
    events: () => subscription.events(),
    async close() {
      cancel();
      route.close();
      const { datagrams, bytes, requests } = subscription.receiver;
      log.debug("left", { datagrams, bytes, requests });
      await subscription.close();
    },
  };
}

/** The address from which everything can be reached that is of the kind of a host: this machine alone, if it is that. */
function anyAddress(host: string): string {
  if (isLoopback(host)) return host.includes(":") ? "::1" : "127.0.0.1";
  return host.includes(":") ? "::" : "0.0.0.0";
}
