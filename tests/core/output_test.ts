import { assert, assertEquals, assertLessOrEqual, assertNotStrictEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import { readU64 } from "../../core/bytes.ts";
import { deliver, ping } from "../../core/control.ts";
import type { Slice } from "../../core/cursor.ts";
import { at, FrameType } from "../../core/frame.ts";
import type { FrameWriter } from "../../core/frame_writer.ts";
import { largestWrite } from "../../core/limits.ts";
import type { TopicLog } from "../../core/log.ts";
import { Output, type Source, type TakeOutcome } from "../../core/output.ts";
import type { Segment } from "../../core/segment.ts";
import type { SegmentPool } from "../../core/segment_pool.ts";
import {
  append,
  blankFrame,
  concat,
  framesIn,
  KiB,
  LogSource,
  MiB,
  newLog,
  Random,
  roomyPool,
  viewOf,
} from "./fixtures.ts";

function setUp(logs: number) {
  const pool = roomyPool();
  const output = new Output(pool);
  return { pool, output, sources: Array.from({ length: logs }, () => new LogSource(newLog({}, pool))) };
}

/** Writes everything at once, until there is nothing; returns each write. */
function writes(output: Output, most = 1000): Uint8Array[] {
  const all: Uint8Array[] = [];
  for (let bytes = output.next(); bytes !== null; bytes = output.next()) {
    assert(output.writing && !output.idle);
    all.push(bytes.slice());
    assertEquals(output.written(bytes.length), null);
    assert(all.length <= most, "it never ends");
  }
  assert(output.idle && !output.writing);
  return all;
}

function fill(log: TopicLog, bytes: number, length: number): void {
  for (let sum = 0; sum < bytes; sum += length) append(log, length);
}

const typesOf = (bytes: Uint8Array) => framesIn(bytes).map((frame) => frame[at.type]);

Deno.test("there is nothing to write until there is something", () => {
  const { output, sources: [source] } = setUp(1);
  assert(output.idle);
  assertEquals(output.next(), null);
  output.add(source!);
  assert(!output.idle);
  assertEquals(output.next(), null, "a source may have nothing after all");
  assert(output.idle && !source!.queued);
});

Deno.test("control frames go first, in one write", () => {
  const { output, sources: [source] } = setUp(1);
  append(source!.cursor.log, 20 * KiB);
  output.add(source!);
  ping.write(output.control, { token: 1 });
  ping.write(output.control, { token: 2 });
  const [first, ...rest] = writes(output);
  assertEquals(typesOf(first!).slice(0, 2), [FrameType.ping, FrameType.ping]);
  assertEquals(concat([first!, ...rest]).length, 32 + 20 * KiB);
});

Deno.test("what a lone source has is written from where it stands, small or large", () => {
  for (const length of [100, 60 * KiB]) {
    const { output, pool, sources: [source] } = setUp(1);
    append(source!.cursor.log, length);
    output.add(source!);
    const bytes = output.next()!;
    const { last } = source!.cursor.log;
    assertStrictEquals(bytes.buffer, last!.bytes.buffer);
    assertEquals([bytes.byteOffset, bytes.length], [last!.start, length]);
    assertEquals(last!.pins, 1);
    assertStrictEquals(output.pinned, last);
    assertEquals(output.written(length), null);
    assertEquals([last!.pins, output.pinned, output.next()], [0, null, null]);
    assertEquals(pool.budget.used, MiB);
  }
});

Deno.test("large slices of several sources are written from where they stand, in turn", () => {
  const { output, sources } = setUp(3);
  for (const source of sources) {
    fill(source.cursor.log, 2 * MiB, 64 * KiB);
    output.add(source);
  }
  const owners: number[] = [];
  for (let bytes = output.next(); bytes !== null; bytes = output.next()) {
    const owner = sources.findIndex(({ cursor }) => {
      for (let segment = cursor.log.first; segment !== null; segment = segment.next) {
        if (segment.bytes.buffer === bytes!.buffer && segment.pins === 1) return true;
      }
      return false;
    });
    assert(owner >= 0, "a large slice was copied");
    assertLessOrEqual(bytes.length, largestWrite);
    owners.push(owner);
    output.written(bytes.length);
  }
  assertEquals(owners, owners.map((_, index) => index % 3));
});

Deno.test("small slices of many sources are gathered into few writes, of 48 to 64 KiB", () => {
  const { output, sources } = setUp(1000);
  for (const source of sources) {
    append(source.cursor.log, 200);
    output.add(source);
  }
  const all = writes(output);
  assertEquals(all.length, Math.ceil(200_000 / (48 * KiB)));
  for (const [index, bytes] of all.entries()) {
    assertLessOrEqual(bytes.length, 64 * KiB);
    assert(bytes.length > 48 * KiB || index === all.length - 1);
    for (const { cursor } of sources) assertNotStrictEquals(bytes.buffer, cursor.log.first!.bytes.buffer);
  }
  assertEquals(concat(all).length, 200_000);
  for (const { cursor } of sources) assertEquals(cursor.log.first!.pins, 0);
});

Deno.test("the memory of gathered writes stays while more is waiting, and goes when the session is idle", () => {
  const { output, sources } = setUp(800);
  const refill = () =>
    sources.forEach((source) => {
      append(source.cursor.log, 200);
      output.add(source);
    });
  const buffers = new Set<ArrayBufferLike>();
  for (let turn = 0; turn < 5; turn++) {
    refill();
    for (let write = 0; write < 3; write++) {
      const bytes = output.next()!;
      buffers.add(bytes.buffer);
      output.written(bytes.length);
    }
  }
  assertEquals(buffers.size, 2, "a busy session does not allocate: two buffers take turns");
  writes(output);
  for (let i = 0; i < 2; i++) {
    ping.write(output.control, { token: 1 });
    assertLessOrEqual(output.control.bytes().buffer.byteLength, 4096);
    writes(output);
  }
});

Deno.test("a busy source does not keep a quiet one waiting for more than a turn", () => {
  const { output, sources: [busy, quiet] } = setUp(2);
  fill(busy!.cursor.log, 6 * MiB, 60 * KiB);
  output.add(busy!);
  for (let turn = 0; turn < 10; turn++) {
    const token = 100 + turn;
    const frame = blankFrame(token);
    quiet!.cursor.log.append(frame, 0, token, 1, 1);
    output.add(quiet!);
    let found = false;
    for (let write = 0; write < 2 && !found; write++) {
      const bytes = output.next()!;
      found = framesIn(bytes).some((frame) => frame.length === token);
      output.written(bytes.length);
    }
    assert(found, `the quiet source waited in turn ${turn}`);
  }
});

Deno.test("a frame of a MiB goes alone, after what was gathered before it", () => {
  const { output, sources: [small, large] } = setUp(2);
  append(small!.cursor.log, 100);
  append(large!.cursor.log, MiB);
  output.add(small!);
  output.add(large!);
  const first = output.next()!;
  assertEquals(first.length, 100);
  const segment = large!.cursor.log.first!;
  assertEquals(segment.pins, 1, "what was taken already stays where it is");
  ping.write(output.control, { token: 1 });
  output.written(100);
  const second = output.next()!;
  assertStrictEquals(second.buffer, segment.bytes.buffer);
  assertEquals(second.length, MiB);
  output.written(MiB);
  assertEquals(segment.pins, 0);
  assertEquals(typesOf(output.next()!), [FrameType.ping]);
});

Deno.test("a write that is accepted in pieces goes on where it stopped", () => {
  const { output, sources: [source] } = setUp(1);
  fill(source!.cursor.log, 200 * KiB, 999);
  output.add(source!);
  ping.write(output.control, { token: 1 });
  const random = new Random(1);
  const parts: Uint8Array[] = [];
  for (let bytes = output.next(); bytes !== null; bytes = output.next()) {
    for (let left: Uint8Array | null = bytes; left !== null;) {
      const count = Math.min(left.length, random.between(1, 5000));
      parts.push(left.slice(0, count));
      left = output.written(count);
      assertEquals(output.writing, left !== null);
    }
  }
  const frames = framesIn(concat(parts));
  assertEquals(frames[0]![at.type], FrameType.ping);
  assertEquals(
    frames.slice(1).map((frame) => readU64(viewOf(frame), at.sequence)),
    Array.from({ length: 206 }, (_, i) => i + 1),
  );
});

Deno.test("a source that stands in line is not added twice", () => {
  const { output, sources: [one, two] } = setUp(2);
  for (const source of [one!, two!]) append(source.cursor.log, 100);
  for (let i = 0; i < 3; i++) [one!, two!].forEach((source) => output.add(source));
  assertEquals(writes(output).map((bytes) => bytes.length), [200]);
});

Deno.test("sources that are filtered out say nothing more, and can be added again", () => {
  const { output, sources } = setUp(5);
  for (const [index, source] of sources.entries()) {
    append(source.cursor.log, 100 + index);
    output.add(source);
  }
  output.filter((source) => source !== sources[1] && source !== sources[3]);
  assertEquals(sources.map(({ queued }) => queued), [true, false, true, false, true]);
  assertEquals(framesIn(concat(writes(output))).map((frame) => frame.length), [100, 102, 104]);
  output.add(sources[3]!);
  assertEquals(writes(output).map((bytes) => bytes.length), [103]);
});

Deno.test("a source that lagged says so and goes on in the same write", () => {
  const { output } = setUp(0);
  let told = false;
  const log = newLog();
  append(log, 100);
  const inner = new LogSource(log);
  const source: Source = {
    queued: false,
    take(most, into, control) {
      if (told) return inner.take(most, into, control);
      told = true;
      ping.write(control, { token: 5 });
      return "lagged";
    },
  };
  output.add(source);
  const all = writes(output);
  assertEquals(all.map(typesOf), [[FrameType.ping, FrameType.messages]]);
});

Deno.test("abandoning lets the pending write go on, and only control frames follow it", () => {
  const { output, sources } = setUp(2);
  for (const source of sources) {
    fill(source.cursor.log, MiB, 50 * KiB);
    output.add(source);
  }
  const bytes = output.next()!;
  const rest = output.written(1000)!;
  output.abandon();
  ping.write(output.control, { token: 1 });
  assert(output.writing);
  assertEquals(rest.length, bytes.length - 1000);
  assertEquals(output.written(rest.length), null);
  assertEquals(writes(output).map(typesOf), [[FrameType.ping]]);
  assertEquals(pins(sources), 0);
});

Deno.test("abandoning lets go of a slice that waits for a write of its own", () => {
  const { output, sources: [small, large] } = setUp(2);
  append(small!.cursor.log, 100);
  append(large!.cursor.log, MiB);
  output.add(small!);
  output.add(large!);
  assertEquals(output.next()!.length, 100);
  assertEquals(pins([large!]), 1);
  output.abandon();
  assertEquals(pins([large!]), 0);
  assert(output.writing);
  assertEquals(output.written(100), null);
  assert(output.idle);
  assertEquals(output.next(), null);
});

Deno.test("closing forgets everything but the pending write, whose memory stays until that has ended", () => {
  for (const direct of [true, false]) {
    const { output, sources } = setUp(2);
    for (const source of sources) {
      append(source.cursor.log, direct ? 50 * KiB : 500);
      output.add(source);
    }
    const bytes = output.next()!;
    const before = bytes.slice();
    ping.write(output.control, { token: 1 });
    output.close();
    assertEquals(output.control.length, 0);
    assertEquals(pins(sources), direct ? 1 : 0);
    assertEquals(bytes, before);
    output.settle();
    assertEquals([pins(sources), output.idle, output.pinned, output.next()], [0, true, null, null]);
    output.settle();
    assertEquals(pins(sources), 0);
  }
});

/** Writes that are pending from the segments of the sources' logs. */
function pins(sources: readonly LogSource[]): number {
  let sum = 0;
  for (const { cursor } of sources) {
    for (let segment = cursor.log.first; segment !== null; segment = segment.next) sum += segment.pins;
  }
  return sum;
}

/** A pool that counts the pins there are, of segments in a log or not. */
function countPins(pool: SegmentPool): () => number {
  let count = 0;
  const { pin, unpin } = pool;
  pool.pin = (segment: Segment) => {
    count++;
    pin.call(pool, segment);
  };
  pool.unpin = (segment: Segment) => {
    count--;
    unpin.call(pool, segment);
  };
  return () => count;
}

Deno.test("whatever is in line: each source's frames come in order, behind its own announcement, and no pin stays", () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 40 }), (seed, count) => {
      const random = new Random(seed);
      const pool = roomyPool();
      const pinned = countPins(pool);
      const output = new Output(pool);
      let current = -1;
      const sources = Array.from({ length: count }, (_, id) => {
        const inner = new LogSource(newLog({ bytes: random.pick([4 * KiB, MiB]) }, pool));
        const source: Source = {
          queued: false,
          take(most: number, into: Slice, control: FrameWriter): TakeOutcome {
            const outcome = inner.take(most, into, control);
            if (outcome === "lagged") {
              deliver.write(control, { subscription: 1000 + id });
              missed[id]!.push([inner.cursor.missedFirst, inner.cursor.missedLast]);
            } else if (outcome === "taken" && current !== id) {
              deliver.write(control, { subscription: current = id });
            }
            return outcome;
          },
        };
        return { source, log: inner.cursor.log };
      });
      const missed: [number, number][][] = sources.map(() => []);
      const stream: Uint8Array[] = [];
      const most = random.pick([300, 10_000, 100_000]);
      let writing: Uint8Array | null = null;
      const step = (allowed: number) => {
        if (writing === null) {
          writing = output.next();
          if (writing === null) return false;
          const whole = framesIn(writing);
          assertLessOrEqual(writing.length, whole.length === 1 ? whole[0]!.length : largestWrite);
        }
        const taken = Math.min(allowed, writing.length);
        stream.push(writing.slice(0, taken));
        writing = output.written(taken);
        assertLessOrEqual(pinned(), 1);
        return true;
      };
      for (let i = 0; i < 400; i++) {
        const action = random.below(10);
        const { source, log } = random.pick(sources);
        if (action < 6) {
          for (let j = random.below(5); j >= 0; j--) {
            const length = random.chance(0.01) ? random.between(MiB, 1.1 * MiB) : random.between(48, most);
            append(log, length, random.between(1, 3));
          }
          output.add(source);
        } else if (action < 7) {
          ping.write(output.control, { token: i });
        } else {
          step(random.pick([1, 1000, 100_000, MiB]));
        }
      }
      while (step(2 * MiB));
      assert(output.idle);
      assertEquals(pinned(), 0);

      const next = sources.map(() => 1);
      let speaking = -1;
      for (const frame of framesIn(concat(stream))) {
        const view = viewOf(frame);
        if (frame[at.type] === FrameType.deliver) {
          const id = view.getUint32(8, true);
          if (id < 1000) {
            speaking = id;
            continue;
          }
          const [first, last] = missed[id - 1000]!.shift()!;
          assertEquals(first, next[id - 1000]);
          next[id - 1000] = last + 1;
        } else if (frame[at.type] === FrameType.messages) {
          assertEquals(readU64(view, at.sequence), next[speaking]);
          next[speaking]! += view.getUint16(at.count, true);
        }
      }
      assertEquals(next, sources.map(({ log }) => log.nextSequence));
      for (const { log } of sources) log.clear();
      pool.trim(0);
      assertEquals(pool.budget.used, 0);
    }),
    { numRuns: 40 },
  );
});

Deno.test("the last word comes behind all that was taken, in one write with what is small, and once", () => {
  const { output, sources } = setUp(3);
  let words = 0;
  const last = (control: FrameWriter) => ping.write(control, { token: ++words });
  for (const { cursor } of sources) append(cursor.log, 100);
  sources.forEach((source) => output.add(source));
  output.last = last;
  assertEquals(writes(output).map(typesOf), [[1, 1, 1, FrameType.ping]]);
  output.last = last;
  assertEquals([writes(output), output.last], [[], null], "nothing was taken since");
  append(sources[0]!.cursor.log, 100);
  output.add(sources[0]!);
  assertEquals(writes(output).map(typesOf), [[1]], "it was not asked for again");
  output.last = last;
  assertEquals(writes(output).map(typesOf), [[FrameType.ping]]);
  assertEquals(words, 2);
});

Deno.test("the last word waits for what takes many writes, and for a slice that is carried", () => {
  const { output, sources } = setUp(3);
  for (const { cursor } of sources) fill(cursor.log, 300 * KiB, 3000);
  append(sources[0]!.cursor.log, 100);
  sources.forEach((source) => output.add(source));
  ping.write(output.control, { token: 1 });
  output.last = (control) => ping.write(control, { token: 2 });
  const types = writes(output).flatMap(typesOf);
  const messages = 3 * Math.ceil(300 * KiB / 3000) + 1;
  assertEquals(types, [FrameType.ping, ...new Array(messages).fill(FrameType.messages), FrameType.ping]);
});

Deno.test("what is abandoned has no last word", () => {
  const { output, sources: [source] } = setUp(1);
  append(source!.cursor.log, 100);
  output.add(source!);
  output.next();
  output.last = () => assert(false);
  output.written(100);
  output.abandon();
  assertEquals(writes(output), []);
});

Deno.test("a source that holds keeps its place, those behind it wait, and the last word is said without them", () => {
  const { output, sources } = setUp(2);
  const [first, second] = sources;
  let holds = true;
  const source: Source = {
    queued: false,
    take: (most, into, control) => holds ? "held" : first!.take(most, into, control),
  };
  for (const { cursor: { log } } of sources) fill(log, 100, 100);
  output.add(source);
  output.add(second!);
  assertEquals(output.next(), null);
  assert(!output.idle && source.queued);
  holds = false;
  output.last = (control) => ping.write(control, { token: 1 });
  const bytes = output.next()!;
  assertEquals(typesOf(bytes), [FrameType.messages, FrameType.messages, FrameType.ping]);
  output.written(bytes.length);
  holds = true;
  fill(first!.cursor.log, 100, 100);
  fill(second!.cursor.log, 100, 100);
  output.add(second!);
  output.add(source);
  output.last = (control) => ping.write(control, { token: 2 });
  const more = output.next()!;
  assertEquals(typesOf(more), [FrameType.messages, FrameType.ping], "behind what went");
  output.written(more.length);
  assertEquals(output.next(), null);
});

Deno.test("a source that says it is drained is not asked again before it is added again", () => {
  const { output, sources: [inner] } = setUp(1);
  let asked = 0;
  const source: Source = {
    queued: false,
    take: (most, into, control) => {
      asked++;
      const outcome = inner!.take(most, into, control);
      return outcome === "taken" && inner!.cursor.caughtUp ? "drained" : outcome;
    },
  };
  for (let turn = 1; turn <= 3; turn++) {
    fill(inner!.cursor.log, 100, 100);
    output.add(source);
    const [bytes, ...more] = writes(output);
    assertEquals([bytes!.length, more.length, asked, source.queued], [100, 0, turn, false]);
  }
});
