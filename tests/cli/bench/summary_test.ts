import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { TargetKind } from "../../../cli/bench/driver.ts";
import { compare, groupRuns, kindOf, spreadOf, summarize } from "../../../cli/bench/summary.ts";
import { connectionRuns, fanoutRuns, latencyOf, latencyRuns, multicastRuns, runOf } from "./fixtures.ts";

const finite = fc.double({ noNaN: true, noDefaultInfinity: true });

Deno.test("the median of an even count is the mean of the two in the middle", () => {
  assertEquals(spreadOf([4, 1, 3, 2]), { median: 2.5, min: 1, max: 4, count: 4 });
  assertEquals(spreadOf([9, 1, 5]), { median: 5, min: 1, max: 9, count: 3 });
  assertEquals(spreadOf([NaN, Infinity]), null);
});

Deno.test("as many values are above the median as below, whatever their order", () => {
  fc.assert(fc.property(fc.array(finite, { minLength: 1 }), (values) => {
    const { median, min, max, count } = spreadOf(values)!;
    assertEquals(spreadOf(values.toReversed()), { median, min, max, count });
    assert(min <= median && median <= max && count === values.length);
    const below = values.filter((value) => value < median).length;
    const above = values.filter((value) => value > median).length;
    assert(below <= count / 2 && above <= count / 2, `${below} ${above} of ${values}`);
  }));
});

/** Runs of ours and of another, with these rates, round by round. */
function rounds(pairs: readonly (readonly [ours: number, theirs: number])[], target: TargetKind = "nats") {
  return pairs.flatMap(([mine, theirs], index) => [
    runOf({ round: index + 1, deliveryRate: mine }),
    runOf({ round: index + 1, deliveryRate: theirs, target }),
  ]);
}

Deno.test("ratios are taken within a round, not of the medians", () => {
  // The machine was slow in the second round, for both.
  const [, nats] = summarize(rounds([[100, 10], [20, 1], [60, 12]]))[0]!.targets;
  assertEquals(nats!.ratios.deliveryRate, { median: 10, min: 5, max: 20, count: 3 });
  assertEquals(nats!.spreads.deliveryRate, { median: 10, min: 1, max: 12, count: 3 });
});

Deno.test("a round in which one of the two does not count has no ratio", () => {
  const runs = rounds([[100, 10], [20, 1], [60, 12]]);
  runs[1] = { ...runs[1]!, verdict: "lost", notes: ["why"] };
  runs[4] = { ...runs[4]!, verdict: "late" };
  const [stream, nats] = summarize(runs)[0]!.targets;
  assertEquals(nats!.ratios.deliveryRate, { median: 20, min: 20, max: 20, count: 1 });
  assertEquals([stream!.rounds, nats!.rounds], [[1, 2], [2, 3]]);
  assertEquals(nats!.excluded, [{ round: 1, verdict: "lost", notes: ["why"] }]);
  assertEquals(stream!.ratios, {});
});

Deno.test("ratios of equals are 1, and do not depend on the unit or on the order of runs", () => {
  const rate = fc.double({ min: 1, max: 1e9, noNaN: true });
  fc.assert(fc.property(fc.array(fc.tuple(rate, rate), { minLength: 1, maxLength: 9 }), rate, (pairs, unit) => {
    const ratioOf = (runs: ReturnType<typeof rounds>) => summarize(runs)[0]!.targets[1]!.ratios.deliveryRate!;
    assertEquals(ratioOf(rounds(pairs.map(([mine]) => [mine, mine]))), {
      median: 1,
      min: 1,
      max: 1,
      count: pairs.length,
    });
    const { median } = ratioOf(rounds(pairs));
    assertEquals(ratioOf(rounds(pairs).toReversed()).median, median);
    const scaled = ratioOf(rounds(pairs.map(([mine, theirs]) => [mine * unit, theirs * unit])));
    assertAlmostEquals(scaled.median, median, median * 1e-9);
  }));
});

Deno.test("latencies are compared too; a ratio to nothing is none", () => {
  const runs = [
    runOf({ rate: 1000, oneWay: latencyOf({ p50: 50, p99: 90 }) }),
    runOf({ rate: 1000, oneWay: latencyOf({ p50: 0, p99: 180 }), target: "redis" }),
  ];
  const { ratios } = compare(groupRuns(runs)[0]!).targets[1]!;
  assertEquals(ratios.oneWay_p99?.median, 0.5);
  assertEquals(ratios.oneWay_p50, undefined);
});

Deno.test("a percentile that too few values were recorded for is left out", () => {
  const of = (count: number) =>
    Object.keys(summarize([runOf({ oneWay: latencyOf({ count }) })])[0]!.targets[0]!.spreads).filter((name) =>
      name.startsWith("oneWay_p")
    );
  assertEquals(of(10_000), ["oneWay_p50", "oneWay_p90", "oneWay_p99", "oneWay_p999", "oneWay_p9999"]);
  assertEquals(of(9_999), ["oneWay_p50", "oneWay_p90", "oneWay_p99", "oneWay_p999"]);
  assertEquals(of(1), ["oneWay_p50"]);
  assertEquals(of(0), []);
});

Deno.test("runs are grouped by scenario and load; targets stand in order, the limit last", () => {
  const runs = [...fanoutRuns(2), ...latencyRuns(1, 10), ...connectionRuns(1)];
  const groups = groupRuns(runs.toReversed());
  assertEquals(groups.map(({ scenario, kind }) => [scenario, kind]), [
    ["connections", "connections"],
    ["latency", "latency"],
    ["fanout", "throughput"],
  ]);
  const targets = summarize(runs)[0]!.targets.map(({ target }) => target);
  assertEquals(targets, ["stream", "nats", "redis", "mqtt", "limit"]);
  assertEquals(kindOf([]), "throughput");
});

Deno.test("lost messages are added up over all runs, processor time is for a million messages", () => {
  const runs = fanoutRuns();
  const redis = summarize(runs)[0]!.targets.find(({ target }) => target === "redis")!;
  assertEquals([redis.lost, redis.runs, redis.rounds.length], [18_216, 7, 5]);
  const one = summarize([runOf({ deliveryRate: 1e6, seconds: 2 })])[0]!.targets[0]!;
  assertEquals(one.spreads.cpuPerMillion?.median, 6.1 / 2);
  const remote = summarize([runOf({ serverUsage: null })])[0]!.targets[0]!;
  assertEquals([remote.spreads.cpuPerMillion, remote.spreads.peakBytes], [undefined, undefined]);
});

Deno.test("multicast is ours where it is measured; datagrams are compared by what was to come of them", () => {
  const runs = multicastRuns();
  const [multicast, tcp] = summarize(runs)[0]!.targets;
  assertEquals([multicast!.target, tcp!.target], ["multicast", "tcp"]);
  assertEquals([multicast!.ratios, tcp!.ratios.deliveryRate?.median], [{}, 1]);
  assertEquals([multicast!.rounds, multicast!.unrepaired, tcp!.unrepaired], [[1, 2, 3], 60, 0]);
  const { bytesPerMessage, datagramRate, missed, repaired } = multicast!.spreads;
  assertEquals([bytesPerMessage?.median, tcp!.spreads.bytesPerMessage?.median], [70, 264]);
  // 20 messages in a datagram; one of 25 sent again, to one receiver of four.
  assertEquals([datagramRate?.median, missed?.median, repaired?.max], [26_000, 0.01, 0.01]);
  assertAlmostEquals(repaired!.min, 0.01 - 3 / (4 * 260_000));
  assertEquals(tcp!.spreads.datagramRate, undefined);
  const silent = runs.map((run) =>
    run.multicast === null ? run : { ...run, multicast: { ...run.multicast, sent: null } }
  );
  assertEquals(summarize(silent)[0]!.targets[0]!.spreads.missed, undefined);
});
