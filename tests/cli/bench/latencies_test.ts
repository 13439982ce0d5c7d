import { assert, assertEquals } from "@std/assert";
import { Latencies } from "../../../cli/bench/latencies.ts";

Deno.test("percentiles are right to three digits", () => {
  const latencies = new Latencies();
  for (let i = 1; i <= 10_000; i++) latencies.record(i / 1000);
  const told = latencies.summary()!;
  assertEquals([told.count, told.min], [10_000, 1]);
  for (const [value, expected] of [[told.p50, 5000], [told.p90, 9000], [told.p99, 9900], [told.p9999, 9999]] as const) {
    assert(Math.abs(value - expected) <= expected / 1000, `${value} for ${expected}`);
  }
  assert(told.max >= 10_000 && told.max < 10_010);
});

Deno.test("what several processes have recorded is added up", () => {
  const [one, other, sum] = [new Latencies(), new Latencies(), new Latencies()];
  one.record(0.05);
  other.record(2);
  other.record(3);
  for (const { summary } of [{ summary: one.summary() }, { summary: other.summary() }]) sum.add(summary!);
  assertEquals(sum.count, 3);
  assertEquals(sum.summary()!.min, 50);
  assertEquals(sum.percentile(50), 2000);
});

Deno.test("nothing recorded is nothing told", () => {
  const latencies = new Latencies();
  assertEquals(latencies.summary(), null);
  assertEquals([latencies.percentile(99), latencies.most], [0, 0]);
  latencies.record(1);
  latencies.clear();
  assertEquals(latencies.summary(), null);
});

Deno.test("clocks that differ a little, and stalls of hours, are no error", () => {
  const latencies = new Latencies();
  latencies.record(-0.002);
  latencies.record(10 * 3_600_000);
  const told = latencies.summary()!;
  assertEquals(told.min, 0);
  assert(Math.abs(told.max - 3.6e9) < 3.6e9 / 500);
});
