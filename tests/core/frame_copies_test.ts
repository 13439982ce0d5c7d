import { assert, assertEquals, assertNotStrictEquals, assertStrictEquals } from "@std/assert";
import { FrameCopies } from "../../core/frame_copies.ts";
import type { Segment } from "../../core/segment.ts";
import { KiB, MiB, roomyPool, same } from "./fixtures.ts";

function bytesOf(length: number, fill: number): Uint8Array {
  return new Uint8Array(length).fill(fill);
}

/** What was copied last is kept: returns how to look at it, and how to let go of it. */
function kept(pool: ReturnType<typeof roomyPool>, copies: FrameCopies, length: number) {
  const segment: Segment = copies.segment!;
  const { start } = copies;
  pool.pin(segment);
  return {
    segment,
    start,
    get bytes() {
      return segment.bytes.subarray(start, start + length);
    },
    release: () => pool.unpin(segment),
  };
}

Deno.test("frame copies: frames stand one behind the other, each as it was", () => {
  const pool = roomyPool();
  const copies = new FrameCopies(pool);
  const source = bytesOf(300, 7);
  const all = [1, 2, 3].map((fill) => {
    source.fill(fill, 100, 200);
    assert(copies.add(source, 100, 200));
    return kept(pool, copies, 100);
  });
  source.fill(0);
  for (const [index, copy] of all.entries()) {
    assert(same(copy.bytes, bytesOf(100, index + 1)));
    assertStrictEquals(copy.segment, all[0]!.segment);
    assertEquals(copy.start, all[0]!.start + 100 * index);
  }
});

Deno.test("frame copies: memory serves again once nobody has a frame in it, and not before", () => {
  const pool = roomyPool();
  const copies = new FrameCopies(pool);
  copies.add(bytesOf(100, 1), 0, 100);
  const first = kept(pool, copies, 100);
  copies.add(bytesOf(100, 2), 0, 100);
  const second = kept(pool, copies, 100);
  first.release();
  copies.add(bytesOf(100, 3), 0, 100);
  const third = kept(pool, copies, 100);
  assertEquals([second.bytes[0], third.bytes[0]], [2, 3]);
  second.release();
  third.release();
  const before = pool.budget.used;
  for (let i = 0; i < 100; i++) {
    copies.add(bytesOf(200 * KiB, 4), 0, 200 * KiB);
    assertEquals([copies.segment, copies.start], [first.segment, first.start]);
  }
  assertEquals(pool.budget.used, before);
});

Deno.test("frame copies: a full segment is kept as long as it is read, and a large frame has one of its own", () => {
  const pool = roomyPool();
  const copies = new FrameCopies(pool);
  const frames = [200 * KiB, 200 * KiB, 5 * MiB, 100].map((length, index) => {
    assert(copies.add(bytesOf(length, index), 0, length));
    return kept(pool, copies, length);
  });
  for (const [index, frame] of frames.entries()) {
    assert(same(frame.bytes, bytesOf(frame.bytes.length, index)));
    if (index > 0) assertNotStrictEquals(frame.segment, frames[index - 1]!.segment);
  }
  for (const frame of frames) frame.release();
  copies.close();
  pool.trim(0);
  assertEquals(pool.budget.used, 0);
});

Deno.test("frame copies: where there is no memory it says so, and goes on when there is", () => {
  const pool = roomyPool(2 * MiB);
  const copies = new FrameCopies(pool);
  const frames = [];
  while (copies.add(bytesOf(60 * KiB, frames.length), 0, 60 * KiB)) frames.push(kept(pool, copies, 60 * KiB));
  assert(frames.length > 20 && frames.length * 60 * KiB <= 2 * MiB, `${frames.length} frames`);
  for (const [index, frame] of frames.entries()) assertEquals(frame.bytes[1000], index);
  assert(!copies.add(bytesOf(3 * MiB, 1), 0, 3 * MiB));
  for (const frame of frames.splice(0, 4)) frame.release();
  assert(copies.add(bytesOf(60 * KiB, 1), 0, 60 * KiB));
  for (const frame of frames) frame.release();
  copies.close();
  pool.trim(0);
  assertEquals(pool.budget.used, 0);
});
