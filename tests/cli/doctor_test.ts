/** `stream doctor`, on loopback and on machines that are broken on purpose. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { Check } from "../../cli/doctor/check.ts";
import { openUdp } from "../../transports/udp.ts";
import { testGroup } from "./groups.ts";
import { hasNamespaces, streamInNamespace, withInterface } from "./namespace.ts";
import { type Ran, stream } from "./program.ts";

const names = [
  "interfaces",
  "multicast route",
  "joining",
  "port",
  "TTL",
  "MTU",
  "receive buffer",
  "kernel drops",
  "self-test",
];

/** What `--json` wrote, by the name of the check. */
function checksOf({ stdout }: Ran): Record<string, Check> {
  const checks = stdout.split("\n").slice(0, -1).map((line) => JSON.parse(line) as Check);
  assertEquals(checks.map(({ name }) => name), names);
  return Object.fromEntries(checks.map((check) => [check.name, check]));
}

Deno.test("doctor: a line for each check, in order, and 0 where multicast works", async () => {
  const { status, stdout, stderr } = await stream(["doctor", "--group", testGroup().joined]);
  assertEquals([status, stderr], [0, ""], stdout);
  const lines = stdout.split("\n");
  const found = lines.map((line) => /^(?:ok|warning|unknown) +(.+?) {2,}\S/.exec(line)?.[1]);
  assertEquals(found.filter((name) => name !== undefined), names);
  assertMatch(stdout, /^ok {7}joining {10}239\.255\.\d+\.\d+ is joined and heard on \S+$/m);
  assertMatch(stdout, /^ok {7}self-test {8}over \S+, on 239\.255\.\d+\.\d+: all of 5,020 messages came/m);
  assertMatch(stdout, /^Multicast works on this machine\.$/m);
});

Deno.test("doctor --json writes an object a check, and takes a key", async () => {
  const key = await Deno.makeTempFile();
  await Deno.writeTextFile(key, "0123456789abcdef".repeat(4));
  const ran = await stream(["doctor", "--json", "--group", testGroup("&ttl=3").joined, "--key-file", key]);
  await Deno.remove(key);
  const checks = checksOf(ran);
  for (const check of Object.values(checks)) {
    assertEquals(Object.keys(check), ["name", "state", "finding", "advice"]);
    assert(["ok", "warning", "unknown"].includes(check.state), check.state);
    if (check.state === "ok") assertEquals(check.advice, []);
  }
  assertStringIncludes(checks["TTL"]!.finding, "3: datagrams may pass 2 routers");
  assertEquals(ran.status, 0);
});

Deno.test("doctor: a port that somebody has for himself is wrong", async () => {
  const group = testGroup();
  const port = Number(/:(\d+)\?/.exec(group.joined)![1]);
  using _other = openUdp("0.0.0.0", port);
  const { status, stdout } = await stream(["doctor", "--group", group.joined]);
  assertMatch(stdout, new RegExp(`^wrong +port +cannot listen on 0\\.0\\.0\\.0:${port}: the port is in use`, "m"));
  assertStringIncludes(stdout, `:${port}`);
  assertMatch(stdout, /^Multicast does not work on this machine: port is wrong\.$/m);
  assertEquals(status, 1);
});

const usageErrors: readonly (readonly [args: string[], message: RegExp])[] = [
  [["tcp://127.0.0.1"], /--group: .*tcp:\/\/ does not go here: what goes is mcast/],
  [["mcast://10.0.0.1"], /--group: .*10\.0\.0\.1 is not the address of a group/],
  [["mcast://239.1.1.1?interface=nosuch0"], /--group: this machine has no interface "nosuch0"/],
  [["mcast://[ff15::1]"], /--group: loopback carries no IPv6 multicast: name an interface/],
  [["mcast://239.1.1.1?interface=127.0.0.1", "more"], /too many arguments: "more"/],
  [["mcast://239.1.1.1?interface=127.0.0.1", "--key"], /unknown option --key: did you mean --key-file/],
];

Deno.test("doctor: wrong usage is told in a line, with nothing on stdout", async (t) => {
  for (const [args, message] of usageErrors) {
    await t.step(args.join(" "), async () => {
      const { status, stdout, stderr } = await stream(["doctor", "--group", ...args]);
      assertMatch(stderr, message);
      assertEquals([status, stdout, stderr.indexOf("\n")], [2, "", stderr.length - 1]);
    });
  }
});

/** A test on a machine that is made for it. */
function onMachine(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: `doctor: ${name}`, ignore: !hasNamespaces, fn });
}

const lan = "ip link set lo up; " + withInterface("eth0", "192.0.2.2/24");
const lans = `${lan}; ${withInterface("eth1", "198.51.100.2/24")}`;
const byDefault = "ip route add default via 192.0.2.1";

onMachine("an ordinary machine is well, and what leads to its network is found", async () => {
  const ran = await streamInNamespace(`${lan}; ${byDefault}`, ["doctor", "--json"]);
  const checks = checksOf(ran);
  assertMatch(
    checks["interfaces"]!.finding,
    /lo 127\.0\.0\.1 \(loopback, MTU 65,536\), eth0 192\.0\.2\.2 \(MTU 1,500\)/,
  );
  assertEquals(checks["multicast route"]!.finding, "leads to eth0 (192.0.2.2)");
  assertEquals(checks["joining"]!.finding, "239.255.70.70 is joined and heard on lo and eth0");
  assertEquals(checks["port"]!.finding, "7071 to 7074 can be bound");
  assertEquals(checks["MTU"]!.finding, "a packet has at most 1,428 bytes; eth0 takes 1,500, lo takes 65,536");
  assertMatch(checks["receive buffer"]!.finding, /^holds .*bytes \(rmem_default\)/);
  assertMatch(checks["kernel drops"]!.finding, /since the system started 0 datagrams were received, 0 dropped/);
  assertMatch(checks["self-test"]!.finding, /^over lo, on .*: all of 5,020 messages came/);
  assertEquals(ran.status, 0, ran.stdout);
});

onMachine("an interface that the URL names carries the self-test", async () => {
  const ran = await streamInNamespace(lan, ["doctor", "--group", "mcast://239.1.2.3:7000?interface=eth0"]);
  assertMatch(ran.stdout, /^ok +self-test +over eth0, on /m);
  assertMatch(ran.stdout, /^Multicast works over eth0\.$/m);
  assertStringIncludes(ran.stdout, "stream serve --multicast 'mcast://239.1.2.3:7000?interface=eth0' --open");
  assertEquals(ran.status, 0, ran.stdout);
});

onMachine("no datagram leaves the machine unless the URL names an interface", async () => {
  // Nothing else does either: no IPv6, no reports of who has joined a group of the network's own, and no gateway to look for.
  const silent = "sysctl -q -w net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1" +
    " net.ipv4.igmp_link_local_mcast_reports=0";
  const examine = async (group: string) => {
    const setup = `${silent}; ${lan}; ip route add 224.0.0.0/4 dev eth0`;
    const ran = await streamInNamespace(setup, ["doctor", "--group", group], "cat /proc/net/dev");
    const sent = /^ *eth0: *(?:\d+ +){9}(\d+)/m.exec(ran.stdout)![1];
    return { ...ran, sent: Number(sent) };
  };
  const unnamed = await examine("mcast://224.0.0.77:7000");
  assertMatch(unnamed.stdout, /224\.0\.0\.77 is joined and heard on lo and eth0$/m);
  assertEquals([unnamed.sent, unnamed.status], [0, 0], unnamed.stdout);
  const named = await examine("mcast://224.0.0.77:7000?interface=eth0");
  assert(named.sent > 1785, `${named.sent} packets were sent`);
});

onMachine("with the permissions that it is installed with it sees what the system tells", async () => {
  const { stdout, status } = await streamInNamespace(lan, ["doctor", "--group", "mcast://239.1.2.3:7000?interface=lo"]);
  assertMatch(stdout, /^ok +MTU +.*lo takes 65,536$/m);
  assertMatch(stdout, /^(ok|warning) +kernel drops /m);
  assertEquals([status, /^unknown/m.test(stdout)], [0, false], stdout);
});

onMachine("without loopback nothing works", async () => {
  const ran = await streamInNamespace("true", ["doctor", "--json"]);
  const { interfaces, joining, port } = checksOf(ran);
  assertMatch(interfaces!.finding, /^none is up with an address; down: lo;/);
  assertEquals([interfaces!.state, ...interfaces!.advice], ["wrong", "sudo ip link set dev lo up"]);
  assertEquals([joining!.state, port!.state], ["wrong", "ok"]);
  assertEquals(ran.status, 1);
});

onMachine("an interface that is down is wrong where the URL names it, and else is only told", async () => {
  const down = `${lan}; ip link set eth0 down`;
  const named = await streamInNamespace(
    down,
    ["doctor", "--json", "--group", "mcast://239.1.2.3?interface=eth0"],
  );
  const { interfaces, joining, "self-test": selfTest } = checksOf(named);
  assertEquals([interfaces!.state, ...interfaces!.advice], ["wrong", "sudo ip link set dev eth0 up"]);
  assertEquals([joining!.state, selfTest!.state, named.status], ["wrong", "wrong", 1]);
  const unnamed = await streamInNamespace(down, ["doctor", "--json"]);
  assertMatch(checksOf(unnamed)["interfaces"]!.finding, /^lo [^;]*; down: (peer-)?eth0/);
  assertEquals(unnamed.status, 0);
});

onMachine("no route for multicast is a warning, with the command that adds it", async () => {
  const { status, stdout } = await streamInNamespace(lan, ["doctor"]);
  assertMatch(stdout, /^warning +multicast route +none leads to 239\.255\.70\.70 /m);
  const command = /^ +sudo (ip route add 224\.0\.0\.0\/4 dev eth0)/m.exec(stdout)![1]!;
  assertMatch(stdout, /^Warnings: multicast route/m);
  assertEquals(status, 0);
  const mended = await streamInNamespace(`${lan}; ${command}`, ["doctor"]);
  assertMatch(
    mended.stdout,
    /^ok +multicast route +leads to eth0 \(192\.0\.2\.2\), since a route for multicast says so$/m,
  );
});

onMachine("of two networks it says which one is taken", async () => {
  const { status, stdout } = await streamInNamespace(`${lans}; ${byDefault}`, ["doctor"]);
  assertMatch(stdout, /^warning +multicast route +leads to eth0 /m);
  assertStringIncludes(stdout, "stream doctor --group 'mcast://239.255.70.70:7071?interface=eth0'");
  assertMatch(stdout, /joined and heard on lo, eth0 and eth1$/m);
  assertEquals(status, 0);
});

onMachine("a limit on memberships is found, and raising it helps", async () => {
  const limit = "sysctl -q -w net.ipv4.igmp_max_memberships=0";
  const ran = await streamInNamespace(`${lan}; ${limit}`, ["doctor", "--json"]);
  const { joining } = checksOf(ran);
  assertMatch(joining!.finding, /No buffer space available.*; a socket may join 0 groups$/);
  assertEquals(ran.status, 1);
  const raise = /^sudo (sysctl -w \S+)/.exec(joining!.advice[0]!)![1]!;
  const raised = await streamInNamespace(`${lan}; ${limit}; ${raise}`, ["doctor"]);
  assertMatch(raised.stdout, /^Multicast works on this machine\.$/m);
});

onMachine("datagrams larger than the interface takes are a warning, and a URL with a smaller mtu helps", async () => {
  const narrow = `${lan}; ip link set eth0 mtu 1400`;
  const group = "mcast://239.1.2.3:7000?interface=eth0";
  const { status, stdout } = await streamInNamespace(narrow, ["doctor", "--group", group]);
  assertMatch(stdout, /^warning +MTU +a packet has at most 1,428 bytes; eth0 takes 1,400: each goes in 2$/m);
  assertEquals(status, 0);
  const smaller = /stream doctor --group '([^']*&mtu=1400)'/.exec(stdout)![1]!;
  const mended = await streamInNamespace(narrow, ["doctor", "--group", smaller]);
  assertMatch(mended.stdout, /^ok +MTU +a packet has at most 1,400 bytes; eth0 takes 1,400$/m);
});

onMachine("a strict reverse path filter is a warning where there are two networks", async () => {
  const strict = "sysctl -q -w net.ipv4.conf.eth1.rp_filter=1";
  const ran = await streamInNamespace(`${lans}; ${byDefault}; ${strict}`, ["doctor", "--json"]);
  const { joining } = checksOf(ran);
  assertMatch(joining!.finding, /; on eth1 the kernel drops .*\(rp_filter is 1\)$/);
  assertEquals([joining!.state, ran.status], ["warning", 0]);
});
