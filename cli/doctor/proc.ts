/**
 * What the files of `/proc/net` say, read from their texts.
 *
 * @module
 */

/** The interfaces that /proc/net/dev names. */
export function parseDevices(text: string): string[] {
  return Array.from(text.matchAll(/^ *([^\s|]+):/gm), ([, name]) => name!);
}

/** A route of IPv4. */
export interface Route {
  readonly interface: string;
  /** How many leading bits of an address it decides by: 0 for the default route. */
  readonly prefix: number;
}

/** The flag of a route that is up; one that is not, or rejects, leads nowhere. */
const routeUp = 0x1;
const routeReject = 0x200;

/**
 * The route of /proc/net/route that an address takes, or `null` for none.
 *
 * @param address four numbers: `239.255.70.70`
 */
export function findRoute(text: string, address: string): Route | null {
  const wanted = address.split(".").reduce((number, part) => number * 256 + Number(part), 0);
  let best: Route & { readonly metric: number } | null = null;
  for (const line of text.split("\n").slice(1)) {
    const [name, destination, , flags, , , metric, mask] = line.trim().split(/\s+/);
    if (name === undefined || destination === undefined || mask === undefined) continue;
    const bits = Number(`0x${flags}`);
    if (!(bits & routeUp) || bits & routeReject) continue;
    const covered = swapped(mask);
    if (((wanted & covered) >>> 0) !== swapped(destination)) continue;
    const prefix = 32 - Math.log2(2 ** 32 - covered);
    const route = { interface: name, prefix, metric: Number(metric) };
    if (best === null || prefix > best.prefix || (prefix === best.prefix && route.metric < best.metric)) best = route;
  }
  return best === null ? null : { interface: best.interface, prefix: best.prefix };
}

/** The counters of /proc/net/snmp by protocol and name: `Udp.RcvbufErrors`. */
export function parseCounters(text: string): Map<string, number> {
  const counters = new Map<string, number>();
  const lines = text.split("\n");
  // Two lines a protocol: the names, and below them the values.
  for (let at = 0; at + 1 < lines.length; at += 2) {
    const [protocol, ...names] = lines[at]!.split(" ");
    const values = lines[at + 1]!.split(" ").slice(1);
    names.forEach((name, index) => counters.set(`${protocol!.replace(/:$/, "")}.${name}`, Number(values[index])));
  }
  return counters;
}

/** A UDP socket of this machine. */
export interface UdpSocket {
  readonly port: number;
  /** The number of the user whose it is. */
  readonly user: number;
  /** Datagrams that its receive buffer had no room for, since it was opened. */
  readonly drops: number;
}

/** The sockets of /proc/net/udp, or /proc/net/udp6. */
export function parseSockets(text: string): UdpSocket[] {
  const sockets: UdpSocket[] = [];
  for (const line of text.split("\n").slice(1)) {
    const fields = line.trim().split(/\s+/);
    const port = /:([0-9A-F]{4})$/i.exec(fields[1] ?? "")?.[1];
    if (port === undefined || fields.length < 13) continue;
    sockets.push({ port: parseInt(port, 16), user: Number(fields[7]), drops: Number(fields[12]) });
  }
  return sockets;
}

/** Eight digits in the byte order of the machine, as /proc has addresses: those that Deno runs on are little-endian. */
function swapped(digits: string): number {
  return parseInt(digits.match(/../g)!.reverse().join(""), 16);
}
