import { assert, assertEquals, assertLessOrEqual, assertNotEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import { MemoryBudget } from "../../core/memory.ts";
import type { Segment } from "../../core/segment.ts";
import { SegmentPool, segmentSize, segmentSizes } from "../../core/segment_pool.ts";
import { KiB, MiB, Random, roomyPool } from "./fixtures.ts";

/** Takes segments of a size until there is no more. */
function drain(pool: SegmentPool, size: number): Segment[] {
  const taken: Segment[] = [];
  for (let segment = pool.acquire(size, 0, 1); segment !== null; segment = pool.acquire(size, 0, 1)) {
    taken.push(segment);
  }
  return taken;
}

Deno.test("a segment has the next size up, and exactly its own beyond 1 MiB", () => {
  const pool = roomyPool();
  const cases: [number, number][] = [
    [1, 512],
    [512, 512],
    [513, 4 * KiB],
    [32 * KiB, 32 * KiB],
    [32 * KiB + 1, 256 * KiB],
    [256 * KiB + 1, MiB],
    [MiB, MiB],
    [MiB + 1, MiB + 1],
    [5 * MiB + 3, 5 * MiB + 3],
  ];
  for (const [asked, size] of cases) {
    const segment = pool.acquire(asked, 7, 9)!;
    assertEquals(segment.size, size);
    assertEquals([segment.end, segment.base, segment.firstSequence, segment.nextSequence], [segment.start, 7, 9, 9]);
    assertEquals([segment.pins, segment.dropped, segment.next], [0, false, null]);
    assertLessOrEqual(segment.limit, segment.bytes.length);
    assertStrictEquals(segment.view.buffer, segment.bytes.buffer);
  }
});

Deno.test("the smaller sizes share slabs: as many as fit in the budget, no more, none twice", () => {
  for (const size of segmentSizes) {
    const pool = new SegmentPool(new MemoryBudget(3 * MiB));
    const taken = drain(pool, size);
    assertEquals(taken.length, 3 * MiB / size);
    assertEquals(new Set(taken.map(({ bytes }) => bytes.buffer)).size, 3);
    assertEquals(pool.budget.used, 3 * MiB);
    const bySlab = Map.groupBy(taken, ({ bytes }) => bytes);
    for (const parts of bySlab.values()) {
      assertEquals(new Set(parts.map(({ start }) => start)).size, MiB / size);
    }
  }
});

Deno.test("memory that was dropped is reused, without new memory", () => {
  let allocated = 0;
  const pool = new SegmentPool(new MemoryBudget(64 * MiB), (size) => {
    allocated += size;
    return new ArrayBuffer(size);
  });
  for (const size of segmentSizes) {
    const before = allocated;
    for (let i = 0; i < 5000; i++) pool.drop(pool.acquire(size, 0, 1)!);
    assertLessOrEqual(allocated - before, MiB);
  }
});

Deno.test("a segment that is pinned is not reused before the last pin and its owner have let go, in any order", () => {
  for (const size of segmentSizes) {
    const pool = new SegmentPool(new MemoryBudget(MiB));
    const [segment, ...rest] = drain(pool, size) as [Segment, ...Segment[]];
    const free = () => {
      const found = pool.acquire(size, 0, 1);
      if (found !== null) {
        assertEquals([found.start, found.bytes], [segment.start, segment.bytes]);
        assertNotEquals(found.dropped, true);
      }
      return found !== null;
    };
    pool.pin(segment);
    pool.pin(segment);
    pool.unpin(segment);
    assert(!free());
    pool.drop(segment);
    assert(segment.dropped);
    assert(!free());
    pool.unpin(segment);
    assert(free());
    assertEquals(rest.length, MiB / size - 1);
  }
});

Deno.test("a segment of its own size goes back to the budget at once, and not before its pin", () => {
  const pool = new SegmentPool(new MemoryBudget(4 * MiB));
  const segment = pool.acquire(3 * MiB, 0, 1)!;
  assertEquals(pool.budget.used, 3 * MiB);
  assertEquals(pool.acquire(2 * MiB, 0, 1), null);
  pool.pin(segment);
  pool.drop(segment);
  assertEquals(pool.budget.used, 3 * MiB);
  pool.unpin(segment);
  assertEquals(pool.budget.used, 0);
});

Deno.test("trimming keeps as many spare blocks as it is told, and nothing at all with 0", () => {
  const pool = roomyPool();
  const taken = segmentSizes.flatMap((size) => Array.from({ length: 12 }, () => pool.acquire(size, 0, 1)!));
  for (const segment of taken) pool.drop(segment);
  assertEquals(pool.trim(), true);
  // Spare blocks, and an empty slab of each smaller size.
  assertEquals(pool.budget.used, (8 + 4) * MiB);
  assertEquals(pool.trim(), false);
  pool.trim(3);
  assertEquals(pool.budget.used, (3 + 4) * MiB);
  assertEquals(pool.trim(0), true);
  assertEquals(pool.budget.used, 0);
  assertEquals(pool.trim(0), false);
  assert(pool.acquire(100, 0, 1) !== null, "and goes on afterwards");
});

Deno.test("a full segment or one of its own size takes the memory of spare blocks and of empty slabs", () => {
  for (const size of [segmentSize, 2 * MiB + 1, 4 * MiB]) {
    const pool = new SegmentPool(new MemoryBudget(5 * MiB));
    const taken = segmentSizes.map((size) => pool.acquire(size, 0, 1)!);
    assertEquals(pool.acquire(size, 0, 1), null);
    for (const segment of taken) pool.drop(segment);
    assertEquals(pool.budget.used, 5 * MiB);
    assert(pool.acquire(size, 0, 1) !== null);
    assertLessOrEqual(pool.budget.used, 5 * MiB);
  }
});

Deno.test("a small segment takes the memory of an empty slab of another size", () => {
  const pool = new SegmentPool(new MemoryBudget(MiB));
  pool.drop(pool.acquire(4096, 0, 1)!);
  const segments = drain(pool, 32 * KiB);
  assertEquals(segments.length, 32);
});

Deno.test("room is asked for until it suffices, and then no more", () => {
  for (const size of [...segmentSizes, 2 * MiB]) {
    const pool = new SegmentPool(new MemoryBudget(4 * MiB));
    const taken = drain(pool, size);
    const count = taken.length;
    let asked = 0;
    pool.makeRoom = () => {
      asked++;
      const oldest = taken.shift();
      if (oldest) pool.drop(oldest);
      return oldest !== undefined;
    };
    assert(pool.acquire(size, 0, 1) !== null);
    assertEquals(asked, 1, `one part of ${size} makes room for another`);
    assertEquals(taken.length, count - 1);
  }
});

Deno.test("where parts of other sizes go, room is asked for until a whole block is free", () => {
  const pool = new SegmentPool(new MemoryBudget(2 * MiB));
  const taken = drain(pool, 256 * KiB);
  assertEquals(taken.length, 8);
  let asked = 0;
  pool.makeRoom = () => {
    asked++;
    const newest = taken.pop();
    if (newest) pool.drop(newest);
    return newest !== undefined;
  };
  assert(pool.acquire(MiB, 0, 1) !== null);
  assertEquals(asked, 4);
});

Deno.test("where room comes in smaller parts than were asked for, what will do is taken", () => {
  const pool = new SegmentPool(new MemoryBudget(2 * MiB));
  const small = drain(pool, 4096);
  let asked = 0;
  pool.makeRoom = () => {
    asked++;
    const oldest = small.shift();
    if (oldest) pool.drop(oldest);
    return oldest !== undefined;
  };
  assertEquals(pool.acquire(32 * KiB, 0, 1, 3000)!.size, 4096);
  assertEquals(asked, 1);
  assertEquals(pool.acquire(32 * KiB, 0, 1, 5000)!.size, 32 * KiB, "a part that is too small will not do");
  assertEquals(pool.acquire(32 * KiB, 0, 1, 3000)!.size, 32 * KiB, "where there is room, it is what was asked for");
});

Deno.test("where no room can be made, there is no segment, and the budget is as before", () => {
  const pool = new SegmentPool(new MemoryBudget(2 * MiB));
  const taken = drain(pool, segmentSize);
  let asked = 0;
  pool.makeRoom = () => ++asked < 3;
  for (const size of [...segmentSizes, 2 * MiB]) {
    asked = 0;
    assertEquals(pool.acquire(size, 0, 1), null);
    assertEquals(asked, 3);
  }
  assertEquals([taken.length, pool.budget.used], [2, 2 * MiB]);
});

Deno.test("whatever is taken, pinned and dropped: nothing overlaps, nothing changes, nothing is lost, the budget holds", () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 4, max: 24 }), fc.boolean(), (seed, limit, evicts) => {
      const random = new Random(seed);
      const buffers = new Set<ArrayBufferLike>();
      const pool = new SegmentPool(new MemoryBudget(limit * MiB), (size) => {
        const buffer = new ArrayBuffer(size);
        buffers.add(buffer);
        return buffer;
      });
      interface Held {
        readonly segment: Segment;
        readonly tag: number;
        owned: boolean;
        pins: number;
      }
      let held: Held[] = [];
      // Of each buffer, whose bytes are whose: in pieces of 512 bytes, or all of it.
      const owners = new Map<ArrayBufferLike, Map<number, Held>>();
      const places = ({ segment }: Held) => {
        if (segment.size > segmentSize) return [0];
        return Array.from({ length: segment.size / 512 }, (_, index) => segment.start / 512 + index);
      };
      const check = ({ segment, tag }: Held) => {
        const { bytes, start, limit } = segment;
        for (const index of [start, start + 100, limit - 1]) {
          assertEquals(bytes[index], tag, "somebody else wrote here");
        }
      };
      const gone = (one: Held) => {
        if (one.owned || one.pins > 0) return;
        check(one);
        const owned = owners.get(one.segment.bytes.buffer)!;
        for (const place of places(one)) owned.delete(place);
        held = held.filter((other) => other !== one);
      };
      const drop = (one: Held) => {
        one.owned = false;
        if (one.pins === 0) gone(one);
        pool.drop(one.segment);
      };
      if (evicts) {
        pool.makeRoom = () => {
          const oldest = held.find(({ owned }) => owned);
          if (oldest) drop(oldest);
          return oldest !== undefined;
        };
      }
      for (let step = 0; step < 400; step++) {
        const action = random.below(10);
        const one = held.length > 0 ? random.pick(held) : null;
        if (action < 5 || one === null) {
          const size = random.pick([300, 512, 2000, 4096, 20_000, 200_000, 262_144, 500_000, MiB, 1_300_000]);
          const segment = pool.acquire(size, 0, 1);
          if (segment === null) continue;
          const added: Held = { segment, tag: random.below(256), owned: true, pins: 0 };
          assert(segment.size >= size && segment.pins === 0 && !segment.dropped);
          let owned = owners.get(segment.bytes.buffer);
          if (!owned) owners.set(segment.bytes.buffer, owned = new Map());
          for (const place of places(added)) {
            assert(!owned.has(place), "memory was handed out twice");
            owned.set(place, added);
          }
          segment.bytes.fill(added.tag, segment.start, segment.limit);
          held.push(added);
        } else if (action < 7) {
          if (one.owned) drop(one);
        } else if (action < 8) {
          pool.pin(one.segment);
          one.pins++;
        } else if (one.pins > 0) {
          one.pins--;
          gone(one);
          pool.unpin(one.segment);
        }
        assertLessOrEqual(pool.budget.used, limit * MiB);
        assertLessOrEqual(held.reduce((sum, { segment }) => sum + segment.size, 0), pool.budget.used);
        for (const { segment, pins } of held) assertEquals(segment.pins, pins);
      }
      held.forEach(check);
      for (const one of held.slice()) {
        if (one.owned) drop(one);
        while (one.pins > 0) {
          one.pins--;
          gone(one);
          pool.unpin(one.segment);
        }
      }
      // What nothing uses: at most an empty slab of each size, and spare blocks.
      pool.trim();
      assertLessOrEqual(pool.budget.used, (4 + 8) * MiB);
      pool.trim(0);
      assertEquals(pool.budget.used, 0);
    }),
    { numRuns: 60 },
  );
});
