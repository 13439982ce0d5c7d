import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { field, Messages, mulberry32 } from "../../../cli/bench/message.ts";

Deno.test("a message carries its source, its number and when it was due", () => {
  const messages = new Messages({ kind: "random", size: 20, seed: 1 });
  const message = messages.make(7, 4_000_000_000, 12.25);
  const view = new DataView(message.buffer);
  assertEquals(message.length, 20);
  assertEquals(view.getUint32(field.source, true), 7);
  assertEquals(view.getUint32(field.count, true), 4_000_000_000);
  assertEquals(view.getFloat64(field.due, true), 12.25);
});

Deno.test("a small message has no time, and still a number", () => {
  const messages = new Messages({ kind: "random", size: 8, seed: 1 });
  const message = messages.make(1, 2, 99).slice();
  assertEquals([...message], [1, 0, 0, 0, 2, 0, 0, 0]);
  assertEquals(messages.size, 8);
});

Deno.test("two that are made of the same seed recognise each other's messages, and no others", () => {
  const [one, other, third] = [1, 1, 2].map((seed) => new Messages({ kind: "random", size: 100, seed }));
  for (const [source, count] of [[0, 0], [0, 1], [3, 300]] as const) {
    const message = one!.make(source, count, 5);
    assert(other!.matches(message, 0, 100, source, count));
    assert(!other!.matches(message, 0, 100, source, count + 1));
    assert(!other!.matches(message, 0, 99, source, count));
    assert(!third!.matches(message, 0, 100, source, count));
  }
});

Deno.test("messages of one run differ from each other", () => {
  const messages = new Messages({ kind: "random", size: 64, seed: 1 });
  assertNotEquals(messages.make(0, 0, 0).slice(16), messages.make(0, 1, 0).slice(16));
});

Deno.test("lines of a file are sent one after the other, and from the beginning again", () => {
  const lines = ["one", "", "three"].map((line) => new TextEncoder().encode(line));
  const messages = new Messages({ kind: "lines", lines });
  const bodies = [0, 1, 2, 3].map((count) => new TextDecoder().decode(messages.make(0, count, 0).subarray(16)));
  assertEquals(bodies, ["one", "", "three", "one"]);
  assertEquals(messages.size, 16 + 8 / 3);
});

Deno.test("very large messages are not kept in hundreds", () => {
  const messages = new Messages({ kind: "random", size: 8 * 1024 * 1024, seed: 1 });
  assertEquals(messages.make(0, 0, 0), messages.make(0, 1, 0));
});

Deno.test("random numbers are the same for the same seed, and spread evenly", () => {
  const random = mulberry32(42);
  const buckets = new Uint32Array(10);
  for (let i = 0; i < 10_000; i++) buckets[Math.floor(random() * 10)]!++;
  assert(buckets.every((count) => count > 850 && count < 1150), `${buckets}`);
  assertEquals(Array.from({ length: 3 }, mulberry32(9)), Array.from({ length: 3 }, mulberry32(9)));
});
