import { assertEquals } from "@std/assert";
import { RepairQueue } from "../../core/repair_queue.ts";

const [one, other] = [{ text: "one" }, { text: "other" }];

/** What goes next, and to whom. */
function next(queue: RepairQueue<{ text: string }>, now = 0): [number, string | null] | null {
  const repair = queue.shift(now);
  return repair && [repair.number, repair.to?.text ?? null];
}

Deno.test("who asks alone gets it alone, in the order of asking; askers take turns", () => {
  const queue = new RepairQueue<{ text: string }>();
  assertEquals(queue.ask([{ first: 7, count: 2 }, { first: 3, count: 1 }], one, 0), 3);
  queue.ask([{ first: 5, count: 1 }], other, 0);
  const gone = Array.from({ length: 4 }, () => next(queue));
  assertEquals(gone, [[7, "one"], [5, "other"], [8, "one"], [3, "one"]]);
  assertEquals([next(queue), queue.length], [null, 0]);
});

Deno.test("what two ask for goes to the group, once", () => {
  const queue = new RepairQueue<{ text: string }>();
  queue.ask([{ first: 7, count: 1 }], one, 0);
  queue.ask([{ first: 7, count: 1 }], other, 1);
  queue.ask([{ first: 7, count: 1 }], one, 2);
  assertEquals([next(queue, 3), next(queue, 3)], [[7, null], null]);
});

Deno.test("what two ask for goes when it is the turn of either", () => {
  const queue = new RepairQueue<{ text: string }>();
  queue.ask([{ first: 1, count: 200 }], one, 0);
  queue.ask([{ first: 100, count: 1 }], other, 1);
  assertEquals(queue.length, 200);
  assertEquals([next(queue, 2), next(queue, 2)], [[1, "one"], [100, null]]);
  const rest = Array.from({ length: 198 }, () => next(queue, 3)![0]);
  assertEquals([rest.includes(100), next(queue, 3), queue.length], [false, null, 0]);
});

Deno.test("soon after one alone got it, it goes to the group for another; soon after that nobody gets it again", () => {
  const queue = new RepairQueue<{ text: string }>();
  queue.ask([{ first: 7, count: 1 }], one, 0);
  assertEquals(next(queue, 1), [7, "one"]);
  queue.ask([{ first: 7, count: 1 }], other, 30);
  assertEquals(next(queue, 31), [7, null]);
  assertEquals([queue.ask([{ first: 7, count: 1 }], one, 60), next(queue, 60)], [0, null]);
  // By then it may be lost once more.
  queue.ask([{ first: 7, count: 1 }], one, 90);
  assertEquals(next(queue, 90), [7, "one"]);
});

Deno.test("a bounded number waits", () => {
  const queue = new RepairQueue<{ text: string }>();
  for (let first = 1; first < 100_000; first += 256) queue.ask([{ first, count: 256 }], one, 0);
  assertEquals(queue.length, 4096);
});
