import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import fc from "fast-check";
import { MemoryBudget } from "../../core/memory.ts";
import { Reorder } from "../../core/reorder.ts";

const datagram = (number: number) => new Uint8Array([number % 251, number >> 8 & 255, 7]);

function put(reorder: Reorder, number: number): boolean {
  const bytes = datagram(number);
  return reorder.put(number, bytes, 0, bytes.length);
}

/** Takes all that follow one another; gives their numbers. */
function drain(reorder: Reorder): number[] {
  const numbers: number[] = [];
  let next = reorder.next;
  while (
    reorder.shift((bytes, _, start, end) => {
      assertEquals(bytes.slice(start, end), datagram(next));
      numbers.push(next++);
    })
  );
  return numbers;
}

Deno.test("what came early is given once those before it were passed", () => {
  const reorder = new Reorder(5, 128, 8);
  assert(put(reorder, 7));
  assert(put(reorder, 6));
  assertEquals(drain(reorder), []);
  reorder.skipTo(6);
  assertEquals([drain(reorder), reorder.next, reorder.count], [[6, 7], 8, 0]);
});

Deno.test("what is late, there already, too far ahead, too large or empty is not kept", () => {
  const reorder = new Reorder(5, 128, 8);
  assert(!put(reorder, 4));
  assert(!put(reorder, 5), "that is the one to be given on at once");
  assert(put(reorder, 6));
  assert(!put(reorder, 6));
  assert(put(reorder, 5 + 127));
  assert(!put(reorder, 5 + 128));
  assert(!reorder.put(8, new Uint8Array(9), 0, 9));
  assert(!reorder.put(8, new Uint8Array(9), 0, 0));
  assert(reorder.put(8, new Uint8Array(9), 1, 9));
  assertEquals([reorder.has(4), reorder.has(6), reorder.has(7), reorder.has(132), reorder.has(133)], [
    false,
    true,
    false,
    true,
    false,
  ]);
});

Deno.test("memory is taken as datagrams are apart, and given back", () => {
  const reorder = new Reorder(1, 4096, 1000);
  assertEquals(reorder.memory, 0);
  put(reorder, 2);
  put(reorder, 3000);
  assertEquals(reorder.memory, 2 * 64 * 1000);
  reorder.skipTo(3000);
  assertEquals(drain(reorder), [3000]);
  assertEquals(reorder.memory, 64 * 1000, "one block is kept for the next");
});

Deno.test("where memory is shared, what there is none for is not kept, and all of it is given back", () => {
  const block = 64 * 1000;
  const budget = new MemoryBudget(3 * block);
  const [one, two] = [new Reorder(1, 4096, 1000, budget), new Reorder(1, 4096, 1000, budget)];
  assertEquals([put(one, 2), put(one, 100), put(two, 100), put(two, 200)], [true, true, true, false]);
  assertEquals([one.makeRoom(200), two.makeRoom(101), budget.used], [false, true, 3 * block]);
  one.skipTo(200);
  assertEquals([one.memory, budget.used], [block, 2 * block], "one block is kept for the next");
  assert(put(two, 200));
  one.close();
  assertEquals([one.memory, budget.used], [0, 2 * block]);
  two.close();
  assertEquals([two.count, budget.used], [0, 0]);
});

Deno.test("skipping over more than is there is quick, and leaves nothing", () => {
  const reorder = new Reorder(1, 256, 8);
  for (const number of [2, 100, 256]) put(reorder, number);
  reorder.skipTo(2 ** 50);
  assertEquals([reorder.count, reorder.next], [0, 2 ** 50]);
  assert(put(reorder, 2 ** 50 + 255));
});

Deno.test("whatever comes in whatever order, each is given once and in order", () => {
  const arrivals = fc.array(fc.record({ ahead: fc.nat(90), skip: fc.nat(20) }), { maxLength: 200 });
  fc.assert(fc.property(arrivals, fc.integer({ min: 1, max: 2000 }), (steps, first) => {
    const reorder = new Reorder(first, 64, 3);
    const model = new Map<number, true>();
    for (const { ahead, skip } of steps) {
      const number = reorder.next + ahead;
      const kept = ahead > 0 && ahead < 64 && !model.has(number);
      assertEquals(put(reorder, number), kept);
      if (kept) model.set(number, true);
      if (skip > 15) {
        const to = reorder.next + skip - 15;
        for (const other of [...model.keys()]) if (other < to) model.delete(other);
        reorder.skipTo(to);
      }
      for (const given of drain(reorder)) assert(model.delete(given));
      assertEquals(reorder.count, model.size);
      assertLessOrEqual(reorder.memory, 2 * 64 * 3);
    }
  }));
});
