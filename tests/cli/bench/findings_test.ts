import { assertEquals } from "@std/assert";
import { damageOf, findings, whyExcluded } from "../../../cli/bench/findings.ts";
import { groupRuns } from "../../../cli/bench/summary.ts";
import { latencyOf, runOf } from "./fixtures.ts";

const { counts } = runOf();
const found = (...runs: ReturnType<typeof runOf>[]) => findings(groupRuns(runs)[0]!);

Deno.test("why a run does not count", () => {
  assertEquals(whyExcluded(runOf()), "");
  const lost = { ...counts, lost: 1, duplicated: 2000, reordered: 0, corrupt: 3 };
  assertEquals(whyExcluded(runOf({ verdict: "lost", counts: lost })), "1 message lost, 2,000 duplicated, 3 corrupt");
  assertEquals(damageOf({ ...counts, corrupt: 7 }), "7 messages corrupt");
  assertEquals(
    whyExcluded(runOf({ verdict: "partial", notes: ["the server\nended"] })),
    "it ended early; the server\\nended",
  );
  assertEquals(
    whyExcluded(runOf({ verdict: "late", notes: ["the load generator sent 9731/s of 10000/s"] })),
    "the load generator did not hold the rate; the load generator sent 9731/s of 10000/s",
  );
});

Deno.test("who held whom back, of the runs that count", () => {
  const [first, ...more] = found(
    runOf(),
    runOf({ round: 2 }),
    runOf({ round: 3, bottleneck: "server" }),
    runOf({ round: 4, verdict: "lost", counts: { ...counts, lost: 12 } }),
  );
  assertEquals(first, "stream, round 4: does not count: 12 messages lost");
  assertEquals(more, [
    "stream: the load generator was the bottleneck in 2 of 3 runs, so the server may be capable of more " +
    "(receivers used 0.98 of a core, the server 0.61, senders 0.55)",
  ]);
});

Deno.test("a server that is elsewhere is not said to use nothing", () => {
  assertEquals(found(runOf({ serverUsage: null, bottleneck: "unknown" })), [
    "stream: what held it back is not known (receivers used 0.98 of a core, senders 0.55; what the server used is not known)",
  ]);
  assertEquals(found(runOf({ bottleneck: "machine" })), [
    "stream: all 4 processors of the machine were busy (receivers used 0.98 of a core, the server 0.61, senders 0.55)",
  ]);
});

Deno.test("at a rate, the load generator's own delay is told, and who was not sent enough", () => {
  const at = { rate: 1000, bottleneck: "rate", oneWay: latencyOf(), sendDelay: latencyOf({ p99: 12 }) } as const;
  assertEquals(found(runOf({ ...at, sentRate: 1000 }), runOf({ ...at, sentRate: 900, target: "mqtt" })), [
    "mqtt, round 1: sent 900/s of 1.00 k/s",
    "the load generator's own delay is part of the latencies; its p99: stream 12 µs, mqtt 12 µs",
  ]);
});

Deno.test("notes that differ in numbers only are told once", () => {
  const note = (round: number, ...notes: string[]) => runOf({ round, notes, rate: 1, bottleneck: "rate", sentRate: 1 });
  assertEquals(found(note(1, "held for 40 %", "same"), note(2, "held for 41.5 %", "same"), note(3, "same")), [
    "stream: held for 40 % (like this in 2 of 3 runs)",
    "stream: same (3 of 3 runs)",
  ]);
});
