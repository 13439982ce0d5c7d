import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { grid, wrap } from "../../../cli/bench/grid.ts";

Deno.test("columns without cells are left out, and a row can stand out", () => {
  const columns = [
    { heading: "target", cells: ["stream", "nats"], align: "left" as const },
    { heading: "nothing", cells: ["", ""] },
    { heading: "n", cells: ["1", "22"] },
  ];
  assertEquals(grid(columns, 1), ["target   n", "stream   1", "\x1b[1mnats    22\x1b[0m"]);
});

Deno.test("a number is not parted from its unit", () => {
  assertEquals(wrap("its p99 is 9 µs", 13), ["its p99 is", "  9 µs"]);
  assertEquals(wrap("sent 9.73 k/s again", 8), ["sent", "  9.73 k/s", "  again"]);
  assertEquals(wrap("a so b", 4, ""), ["a so", "b"]);
});

Deno.test("wrapped lines hold all words, and are no longer than they may be", () => {
  const word = fc.stringMatching(/^[a-z]{1,9}$/);
  fc.assert(fc.property(fc.array(word, { minLength: 1 }), fc.integer({ min: 12, max: 40 }), (words, width) => {
    // What looks like a unit belongs to the word before it.
    const text = words.map((word) => `x${word}`);
    const lines = wrap(text.join(" "), width);
    assertEquals(lines.map((line) => line.trim()).join(" "), text.join(" "));
    assert(lines.every((line) => line.length <= width), lines.join("|"));
  }));
});
