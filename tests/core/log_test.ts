import { assert, assertEquals, assertGreater, assertGreaterOrEqual, assertLessOrEqual } from "@std/assert";
import fc from "fast-check";
import { readU64 } from "../../core/bytes.ts";
import { at } from "../../core/frame.ts";
import { TopicLog } from "../../core/log.ts";
import { MemoryBudget } from "../../core/memory.ts";
import { SegmentPool, segmentSizes } from "../../core/segment_pool.ts";
import { append, blankFrame, concat, KiB, MiB, newLog, Random, roomyPool, same, viewOf } from "./fixtures.ts";

interface Kept {
  readonly first: number;
  readonly count: number;
  readonly length: number;
  readonly time: number;
}

/** The frames that a log keeps, as its segments have them. */
function kept(log: TopicLog): Kept[] {
  const frames: Kept[] = [];
  let position = log.first?.base;
  for (let segment = log.first; segment !== null; segment = segment.next) {
    assertEquals(segment.base, position);
    position = segment.base + segment.end - segment.start;
    assert(!segment.dropped);
    assertEquals(segment.next === null, segment === log.last);
    let offset = segment === log.first ? log.firstOffset : segment.start;
    while (offset < segment.end) {
      frames.push({
        first: segment.sequenceAt(offset),
        count: segment.countAt(offset),
        length: segment.lengthAt(offset),
        time: segment.timeAt(offset),
      });
      offset += segment.lengthAt(offset);
    }
    assertEquals(offset, segment.end);
  }
  return frames;
}

/** What must be true of any log at any time. */
function check(log: TopicLog): Kept[] {
  const frames = kept(log);
  assertEquals(log.bytes, frames.reduce((sum, { length }) => sum + length, 0));
  assertEquals(log.firstSequence, frames[0]?.first ?? log.nextSequence);
  let memory = 0;
  for (let segment = log.first; segment !== null; segment = segment.next) memory += segment.size;
  assertEquals(log.memory, memory);
  for (const [index, { first, count, time }] of frames.entries()) {
    assertEquals(first + count, frames[index + 1]?.first ?? log.nextSequence);
    assertGreaterOrEqual(frames[index + 1]?.time ?? log.lastTime, time);
  }
  return frames;
}

Deno.test("a new log is empty and costs nothing", () => {
  const pool = roomyPool();
  const log = newLog({}, pool);
  assertEquals([log.first, log.last, log.bytes, log.memory, log.position, log.lastTime], [null, null, 0, 0, 0, 0]);
  assertEquals([log.firstSequence, log.nextSequence], [1, 1]);
  assertEquals(pool.budget.used, 0);
  log.expire(1e15);
  log.clear();
  assertEquals(log.sequenceAtTime(0), 1);
});

Deno.test("an append copies the frame and stamps the copy, from anywhere in the source", () => {
  const log = newLog();
  const frame = new Random(1).bytes(300);
  frame.set(blankFrame(300, 3).subarray(0, 48));
  const source = concat([new Uint8Array(11), frame, new Uint8Array(5)]);
  const before = source.slice();
  assertEquals(log.append(source, 11, 300, 3, 123_456), "appended");
  assertEquals(log.append(source, 11, 300, 3, 123_457), "appended");
  assertEquals(source, before, "the source is not touched");
  const { bytes, view, start, end } = log.last!;
  assertEquals(readU64(log.first!.view, log.first!.start + at.sequence), 1);
  assertEquals([readU64(view, start + at.sequence), readU64(view, start + at.time)], [4, 123_457]);
  assertEquals([log.nextSequence, log.position, log.bytes, end - start, log.lastTime], [7, 600, 600, 300, 123_457]);
  assertEquals(bytes.slice(start + 48, start + 300), frame.subarray(48));
  assertEquals(bytes.slice(start, start + 16), frame.slice(0, 16));
});

Deno.test("time in a log never goes back", () => {
  const log = newLog();
  for (const time of [100, 90, 100, 101, 0, 500]) append(log, 50, 1, time);
  assertEquals(check(log).map(({ time }) => time), [100, 100, 100, 101, 101, 500]);
  log.clear();
  append(log, 50, 1, 7);
  assertEquals(log.lastTime, 500, "not even in an emptied log");
});

Deno.test("a log grows from small: 512 bytes, then eight times as much, up to an eighth of its retention", () => {
  const sizes = (log: TopicLog) => {
    const sizes: number[] = [];
    for (let segment = log.first; segment !== null; segment = segment.next) sizes.push(segment.size);
    return sizes;
  };
  const large = newLog({ bytes: 8 * MiB });
  for (let i = 0; i < 15_000; i++) append(large, 100);
  assertEquals(sizes(large), [...segmentSizes, MiB]);
  const medium = newLog({ bytes: 300 * KiB });
  for (let i = 0; i < 2000; i++) append(medium, 100);
  assertEquals(sizes(medium).slice(0, 4), [512, 4 * KiB, 32 * KiB, 32 * KiB]);
  const small = newLog({ bytes: 100 });
  for (let i = 0; i < 3; i++) append(small, 3000);
  assertEquals(
    sizes(small),
    [4 * KiB, 4 * KiB],
    "a frame that needs more gets it; only the newest segment is sure to stay",
  );
});

Deno.test("a frame larger than a full segment gets one of its own", () => {
  const log = newLog();
  append(log, 100);
  append(log, MiB + 1);
  append(log, 100);
  assertEquals(check(log).length, 3);
  const second = log.first!.next!;
  assertEquals([second.size, second.end - second.start], [MiB + 1, MiB + 1]);
  assertEquals(second.next!.size, MiB);
});

Deno.test("retention keeps at least what it says, and at most a segment and an append more", () => {
  const log = newLog({ bytes: MiB });
  const random = new Random(2);
  for (let i = 0; i < 3000; i++) {
    const length = random.between(48, 4000);
    append(log, length);
    if (log.position > 2 * MiB) {
      assertGreaterOrEqual(log.bytes, MiB);
      assertLessOrEqual(log.bytes, MiB + 128 * KiB + 4000);
    } else if (log.position <= MiB) {
      assertEquals(log.bytes, log.position);
    }
  }
  check(log);
});

Deno.test("appending to a log at its retention takes no new memory", () => {
  const pool = roomyPool();
  const log = newLog({ bytes: 4 * MiB }, pool);
  for (let i = 0; i < 200; i++) append(log, 60 * KiB);
  const { used } = pool.budget;
  for (let i = 0; i < 1000; i++) append(log, 60 * KiB);
  assertEquals(pool.budget.used, used);
  log.clear();
  check(log);
  pool.trim(0);
  assertEquals(pool.budget.used, 0);
});

Deno.test("frames older than the age go one by one, and their segments with the last of them", () => {
  const log = newLog({ age: 10 });
  for (let i = 1; i <= 40; i++) append(log, 100, 2, i * 1000);
  log.expire(14_999);
  assertEquals(check(log)[0]!.time, 5000, "of 14.999 ms, what is not older than 4.999 ms stays");
  assertEquals([log.firstSequence, log.bytes], [9, 36 * 100]);
  log.expire(15_000);
  assertEquals(check(log)[0]!.time, 5000);
  log.expire(15_001);
  assertEquals(check(log)[0]!.time, 6000);
  log.expire(50_001);
  assertEquals([log.first, log.bytes, log.memory, log.firstSequence, log.nextSequence], [null, 0, 0, 81, 81]);
  append(log, 100, 1, 60_000);
  assertEquals(check(log)[0]!.first, 81);
});

Deno.test("a log without an age keeps the oldest times", () => {
  const log = newLog();
  append(log, 100, 1, 0);
  log.expire(Number.MAX_SAFE_INTEGER);
  assertEquals(log.bytes, 100);
});

Deno.test("dropping a segment after some of its frames expired counts only the others", () => {
  const log = newLog({ age: 10 });
  for (let i = 1; i <= 40; i++) append(log, 100, 1, i * 1000);
  log.expire(12_500);
  assertEquals(log.firstSequence, 3);
  log.dropFirst();
  check(log);
  assertEquals(log.firstOffset, log.first!.start);
});

Deno.test("a guard holds an append that would drop what it needs, and nothing changes until it lets go", () => {
  const log = newLog({ bytes: 4 * KiB });
  const asked: number[] = [];
  let least = 1;
  log.guards = (sequence) => {
    asked.push(sequence);
    return least < sequence;
  };
  let outcome = "";
  let appended = 0;
  while (outcome !== "held") {
    outcome = log.append(blankFrame(200), 0, 200, 1, 1);
    if (outcome === "appended") appended++;
    assert(appended < 1000);
  }
  assertEquals([log.nextSequence, log.firstSequence], [appended + 1, 1]);
  assertGreaterOrEqual(log.bytes, 4 * KiB - 200);
  const { nextSequence } = log.first!;
  assertEquals(asked, [nextSequence]);
  least = nextSequence - 1;
  assertEquals(log.append(blankFrame(200), 0, 200, 1, 1), "held");
  least = nextSequence;
  assertEquals(log.append(blankFrame(200), 0, 200, 1, 1), "appended");
  assertEquals(log.firstSequence, nextSequence);
  check(log);
});

Deno.test("where there is no memory an append says so, and the log is as before", () => {
  const pool = new SegmentPool(new MemoryBudget(2 * MiB));
  const log = newLog({ bytes: 100 * MiB }, pool);
  append(log, 400);
  append(log, 400);
  const before = check(log);
  assertEquals(log.append(blankFrame(2 * MiB), 0, 2 * MiB, 1, 1), "full");
  assertEquals(check(log), before);
  append(log, 400);
  assertEquals(log.nextSequence, 4);
});

Deno.test("a log that makes room for itself by dropping all that it has goes on", () => {
  const pool = new SegmentPool(new MemoryBudget(2 * MiB));
  const log = newLog({ bytes: 100 * MiB }, pool);
  pool.makeRoom = () => {
    if (log.first === null) return false;
    log.dropFirst();
    return true;
  };
  for (let i = 0; i < 20; i++) append(log, 900 * KiB, 1, i);
  check(log);
  assertEquals([log.bytes, log.firstSequence], [2 * 900 * KiB, 19]);
  append(log, 2 * MiB);
  assertEquals(check(log).length, 1);
  assertEquals([log.firstSequence, log.bytes], [21, 2 * MiB]);
});

Deno.test("a time is found as the first frame at or after it", () => {
  const log = newLog({ age: 60_000 });
  const times: number[] = [];
  const random = new Random(3);
  let time = 1000;
  for (let i = 0; i < 500; i++) {
    times.push(time += random.below(3));
    append(log, random.between(48, 2000), 2, time);
  }
  const expect = (time: number) => {
    const index = times.findIndex((one, index) => one >= time && 2 * index + 1 >= log.firstSequence);
    return index < 0 ? log.nextSequence : 2 * index + 1;
  };
  for (let asked = 990; asked < time + 10; asked++) assertEquals(log.sequenceAtTime(asked), expect(asked));
  log.expire(60_000_000 + 1200);
  assertGreater(log.firstSequence, 1);
  for (let asked = 990; asked < time + 10; asked++) assertEquals(log.sequenceAtTime(asked), expect(asked));
});

Deno.test("whatever is appended and dropped, a log has what an array would have", () => {
  fc.assert(
    fc.property(fc.integer(), fc.constantFrom(2 * KiB, 100 * KiB, MiB, 8 * MiB), (seed, bytes) => {
      const random = new Random(seed);
      const pool = roomyPool();
      const age = 50;
      const log = new TopicLog(pool, { bytes, age });
      let model: (Kept & { frame: Uint8Array })[] = [];
      let sequence = 1;
      let now = 1_000_000;
      const most = random.pick([200, 5000, 100_000]);
      for (let step = 0; step < 250; step++) {
        now += random.below(3000);
        const action = random.below(20);
        if (action < 16) {
          const length = random.chance(0.01) ? random.between(MiB, 1.2 * MiB) : random.between(48, most);
          const count = random.between(1, 5);
          const frame = blankFrame(length, count, random.below(256));
          const time = now - (random.chance(0.1) ? 2000 : 0);
          assertEquals(log.append(frame, 0, length, count, time), "appended");
          const last = model.at(-1)?.time ?? (sequence === 1 ? 0 : log.lastTime);
          model.push({ first: sequence, count, length, time: Math.max(time, last), frame });
          sequence += count;
        } else if (action < 18) {
          log.expire(now);
          model = model.filter(({ time }) => time >= now - age * 1000);
        } else if (log.first !== null) {
          log.dropFirst();
        }
        // Which segments retention and drops take is the log's to say; that no less than retention stays is not.
        const total = model.reduce((sum, { length }) => sum + length, 0);
        model = model.filter(({ first }) => first >= log.firstSequence);
        if (action < 16) assertGreaterOrEqual(log.bytes, Math.min(total, bytes));
        const frames = check(log);
        assertEquals(frames, model.map(({ first, count, length, time }) => ({ first, count, length, time })));
        assertEquals(log.nextSequence, sequence);
      }
      const all: Uint8Array[] = [];
      for (let segment = log.first; segment !== null; segment = segment.next) {
        all.push(segment.bytes.subarray(segment === log.first ? log.firstOffset : segment.start, segment.end));
      }
      for (const { frame, first, time } of model) {
        viewOf(frame).setBigUint64(at.sequence, BigInt(first), true);
        viewOf(frame).setBigUint64(at.time, BigInt(time), true);
      }
      assert(same(concat(all), concat(model.map(({ frame }) => frame))));
      log.clear();
      pool.trim(0);
      assertEquals(pool.budget.used, 0);
    }),
    { numRuns: 40 },
  );
});
