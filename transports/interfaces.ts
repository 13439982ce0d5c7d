/**
 * The network interfaces of this machine, as multicast needs them.
 *
 * @module
 */

import { UsageError } from "../core/errors.ts";

/** One interface. */
export interface NetworkInterface {
  /** What the system calls it: `eth0`. */
  readonly name: string;
  /** Its first IPv4 address, or `null`. */
  readonly ipv4: string | null;
  /** Its IPv6 addresses. */
  readonly ipv6: readonly string[];
  /** Its number, which is what IPv6 groups are joined by; 0 where the system does not tell. */
  readonly index: number;
}

/** What the system takes for a group when no interface is named. */
export const defaultInterface: NetworkInterface = { name: "the default route", ipv4: "0.0.0.0", ipv6: [], index: 0 };

/** What goes behind a `%` to say by which interface a link-local address is reached. */
export function zoneOf({ name, index }: NetworkInterface): string {
  return Deno.build.os === "windows" ? `${index}` : name;
}

/** All interfaces that have an address. */
export function networkInterfaces(): NetworkInterface[] {
  const found = new Map<string, { name: string; ipv4: string | null; ipv6: string[]; index: number }>();
  for (const { name, family, address, scopeid } of Deno.networkInterfaces()) {
    let known = found.get(name);
    if (known === undefined) found.set(name, known = { name, ipv4: null, ipv6: [], index: 0 });
    if (family === "IPv4") known.ipv4 ??= address;
    else known.ipv6.push(address);
    // Only link-local addresses tell it.
    known.index ||= scopeid ?? 0;
  }
  return [...found.values()];
}

/** The interface of loopback, or `undefined` on a machine that has none. */
export function loopbackInterface(): NetworkInterface | undefined {
  return networkInterfaces().find(isLoopbackInterface);
}

/** Whether what is sent there stays on this machine. */
export function isLoopbackInterface({ ipv4, ipv6 }: NetworkInterface): boolean {
  return ipv4?.startsWith("127.") ?? ipv6.includes("::1");
}

/**
 * The interface that has a name, or an address.
 *
 * @throws {UsageError} when there is none; the hint names those that there are
 *
 * @example
 * ```ts
 * import { findInterface, isLoopbackInterface } from "../transports/interfaces.ts";
 * import { assert } from "@std/assert";
 *
 * assert(isLoopbackInterface(findInterface("127.0.0.1")));
 * ```
 */
export function findInterface(text: string): NetworkInterface {
  const all = networkInterfaces();
  const address = text.toLowerCase();
  for (const one of all) {
    if (one.name === text) return one;
    // The address that was named is the one to use, where an interface has several.
    if (Deno.networkInterfaces().some((it) => it.name === one.name && it.address === address)) {
      return address.includes(":") ? one : { ...one, ipv4: address };
    }
  }
  const names = all.map(({ name, ipv4, ipv6 }) => `${name} (${ipv4 ?? ipv6[0]})`).join(", ");
  throw new UsageError(`this machine has no interface ${JSON.stringify(text)}`, `it has ${names}`);
}
