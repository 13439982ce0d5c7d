/**
 * The group's port: whether it can be had together with others.
 *
 * @module
 */

import { TransportError } from "../../core/errors.ts";
import type { NetworkInterface } from "../../transports/interfaces.ts";
import { joinGroup } from "../../transports/udp.ts";
import type { Group } from "../../transports/udp_group.ts";
import { type Check, listed } from "./check.ts";
import { showOwner, type System, takeHigherPort } from "./commands.ts";
import { parseSockets } from "./proc.ts";
import type { SystemFiles } from "./system_files.ts";

/** Why the port cannot be bound, or `null`: that of the system, if it is the port and not the group that is refused. */
export async function tryPort({ host, port }: Group, interfaces: readonly NetworkInterface[]): Promise<string | null> {
  try {
    using _ = await joinGroup(host, port, interfaces);
    return null;
  } catch (error) {
    if (!(error instanceof TransportError)) throw error;
    return error.message.startsWith("cannot listen ") ? error.message : null;
  }
}

/** The numbers of the users who have a socket on a port, or `null` where the system does not tell. */
export async function usersOf(port: number, files: SystemFiles): Promise<readonly number[] | null> {
  const tables = [await files.read("/proc/net/udp"), await files.read("/proc/net/udp6")];
  if (tables.every((table) => table === null)) return null;
  const sockets = tables.flatMap((table) => table === null ? [] : parseSockets(table));
  return [...new Set(sockets.filter((socket) => socket.port === port).map(({ user }) => user))];
}

/**
 * Judges it.
 *
 * @param failure why it cannot be bound, or `null`
 * @param users who have it, or `null` where that is not known
 */
export function checkPort(
  { host, port }: Group,
  failure: string | null,
  users: readonly number[] | null,
  system: System,
): Check {
  const name = "port";
  if (failure === null) {
    const shared = users === null || users.length === 0 ? "" : "; it is in use, and shared";
    return { name, state: "ok", finding: `${port} can be bound${shared}`, advice: [] };
  }
  if (!failure.endsWith(inUse)) return { name, state: "wrong", finding: failure, advice: takeHigherPort(host) };
  const whose = users === null || users.length === 0
    ? ""
    : ` by user ${listed(users.map(String))}, who does not share it`;
  return { name, state: "wrong", finding: `${failure}${whose}`, advice: showOwner(port, system) };
}

/** The end of what a transport says of a port that somebody else has. */
const inUse = "the port is in use";
