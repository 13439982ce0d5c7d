import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { Code } from "../../core/codes.ts";
import { checkExtension, entries, ExtensionType, mandatory } from "../../core/extension.ts";
import { concat, viewOf } from "./fixtures.ts";

const check = (bytes: Uint8Array, start = 0, end = bytes.length) => checkExtension(viewOf(bytes), start, end);
const encoded = (type: number, flags: number, value: Uint8Array) =>
  concat([new Uint8Array([type, flags, value.length & 0xff, value.length >> 8]), value]);

const someEntries = fc.array(
  fc.record({
    type: fc.integer({ min: 0, max: 255 }),
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

Deno.test("a mandatory entry of any type is not supported yet, first or last", () => {
  for (let type = 0; type <= 255; type++) {
    const must = encoded(type, mandatory, new Uint8Array(3));
    assertEquals(check(must), Code.unsupported);
    assertEquals(check(concat([encoded(1, 0, new Uint8Array(2)), must])), Code.unsupported);
  }
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
