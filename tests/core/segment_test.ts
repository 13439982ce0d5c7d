import { assert, assertEquals, assertGreaterOrEqual } from "@std/assert";
import fc from "fast-check";
import { stamp } from "../../core/frame.ts";
import { markSpacing } from "../../core/segment.ts";
import { blankFrame, roomyPool } from "./fixtures.ts";

Deno.test("a segment knows its frames, and marks of them about every 32 KiB", () => {
  const frames = fc.array(
    fc.record({
      length: fc.oneof(fc.integer({ min: 48, max: 3000 }), fc.integer({ min: 48, max: 80_000 })),
      count: fc.nat(9),
    }),
    { maxLength: 60 },
  );
  const pool = roomyPool();
  fc.assert(fc.property(frames, fc.constantFrom(32_768, 262_144, 1_048_576), (frames, size) => {
    const segment = pool.acquire(size, 0, 5)!;
    const boundaries: { offset: number; sequence: number }[] = [];
    let time = 10;
    for (const { length, count } of frames) {
      if (segment.end + length > segment.limit) continue;
      boundaries.push({ offset: segment.end, sequence: segment.nextSequence });
      segment.bytes.set(blankFrame(length, count), segment.end);
      stamp(segment.view, segment.end, segment.nextSequence, ++time);
      segment.extend(length, count, time);
      const { offset, sequence } = boundaries.at(-1)!;
      assertEquals(
        [segment.lengthAt(offset), segment.countAt(offset), segment.sequenceAt(offset), segment.timeAt(offset)],
        [length, count, sequence, time],
      );
      assertEquals([segment.end, segment.nextSequence], [offset + length, sequence + count]);
      assertEquals([segment.firstTime, segment.lastTime], [11, time]);
    }
    const { markOffsets: marks, markSequences } = segment;
    assertEquals(marks.length, markSequences.length);
    let last = segment.start;
    for (const [index, offset] of marks.entries()) {
      assertGreaterOrEqual(offset - last, markSpacing);
      last = offset;
      assert(boundaries.some((one) => one.offset === offset && one.sequence === markSequences[index]));
    }
    for (let offset = segment.start; offset <= segment.limit + 10; offset += 1009) {
      assertEquals(segment.markBefore(offset), marks.findLastIndex((mark) => mark <= offset));
    }
    for (const mark of marks) {
      assertEquals(marks[segment.markBefore(mark)], mark);
      assert(segment.markBefore(mark - 1) < segment.markBefore(mark));
    }
    pool.drop(segment);
  }));
});
