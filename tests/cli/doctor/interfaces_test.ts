import { assertEquals, assertStringIncludes } from "@std/assert";
import { checkInterfaces, readDevices } from "../../../cli/doctor/interfaces.ts";
import { checkMtu } from "../../../cli/doctor/mtu.ts";
import { device, eth0, eth1, filesOf, groupOn, lo, stateAndAdvice } from "./machine.ts";

const bare = { ipv6: [], index: 0 };
const addressed = [{ name: "lo", ipv4: "127.0.0.1", ...bare }, { name: "eth0", ipv4: "192.0.2.2", ...bare }];
const heading = "Inter-|   Receive\n face |bytes\n";
const files = {
  "/proc/net/dev": `${heading}    lo: 0\n  eth0: 0\n  ifb0: 0\n`,
  "/sys/class/net/lo/flags": "0x9\n",
  "/sys/class/net/lo/mtu": "65536\n",
  "/sys/class/net/eth0/flags": "0x1003\n",
  "/sys/class/net/eth0/mtu": "1400\n",
  "/sys/class/net/ifb0/flags": "0x82\n",
  "/sys/class/net/ifb0/mtu": "1500\n",
};

Deno.test("what Linux tells of interfaces is read, also of those without an address", async () => {
  assertEquals(await readDevices(filesOf(files), addressed), [
    { ...addressed[0]!, up: true, multicast: true, mtu: 65_536 },
    { ...addressed[1]!, up: true, multicast: true, mtu: 1400 },
    { name: "ifb0", ipv4: null, ...bare, up: false, multicast: false, mtu: 1500 },
  ]);
});

Deno.test("nothing is told where there are no such files, or they are of another network namespace", async () => {
  const untold = addressed.map((known) => ({ ...known, up: null, multicast: null, mtu: null }));
  assertEquals(await readDevices(filesOf({}), addressed), untold);
  const elsewhere = { ...files, "/proc/net/dev": `${heading}    lo: 0\n  eth0: 0\n` };
  assertEquals(await readDevices(filesOf(elsewhere), addressed), untold);
});

Deno.test("interfaces: all that there are, and what is down", () => {
  const check = checkInterfaces([lo, eth0, device("ifb0", null, { up: false }), device("tap0", null)], null, "linux");
  assertEquals(check, {
    name: "interfaces",
    state: "ok",
    finding: "lo 127.0.0.1 (loopback, MTU 65,536), eth0 192.0.2.2 (MTU 1,500); down: ifb0; without an address: tap0",
    advice: [],
  });
});

Deno.test("interfaces: without loopback, or with the named one down, nothing works", () => {
  const down = device("eth0", "192.0.2.2", { up: false });
  const judge = (...given: Parameters<typeof checkInterfaces>) => stateAndAdvice(checkInterfaces(...given));
  assertEquals(judge([lo, down], null, "linux"), ["ok"]);
  assertEquals(judge([lo, down], down, "linux"), ["wrong", "sudo ip link set dev eth0 up"]);
  assertEquals(judge([lo, down], down, "darwin"), ["wrong", "sudo ifconfig eth0 up"]);
  assertEquals(judge([lo, down], down, "windows"), ["wrong", 'Enable-NetAdapter -Name "eth0"']);
  assertEquals(judge([device("lo", null, { up: false }), eth0], null, "linux"), [
    "wrong",
    "sudo ip link set dev lo up",
  ]);
  assertEquals(judge([], null, "linux"), ["wrong", "sudo ip link set dev lo up"]);
});

Deno.test("interfaces: the named one may be set not to do multicast", () => {
  const tunnel = device("tun0", "10.0.0.1", { multicast: false });
  assertEquals(stateAndAdvice(checkInterfaces([lo, tunnel], null, "linux")), ["ok"]);
  const check = checkInterfaces([lo, tunnel], tunnel, "linux");
  assertEquals(stateAndAdvice(check), ["warning", "sudo ip link set dev tun0 multicast on"]);
  assertStringIncludes(check.finding, "tun0 10.0.0.1 (no multicast, MTU 1,500)");
});

const endpoint = "mcast://239.255.70.70:7071";

Deno.test("MTU: what fits goes whole", () => {
  assertEquals(checkMtu(groupOn(null), [lo, eth0], endpoint, "linux"), {
    name: "MTU",
    state: "ok",
    finding: "a packet has at most 1,428 bytes; eth0 takes 1,500, lo takes 65,536",
    advice: [],
  });
  const exact = groupOn(eth0, `${endpoint}?mtu=1500`);
  assertEquals(checkMtu(exact, [eth0], endpoint, "linux").state, "ok");
});

Deno.test("MTU: what does not fit goes in fragments", () => {
  const check = checkMtu(groupOn(null), [lo, device("eth0", "192.0.2.2", { mtu: 1400 })], endpoint, "linux");
  assertStringIncludes(check.finding, "eth0 takes 1,400: each goes in 2 fragments");
  const smaller = `stream doctor --group '${endpoint}?interface=eth0&mtu=1400'`;
  assertEquals(stateAndAdvice(check), ["warning", smaller]);
  // 8,972 bytes and 8 of UDP, 1,480 in each.
  const jumbo = checkMtu(groupOn(eth0, `${endpoint}?mtu=9000`), [eth0], `${endpoint}?mtu=9000`, "linux");
  assertStringIncludes(jumbo.finding, "eth0 takes 1,500: each goes in 7 fragments");
  assertEquals(stateAndAdvice(jumbo), ["warning", `stream doctor --group '${endpoint}?interface=eth0&mtu=1500'`]);
  // IPv6: 1,400 bytes and 8 of UDP, 1,232 in each.
  const ipv6 = groupOn(eth1, "mcast://[ff15::1]");
  const tunnel = device("eth1", null, { mtu: 1280 });
  assertStringIncludes(checkMtu(ipv6, [tunnel], "mcast://[ff15::1]", "linux").finding, "each goes in 2 fragments");
});

Deno.test("MTU: an interface can take too little for any URL, or not tell", () => {
  const slow = device("sl0", "192.0.2.9", { mtu: 296 });
  assertEquals(stateAndAdvice(checkMtu(groupOn(slow), [slow], endpoint, "linux")), [
    "warning",
    "sudo ip link set dev sl0 mtu 1500",
  ]);
  const untold = { ...eth0, mtu: null };
  assertEquals(stateAndAdvice(checkMtu(groupOn(eth0), [untold], endpoint, "darwin")), ["unknown", "ifconfig"]);
});
