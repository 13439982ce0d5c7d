import { assert, assertEquals } from "@std/assert";
import { Histogram } from "../../demo/histogram.ts";

Deno.test("a percentile is never less than the value, and at most a sixteenth more", () => {
  for (const value of [0, 1, 15, 16, 17, 31, 32, 33, 100, 999, 12_345, 1_000_000, 2 ** 26 - 1]) {
    const histogram = new Histogram();
    histogram.add(value);
    // The largest value would hide how exact the bucket is.
    histogram.add(2 ** 26 - 1);
    const told = histogram.percentile(0.5);
    assert(told >= value && told <= value * (1 + 1 / 16), `${value}: ${told}`);
  }
});

Deno.test("percentiles are by rank", () => {
  const histogram = new Histogram();
  assertEquals(histogram.percentile(0.5), 0);
  for (let value = 1; value <= 100; value++) histogram.add(value <= 99 ? 10 : 5_000);
  assertEquals([histogram.percentile(0.5), histogram.percentile(0.99)], [10, 10]);
  assertEquals([histogram.percentile(1), histogram.most, histogram.count], [5_000, 5_000, 100]);
  histogram.clear();
  assertEquals([histogram.percentile(1), histogram.most, histogram.count], [0, 0, 0]);
});

Deno.test("values that are too small or too large count as the nearest that is not", () => {
  const histogram = new Histogram();
  histogram.add(-3);
  histogram.add(1e12);
  assertEquals([histogram.percentile(0.5), histogram.percentile(1)], [0, 2 ** 26 - 1]);
});
