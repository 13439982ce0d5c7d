/** The scenario `multicast`: datagrams that are lost on purpose are repaired, or counted as what receivers did not get. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { benchGroup, sentIn } from "../../../cli/bench/group.ts";
import type { RunResult } from "../../../cli/bench/result.ts";
import { overflow } from "../../../cli/bench/run_result.ts";
import { stream } from "../program.ts";
import { multicastRuns } from "./fixtures.ts";

/** Runs the scenario, at a rate that a busy machine keeps. */
async function bench(...args: string[]): Promise<{ status: number; stderr: string; runs: RunResult[] }> {
  const { status, stdout, stderr } = await stream(["bench", "multicast", "--warmup", "0", ...args, "--json"]);
  return { status, stderr, runs: stdout === "" ? [] : JSON.parse(stdout).runs };
}

Deno.test("what is lost, late and doubled on the way to three receivers is repaired: each gets every message once", async () => {
  const faults = ["--loss", "3%", "--reorder", "2%", "--duplicate", "2%", "--seed", "7"];
  const args = ["-n", "4000", "--rate", "4000/s", "--subscribers", "3", ...faults];
  const { status, stderr, runs } = await bench(...args, "--group", `${benchGroup(free)!.endpoint}&mtu=600`);
  assertEquals(status, 0, stderr);
  const [{ verdict, load, counts, oneWay, multicast, serverBytes, ...run }] = runs as [RunResult];
  assertEquals([verdict, run.target, load], [
    "counts",
    "multicast",
    "1 to 3, 128 B, 4,000/s, 3 % lost, 2 % late, 2 % doubled",
  ]);
  assertEquals(counts, {
    sent: 4000,
    expected: 12_000,
    received: 12_000,
    lost: 0,
    unrepaired: 0,
    duplicated: 0,
    reordered: 0,
    corrupt: 0,
  });
  assertEquals(oneWay?.count, 12_000);
  const { group, encrypted, sent, faults: done, missed, unrepaired, requests } = multicast!;
  assertMatch(group, /^mcast:\/\/239\.255\.\d+\.\d+:\d+\?interface=127\.0\.0\.1&mtu=600$/);
  assertEquals([encrypted, unrepaired], [false, 0]);
  // No more than three messages fit a datagram.
  assert(sent!.datagrams >= 4000 / 3 && sent!.datagrams <= 4000, `${sent!.datagrams} datagrams`);
  assert(Math.min(done.lost, done.reordered, done.duplicated) > 0);
  assert(missed > 0 && requests > 0 && sent!.repaired > 0);
  assertEquals(serverBytes, sent!.bytes);
  assert(sent!.bytes > 4000 * 128);
});

Deno.test("without repairs every message that a receiver does not get is reported, and the run counts", async () => {
  const args = ["-n", "2000", "--rate", "4000/s", "--loss", "10%", "--no-repair", "--encrypt"];
  const { status, stderr, runs } = await bench(...args);
  assertEquals(status, 0, stderr);
  const [{ verdict, counts, multicast }] = runs as [RunResult];
  const { received, lost, unrepaired, duplicated, reordered, corrupt } = counts;
  assertEquals([verdict, lost, duplicated, reordered, corrupt], ["counts", 0, 0, 0, 0]);
  assertEquals(received + unrepaired, 2000);
  assert(unrepaired > 0);
  assertEquals([multicast!.encrypted, multicast!.sent!.repaired, multicast!.requests], [true, 0, 0]);
  assertEquals(multicast!.unrepaired, multicast!.missed);
});

Deno.test("multicast is compared with connections to the same server", async () => {
  const args = ["-n", "2000", "--rate", "4000/s", "--subscribers", "4", "--against", "tcp", "--rounds", "1"];
  const { status, stderr, runs } = await bench(...args);
  assertEquals(status, 0, stderr);
  assertEquals(runs.map(({ target, verdict, counts }) => [target, verdict, counts.received + counts.unrepaired]), [
    ["multicast", "counts", 8000],
    ["tcp", "counts", 8000],
  ]);
  assertEquals(runs[1]!.multicast, null);
  // Each of four gets every byte by a connection of its own.
  assert(runs[1]!.serverBytes! > 4 * 2000 * 128);
  assert(runs[0]!.serverBytes! < runs[1]!.serverBytes!);
});

Deno.test("a person reads what became of the datagrams", async () => {
  const args = ["bench", "multicast", "--warmup", "0", "-n", "500", "--rate", "2000/s"];
  const { status, stdout, stderr } = await stream(args);
  assertEquals(status, 0, stderr);
  assertMatch(stderr, /started for each run as: stream serve -l \S+ --multicast 'mcast:/);
  for (const part of ["multicast, 1 to 1, 128 B, 2,000/s", "unrepaired", "messages in each", "repaired, 0 not"]) {
    assertStringIncludes(stdout, part);
  }
});

const free = { endpoint: null, encrypt: false };

Deno.test("a group is on loopback, with a port that is free; a key is asked for", () => {
  const group = benchGroup(free)!;
  assertMatch(group.endpoint, /^mcast:\/\/239\.255\.\d+\.\d+:\d+\?interface=127\.0\.0\.1$/);
  assertEquals(group.key, null);
  assertMatch(benchGroup({ ...free, encrypt: true })!.key!, /^[0-9a-f]{64}$/);
  assertEquals(benchGroup({ endpoint: "mcast://239.1.1.1", encrypt: false }), {
    endpoint: "mcast://239.1.1.1",
    key: null,
  });
  assertEquals(benchGroup(null), null);
});

Deno.test("what a server says of its group is found in its last words, where it says it", () => {
  const words = "info draining connections=0\ninfo multicast ended datagrams=5 repaired=4 expired=3 bytes=2\nbye";
  assertEquals(sentIn(words), { datagrams: 5, repaired: 4, expired: 3, bytes: 2 });
  assertEquals(sentIn("killed"), null);
});

Deno.test("what the system loses is said where it is much; what is lost on purpose is not", () => {
  const [{ multicast }] = multicastRuns(1) as [RunResult];
  assertEquals(overflow(multicast!, 4), []);
  const { sent, missed } = multicast!;
  const due = 4 * sent!.datagrams;
  assertEquals(overflow({ ...multicast!, missed: missed + due * 0.01 }, 4), []);
  assertMatch(
    overflow({ ...multicast!, missed: missed + due * 0.03 }, 4).join(),
    /^3\.00 % of the datagrams were lost by the/,
  );
  assertEquals(
    overflow({ ...multicast!, sent: null, missed: 0, faults: { lost: 0, reordered: 0, duplicated: 0 } }, 4),
    [],
  );
});

Deno.test("wrong usage is refused before anything starts", async () => {
  const wrong: [string[], RegExp][] = [
    [["multicast", "--loss", "150%"], /--loss: "150%" is not a part of a hundred: give such as 1%/],
    [
      ["multicast", "--target", "tcp://127.0.0.1"],
      /--target does not go with multicast: it starts a server of its own/,
    ],
    [["multicast", "--group", "mcast://10.0.0.1"], /10\.0\.0\.1 is not the address of a group/],
    [["fanout", "--loss", "1%"], /--loss is for the scenario multicast: stream bench multicast --loss/],
    [["--encrypt"], /--encrypt is for the scenario multicast/],
    [["fanout", "--no-repair"], /--no-repair is for the scenario multicast/],
    [
      ["fanout", "--against", "tcp"],
      /--against tcp is for the scenario multicast: stream bench multicast --against tcp/,
    ],
  ];
  for (const [args, message] of wrong) {
    const { status, stderr } = await stream(["bench", ...args]);
    assertEquals(status, 2, stderr);
    assertMatch(stderr, message);
  }
});
