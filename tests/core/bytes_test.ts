import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { decodeText, encodeText, hex, noId, readU64, unhex, writeU64 } from "../../core/bytes.ts";
import { viewOf } from "./fixtures.ts";

Deno.test("a u64 comes back as it was written, little-endian, and nothing around it changes", () => {
  fc.assert(fc.property(fc.maxSafeNat(), fc.nat({ max: 8 }), (value, offset) => {
    const bytes = new Uint8Array(16).fill(0xaa);
    writeU64(viewOf(bytes), offset, value);
    assertEquals(readU64(viewOf(bytes), offset), value);
    assertEquals(viewOf(bytes).getBigUint64(offset, true), BigInt(value));
    assertEquals([...bytes].filter((byte, index) => (index < offset || index >= offset + 8) && byte !== 0xaa), []);
  }));
});

Deno.test("the ends of the range of a u64 are exact", () => {
  const view = new DataView(new ArrayBuffer(8));
  for (const value of [0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER]) {
    writeU64(view, 0, value);
    assertEquals(readU64(view, 0), value);
  }
  view.setBigUint64(0, 2n ** 64n - 1n, true);
  assertEquals(readU64(view, 0), 2 ** 64, "what a double cannot hold is large, so that callers can refuse it");
});

Deno.test("hexadecimal of bytes comes back as the bytes", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
    assertEquals(unhex(hex(bytes)), bytes);
  }));
  assertEquals(hex(new Uint8Array([0, 1, 0xab, 0xff])), "0001abff");
  assertEquals(unhex(noId), new Uint8Array(16));
});

Deno.test("a text comes back as it was encoded, a byte order mark included", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    assertEquals(decodeText(encodeText(text)), text);
  }));
  assertEquals(decodeText(encodeText("\ufeffa")), "\ufeffa");
});

Deno.test("bytes that are not UTF-8 are no text", () => {
  const broken = [[0xff], [0xc3], [0x61, 0x80], [0xed, 0xa0, 0x80], [0xc0, 0x80], [0xf4, 0x90, 0x80, 0x80]];
  for (const bytes of broken) assertEquals(decodeText(new Uint8Array(bytes)), null, hex(new Uint8Array(bytes)));
});
