import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { OutputBuffer } from "../../cli/output_buffer.ts";

const textOf = (output: OutputBuffer) => new TextDecoder().decode(output.bytes());

Deno.test("what is appended comes out, in order, however much it is", () => {
  const step = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.string({ unit: "binary", maxLength: 100 }),
    fc.maxSafeNat(),
  );
  fc.assert(fc.property(fc.array(step, { maxLength: 50 }), fc.integer({ min: 1, max: 800 }), (steps, times) => {
    const output = new OutputBuffer();
    const expected: Uint8Array[] = [];
    for (let i = 0; i < times; i += 100) {
      for (const value of steps) {
        if (typeof value === "string") output.text(value);
        else if (typeof value === "number") output.decimal(value);
        else output.all(value);
        expected.push(value instanceof Uint8Array ? value : new TextEncoder().encode(String(value)));
      }
    }
    const length = expected.reduce((sum, bytes) => sum + bytes.length, 0);
    const all = new Uint8Array(length);
    let at = 0;
    for (const bytes of expected) {
      all.set(bytes, at);
      at += bytes.length;
    }
    assertEquals(output.length, length);
    assertEquals(output.bytes(), all);
  }));
});

Deno.test("decimals are those of String, at every power of ten", () => {
  const output = new OutputBuffer();
  for (let power = 1; power < Number.MAX_SAFE_INTEGER; power *= 10) {
    for (const value of [power - 1, power, power + 1]) {
      output.clear();
      output.decimal(value);
      assertEquals(textOf(output), String(value));
    }
  }
});

Deno.test("it grows one byte at a time past its first capacity", () => {
  const output = new OutputBuffer();
  for (let i = 0; i < 200_000; i++) output.byte(i & 255);
  assertEquals(output.length, 200_000);
  assertEquals(output.bytes()[131_073], 131_073 & 255);
});

Deno.test("a cleared buffer is empty, and gives back the memory of one huge batch", () => {
  const output = new OutputBuffer();
  output.all(new Uint8Array(16 * 1024 * 1024));
  output.clear();
  assertEquals(output.length, 0);
  assertEquals(output.bytes().buffer.byteLength, 64 * 1024);
});
