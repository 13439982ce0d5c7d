import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  amount,
  formatCores,
  formatTimes,
  memory,
  micros,
  perSecond,
  processorTime,
} from "../../../cli/bench/figures.ts";

for (
  const [quantity, value, expected] of [
    [perSecond, 0, "0/s"],
    [perSecond, 7, "7/s"],
    [perSecond, 0.5, "0.5/s"],
    [perSecond, 999.4, "999/s"],
    [perSecond, 999.6, "1.00 k/s"],
    [perSecond, 15_499_000, "15.5 M/s"],
    [perSecond, 999_950_000, "1.00 G/s"],
    [amount, 254_321, "254 k"],
    [micros, 0, "0 µs"],
    [micros, 83.5, "84 µs"],
    [micros, 1234, "1.23 ms"],
    [micros, 59_999_999, "60.0 s"],
    [memory, 128, "128 B"],
    [memory, 88.1 * 2 ** 20, "88.1 MiB"],
    [processorTime, 0.152, "152 ms"],
  ] as const
) {
  Deno.test(`${value} is written ${expected}`, () => assertEquals(quantity.text(value), expected));
}

Deno.test("both ends of a range are in the unit of the larger", () => {
  assertEquals(perSecond.range(26_060_000, 29_940_000), "26.1..29.9 M/s");
  assertEquals(micros.range(830, 1200), "0.83..1.20 ms");
  assertEquals(micros.range(61, 64), "61..64 µs");
  assertEquals(amount.range(0, 0), "0..0");
});

Deno.test("numbers never have four digits before a unit", () => {
  fc.assert(fc.property(fc.double({ min: 0, max: 9e11, noNaN: true }), (value) => {
    const [, whole] = /^(\d+)(\.\d+)?( [kMG])?\/s$/.exec(perSecond.text(value))!;
    assert(whole!.length <= 3, perSecond.text(value));
  }));
});

Deno.test("ticks have no zeros that say nothing", () => {
  assertEquals([5e6, 2.5e6, 0.5].map(perSecond.tick), ["5 M/s", "2.5 M/s", "0.5/s"]);
});

Deno.test("small ratios keep their digits", () => {
  assertEquals([123.4, 4.513, 0.661, 0.1126, 0.0312].map(formatTimes), ["123", "4.51", "0.66", "0.113", "0.031"]);
});

Deno.test("cores", () => {
  assertEquals([0.98, 1, 2.4].map(formatCores), ["0.98 of a core", "1.00 of a core", "2.40 cores"]);
});
