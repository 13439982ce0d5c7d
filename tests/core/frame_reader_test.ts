import { assert, assertEquals, assertLessOrEqual, assertThrows } from "@std/assert";
import fc from "fast-check";
import { Code } from "../../core/codes.ts";
import { ProtocolError } from "../../core/errors.ts";
import { FrameType, writePrefix } from "../../core/frame.ts";
import { FrameReader } from "../../core/frame_reader.ts";
import { idleRead, largestControl } from "../../core/limits.ts";
import { MemoryBudget } from "../../core/memory.ts";
import type { Segment } from "../../core/segment.ts";
import { SegmentPool } from "../../core/segment_pool.ts";
import { concat, KiB, MiB, Random, same, viewOf } from "./fixtures.ts";

const largest = 2 * MiB;

/** A pool, an inputs budget, and a reader in them. */
function setUp(memory = 256 * MiB, inputMemory = memory) {
  const pool = new SegmentPool(new MemoryBudget(memory));
  const inputs = new MemoryBudget(inputMemory);
  const reader = new FrameReader(pool, inputs);
  reader.mostMessages = largest;
  return { pool, inputs, reader };
}

function frame(random: Random, length: number, type: number = FrameType.messages): Uint8Array {
  const bytes = random.bytes(Math.min(length, 4096));
  const whole = new Uint8Array(length);
  for (let offset = 0; offset < length; offset += bytes.length) whole.set(bytes.subarray(0, length - offset), offset);
  writePrefix(viewOf(whole), 0, length, type, Math.min(length, random.between(8, 255)));
  return whole;
}

function someFrames(random: Random, count: number, most: number): Uint8Array[] {
  return Array.from({ length: count }, () => {
    const kind = random.below(10);
    const length = kind < 5
      ? random.between(8, 300)
      : kind < 9
      ? random.between(8, Math.min(most, 70 * KiB))
      : random.between(8, most);
    return frame(random, length, length <= largestControl && random.chance(0.3) ? FrameType.ping : FrameType.messages);
  });
}

/** Gives the reader at most `most` bytes; returns how many it took. */
function give(reader: FrameReader, bytes: Uint8Array, most: number): number {
  const space = reader.space();
  assert(space.length > 0, "there is always room for a byte");
  const count = Math.min(space.length, bytes.length, most);
  space.set(bytes.subarray(0, count));
  reader.settle();
  reader.received(count);
  return count;
}

/** Gives the reader everything, in pieces of `sizes`. */
function feed(reader: FrameReader, bytes: Uint8Array, size: () => number, found: () => void): void {
  for (let offset = 0; offset < bytes.length;) {
    offset += give(reader, bytes.subarray(offset), size());
    while (reader.next()) found();
  }
}

const current = ({ segment, start, length }: FrameReader) => segment.bytes.slice(start, start + length);

function read(reader: FrameReader, bytes: Uint8Array, size: () => number): Uint8Array[] {
  const frames: Uint8Array[] = [];
  feed(reader, bytes, size, () => {
    const found = current(reader);
    assertEquals(reader.type, found[4]);
    frames.push(found);
  });
  return frames;
}

function assertSameFrames(found: readonly Uint8Array[], expected: readonly Uint8Array[]): void {
  assertEquals(found.map((frame) => frame.length), expected.map((frame) => frame.length));
  for (const [index, bytes] of found.entries()) assert(same(bytes, expected[index]!), `frame ${index} differs`);
}

Deno.test("frames come out whole, given one byte at a time", () => {
  const { reader } = setUp();
  const frames = someFrames(new Random(1), 12, 9000);
  assertSameFrames(read(reader, concat(frames), () => 1), frames);
  reader.close();
});

Deno.test("frames come out whole, wherever the bytes are cut in two", () => {
  const random = new Random(2);
  const frames = [frame(random, 8), frame(random, 100, FrameType.ping), frame(random, 4090), frame(random, 48)];
  const bytes = concat(frames);
  for (let cut = 1; cut < bytes.length; cut++) {
    const { reader } = setUp(8 * MiB);
    let size = cut;
    const found = read(reader, bytes, () => {
      const now = size;
      size = bytes.length;
      return now;
    });
    assertSameFrames(found, frames);
    assertEquals(reader.pending, 0);
    reader.close();
  }
});

Deno.test("frames come out whole however the bytes are cut, and what is pinned stays as it is", () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 3 }), (seed, readers) => {
      const random = new Random(seed);
      const pool = new SegmentPool(new MemoryBudget(256 * MiB));
      const inputs = new MemoryBudget(128 * MiB);
      const pinned: { segment: Segment; start: number; expected: Uint8Array }[] = [];
      const unpin = () => {
        const { segment, start, expected } = pinned.splice(random.below(pinned.length), 1)[0]!;
        assert(same(segment.bytes.subarray(start, start + expected.length), expected), "pinned bytes changed");
        pool.unpin(segment);
      };
      // Several readers in one pool, so that memory which was let go too early is somebody else's soon.
      const inputsOf = Array.from({ length: readers }, () => {
        const frames = someFrames(random, random.between(1, 25), 1.5 * MiB);
        const reader = new FrameReader(pool, inputs);
        reader.mostMessages = largest;
        return { reader, frames, bytes: concat(frames), offset: 0, found: 0 };
      });
      const largestPiece = random.pick([300, 5000, 80 * KiB, MiB]);
      for (let open = inputsOf.slice(); open.length > 0; open = open.filter((one) => one.offset < one.bytes.length)) {
        const one = random.pick(open);
        const { reader } = one;
        // A read that ends with a frame is ordinary, and would be rare among random cuts.
        const whole = (one.frames[one.found]?.length ?? 0) - reader.pending;
        const piece = random.chance(0.5) ? whole : random.between(1, largestPiece);
        one.offset += give(reader, one.bytes.subarray(one.offset), piece);
        while (reader.next()) {
          const expected = one.frames[one.found++]!;
          assert(same(current(reader), expected), "a frame differs");
          if (random.chance(0.3)) {
            pool.pin(reader.segment);
            pinned.push({ segment: reader.segment, start: reader.start, expected });
          }
        }
        if (pinned.length > 0 && random.chance(0.3)) unpin();
        assertEquals(inputs.used, inputsOf.reduce((sum, { reader }) => sum + reader.memory, 0));
      }
      for (const { reader, frames, found } of inputsOf) {
        assertEquals([found, reader.pending], [frames.length, 0]);
        reader.close();
      }
      assertEquals(inputs.used, 0);
      while (pinned.length > 0) unpin();
      pool.trim(0);
      assertEquals(pool.budget.used, 0);
    }),
    { numRuns: 60 },
  );
});

Deno.test("a consumer that pins every frame of a busy input takes memory in proportion to what it holds", () => {
  const { pool, inputs, reader } = setUp();
  const random = new Random(3);
  const held: Segment[] = [];
  const frames = Array.from({ length: 1000 }, () => frame(random, 200));
  feed(reader, concat(frames), () => 200, () => {
    pool.pin(reader.segment);
    held.push(reader.segment);
  });
  const segments = new Set(held);
  const memory = [...segments].reduce((sum, { size }) => sum + size, 0);
  assertLessOrEqual(memory, 2 * 1000 * 200);
  assertEquals(inputs.used, reader.memory);
  for (const segment of held) pool.unpin(segment);
  reader.close();
  pool.trim(0);
  assertEquals(pool.budget.used, 0);
});

Deno.test("a waiting read holds 4 KiB, at first and three short reads after traffic of any kind", () => {
  const { inputs, reader } = setUp();
  const random = new Random(4);
  const idle = () => {
    const { length } = reader.space();
    reader.settle();
    reader.received(0);
    assertEquals([reader.memory, inputs.used, reader.pending], [idleRead, idleRead, 0]);
    assertLessOrEqual(length, idleRead);
  };
  const short = frame(random, 8);
  idle();
  for (const length of [8, 4095, 5000, 40 * KiB, 64 * KiB, 300 * KiB, MiB + 48, 200]) {
    feed(reader, frame(random, length), () => MiB, () => {});
    for (let turn = 0; turn < 3; turn++) feed(reader, short, () => MiB, () => {});
    idle();
  }
  reader.close();
});

Deno.test("a waiting read holds 4 KiB at once where all inputs have more than a quarter of their budget", () => {
  for (const inputMemory of [4 * 256 * KiB, 4 * 256 * KiB - 1]) {
    const { reader } = setUp(256 * MiB, inputMemory);
    const random = new Random(14);
    for (const length of [4 * KiB, 32 * KiB, 200 * KiB]) feed(reader, frame(random, length), () => MiB, () => {});
    assertEquals(reader.memory, 256 * KiB);
    assertEquals(reader.space().length, inputMemory % KiB === 0 ? 256 * KiB : idleRead);
    reader.settle();
    reader.close();
  }
});

Deno.test("a peer that only announces a large frame gets no memory for it: that grows with what was received", () => {
  for (const piece of [1, 100, 4096, MiB]) {
    const { inputs, reader } = setUp();
    const length = largest - 5;
    const bytes = frame(new Random(5), length);
    let received = 0;
    for (let offset = 0; offset < length;) {
      const space = reader.space();
      // Eight times as much, from the moment on in which less than a quarter was left.
      assertLessOrEqual(reader.memory, Math.max(idleRead, 8 * received * 4 / 3));
      const count = Math.min(piece, space.length, length - offset);
      space.set(bytes.subarray(offset, offset + count));
      reader.settle();
      reader.received(count);
      received = offset += count;
      assertEquals(reader.next(), offset === length);
      if (piece === 1 && offset > 300 * KiB) break;
    }
    assertLessOrEqual(reader.memory, length);
    assertEquals(inputs.used, reader.memory);
    reader.close();
    assertEquals(inputs.used, 0);
  }
});

Deno.test("reads grow when they are filled, up to 256 KiB, and shrink when they bring little", () => {
  const { reader } = setUp();
  const random = new Random(6);
  const sizes: number[] = [];
  const fill = [4, 32, 256, 256].map((size) => size * KiB);
  // What brought more than an eighth may come again.
  for (const length of [...fill, 32 * KiB + 1, 32 * KiB, 4 * KiB + 1, 100, 100]) {
    const space = reader.space();
    sizes.push(space.length / KiB);
    space.set(frame(random, length));
    reader.settle();
    reader.received(length);
    assert(reader.next());
    assert(!reader.next());
  }
  assertEquals(sizes, [4, 32, 256, 256, 256, 256, 32, 32, 4]);
  reader.close();
});

Deno.test("a pending read keeps its memory though the reader is closed, until the read has ended", () => {
  const { pool, inputs, reader } = setUp(2 * MiB);
  const space = reader.space();
  reader.close();
  assertEquals(inputs.used, 0);
  const others: Segment[] = [];
  for (let segment = pool.acquire(4096, 0, 0); segment !== null; segment = pool.acquire(4096, 0, 0)) {
    others.push(segment);
  }
  for (const { bytes, start } of others) {
    assert(bytes.buffer !== space.buffer || start + bytes.byteOffset !== space.byteOffset);
  }
  assertEquals(others.length, 511);
  reader.settle();
  assert(pool.acquire(4096, 0, 0) !== null);
  reader.settle();
  assertEquals(pool.acquire(4096, 0, 0), null, "settling twice releases once");
});

Deno.test("the first bytes can be looked at and passed over, as far as they came", () => {
  const { reader } = setUp();
  give(reader, new Uint8Array([1, 2]), 2);
  assertEquals([...reader.peek(3)], [1, 2]);
  const rest = concat([new Uint8Array([3]), frame(new Random(7), 60)]);
  give(reader, rest, 61);
  assertEquals([...reader.peek(3)], [1, 2, 3]);
  assertEquals([...reader.peek(1)], [1]);
  reader.skip(3);
  assert(reader.next());
  assertEquals(current(reader), rest.slice(1));
  reader.close();
});

Deno.test("lengths that are impossible or too large break the protocol as soon as the prefix is there", () => {
  const cases: [string, Code, { length: number; type: number; header: number }][] = [
    ["no length", Code.protocol, { length: 0, type: FrameType.messages, header: 48 }],
    ["shorter than the prefix", Code.protocol, { length: 7, type: FrameType.ping, header: 7 }],
    ["header shorter than the prefix", Code.protocol, { length: 100, type: FrameType.ping, header: 7 }],
    ["header longer than the frame", Code.protocol, { length: 47, type: FrameType.messages, header: 48 }],
    ["no header", Code.protocol, { length: 100, type: FrameType.messages, header: 0 }],
    ["messages too large", Code.frameTooLarge, { length: largest + 1, type: FrameType.messages, header: 48 }],
    ["messages huge", Code.frameTooLarge, { length: 0xffff_ffff, type: FrameType.messages, header: 48 }],
    ["control too large", Code.frameTooLarge, { length: largestControl + 1, type: FrameType.ping, header: 8 }],
    ["unknown too large", Code.frameTooLarge, { length: largestControl + 1, type: 200, header: 8 }],
  ];
  for (const [what, code, { length, type, header }] of cases) {
    const { inputs, reader } = setUp();
    const bytes = new Uint8Array(8);
    writePrefix(viewOf(bytes), 0, length, type, header);
    give(reader, bytes, 7);
    assert(!reader.next(), what);
    give(reader, bytes.subarray(7), 1);
    assertEquals(assertThrows(() => reader.next(), ProtocolError, undefined, what).code, code, what);
    assertEquals(reader.memory, idleRead);
    reader.close();
    assertEquals(inputs.used, 0);
  }
});

Deno.test("no frame of messages is taken before the limit is known, and the limits are inclusive", () => {
  const { reader } = setUp();
  reader.mostMessages = 0;
  give(reader, frame(new Random(8), 48), 48);
  assertEquals(assertThrows(() => reader.next(), ProtocolError).code, Code.frameTooLarge);
  reader.mostMessages = 48;
  assert(reader.next());
  feed(reader, frame(new Random(9), largestControl, FrameType.ping), () => MiB, () => {});
  assertEquals([reader.length, reader.pending], [largestControl, 0]);
  reader.close();
});

Deno.test("whatever the bytes are, the reader finds frames in them or says that they break the protocol", () => {
  const someByte = fc.oneof(fc.constantFrom(0, 1, 8, 48), fc.nat({ max: 255 }));
  fc.assert(fc.property(fc.array(someByte, { maxLength: 300 }), fc.integer({ min: 1, max: 50 }), (list, piece) => {
    const { inputs, reader } = setUp(8 * MiB);
    reader.mostMessages = 100;
    const bytes = new Uint8Array(list);
    let found = 0;
    try {
      feed(reader, bytes, () => piece, () => {
        assertEquals(current(reader), bytes.slice(found, found + reader.length));
        found += reader.length;
      });
      assertEquals(found + reader.pending, bytes.length);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
    }
    reader.close();
    assertEquals(inputs.used, 0);
  }));
});

Deno.test("where the inputs' memory or the pool has no room, the reader says so and keeps what it has", () => {
  for (const [memory, inputMemory] of [[2 * MiB, 40 * KiB], [MiB, MiB]] as const) {
    const { pool, inputs, reader } = setUp(memory, inputMemory);
    const bytes = frame(new Random(10), 100 * KiB);
    const error = assertThrows(() => feed(reader, bytes, () => MiB, () => {}), ProtocolError);
    assertEquals(error.code, Code.inputMemory);
    const { pending } = reader;
    assert(same(reader.peek(pending), bytes.subarray(0, pending)));
    assertEquals(inputs.used, reader.memory);
    reader.settle();
    reader.close();
    assertEquals(inputs.used, 0);
    pool.trim(0);
    assertEquals(pool.budget.used, 0);
  }
  assertEquals(assertThrows(() => setUp(MiB, 4095), ProtocolError).code, Code.inputMemory);
  assertEquals(assertThrows(() => setUp(MiB - 1, MiB), ProtocolError).code, Code.inputMemory);
});
