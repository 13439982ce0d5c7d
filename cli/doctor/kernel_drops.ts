/**
 * Kernel drops: datagrams that came and that no program got.
 *
 * @module
 */

import { formatCount } from "../units.ts";
import type { Check } from "./check.ts";
import { enlargeBuffers, showDrops, type System } from "./commands.ts";
import { parseCounters, parseSockets, type UdpSocket } from "./proc.ts";
import type { SystemFiles } from "./system_files.ts";

/** The system's counters at one time. */
export type Counters = ReadonlyMap<string, number>;

/** Reads them, or `null` where the system does not tell. */
export async function readCounters(files: SystemFiles): Promise<Counters | null> {
  const text = await files.read("/proc/net/snmp");
  return text === null ? null : parseCounters(text);
}

/** The sockets on some ports that have dropped datagrams. */
export async function readSocketDrops(ports: readonly number[], files: SystemFiles): Promise<readonly UdpSocket[]> {
  const tables = [await files.read("/proc/net/udp") ?? "", await files.read("/proc/net/udp6") ?? ""];
  return tables.flatMap(parseSockets).filter(({ port, drops }) => ports.includes(port) && drops > 0);
}

/** The counters at three times: before anything was sent, before the self-test, and after it. */
export interface Watched {
  readonly first: Counters | null;
  readonly before: Counters | null;
  readonly after: Counters | null;
}

/**
 * Judges them.
 *
 * @param sockets those on the group's ports that have dropped datagrams
 */
export function checkKernelDrops(
  { first, before, after }: Watched,
  sockets: readonly UdpSocket[],
  system: System,
): Check {
  const name = "kernel drops";
  if (first === null || before === null || after === null) {
    return { name, state: "unknown", finding: "not told to this program", advice: showDrops(system) };
  }
  const during = (after.get("Udp.RcvbufErrors") ?? 0) - (before.get("Udp.RcvbufErrors") ?? 0);
  const counted = ["Udp.InDatagrams", "Udp.RcvbufErrors", "Udp.SndbufErrors", "Ip.FragFails"];
  const [received, full, unsent, whole] = counted.map((counter) => formatCount(first.get(counter) ?? 0));
  const open = sockets.map(({ port, drops }) =>
    `a socket that is open on port ${port} has dropped ${formatCount(drops)}`
  );
  const finding = [
    `${during === 0 ? "none" : formatCount(during)} during the self-test`,
    ...open,
    `since the system started ${received} datagrams were received, ${full} dropped since a receive buffer was full,` +
    ` ${unsent} not sent, ${whole} not fragmented`,
  ].join("; ");
  const dropped = during > 0 || open.length > 0;
  return { name, state: dropped ? "warning" : "ok", finding, advice: dropped ? enlargeBuffers(system) : [] };
}
