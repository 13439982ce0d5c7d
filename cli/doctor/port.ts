/**
 * The group's ports: whether they can be had together with others.
 *
 * @module
 */

import { TransportError } from "../../core/errors.ts";
import type { NetworkInterface } from "../../transports/interfaces.ts";
import { joinGroup } from "../../transports/udp.ts";
import { type Group, namePorts, portsOf } from "../../transports/udp_group.ts";
import { type Check, listed } from "./check.ts";
import { showOwner, type System, takeHigherPort } from "./commands.ts";
import { parseSockets } from "./proc.ts";
import type { SystemFiles } from "./system_files.ts";

/** A port that cannot be bound. */
export interface PortFailure {
  readonly port: number;
  /** What the system says. */
  readonly why: string;
}

/** The first of a group's ports that cannot be bound, or `null`: where the group is refused, its port is not. */
export async function tryPorts(group: Group, interfaces: readonly NetworkInterface[]): Promise<PortFailure | null> {
  for (const port of portsOf(group)) {
    try {
      using _ = await joinGroup(group.host, port, interfaces);
    } catch (error) {
      if (!(error instanceof TransportError)) throw error;
      if (error.message.startsWith("cannot listen ")) return { port, why: error.message };
    }
  }
  return null;
}

/** The numbers of the users who have a socket on one of some ports, or `null` where the system does not tell. */
export async function usersOf(ports: readonly number[], files: SystemFiles): Promise<readonly number[] | null> {
  const tables = [await files.read("/proc/net/udp"), await files.read("/proc/net/udp6")];
  if (tables.every((table) => table === null)) return null;
  const sockets = tables.flatMap((table) => table === null ? [] : parseSockets(table));
  return [...new Set(sockets.filter(({ port }) => ports.includes(port)).map(({ user }) => user))];
}

/**
 * Judges them.
 *
 * @param failure the one that cannot be bound, or `null`
 * @param users who have it, or one of them all; `null` where that is not known
 */
export function checkPorts(
  group: Group,
  failure: PortFailure | null,
  users: readonly number[] | null,
  system: System,
): Check {
  const name = "port";
  if (failure === null) {
    const shared = users === null || users.length === 0 ? "" : "; in use, and shared";
    return { name, state: "ok", finding: `${namePorts(group)} can be bound${shared}`, advice: [] };
  }
  const { port, why } = failure;
  if (!why.endsWith(inUse)) return { name, state: "wrong", finding: why, advice: takeHigherPort(group.host) };
  const whose = users === null || users.length === 0
    ? ""
    : ` by user ${listed(users.map(String))}, who does not share it`;
  return { name, state: "wrong", finding: `${why}${whose}`, advice: showOwner(port, system) };
}

/** The end of what a transport says of a port that somebody else has. */
const inUse = "the port is in use";
