import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { largestMessage } from "../../core/limits.ts";
import { findMessages, varintLength, writeVarint } from "../../core/payload.ts";
import { concat, messagesFrame } from "./fixtures.ts";

const bytesOf = (...bytes: number[]) => new Uint8Array(bytes);
const find = (bytes: Uint8Array, count: number) =>
  findMessages(bytes, 0, bytes.length, count, new Uint32Array(2 * count));

Deno.test("a varint takes as many bytes as are announced, from 1 to 4", () => {
  const cases: [number, number[]][] = [
    [0, [0]],
    [0x7f, [0x7f]],
    [0x80, [0x80, 0x01]],
    [0x3fff, [0xff, 0x7f]],
    [0x4000, [0x80, 0x80, 0x01]],
    [0x1f_ffff, [0xff, 0xff, 0x7f]],
    [0x20_0000, [0x80, 0x80, 0x80, 0x01]],
    [largestMessage, [0x80, 0x80, 0x80, 0x20]],
    [0xfff_ffff, [0xff, 0xff, 0xff, 0x7f]],
  ];
  for (const [value, expected] of cases) {
    const bytes = new Uint8Array(5);
    assertEquals(writeVarint(bytes, 0, value), expected.length);
    assertEquals([...bytes.subarray(0, expected.length)], expected);
    assertEquals(varintLength(value), expected.length);
  }
});

Deno.test("messages are found where they stand, from the empty one on", () => {
  const messages = fc.array(
    fc.oneof(fc.uint8Array({ maxLength: 4 }), fc.uint8Array({ minLength: 100, maxLength: 300 })),
    { maxLength: 30 },
  );
  fc.assert(fc.property(messages, fc.nat({ max: 5 }), (messages, shift) => {
    const payload = messagesFrame(messages).subarray(48);
    const bytes = concat([new Uint8Array(shift), payload, bytesOf(1, 2, 3)]);
    const bounds = new Uint32Array(2 * messages.length + 1).fill(7);
    assert(findMessages(bytes, shift, shift + payload.length, messages.length, bounds));
    const found = messages.map((_, index) => bytes.slice(bounds[2 * index], bounds[2 * index + 1]));
    assertEquals(found, messages);
    assertEquals(bounds[2 * messages.length], 7, "nothing is written behind the last");
  }));
});

Deno.test("messages of lengths around those that a varint takes one byte more for are found", () => {
  for (const length of [127, 128, 16_383, 16_384, 2_097_151, 2_097_152]) {
    const payload = messagesFrame([new Uint8Array(length), bytesOf(1)]).subarray(48);
    const bounds = new Uint32Array(4);
    assert(findMessages(payload, 0, payload.length, 2, bounds));
    assertEquals(bounds[1]! - bounds[0]!, length);
    assertEquals([bounds[2], bounds[3]], [payload.length - 1, payload.length]);
  }
});

Deno.test("a payload that its count of messages does not fill exactly is broken", () => {
  fc.assert(fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { minLength: 1, maxLength: 9 }), (messages) => {
    const payload = messagesFrame(messages).subarray(48);
    assert(find(payload, messages.length));
    assert(!find(payload, messages.length - 1), "bytes are left over");
    assert(!find(payload, messages.length + 1), "a message is missing");
    for (let end = 0; end < payload.length; end++) {
      assert(!find(payload.subarray(0, end), messages.length), `cut at ${end}`);
    }
  }));
});

Deno.test("a length that is cut, of five bytes, or beyond the end is broken", () => {
  assert(!find(bytesOf(0x80), 1));
  assert(!find(bytesOf(0x80, 0x80, 0x80), 1));
  assert(!find(bytesOf(0x80, 0x80, 0x80, 0x80, 0x00), 1));
  assert(!find(bytesOf(0xff, 0xff, 0xff, 0x7f), 1));
  assert(!find(bytesOf(2, 1), 1));
  assert(find(bytesOf(), 0));
});

Deno.test("whatever the bytes are, messages are found inside them, one behind the other, or not at all", () => {
  const someBytes = fc.array(fc.oneof(fc.nat({ max: 4 }), fc.nat({ max: 255 })), { maxLength: 40 });
  fc.assert(fc.property(someBytes, fc.nat({ max: 20 }), (list, count) => {
    const bytes = new Uint8Array(list);
    const bounds = new Uint32Array(2 * count);
    if (!findMessages(bytes, 0, bytes.length, count, bounds)) return;
    let last = 0;
    for (let i = 0; i < count; i++) {
      assert(bounds[2 * i]! > last || (i === 0 && bounds[0]! > 0));
      assert(bounds[2 * i + 1]! >= bounds[2 * i]!);
      last = bounds[2 * i + 1]!;
    }
    assertEquals(last, bytes.length);
  }));
});
