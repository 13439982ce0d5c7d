import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { Queue } from "../../core/queue.ts";

Deno.test("what goes in comes out in its order, whatever is done between", () => {
  const steps = fc.array(fc.constantFrom("push", "push", "shift", "unshift", "filter", "fill", "drain"), {
    maxLength: 60,
  });
  fc.assert(fc.property(steps, (steps) => {
    const queue = new Queue<number>();
    const model: number[] = [];
    let next = 0;
    const push = () => {
      queue.push(next);
      model.push(next++);
    };
    for (const step of steps) {
      if (step === "push") push();
      else if (step === "fill") { for (let i = 0; i < 1500; i++) push(); }
      else if (step === "drain") { for (let i = 0; i < 1400; i++) assertEquals(queue.shift(), model.shift()); }
      else if (step === "shift") assertEquals(queue.shift(), model.shift());
      else if (step === "unshift") {
        queue.unshift(next);
        model.unshift(next++);
      } else {
        queue.filter((item) => item % 3 !== 0);
        model.splice(0, model.length, ...model.filter((item) => item % 3 !== 0));
      }
      assertEquals([queue.length, queue.oldest, queue.newest], [model.length, model[0], model.at(-1)]);
    }
    while (model.length > 0) assertEquals(queue.shift(), model.shift());
    assertEquals(queue.shift(), undefined);
  }));
});
