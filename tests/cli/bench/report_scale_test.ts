import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import fc from "fast-check";
import { memory, micros, perSecond } from "../../../cli/bench/figures.ts";
import { latencyScale, linearScale, logScale, nines, percentileScale } from "../../../cli/bench/report_scale.ts";

const texts = ({ ticks }: { readonly ticks: readonly { readonly text: string }[] }) => ticks.map(({ text }) => text);

Deno.test("ticks are round numbers, of memory in powers of two", () => {
  assertEquals(texts(linearScale(43e6, perSecond)), ["0", "10 M/s", "20 M/s", "30 M/s", "40 M/s", "50 M/s"]);
  assertEquals(texts(linearScale(90 * 2 ** 20, memory, 3)), ["0", "32 MiB", "64 MiB", "96 MiB"]);
  assertEquals(texts(logScale(23, 1700, micros)), [
    "20 µs",
    "50 µs",
    "100 µs",
    "200 µs",
    "500 µs",
    "1 ms",
    "2 ms",
  ]);
  assertEquals(texts(percentileScale(4)), ["0%", "50%", "90%", "99%", "99.9%", "99.99%"]);
  assertEquals(texts(percentileScale(3)), ["0%", "50%", "90%", "99%", "99.9%"]);
});

Deno.test("a scale of latencies is logarithmic only where a linear one would hide the small ones", () => {
  assertEquals(latencyScale([50, 1000], micros).log, false);
  assertEquals(latencyScale([49, 1000], micros).log, true);
  assertEquals(latencyScale([], micros).log, false);
  assertEquals(latencyScale([0, 0], micros).at(0), 0);
});

Deno.test("all values lie on the axis, larger ones further out, between few ticks", () => {
  const value = fc.double({ min: 1, max: 1e9, noNaN: true });
  fc.assert(fc.property(value, value, (a, b) => {
    const [least, most] = [Math.min(a, b), Math.max(a, b)];
    for (const scale of [linearScale(most, perSecond), logScale(least, most, micros), latencyScale([a, b], micros)]) {
      assert(scale.at(least) >= -1e-9 && scale.at(most) <= 1 + 1e-9 && scale.at(least) <= scale.at(most));
      assert(scale.ticks.length >= 2 && scale.ticks.length <= 12, `${scale.ticks.length}`);
      assert(new Set(texts(scale)).size === scale.ticks.length, texts(scale).join());
      for (const tick of scale.ticks) assert(scale.at(tick.value) >= -1e-9 && scale.at(tick.value) <= 1 + 1e-9);
    }
  }));
});

Deno.test("each nine is as far as the one before", () => {
  for (const [percentile, place] of [[0, 0], [90, 1], [99, 2], [99.9, 3], [99.99, 4]] as const) {
    assertAlmostEquals(nines(percentile), place, 1e-9);
  }
});
