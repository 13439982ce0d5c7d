import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { checkJoining, type Joined, readJoiningLimits, tryJoining } from "../../../cli/doctor/joining.ts";
import { checkPorts, tryPorts, usersOf } from "../../../cli/doctor/port.ts";
import { probe } from "../../../cli/doctor/probe.ts";
import { checkRoute, type Way } from "../../../cli/doctor/route.ts";
import { checkTtl, tryTtl } from "../../../cli/doctor/ttl.ts";
import { parseGroup } from "../../../transports/udp_group.ts";
import { findInterface } from "../../../transports/interfaces.ts";
import { joinGroup, openUdp } from "../../../transports/udp.ts";
import { testGroup } from "../groups.ts";
import { device, eth0, eth1, filesOf, groupOn, lo, stateAndAdvice } from "./machine.ts";

const endpoint = "mcast://239.255.70.70:7071";
const loopback = findInterface("127.0.0.1");
const noDevice = "cannot send on the default route: No such device (os error 19)";
const noRoom = "cannot join 239.255.70.70: No buffer space available (os error 105)";

Deno.test("a probe tells which address it left by, or what is in its way", async () => {
  assertEquals(await probe("239.255.70.70", loopback, [loopback]), { failure: null, heard: "127.0.0.1" });
  const none = device("none", null);
  assertEquals((await probe("239.255.70.70", none, [loopback])).failure, "cannot send on none: it has no IPv4 address");
  assertMatch((await probe("10.0.0.1", loopback, [loopback])).failure!, /^cannot join 10\.0\.0\.1: /);
});

function judgeWay(way: Partial<Way>, interfaces = [lo, eth0]) {
  const found = { failure: null, by: null, explicit: false, ...way };
  return checkRoute(groupOn(null), found, interfaces, endpoint, "linux");
}

Deno.test("route: one network, or a route for multicast, leaves no question", () => {
  assertEquals(judgeWay({ by: eth0 }).finding, "leads to eth0 (192.0.2.2)");
  assertEquals(judgeWay({ by: eth0 }).state, "ok");
  assertEquals(judgeWay({ by: eth1, explicit: true }, [lo, eth0, eth1]).state, "ok");
  const named = checkRoute(groupOn(eth1), null, [lo, eth0, eth1], endpoint, "linux");
  assertEquals([named.state, named.finding], ["ok", "none is needed: the URL names eth1 (198.51.100.2)"]);
});

Deno.test("route: of several networks the system takes one, which may not be meant", () => {
  const check = judgeWay({ by: eth1 }, [lo, eth0, eth1]);
  assertStringIncludes(check.finding, "leads to eth1 (198.51.100.2)");
  assertStringIncludes(check.finding, "subscribe does not hear eth0");
  assertEquals(stateAndAdvice(check), [
    "warning",
    `stream doctor --group '${endpoint}?interface=eth1'`,
    "sudo ip route add 224.0.0.0/4 dev eth1",
  ]);
  const untold = judgeWay({ by: eth1, explicit: null }, [lo, eth0, eth1]);
  assertEquals([untold.state, untold.finding.includes("no route is")], ["warning", false]);
});

Deno.test("route: none, or one to loopback, keeps everything on this machine", () => {
  const none = judgeWay({ failure: noDevice });
  assertStringIncludes(none.finding, `none leads to 239.255.70.70 (${noDevice})`);
  const advice = [`stream doctor --group '${endpoint}?interface=eth0'`, "sudo ip route add 224.0.0.0/4 dev eth0"];
  assertEquals(stateAndAdvice(none), ["warning", ...advice]);
  assertEquals(stateAndAdvice(judgeWay({ by: lo })), ["warning", ...advice]);
  assertEquals(stateAndAdvice(judgeWay({ by: null })), ["warning", ...advice]);
  assertEquals(stateAndAdvice(judgeWay({ failure: noDevice }, [lo])), ["warning", "ip address"]);
  assertEquals(stateAndAdvice(judgeWay({ failure: noRoom })), ["unknown"]);
  const mac = checkRoute(groupOn(null), { failure: noDevice, by: null, explicit: null }, [eth0], endpoint, "darwin");
  assertEquals(mac.advice[1]?.split("  #")[0], "sudo route -n add -net 224.0.0.0/4 -interface eth0");
});

const limits = { memberships: 20, strict: [] };
const hears = (one: typeof eth0): Joined => ({ interface: one, failure: null, heard: one.ipv4 });
const fails = (one: typeof eth0, failure: string): Joined => ({ interface: one, failure, heard: null });
const isDeaf = (one: typeof eth0): Joined => ({ interface: one, failure: null, heard: null });

Deno.test("joining: what works is named", async () => {
  const check = checkJoining(groupOn(null), [hears(lo), hears(eth0)], limits, "linux");
  assertEquals([check.state, check.finding], ["ok", "239.255.70.70 is joined and heard on lo and eth0"]);
  const tried = await tryJoining(parseGroup(endpoint), [loopback]);
  assertEquals(tried, [{ interface: loopback, failure: null, heard: "127.0.0.1" }]);
});

Deno.test("joining: what does not is a warning, or wrong where it is needed", () => {
  const refused = "cannot join 239.255.70.70: No such device (os error 19)";
  const show = ["ip address show dev eth0"];
  const judge = (group: ReturnType<typeof groupOn>, ...tried: Joined[]) =>
    stateAndAdvice(checkJoining(group, tried, limits, "linux"));
  assertEquals(judge(groupOn(null), hears(lo), fails(eth0, refused)), ["warning", ...show]);
  assertEquals(judge(groupOn(eth0), fails(eth0, refused)), ["wrong", ...show]);
  assertEquals(judge(groupOn(null), fails(lo, refused), hears(eth0)), ["wrong", "ip address show dev lo"]);
  assertEquals(judge(groupOn(null)), ["wrong", "ip address"]);
  const several = checkJoining(groupOn(null), [hears(lo), fails(eth0, refused), fails(eth1, refused)], limits, "linux");
  assertEquals(several.finding, `239.255.70.70 is joined and heard on lo; eth0 and eth1: ${refused}`);
});

Deno.test("joining: what is sent and not heard may be a firewall's doing", () => {
  const check = checkJoining(groupOn(null), [hears(lo), isDeaf(eth0)], limits, "linux");
  assertStringIncludes(check.finding, "joined and not heard on eth0");
  const [state, ...advice] = stateAndAdvice(check);
  assertEquals(state, "warning");
  assertEquals(advice[1], "sudo ufw allow in proto udp to 239.255.70.70");
  assertEquals(checkJoining(groupOn(eth0), [isDeaf(eth0)], limits, "linux").state, "wrong");
  const windows = checkJoining(groupOn(eth0), [isDeaf(eth0)], limits, "windows").advice;
  assertStringIncludes(windows[1]!, "New-NetFirewallRule");
});

Deno.test("joining: a limit on memberships is told once, and how to raise it", () => {
  const check = checkJoining(
    groupOn(null),
    [fails(lo, noRoom), fails(eth0, noRoom)],
    { memberships: 0, strict: [] },
    "linux",
  );
  assertStringIncludes(check.finding, `lo and eth0: ${noRoom}; a socket may join 0 groups`);
  assertEquals(stateAndAdvice(check), ["wrong", "sudo sysctl -w net.ipv4.igmp_max_memberships=20"]);
});

Deno.test("joining: a strict reverse path filter matters where there are several networks", async () => {
  const conf = (name: string) => `/proc/sys/net/ipv4/conf/${name}/rp_filter`;
  const own = filesOf({
    [conf("all")]: "0\n",
    [conf("eth0")]: "1\n",
    [conf("eth1")]: "2\n",
    "/proc/sys/net/ipv4/igmp_max_memberships": "20\n",
  });
  const strict = await readJoiningLimits(own, [lo, eth0, eth1]);
  assertEquals(strict, { memberships: 20, strict: ["eth0"] });
  const all = filesOf({ [conf("all")]: "1\n", [conf("eth1")]: "2\n" });
  assertEquals((await readJoiningLimits(all, [eth0, eth1])).strict, ["eth0"]);
  assertEquals(await readJoiningLimits(filesOf({}), [eth0]), { memberships: null, strict: [] });
  const several = checkJoining(groupOn(null), [hears(lo), hears(eth0), hears(eth1)], strict, "linux");
  assertStringIncludes(several.finding, "on eth0 the kernel drops");
  assertEquals(stateAndAdvice(several), ["warning", "sudo sysctl -w net.ipv4.conf.all.rp_filter=2"]);
  assertEquals(checkJoining(groupOn(null), [hears(lo), hears(eth0)], strict, "linux").state, "ok");
});

Deno.test("port: one that is shared can be had, one that is not is somebody's", async () => {
  const group = parseGroup(testGroup().joined);
  {
    using _shared = await joinGroup(group.host, group.port, [loopback]);
    assertEquals(await tryPorts(group, [loopback]), null);
  }
  const third = group.port + 2;
  using _own = openUdp("0.0.0.0", third);
  const failure = (await tryPorts(group, [loopback]))!;
  const why = `cannot listen on 0.0.0.0:${third}: the port is in use`;
  assertEquals(failure, { port: third, why });
  const check = checkPorts(group, failure, [1000], "linux");
  assertEquals(check.finding, `${why} by user 1000, who does not share it`);
  assertEquals(stateAndAdvice(check), ["wrong", `sudo ss -ulpn 'sport = :${third}'`]);
  assertEquals(checkPorts(group, failure, null, "darwin").finding, why);
  assertEquals(stateAndAdvice(checkPorts(group, failure, null, "darwin")), ["wrong", `sudo lsof -nP -iUDP:${third}`]);
});

Deno.test("port: who has it, and that one is not permitted", async () => {
  const row = (port: string, user: number) =>
    `  1: 00000000:${port} 00000000:0000 07 00000000:00000000 00:00000000 00000000 ${user} 0 5512 2 0 0\n`;
  const files = filesOf({ "/proc/net/udp": `sl\n${row("1B9F", 1000)}${row("1B9F", 1000)}${row("1BA0", 7)}` });
  assertEquals(await usersOf([7071, 7073], files), [1000]);
  assertEquals(await usersOf([7071, 7072], files), [1000, 7]);
  assertEquals(await usersOf([7071], filesOf({})), null);
  assertEquals(checkPorts(groupOn(null), null, [], "linux").finding, "7071 to 7074 can be bound");
  const used = checkPorts({ ...groupOn(null), ports: 1 }, null, [1000], "linux");
  assertEquals(used.finding, "7071 can be bound; in use, and shared");
  const denied = { port: 80, why: "cannot listen on 0.0.0.0:80: Permission denied (os error 13)" };
  assertEquals(stateAndAdvice(checkPorts(groupOn(null), denied, [0], "linux")), [
    "wrong",
    "stream doctor --group 'mcast://239.255.70.70:7071'",
  ]);
});

Deno.test("TTL: what each means", async () => {
  const finding = (ttl: number, by = eth0) =>
    checkTtl({ ...groupOn(by), ttl }, by, null, `${endpoint}?ttl=${ttl}`, "linux").finding;
  assertEquals(finding(1), "1: datagrams stay on the network of their interface");
  assertEquals(finding(2), "2: datagrams may pass one router, if they route multicast (PIM)");
  assertEquals(finding(8), "8: datagrams may pass 7 routers, if they route multicast (PIM)");
  assertMatch(finding(1, lo), /by lo they do not leave this machine anyway$/);
  const none = checkTtl({ ...groupOn(eth0), ttl: 0 }, eth0, null, `${endpoint}?ttl=0`, "linux");
  assertEquals(stateAndAdvice(none), ["warning", `stream doctor --group '${endpoint}?ttl=1'`]);
  assertEquals(await tryTtl(parseGroup(`${endpoint}?ttl=9`), loopback), null);
  const failure = (await tryTtl(parseGroup(endpoint), device("none", null)))!;
  assertEquals(stateAndAdvice(checkTtl(groupOn(eth0), eth0, failure, endpoint, "linux")), [
    "wrong",
    "ip address show dev eth0",
  ]);
});
