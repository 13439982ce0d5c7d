import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Code } from "../../../core/codes.ts";
import { examine } from "../../../cli/doctor/examine.ts";
import { checkKernelDrops, readCounters, readSocketDrops } from "../../../cli/doctor/kernel_drops.ts";
import { Arrivals } from "../../../cli/doctor/loop.ts";
import { checkReceiveBuffer, measureReceiveBuffer } from "../../../cli/doctor/receive_buffer.ts";
import { checkSelfTest, runSelfTest, type SelfTest } from "../../../cli/doctor/self_test.ts";
import { parseGroup } from "../../../transports/udp_group.ts";
import type { SystemFiles } from "../../../cli/doctor/system_files.ts";
import { findInterface } from "../../../transports/interfaces.ts";
import { device, filesOf, stateAndAdvice } from "./machine.ts";

const group = parseGroup("mcast://239.255.70.70:7071");
const loopback = findInterface("127.0.0.1");
const enlarge = [
  "sudo sysctl -w net.core.rmem_default=4194304",
  "echo net.core.rmem_default=4194304 | sudo tee /etc/sysctl.d/60-stream.conf",
];

Deno.test("receive buffer: it is measured, and what the system says of it is read", async () => {
  const buffer = await measureReceiveBuffer(filesOf({
    "/proc/sys/net/core/rmem_default": "212992\n",
    "/proc/sys/net/core/rmem_max": "4194304\n",
  }));
  assertEquals([buffer.usual, buffer.most], [212_992, 4_194_304]);
  assert(typeof buffer.held === "number" && buffer.held > 0 && buffer.held <= 4096, `${buffer.held}`);
});

Deno.test("receive buffer: what it holds is set against the rate", () => {
  const judge = (held: number | string, rate: number, ports = 1) =>
    checkReceiveBuffer({ held, usual: 212_992, most: 4_194_304 }, rate, ports, "linux");
  const network = judge(92, 12_500_000);
  assertMatch(
    network.finding,
    /^holds 92 datagrams of 1,400 bytes: 10 ms at 100 Mbit\/s; 212,992 bytes \(rmem_default\)/,
  );
  assertEquals(stateAndAdvice(network), ["ok"]);
  const fast = judge(92, 250_000_000);
  assertStringIncludes(fast.finding, "0.5 ms at 2,000 Mbit/s; a receiver that pauses longer loses some");
  assertEquals(stateAndAdvice(fast), ["warning", ...enlarge]);
  const four = judge(92, 250_000_000, 4);
  assertEquals(stateAndAdvice(four), ["ok"]);
  assertStringIncludes(four.finding, "92 datagrams of 1,400 bytes, for each of 4 ports: 2.1 ms at 2,000 Mbit/s");
  assertEquals(judge(3, 12_500_000).state, "warning");
  assertStringIncludes(judge(4096, 250_000_000).finding, "holds at least 4,096 datagrams");
  assertEquals(judge(4096, 1e12).state, "ok");
  assertEquals(judge("cannot listen on 127.0.0.1:0: no", 1).state, "unknown");
  const mac = checkReceiveBuffer({ held: 9, usual: null, most: null }, 250_000_000, 1, "darwin");
  assertEquals(stateAndAdvice(mac), ["warning", "sudo sysctl -w net.inet.udp.recvspace=4194304"]);
});

function counters(received: number, dropped: number): Map<string, number> {
  return new Map([["Udp.InDatagrams", received], ["Udp.RcvbufErrors", dropped], ["Udp.SndbufErrors", 2]]);
}

Deno.test("kernel drops: those of before are told, those of the self-test and of the group's ports are warned of", () => {
  const first = counters(1000, 70);
  const judge = (before: Map<string, number>, after: Map<string, number>, drops: number[] = []) =>
    checkKernelDrops({ first, before, after }, drops.map((drops) => ({ port: 7072, user: 0, drops })), "linux");
  const none = judge(counters(2000, 90), counters(9000, 90));
  assertEquals(stateAndAdvice(none), ["ok"]);
  assertMatch(
    none.finding,
    /^none during the self-test; since the system started 1,000 datagrams were received, 70 dropped/,
  );
  const some = judge(counters(2000, 90), counters(9000, 93));
  assertMatch(some.finding, /^3 during the self-test; /);
  assertEquals(stateAndAdvice(some), ["warning", ...enlarge]);
  const open = judge(counters(2000, 90), counters(9000, 90), [1234]);
  assertStringIncludes(open.finding, "a socket that is open on port 7072 has dropped 1,234");
  assertEquals(stateAndAdvice(open), ["warning", ...enlarge]);
});

Deno.test("kernel drops: what comes before the self-test is not its doing", async () => {
  // Each time it is read, ten more have been dropped; but none during the self-test, which is between the last two.
  const drops = ["10", "20", "20"];
  const files: SystemFiles = {
    list: () => Promise.resolve(null),
    read(path) {
      if (path !== "/proc/net/snmp") return Promise.resolve(null);
      return Promise.resolve(`Udp: InDatagrams RcvbufErrors\nUdp: 1 ${drops.shift()}\n`);
    },
  };
  const local = { ...group, interface: loopback };
  const examination = { group: local, endpoint: "mcast://239.255.70.70:7071?interface=lo", key: null, files };
  const checks = await Array.fromAsync(examine({ ...examination, system: "linux" }));
  const { finding } = checks.find(({ name }) => name === "kernel drops")!;
  assertMatch(finding, /^none during the self-test; since the system started 1 datagrams were received, 10 dropped/);
});

Deno.test("kernel drops: a system that does not tell is asked by hand", async () => {
  const untold = { first: null, before: null, after: null };
  assertEquals(await readCounters(filesOf({})), null);
  assertEquals(await readSocketDrops([7071], filesOf({})), []);
  assertEquals(stateAndAdvice(checkKernelDrops(untold, [], "linux")), ["unknown", "cat /proc/net/snmp"]);
  assertEquals(stateAndAdvice(checkKernelDrops(untold, [], "windows")), ["unknown", "netstat -s -p udp"]);
  const row = (port: string, drops: number) =>
    `  1: 00000000:${port} 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 5512 2 0 ${drops}\n`;
  const files = filesOf({
    "/proc/net/udp": `sl\n${row("1B9F", 0)}${row("1B9F", 12)}${row("1BA0", 9)}${row("1BA3", 7)}`,
  });
  assertEquals((await readSocketDrops([7071, 7072], files)).map(({ drops }) => drops), [12, 9]);
});

for (const key of [null, new Uint8Array(32).fill(7)]) {
  Deno.test(`self-test: every message comes, ${key === null ? "plain" : "encrypted"}`, async () => {
    const test = await runSelfTest({ group, by: loopback, rate: 250_000_000, key });
    assertEquals([test.failure, test.published, test.came, test.lost], [null, 5020, 5020, 0]);
    assertMatch(test.host, /^239\.255\.\d+\.\d+$/);
    // 2.5 MB in datagrams of 1,400 bytes.
    assert(test.datagrams > 1785 && test.datagrams < 5020, `${test.datagrams}`);
    assert(test.speed > 0 && test.delay > 0);
    assertEquals(checkSelfTest(test, "linux").state, "ok");
  });
}

Deno.test("self-test: at a low rate it sends less", async () => {
  const test = await runSelfTest({ group, by: loopback, rate: 50_000, key: null });
  assertEquals([test.published, test.came], [120, 120]);
});

Deno.test("self-test: an interface that cannot is said to be the reason", async () => {
  const test = await runSelfTest({ group, by: device("none", null), rate: 1e6, key: null });
  const check = checkSelfTest(test, "linux");
  assertMatch(check.finding, /^cannot be made over none, on 239\.255\.\d+\.\d+: cannot join /);
  assertEquals(stateAndAdvice(check), ["wrong", "ip address show dev none"]);
});

const tested: SelfTest = {
  failure: null,
  host: "239.255.1.2",
  by: "lo",
  published: 5020,
  came: 5020,
  lost: 0,
  datagrams: 1905,
  speed: 8765.4,
  repaired: 0,
  delay: 0.234,
};

Deno.test("self-test: what it came to, in words", () => {
  const all = checkSelfTest(tested, "linux");
  assertEquals(
    [all.state, all.finding],
    [
      "ok",
      "over lo, on 239.255.1.2: all of 5,020 messages came, in 1,905 datagrams (8,765/s), of which none was lost;" +
      " a message alone takes 0.23 ms",
    ],
  );
  assertStringIncludes(checkSelfTest({ ...tested, repaired: 14 }, "linux").finding, "14 were lost and sent again");
});

Deno.test("self-test: a message that does not come is wrong", () => {
  const none = checkSelfTest({ ...tested, published: 1, came: 0 }, "linux");
  assertEquals(none.finding, "over lo, on 239.255.1.2: 0 of 1 message came");
  const [state, , ufw] = stateAndAdvice(none);
  assertEquals([state, ufw], ["wrong", "sudo ufw allow in proto udp to 224.0.0.0/4"]);
  const some = checkSelfTest({ ...tested, came: 5000, lost: 20, failure: "cannot send to 239.255.1.2:7: no" }, "linux");
  assertEquals(
    [some.state, some.finding],
    ["wrong", "over lo, on 239.255.1.2: 5,000 of 5,020 messages came (cannot send to 239.255.1.2:7: no)"],
  );
});

Deno.test("arrivals are waited for, lost ones too, and no longer than is said", async () => {
  const arrivals = new Arrivals();
  const gap = { kind: "gap", topic: "a", first: 1, last: 3, lost: 3, reason: "lagged", code: Code.lagged } as const;
  const waiting = arrivals.until(4, 60_000);
  arrivals.take(gap);
  arrivals.take({ ...gap, last: 0, lost: 0 });
  await waiting;
  assertEquals([arrivals.came, arrivals.lost], [0, 4]);
  await arrivals.until(5, 1);
});
