import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { BodyReader } from "../../core/body_reader.ts";
import { writeU64 } from "../../core/bytes.ts";
import { Code } from "../../core/codes.ts";
import { ProtocolError } from "../../core/errors.ts";
import { FrameWriter } from "../../core/frame_writer.ts";
import { concat, viewOf } from "./fixtures.ts";

const open = (bytes: Uint8Array, start = 0, end = bytes.length) =>
  new BodyReader().open(bytes, viewOf(bytes), start, end);
const fails = (read: () => unknown) => assertEquals(assertThrows(read, ProtocolError).code, Code.protocol);

Deno.test("fields are read in order, wherever the body stands", () => {
  const id = "0f0e0d0c0b0a09080706050403020100";
  const fields = fc.tuple(
    fc.nat({ max: 255 }),
    fc.nat({ max: 0xffff }),
    fc.nat({ max: 0xffff_ffff }),
    fc.maxSafeNat(),
    fc.nat(9),
  );
  fc.assert(fc.property(fields, ([u8, u16, u32, u64, shift]) => {
    const writer = new FrameWriter();
    writer.u8(u8).u16(u16).u32(u32).u64(u64).id(id).text("é").text("");
    const bytes = concat([new Uint8Array(shift), writer.bytes(), new Uint8Array(5)]);
    const body = open(bytes, shift, shift + writer.length);
    assertEquals([body.u8(), body.u16(), body.u32(), body.u64()], [u8, u16, u32, u64]);
    assertEquals([body.id(), body.text(), body.text()], [id, "é", ""]);
    fails(() => body.u8());
  }));
});

Deno.test("no field is read beyond the end of the body, though the memory goes on", () => {
  const bytes = new Uint8Array(64);
  const sizes = { u8: 1, u16: 2, u32: 4, u64: 8, id: 16 } as const;
  for (const [kind, size] of Object.entries(sizes)) {
    const read = (end: number) => open(bytes, 3, 3 + end)[kind as keyof typeof sizes]();
    read(size);
    for (let end = 0; end < size; end++) fails(() => read(end));
  }
  const text = new Uint8Array([0, 3, 97, 98, 99, 100]);
  assertEquals(open(text, 1, 5).text(), "abc");
  for (let end = 1; end < 5; end++) fails(() => open(text, 1, end).text());
});

Deno.test("a number above 2^53 - 1 breaks the protocol", () => {
  const bytes = new Uint8Array(8);
  writeU64(viewOf(bytes), 0, Number.MAX_SAFE_INTEGER);
  assertEquals(open(bytes).u64(), Number.MAX_SAFE_INTEGER);
  for (const value of [2n ** 53n, 2n ** 53n + 1n, 2n ** 64n - 1n]) {
    viewOf(bytes).setBigUint64(0, value, true);
    fails(() => open(bytes).u64());
  }
});

Deno.test("a text that is not UTF-8 breaks the protocol", () => {
  fails(() => open(new Uint8Array([1, 0xff])).text());
  fails(() => open(new Uint8Array([1, 0xc3, 0xa9])).text());
});
