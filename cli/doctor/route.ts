/**
 * The multicast route: by which interface a datagram leaves when its socket names none.
 *
 * @module
 */

import { defaultInterface, isLoopbackInterface, type NetworkInterface } from "../../transports/interfaces.ts";
import type { Group } from "../../transports/udp_group.ts";
import { type Check, listed } from "./check.ts";
import { examineAgain, isLimit, routeMulticast, showInterfaces, type System, withParameters } from "./commands.ts";
import { probe } from "./probe.ts";
import { findRoute } from "./proc.ts";
import type { SystemFiles } from "./system_files.ts";

/** The way that the system takes. */
export interface Way {
  /** Why there is none, in the system's words, or `null`. */
  readonly failure: string | null;
  /** The interface, or `null` where there is none, or it could not be found out. */
  readonly by: NetworkInterface | null;
  /** Whether a route says so that is not the default route; `null` where the system does not tell. */
  readonly explicit: boolean | null;
}

/** Sends a datagram that stays on this machine, and looks which interface's address it has. */
export async function findWay(
  { host }: Group,
  interfaces: readonly NetworkInterface[],
  files: SystemFiles,
): Promise<Way> {
  const { failure, heard } = await probe(host, defaultInterface, interfaces);
  const table = await files.read("/proc/net/route");
  const route = table === null ? null : findRoute(table, host);
  return {
    failure,
    by: interfaces.find(({ ipv4 }) => ipv4 === heard) ?? null,
    explicit: route === null ? null : route.prefix > 0,
  };
}

/**
 * Judges the route.
 *
 * @param way what was found, where the group's URL names no interface
 * @param interfaces those that have an IPv4 address
 * @param endpoint the group's URL
 */
export function checkRoute(
  group: Group,
  way: Way | null,
  interfaces: readonly NetworkInterface[],
  endpoint: string,
  system: System,
): Check {
  const found = (state: Check["state"], finding: string, advice: readonly string[] = []): Check => {
    return { name: "multicast route", state, finding, advice };
  };
  if (way === null) {
    const { name, ipv4 } = group.interface!;
    return found("ok", `none is needed: the URL names ${name}${ipv4 === null ? "" : ` (${ipv4})`}`);
  }
  const networks = interfaces.filter((one) => !isLoopbackInterface(one));
  const choose = (one: NetworkInterface) => [
    examineAgain(withParameters(endpoint, { interface: one.name }), `names ${one.name}`),
    ...routeMulticast(one, system),
  ];
  const chooseFirst = networks.length > 0 ? choose(networks[0]!) : showInterfaces(system);
  const { failure, by, explicit } = way;
  if (failure !== null && isLimit(failure)) return found("unknown", `it cannot be found out: ${failure}`);
  if (failure !== null) {
    const none = `none leads to ${group.host} (${failure})`;
    if (networks.length === 0) return found("warning", `${none}, and there is no network, only loopback`, chooseFirst);
    return found(
      "warning",
      `${none}: without an interface in the URL, subscribe hears this machine alone`,
      chooseFirst,
    );
  }
  if (by === null) {
    return found("warning", `what is sent to ${group.host} cannot be heard on any interface`, chooseFirst);
  }
  const to = `leads to ${by.name} (${by.ipv4})`;
  if (isLoopbackInterface(by)) {
    return found("warning", `${to}: without an interface in the URL, subscribe hears this machine alone`, chooseFirst);
  }
  if (explicit) return found("ok", `${to}, since a route for multicast says so`);
  const others = networks.filter(({ name }) => name !== by.name).map(({ name }) => name);
  if (others.length === 0) return found("ok", to);
  const why = explicit === null ? "" : ", since no route is for multicast alone";
  const deaf = `without an interface in the URL, subscribe does not hear ${listed(others)}`;
  return found("warning", `${to}${why}: ${deaf}`, choose(by));
}
