/**
 * The interfaces: which there are, whether they are up, and what they carry.
 *
 * @module
 */

import { isLoopbackInterface, type NetworkInterface, networkInterfaces } from "../../transports/interfaces.ts";
import { formatCount } from "../units.ts";
import type { Check } from "./check.ts";
import { allowMulticast, bringLoopbackUp, bringUp, type System } from "./commands.ts";
import { parseDevices } from "./proc.ts";
import { readNumber, type SystemFiles } from "./system_files.ts";

/** An interface, and what the system tells of it; `null` where it does not. */
export interface Device extends NetworkInterface {
  readonly up: boolean | null;
  /** Whether it does multicast; loopback does without saying so. */
  readonly multicast: boolean | null;
  /** Bytes of the largest packet. */
  readonly mtu: number | null;
}

const flagUp = 0x1;
const flagMulticast = 0x1000;

/** The interfaces of this machine: those that have an address, and on Linux those that have none. */
export async function readDevices(
  files: SystemFiles,
  addressed: readonly NetworkInterface[] = networkInterfaces(),
): Promise<Device[]> {
  const named = parseDevices(await files.read("/proc/net/dev") ?? "");
  const listed = await files.list("/sys/class/net") ?? [];
  // Inside another network namespace than the one that /sys was mounted for, it tells of other interfaces.
  const told = named.length > 0 && named.length === listed.length && named.every((name) => listed.includes(name));
  const bare = named.filter((name) => addressed.every((known) => known.name !== name));
  const all = [...addressed, ...bare.map((name) => ({ name, ipv4: null, ipv6: [], index: 0 }))];
  return await Promise.all(all.map(async (known) => {
    const value = (file: string) => told ? readNumber(files, `/sys/class/net/${known.name}/${file}`) : null;
    const [flags, mtu] = await Promise.all([value("flags"), value("mtu")]);
    return {
      ...known,
      up: flags === null ? null : (flags & flagUp) !== 0,
      multicast: flags === null ? null : (flags & flagMulticast) !== 0 || isLoopbackInterface(known),
      mtu,
    };
  }));
}

/**
 * Judges the interfaces.
 *
 * @param wanted the one that the group's URL names, or `null`
 */
export function checkInterfaces(devices: readonly Device[], wanted: NetworkInterface | null, system: System): Check {
  const named = devices.find(({ name }) => name === wanted?.name);
  const usable = devices.filter((device) => hasAddress(device) && device.up !== false);
  const down = devices.filter(({ up }) => up === false).map(({ name }) => name);
  const bare = devices.filter((device) => !hasAddress(device) && device.up !== false).map(({ name }) => name);
  const parts = [
    usable.length === 0 ? "none is up with an address" : usable.map(description).join(", "),
    ...(down.length > 0 ? [`down: ${down.join(", ")}`] : []),
    ...(bare.length > 0 ? [`without an address: ${bare.join(", ")}`] : []),
  ];
  const found = (state: Check["state"], advice: readonly string[] = []): Check => {
    return { name: "interfaces", state, finding: parts.join("; "), advice };
  };
  if (named?.up === false) return found("wrong", bringUp(named.name, system));
  if (!usable.some(isLoopbackInterface)) {
    parts.push("loopback is missing, where multicast goes unless the URL names an interface");
    return found("wrong", bringLoopbackUp(system));
  }
  if (named?.multicast === false) {
    parts.push(`${named.name} is set not to do multicast`);
    return found("warning", allowMulticast(named.name, system));
  }
  return found("ok");
}

function hasAddress({ ipv4, ipv6 }: NetworkInterface): boolean {
  return ipv4 !== null || ipv6.length > 0;
}

function description(device: Device): string {
  const notes = [
    ...(isLoopbackInterface(device) ? ["loopback"] : []),
    ...(device.multicast === false ? ["no multicast"] : []),
    ...(device.mtu === null ? [] : [`MTU ${formatCount(device.mtu)}`]),
  ];
  const address = device.ipv4 ?? device.ipv6[0];
  return `${device.name} ${address}${notes.length > 0 ? ` (${notes.join(", ")})` : ""}`;
}
