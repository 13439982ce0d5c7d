import { assert, assertEquals } from "@std/assert";
import { Progress } from "../../cli/progress.ts";

function progressOf(columns: number) {
  const written: string[] = [];
  const clock = { now: 0 };
  const progress = new Progress({ write: (text) => written.push(text), now: () => clock.now, columns: () => columns });
  return { progress, written, clock };
}

Deno.test("it shows messages, bytes and rates, over the line before", () => {
  const { progress, written, clock } = progressOf(80);
  clock.now = 500;
  progress.update(1000, 512_000);
  assertEquals(written, ["\r1,000 messages  500.0 KiB  2,000/s  1000.0 KiB/s\x1b[K"]);
});

Deno.test("it writes at most five times a second, however often it is updated", () => {
  const { progress, written, clock } = progressOf(80);
  for (clock.now = 0; clock.now < 3000; clock.now++) progress.update(clock.now, clock.now);
  assertEquals(written.length, 14);
});

Deno.test("rates are those of the last second", () => {
  const { progress, written, clock } = progressOf(80);
  for (clock.now = 0; clock.now <= 5000; clock.now += 100) progress.update(clock.now, 0);
  for (; clock.now <= 8000; clock.now += 100) progress.update(5000 + (clock.now - 5000) * 10, 0);
  assert(written.at(-1)?.includes(" 10,000/s "), written.at(-1));
});

Deno.test("it never fills the line", () => {
  const { progress, written, clock } = progressOf(20);
  clock.now = 500;
  progress.update(1_000_000, 1_000_000);
  assertEquals(written, ["\r1,000,000 messages \x1b[K"]);
});

Deno.test("it is cleared at the end, and only if it was shown", () => {
  const { progress, written, clock } = progressOf(80);
  progress[Symbol.dispose]();
  assertEquals(written, []);
  clock.now = 500;
  progress.update(1, 1);
  progress.clear();
  progress[Symbol.dispose]();
  assertEquals(written.slice(1), ["\r\x1b[K"]);
});

Deno.test("it shows what compression brings, where there is one", () => {
  const { progress, written, clock } = progressOf(120);
  clock.now = 500;
  progress.update(1000, 512_000, { before: 512_000, after: 64_000 });
  clock.now = 1000;
  progress.update(1000, 512_000, { before: 0, after: 0 });
  assertEquals(written.map((line) => line.slice(line.lastIndexOf("  "))), [
    "  compressed 8.0:1\x1b[K",
    "  compressed 1.0:1\x1b[K",
  ]);
});
