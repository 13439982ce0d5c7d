/**
 * The TTL: how many networks a datagram may cross.
 *
 * @module
 */

import { TransportError } from "../../core/errors.ts";
import { isLoopbackInterface, type NetworkInterface } from "../../transports/interfaces.ts";
import { openGroup } from "../../transports/udp.ts";
import type { Group } from "../../transports/udp_group.ts";
import type { Check } from "./check.ts";
import { examineAgain, mend, type System, withParameters } from "./commands.ts";

/** Why it cannot be set, in the system's words, or `null`. */
export async function tryTtl(group: Group, by: NetworkInterface): Promise<string | null> {
  try {
    using _ = await openGroup({ ...group, interface: by });
    return null;
  } catch (error) {
    if (error instanceof TransportError) return error.message;
    throw error;
  }
}

/**
 * Judges it.
 *
 * @param by where datagrams leave
 * @param failure why it cannot be set, or `null`
 * @param endpoint the group's URL
 */
export function checkTtl(
  { ttl }: Group,
  by: NetworkInterface,
  failure: string | null,
  endpoint: string,
  system: System,
): Check {
  const found = (state: Check["state"], finding: string, advice: readonly string[] = []): Check => {
    return { name: "TTL", state, finding: `${ttl}: ${finding}`, advice };
  };
  const further = examineAgain(withParameters(endpoint, { ttl: 1 }), `lets them reach the network of ${by.name}`);
  if (failure !== null) {
    return found("wrong", `it cannot be set: ${failure}`, ttl === 0 ? [further] : mend(failure, by.name, system));
  }
  const routers = ttl === 2 ? "one router" : `${ttl - 1} routers`;
  const reach = ttl === 0
    ? "datagrams stay on this machine"
    : ttl === 1
    ? "datagrams stay on the network of their interface"
    : `datagrams may pass ${routers}, if they route multicast (PIM)`;
  if (isLoopbackInterface(by)) return found("ok", `${reach}; by ${by.name} they do not leave this machine anyway`);
  if (ttl > 0) return found("ok", reach);
  return found("warning", `${reach}, although the URL names ${by.name}`, [further]);
}
