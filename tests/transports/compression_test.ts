import { assert, assertEquals, assertLess } from "@std/assert";
import fc from "fast-check";
import { Codec } from "../../core/codec.ts";
import { highestLevel } from "../../core/compression.ts";
import { compression } from "../../transports/compression.ts";
import { bombs, MiB, same, zstdBomb } from "../core/fixtures.ts";

const { compress, expand } = compression;
const both = [Codec.deflate, Codec.zstd] as const;
const text = new TextEncoder().encode("a tick, and another tick, and a tick. ".repeat(100));

Deno.test("what is compressed expands to what it was, by each codec and at each level", () => {
  const anything = fc.oneof(
    fc.uint8Array({ maxLength: 5_000 }),
    fc.array(fc.constantFrom(...text), { maxLength: 5_000 }).map((bytes) => new Uint8Array(bytes)),
  );
  const how = fc.oneof(
    fc.record({ codec: fc.constant(Codec.deflate), level: fc.integer({ min: 1, max: highestLevel.deflate }) }),
    fc.record({ codec: fc.constant(Codec.zstd), level: fc.integer({ min: 1, max: highestLevel.zstd }) }),
  );
  fc.assert(fc.property(anything, how, (bytes, { codec, level }) => {
    const expanded = expand(codec, compress(codec, level, bytes), bytes.length);
    assert(expanded !== null && same(expanded, bytes));
  }));
});

Deno.test("messages of megabytes expand to what they were", () => {
  const large = new Uint8Array(5 * MiB).map((_, index) => (index >> 8) * (index & 3));
  for (const codec of both) {
    const packed = compress(codec, 1, large);
    assertLess(packed.length, large.length / 4);
    assert(same(expand(codec, packed, large.length)!, large));
  }
});

Deno.test("what expands to another length than it claims is broken, and so is what has more behind it, or is cut", () => {
  for (const codec of both) {
    const packed = compress(codec, 1, text);
    assertEquals(expand(codec, packed, text.length), text);
    for (const length of [0, 1, text.length - 1, text.length + 1, 64 * MiB, 0xffff_ffff]) {
      assertEquals(expand(codec, packed, length), null, `${length} bytes`);
    }
    for (let length = 0; length < packed.length; length++) {
      assertEquals(expand(codec, packed.subarray(0, length), text.length), null, `cut at ${length}`);
    }
    assertEquals(expand(codec, new Uint8Array([...packed, 0]), text.length), null);
    assertEquals(expand(codec, new Uint8Array([...packed, ...packed]), text.length), null);
  }
});

Deno.test("zstd: a window of 8 MiB is taken, and a larger one is not, however little is in it", () => {
  const one = (windowLog: number) => expand(Codec.zstd, zstdBomb(1, windowLog), 128 * 1024);
  assertEquals(one(23)?.length, 128 * 1024);
  for (let windowLog = 24; windowLog <= 41; windowLog++) assertEquals(one(windowLog), null, `2^${windowLog}`);
});

Deno.test("a bomb of 10 GB makes no more than what it claims: nothing of gigabytes is ever there", () => {
  for (const [codec, small] of bombs(32 * MiB)) assertEquals(expand(codec, small, 32 * MiB)?.length, 32 * MiB);
  for (const [codec, bomb] of bombs()) {
    assertLess(bomb.length, 11 * MiB);
    for (const claimed of [1, 65_488, MiB + 3, 64 * MiB + 4]) {
      const before = Deno.memoryUsage().rss;
      assertEquals(expand(codec, bomb, claimed), null);
      // Twice what it claims, while its pieces are put together, and what else goes on.
      assertLess(Deno.memoryUsage().rss - before, 2 * claimed + 64 * MiB, `${codec}, ${claimed} bytes`);
    }
  }
});

Deno.test("shared memory is compressed and expanded as other memory is", () => {
  for (const codec of both) {
    const shared = new Uint8Array(new SharedArrayBuffer(text.length));
    shared.set(text);
    const packed = compress(codec, 1, shared);
    const there = new Uint8Array(new SharedArrayBuffer(packed.length));
    there.set(packed);
    assertEquals(expand(codec, there, text.length), text);
  }
});
