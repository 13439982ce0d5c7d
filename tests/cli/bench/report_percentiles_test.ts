import { assert, assertEquals } from "@std/assert";
import { Latencies } from "../../../cli/bench/latencies.ts";
import { curveOf, percentText } from "../../../cli/bench/report_percentiles.ts";
import { nines } from "../../../cli/bench/report_scale.ts";
import { latencyOf } from "./fixtures.ts";

function recorded(count: number, offset = 0) {
  const latencies = new Latencies();
  for (let value = 1; value <= count; value++) latencies.record((value + offset) / 1000);
  return latencies.summary()!;
}

const at = (curve: ReturnType<typeof curveOf>, percentile: number) =>
  curve.find(({ x }) => Math.abs(x - nines(percentile)) < 1e-6)?.spread;

Deno.test("a curve goes through the figures of the result", () => {
  const latency = recorded(20_000);
  const curve = curveOf([latency]);
  assertEquals(at(curve, 50)?.median, latency.p50);
  assertEquals(at(curve, 99)?.median, latency.p99);
  assertEquals(at(curve, 99.9)?.median, latency.p999);
  assertEquals(at(curve, 99.99)?.median, latency.p9999);
  assertEquals(at(curve, 0)?.median, latency.min);
  curve.forEach(({ spread }, index) => assert(index === 0 || spread.median >= curve[index - 1]!.spread.median));
});

Deno.test("of several rounds it has the spread", () => {
  const spread = at(curveOf([recorded(1000), recorded(1000, 100), recorded(1000, 300)]), 50)!;
  assertEquals(spread, { median: 600, min: 500, max: 800, count: 3 });
});

Deno.test("it ends where too few values are left", () => {
  assertEquals(at(curveOf([recorded(1000)]), 99.9)?.count, 1);
  assertEquals(at(curveOf([recorded(1000)]), 99.99), undefined);
  assertEquals(at(curveOf([recorded(20_000), recorded(100)]), 99.9), undefined);
  assertEquals(curveOf([]), []);
});

Deno.test("without a histogram that can be read there are the figures", () => {
  for (const histogram of ["", "abc", "AAAA", "HISTFAAAAA=="]) {
    const curve = curveOf([latencyOf({ histogram })]);
    assertEquals(curve.map(({ spread }) => spread.median), [41, 61, 70, 83, 120, 250]);
  }
});

Deno.test("percentiles are written with as many digits as tell them apart", () => {
  assertEquals([0, 0.3, 1, 1.5, 2, 3, 3.7].map(percentText), [
    "0%",
    "50%",
    "90.0%",
    "96.8%",
    "99.00%",
    "99.900%",
    "99.980%",
  ]);
});
