import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import fc from "fast-check";
import { apart } from "../../../cli/bench/report_lines.ts";

Deno.test("names that have room stay where they are", () => {
  assertEquals(apart([10, 30, 90], 16, 0, 100), [10, 30, 90]);
  assertEquals(apart([], 16, 0, 100), []);
});

Deno.test("names that would run into each other make room, and stay between the ends", () => {
  assertEquals(apart([50, 50, 50], 10, 0, 100), [40, 50, 60]);
  assertEquals(apart([99, 100], 10, 0, 100), [90, 100]);
  assertEquals(apart([0, 0], 10, 0, 100), [0, 10]);
});

Deno.test("whatever is wanted, names are apart, in order, and within the ends if these have room", () => {
  fc.assert(fc.property(fc.array(fc.double({ min: 0, max: 300, noNaN: true }), { maxLength: 10 }), (wanted) => {
    const sorted = wanted.toSorted((a, b) => a - b);
    const places = apart(sorted, 16, 0, 300);
    assertEquals(places.length, sorted.length);
    places.forEach((place, index) => {
      assert(place >= -1e-6 && place <= 300 + 1e-6, `${places}`);
      if (index > 0) assert(place - places[index - 1]! >= 16 - 1e-6, `${places}`);
    });
    if (sorted.every((place, index) => index === 0 || place - sorted[index - 1]! >= 16)) {
      places.forEach((place, index) => assertAlmostEquals(place, sorted[index]!, 1e-6));
    }
  }));
});
