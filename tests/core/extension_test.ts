import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { Code } from "../../core/codes.ts";
import { Codec } from "../../core/codec.ts";
import { checkExtension, codecEntry, entries, ExtensionType, mandatory, readCodecEntry } from "../../core/extension.ts";
import { codecOf, concat, viewOf } from "./fixtures.ts";

const check = (bytes: Uint8Array, start = 0, end = bytes.length, encoded = false) =>
  checkExtension(viewOf(bytes), start, end, encoded);
const encoded = (type: number, flags: number, value: Uint8Array) =>
  concat([new Uint8Array([type, flags, value.length & 0xff, value.length >> 8]), value]);

const someEntries = fc.array(
  fc.record({
    type: fc.integer({ min: 0, max: 255 }).filter((type) => type !== ExtensionType.codec),
    flags: fc.integer({ min: 0, max: 255 }).map((flags) => flags & ~mandatory),
    value: fc.uint8Array({ maxLength: 400 }),
  }),
  { maxLength: 6 },
);

Deno.test("entries come back as they were encoded, wherever they stand", () => {
  fc.assert(fc.property(someEntries, fc.nat({ max: 5 }), (list, shift) => {
    const body = concat(list.map(({ type, flags, value }) => encoded(type, flags, value)));
    const bytes = concat([new Uint8Array(shift), body, new Uint8Array(2)]);
    assertEquals(check(bytes, shift, shift + body.length), Code.done);
    assertEquals([...entries(bytes, shift, shift + body.length)], list);
  }));
});

Deno.test("an extension that is cut is corrupt, but for a cut between entries", () => {
  fc.assert(fc.property(someEntries, (list) => {
    const parts = list.map(({ type, flags, value }) => encoded(type, flags, value));
    const bytes = concat(parts);
    const boundaries = new Set([0]);
    let sum = 0;
    for (const part of parts) boundaries.add(sum += part.length);
    for (let end = 0; end <= bytes.length; end++) {
      assertEquals(check(bytes, 0, end), boundaries.has(end) ? Code.done : Code.corrupt, `cut at ${end}`);
    }
  }));
});

Deno.test("a mandatory entry of any type but the codec is not supported yet, first or last", () => {
  for (let type = 0; type <= 255; type++) {
    if (type === ExtensionType.codec) continue;
    const must = encoded(type, mandatory, new Uint8Array(3));
    assertEquals(check(must), Code.unsupported);
    assertEquals(check(concat([encoded(1, 0, new Uint8Array(2)), must])), Code.unsupported);
  }
});

Deno.test("a codec stands in the extension of a frame that is encoded, once, among others, and in no other", () => {
  const codec = codecOf(Codec.deflate, 0x01020304);
  const other = encoded(200, 0, new Uint8Array([1, 2, 3]));
  for (const bytes of [codec, concat([other, codec]), concat([codec, other]), concat([other, codec, other])]) {
    assertEquals(check(bytes, 0, bytes.length, true), Code.done);
    assertEquals(readCodecEntry(viewOf(bytes), 0), { codec: Codec.deflate, expanded: 0x01020304 });
    assertEquals(check(bytes), Code.corrupt);
  }
  for (const bytes of [other, concat([codec, codec]), new Uint8Array(0)]) {
    assertEquals(check(bytes, 0, bytes.length, true), Code.corrupt);
  }
});

Deno.test("a codec entry of another length, or one that may be passed over, is corrupt", () => {
  for (let length = 0; length < 10; length++) {
    const bytes = encoded(ExtensionType.codec, mandatory, new Uint8Array(length).fill(1));
    assertEquals(check(bytes, 0, bytes.length, true), length === 5 ? Code.done : Code.corrupt, `${length} bytes`);
  }
  assertEquals(check(codecOf(Codec.zstd, 9).with(1, 0), 0, codecEntry, true), Code.corrupt);
  assertEquals(check(codecOf(Codec.zstd, 9), 0, codecEntry - 1, true), Code.corrupt);
  assertEquals(check(codecOf(0, 9), 0, codecEntry, true), Code.unsupported);
});

Deno.test("the longest extension has one entry that fills it", () => {
  const bytes = encoded(1, 0, new Uint8Array(65_531));
  assertEquals(bytes.length, 65_535);
  assertEquals(check(bytes), Code.done);
  assertEquals([...entries(bytes, 0, bytes.length)][0]!.value.length, 65_531);
});

Deno.test("the types are those of the wire: none may ever change", () => {
  assertEquals(ExtensionType, { timeDeltas: 1, origin: 2, codec: 3, headers: 4, replyTo: 5, queueGroup: 6 });
});
