import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import fc from "fast-check";
import { Cursor, Slice } from "../../core/cursor.ts";
import { TopicLog } from "../../core/log.ts";
import { append, blankFrame, framesIn, KiB, MiB, newLog, Random, roomyPool, viewOf } from "./fixtures.ts";
import { readU64 } from "../../core/bytes.ts";
import { at } from "../../core/frame.ts";

/** First sequences and counts of the frames of a slice. */
function framesOf(slice: Slice): { first: number; count: number }[] {
  return framesIn(slice.segment!.bytes.subarray(slice.start, slice.end)).map((frame) => ({
    first: readU64(viewOf(frame), at.sequence),
    count: viewOf(frame).getUint16(at.count, true),
  }));
}

/** Everything that is left to read, as first sequences. */
function rest(cursor: Cursor, most = MiB): number[] {
  const slice = new Slice();
  const found: number[] = [];
  while (cursor.read(most, slice) === "taken") found.push(...framesOf(slice).map(({ first }) => first));
  return found;
}

Deno.test("a cursor at the end of a log reads what comes, and nothing twice", () => {
  const log = newLog();
  const early = new Cursor(log, 1);
  const slice = new Slice();
  assert(early.caughtUp);
  assertEquals(early.read(1000, slice), "empty");
  append(log, 100, 2);
  const late = new Cursor(log, log.nextSequence);
  assert(!early.caughtUp && late.caughtUp);
  append(log, 100, 3);
  assertEquals(rest(early), [1, 3]);
  assertEquals(rest(late), [3]);
  assertEquals([early.read(1000, slice), early.sequence, early.caughtUp], ["empty", 6, true]);
});

Deno.test("a cursor that begins inside a frame reads it whole", () => {
  const log = newLog();
  for (let i = 0; i < 100; i++) append(log, 100, 10);
  for (const sequence of [1, 2, 10, 11, 55, 500, 991, 1000]) {
    const cursor = new Cursor(log, sequence);
    assertEquals(cursor.sequence, sequence);
    assertEquals(rest(cursor)[0], sequence - (sequence - 1) % 10);
    assertEquals(cursor.sequence, 1001);
  }
});

Deno.test("a cursor cannot begin beyond the end, and one that begins before the start has missed that", () => {
  const log = newLog();
  append(log, 100, 10);
  assertEquals(new Cursor(log, 99).sequence, 11);
  assertEquals(new Cursor(log, 0).sequence, 1, "there is no message 0 to be missed");
  log.dropFirst();
  append(log, 100, 10);
  const cursor = new Cursor(log, 4);
  assertEquals(cursor.sequence, 4);
  const slice = new Slice();
  assertEquals([cursor.read(1000, slice), cursor.missedFirst, cursor.missedLast], ["lagged", 4, 10]);
  assertEquals(rest(cursor), [11]);
});

Deno.test("a cursor of an emptied log has missed what it had not read, and reads what comes", () => {
  const log = newLog();
  const slice = new Slice();
  append(log, 100, 5);
  const cursor = new Cursor(log, 2);
  const read = new Cursor(log, 1);
  rest(read);
  log.clear();
  assertEquals([cursor.read(1000, slice), cursor.missedFirst, cursor.missedLast], ["lagged", 2, 5]);
  for (const one of [cursor, read]) assertEquals([one.read(1000, slice), one.sequence], ["empty", 6]);
  append(log, 100, 1);
  for (const one of [cursor, read]) assertEquals(rest(one), [6]);
});

Deno.test("a slice has as many whole frames as fit, or one that is larger", () => {
  const log = newLog();
  for (let i = 0; i < 10; i++) append(log, 1000);
  append(log, 5000);
  append(log, 1000);
  const slice = new Slice();
  const cursor = new Cursor(log, 1);
  const lengths: number[] = [];
  while (cursor.read(3500, slice) === "taken") lengths.push(slice.length);
  // 512 and 4,096 bytes do not divide by 1,000: a slice ends with its segment, too.
  assertEquals(lengths.reduce((sum, length) => sum + length), 16_000);
  assert(lengths.includes(5000) && lengths.every((length) => length <= 3000 || length === 5000));
  assertEquals(
    rest(new Cursor(log, 1), 1),
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
    "at least one frame, however little is asked for",
  );
});

Deno.test("a slice is filled to the byte where frames allow it", () => {
  const log = newLog();
  append(log, 5000);
  for (let i = 0; i < 60; i++) append(log, 100);
  const cursor = new Cursor(log, 2);
  const slice = new Slice();
  for (const most of [300, 301, 399]) {
    assertEquals(cursor.read(most, slice), "taken");
    assertEquals(slice.length, 300);
  }
});

Deno.test("large slices end at most 32 KiB and a frame before what was asked for", () => {
  const log = newLog();
  for (let i = 0; i < 8 * KiB; i++) append(log, 500);
  const cursor = new Cursor(log, 1);
  const slice = new Slice();
  let full = 0;
  while (cursor.read(256 * KiB, slice) === "taken") {
    assertLessOrEqual(slice.length, 256 * KiB);
    if (slice.length >= 224 * KiB - 500) full++;
    else assertEquals(slice.end, slice.segment!.end, "shorter ones end their segment");
  }
  assert(full > 10);
});

Deno.test("slices stay valid while they are pinned, whatever becomes of the log", () => {
  const pool = roomyPool();
  const log = newLog({ bytes: 64 * KiB }, pool);
  append(log, 400, 1);
  const slice = new Slice();
  new Cursor(log, 1).read(MiB, slice);
  pool.pin(slice.segment!);
  const before = slice.segment!.bytes.slice(slice.start, slice.end);
  for (let i = 0; i < 5000; i++) append(log, 400);
  assert(slice.segment!.dropped);
  assertEquals(slice.segment!.bytes.slice(slice.start, slice.end), before);
  pool.unpin(slice.segment!);
});

Deno.test("whatever happens to the log: whole frames in order, every message read or told as missed, none twice", () => {
  fc.assert(
    fc.property(fc.integer(), fc.constantFrom(2 * KiB, 300 * KiB, 2 * MiB), (seed, bytes) => {
      const random = new Random(seed);
      const pool = roomyPool();
      const age = 50;
      const log = new TopicLog(pool, { bytes, age });
      const frames: { first: number; count: number; length: number }[] = [];
      const frameOf = (sequence: number) => frames.find(({ first, count }) => sequence < first + count);
      const cursors: { cursor: Cursor; next: number }[] = [];
      const slice = new Slice();
      const most = random.pick([200, 5000, 100_000]);
      let now = 1_000_000;
      const read = (one: typeof cursors[number]) => {
        const { cursor } = one;
        const limit = random.pick([1, 500, 20 * KiB, 64 * KiB, 256 * KiB]);
        const { firstSequence, nextSequence } = log;
        assertEquals(cursor.caughtUp, one.next === nextSequence);
        const outcome = cursor.read(limit, slice);
        if (outcome === "lagged") {
          assert(one.next < firstSequence);
          assertEquals([cursor.missedFirst, cursor.missedLast], [one.next, firstSequence - 1]);
          one.next = firstSequence;
        } else if (outcome === "empty") {
          assertEquals(one.next, nextSequence);
        } else {
          assert(one.next >= firstSequence);
          const found = framesOf(slice);
          assert(found.length > 0);
          assert(slice.length <= limit || found.length === 1, "more than was asked for");
          // What was read is what follows, from the frame that holds the next message on.
          const from = frames.indexOf(frameOf(one.next)!);
          assertEquals(found, frames.slice(from, from + found.length).map(({ first, count }) => ({ first, count })));
          one.next = found.at(-1)!.first + found.at(-1)!.count;
        }
        assertEquals(cursor.sequence, one.next);
        return outcome;
      };
      for (let step = 0; step < 300; step++) {
        now += random.below(2000);
        const action = random.below(30);
        if (action < 14) {
          const length = random.chance(0.01) ? random.between(MiB, 1.2 * MiB) : random.between(48, most);
          const count = random.between(1, 20);
          frames.push({ first: log.nextSequence, count, length });
          assertEquals(log.append(blankFrame(length, count), 0, length, count, now), "appended");
        } else if (action < 15) {
          log.expire(now);
        } else if (action < 16) {
          if (log.first !== null) log.dropFirst();
        } else if (action < 18) {
          const sequence = random.chance(0.2) ? log.firstSequence : random.between(1, log.nextSequence);
          cursors.push({ cursor: new Cursor(log, sequence), next: sequence });
        } else if (cursors.length > 0) {
          read(random.pick(cursors));
        }
      }
      for (const one of cursors) {
        while (read(one) !== "empty");
        assertEquals(one.next, log.nextSequence);
      }
    }),
    { numRuns: 80 },
  );
});
