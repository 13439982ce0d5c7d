import { assertEquals } from "@std/assert";
import { MemoryBudget } from "../../core/memory.ts";

Deno.test("a budget is reserved up to its limit, and not at all where it does not suffice", () => {
  const budget = new MemoryBudget(10);
  assertEquals([budget.reserve(4), budget.reserve(6), budget.used], [true, true, 10]);
  assertEquals([budget.reserve(1), budget.used], [false, 10]);
  assertEquals(budget.reserve(0), true);
  budget.release(6);
  assertEquals([budget.reserve(7), budget.reserve(6), budget.used], [false, true, 10]);
});
