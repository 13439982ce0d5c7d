import { assertEquals } from "@std/assert";
import { range, sparkline } from "../../cli/sparkline.ts";

Deno.test("a sparkline of equal values is low, and stays within its bars", () => {
  assertEquals(sparkline([1, 1], 1, 1), "▁▁");
  assertEquals(sparkline([-5, 5, 50, NaN], 0, 10), "▁▅█ ");
});

Deno.test("the range is of what is known", () => {
  assertEquals(range([3, NaN, -1, Infinity, 2]), [-1, 3]);
});
