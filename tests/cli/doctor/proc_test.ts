/** What Linux writes into /proc/net, as samples. */

import { assertEquals } from "@std/assert";
import { findRoute, parseCounters, parseDevices, parseSockets } from "../../../cli/doctor/proc.ts";

const dev = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 12604208937890 520269508    0    0    0     0          0         0 12604208937890 520269508    0    0    0     0       0          0
br-1a2b:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
  eth0.7:553109238   42871    0    0    0     0          0         0  2909213   38974    0    0    0     0       0          0
`;

Deno.test("the interfaces of /proc/net/dev, whatever their names", () => {
  assertEquals(parseDevices(dev), ["lo", "br-1a2b", "eth0.7"]);
  assertEquals(parseDevices(""), []);
});

const heading = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";
/** Rows of /proc/net/route: interface, destination, flags, metric, mask. */
function routes(...rows: readonly (readonly [string, string, string, number, string])[]): string {
  const lines = rows.map(([name, to, flags, metric, mask]) =>
    `${name}\t${to}\t00000000\t${flags}\t0\t0\t${metric}\t${mask}\t0\t0\t0     \n`
  );
  return heading + lines.join("");
}

Deno.test("the route of an address is the longest that covers it, and is up", () => {
  const byDefault = ["eth0", "00000000", "0003", 100, "00000000"] as const;
  const multicast = ["eth1", "000000E0", "0001", 0, "000000F0"] as const;
  const host = ["eth2", "4646FFEF", "0005", 0, "FFFFFFFF"] as const;
  assertEquals(findRoute(routes(), "239.255.70.70"), null);
  assertEquals(findRoute(routes(["eth0", "000200C0", "0001", 0, "00FFFFFF"]), "239.255.70.70"), null);
  assertEquals(findRoute(routes(byDefault), "239.255.70.70"), { interface: "eth0", prefix: 0 });
  assertEquals(findRoute(routes(byDefault, multicast), "239.255.70.70"), { interface: "eth1", prefix: 4 });
  assertEquals(findRoute(routes(host, byDefault, multicast), "239.255.70.70"), { interface: "eth2", prefix: 32 });
  assertEquals(findRoute(routes(host, byDefault, multicast), "239.255.70.71"), { interface: "eth1", prefix: 4 });
  // One that is down, and one that rejects.
  assertEquals(findRoute(routes(["eth1", "000000E0", "0000", 0, "000000F0"]), "239.1.1.1"), null);
  assertEquals(findRoute(routes(["*", "000000E0", "0201", 0, "000000F0"]), "239.1.1.1"), null);
});

Deno.test("of two routes that cover an address alike, the one with the lower metric is taken", () => {
  const table = routes(
    ["wlan0", "00000000", "0003", 600, "00000000"],
    ["eth0", "00000000", "0003", 100, "00000000"],
    ["tun0", "00000000", "0003", 200, "00000000"],
  );
  assertEquals(findRoute(table, "239.255.70.70"), { interface: "eth0", prefix: 0 });
});

const snmp = `Ip: Forwarding DefaultTTL FragOKs FragFails FragCreates
Ip: 2 64 0 3 0
IcmpMsg: InType3
IcmpMsg: 50
Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors
Udp: 3124936 50 1671779 4758438 1671700 7
UdpLite: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors
UdpLite: 0 0 0 0 0 0
`;

Deno.test("the counters of /proc/net/snmp by their names", () => {
  const counters = parseCounters(snmp);
  const names = ["Udp.InDatagrams", "Udp.InErrors", "Udp.RcvbufErrors", "Udp.SndbufErrors", "Ip.FragFails"];
  assertEquals(names.map((name) => counters.get(name)), [3124936, 1671779, 1671700, 7, 3]);
  assertEquals(counters.get("UdpLite.RcvbufErrors"), 0);
  assertEquals(parseCounters("").size, 0);
});

Deno.test("the sockets of /proc/net/udp and /proc/net/udp6", () => {
  const fields =
    "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n";
  const udp =
    `${fields}  417: 00000000:1B9F 00000000:0000 07 00000000:00034980 00:00000000 00000000  1000        0 5512 2 0000000000000000 1234        \n`;
  const udp6 =
    `${fields} 1417: 00000000000000000000000000000000:1B9F 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 5513 2 0000000000000000 0\n`;
  assertEquals(parseSockets(udp), [{ port: 7071, user: 1000, drops: 1234 }]);
  assertEquals(parseSockets(udp6), [{ port: 7071, user: 0, drops: 0 }]);
  assertEquals(parseSockets(fields), []);
});
