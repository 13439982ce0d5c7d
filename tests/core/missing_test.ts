import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { Missing } from "../../core/missing.ts";

const spans = (missing: Missing) => missing.ranges.map(({ first, last }) => [first, last]);

Deno.test("a range loses its ends, is cut in two, and goes with its last number", () => {
  const missing = new Missing();
  missing.add(10, 14, 1, 2);
  missing.add(20, 20, 3, 4);
  assertEquals(missing.remove(9), null);
  assertEquals(missing.remove(15), null);
  missing.remove(10);
  missing.remove(14);
  assertEquals(spans(missing), [[11, 13], [20, 20]]);
  missing.remove(12);
  assertEquals(spans(missing), [[11, 11], [13, 13], [20, 20]]);
  missing.remove(20);
  assertEquals([spans(missing), missing.count], [[[11, 11], [13, 13]], 2]);
  assertEquals(missing.remove(12), null);
});

Deno.test("what follows on a range joins it, until that was asked for or is waited for no more", () => {
  const missing = new Missing();
  missing.add(1, 1, 10, 20);
  missing.add(2, 4, 11, 21);
  assertEquals(missing.ranges, [{ first: 1, last: 4, since: 10, due: 20, tries: 0 }]);
  missing.add(6, 6, 12, 22);
  missing.ranges[1]!.tries = 1;
  missing.add(7, 7, 13, 23);
  missing.ranges[2]!.since = -Infinity;
  missing.add(8, 9, 14, 24);
  assertEquals([spans(missing), missing.count], [[[1, 4], [6, 6], [7, 7], [8, 9]], 8]);
});

Deno.test("the parts of a range have its history, each for itself", () => {
  const missing = new Missing();
  missing.add(1, 9, 5, 7);
  missing.ranges[0]!.tries = 2;
  missing.remove(5);
  missing.ranges[0]!.due = 100;
  assertEquals(missing.ranges, [
    { first: 1, last: 4, since: 5, due: 100, tries: 2 },
    { first: 6, last: 9, since: 5, due: 7, tries: 2 },
  ]);
  missing.split(1, 1);
  assertEquals(spans(missing), [[1, 4], [6, 6], [7, 9]]);
});

Deno.test("what is below a number goes, in whole ranges and in part", () => {
  const missing = new Missing();
  missing.add(1, 3, 0, 0);
  missing.add(5, 9, 0, 0);
  assertEquals(missing.removeBelow(1), 0);
  assertEquals(missing.removeBelow(7), 5);
  assertEquals([spans(missing), missing.count], [[[7, 9]], 3]);
  assertEquals(missing.removeBelow(100), 3);
  assertEquals([spans(missing), missing.count], [[], 0]);
});

Deno.test("the ranges between two numbers are cut where they reach beyond", () => {
  const missing = new Missing();
  missing.add(1, 10, 0, 0);
  missing.add(12, 12, 0, 0);
  missing.add(14, 20, 0, 0);
  for (const range of missing.within(4, 15)) range.since = -Infinity;
  assertEquals(missing.ranges.map(({ first, last, since }) => [first, last, since]), [
    [1, 3, 0],
    [4, 10, -Infinity],
    [12, 12, -Infinity],
    [14, 15, -Infinity],
    [16, 20, 0],
  ]);
  assertEquals([...missing.within(11, 11)], []);
  assertEquals(missing.count, 18);
});

Deno.test("it holds exactly the numbers that were added and not removed", () => {
  const step = fc.record({ kind: fc.constantFrom("add", "remove", "below", "split"), at: fc.nat(60), more: fc.nat(9) });
  fc.assert(fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
    const missing = new Missing();
    const model = new Set<number>();
    let known = 0;
    for (const { kind, at, more } of steps) {
      if (kind === "add") {
        const first = known + 1 + (at % 3);
        known = first + more;
        missing.add(first, known, 0, 0);
        for (let number = first; number <= known; number++) model.add(number);
      } else if (kind === "remove") {
        assertEquals(missing.remove(at) !== null, model.delete(at));
      } else if (kind === "below") {
        const gone = [...model].filter((number) => number < at);
        for (const number of gone) model.delete(number);
        assertEquals(missing.removeBelow(at), gone.length);
      } else {
        const index = missing.ranges.findIndex(({ first, last }) => last > first);
        if (index >= 0) missing.split(index, 1);
      }
      const held = missing.ranges.flatMap(({ first, last }) =>
        Array.from({ length: last - first + 1 }, (_, i) => first + i)
      );
      assertEquals(held, [...model].sort((a, b) => a - b));
      assertEquals(missing.count, model.size);
    }
  }));
});
