/**
 * The MTU: whether the largest datagram goes in one packet.
 *
 * @module
 */

import { type Group, headersOf, leastMtu } from "../../transports/udp_group.ts";
import { formatCount } from "../units.ts";
import type { Check } from "./check.ts";
import { examineAgain, raiseMtu, showMtu, type System, withParameters } from "./commands.ts";
import type { Device } from "./interfaces.ts";

/**
 * Judges it.
 *
 * @param devices by which the group may be reached
 * @param endpoint the group's URL
 */
export function checkMtu(group: Group, devices: readonly Device[], endpoint: string, system: System): Check {
  const packet = group.largest + headersOf(group.host);
  const size = `a packet has at most ${formatCount(packet)} bytes`;
  const found = (state: Check["state"], finding: string, advice: readonly string[] = []): Check => {
    return { name: "MTU", state, finding: `${size}; ${finding}`, advice };
  };
  const told = devices.filter(({ mtu }) => mtu !== null).sort((a, b) => a.mtu! - b.mtu!);
  const [tightest] = told;
  if (tightest === undefined) {
    return found("unknown", "what the interface takes is not told to this program", showMtu(system));
  }
  const { name } = tightest;
  const mtu = tightest.mtu!;
  if (packet <= mtu) {
    return found("ok", told.map(({ name, mtu }) => `${name} takes ${formatCount(mtu!)}`).join(", "));
  }
  const finding = `${name} takes ${formatCount(mtu)}: each goes in ${fragmentsOf(group, mtu)} fragments,` +
    " and is lost with any of them";
  if (mtu < leastMtu) {
    return found("warning", `${finding}; the least that will do is ${leastMtu}`, raiseMtu(name, system));
  }
  const smaller = withParameters(endpoint, { interface: name, mtu });
  return found("warning", finding, [examineAgain(smaller, "makes them smaller")]);
}

/** How many packets carry one datagram: each has the headers of IP, and all but the last a multiple of 8 bytes. */
function fragmentsOf({ host, largest }: Group, mtu: number): number {
  const udpHeader = 8;
  const fragmentHeaders = host.includes(":") ? 48 : 20;
  return Math.ceil((largest + udpHeader) / (Math.floor((mtu - fragmentHeaders) / 8) * 8));
}
