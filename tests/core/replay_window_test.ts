import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { ReplayWindow } from "../../core/replay_window.ts";

Deno.test("each counter is taken once, in any order, and none that is too old", () => {
  const window = new ReplayWindow(64);
  assertEquals([1, 3, 2, 3, 1, 2].map((counter) => window.accept(counter)), [true, true, true, false, false, false]);
  assert(window.accept(1000));
  assertEquals([window.accept(1000), window.accept(4), window.accept(1000 - 64)], [false, false, true]);
  assert(window.accept(2 ** 52));
  assertEquals([window.accept(2 ** 52), window.accept(1001), window.accept(2 ** 52 - 1)], [false, false, true]);
});

Deno.test("nothing is taken twice, and everything that is new and within the span is taken", () => {
  const steps = fc.array(fc.oneof(fc.integer({ min: -200, max: 40 }), fc.integer({ min: 0, max: 500 })), {
    maxLength: 300,
  });
  fc.assert(fc.property(steps, fc.integer({ min: 1, max: 200 }), (steps, span) => {
    const window = new ReplayWindow(span);
    const taken = new Set<number>();
    let highest = 1;
    for (const step of steps) {
      const counter = Math.max(1, highest + step);
      const accepted = window.accept(counter);
      if (accepted) assert(!taken.has(counter), `${counter} twice`);
      else assert(taken.has(counter) || counter <= highest - span, `${counter} of ${highest} was refused`);
      if (accepted) taken.add(counter);
      highest = Math.max(highest, counter);
    }
  }));
});
