import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { hex } from "../../core/bytes.ts";
import { FrameWriter } from "../../core/frame_writer.ts";
import { concat, framesIn } from "./fixtures.ts";

Deno.test("fields stand one after the other, little-endian, behind the prefix", () => {
  const writer = new FrameWriter();
  const id = "000102030405060708090a0b0c0d0e0f";
  writer.begin(24, 0x8000).u8(1).u16(0x0203).u32(0x04050607).u64(2 ** 32 + 8).id(id).text("hé").raw(
    new Uint8Array([9]),
  );
  assertEquals(writer.frameLength, 8 + 1 + 2 + 4 + 8 + 16 + 4 + 1);
  writer.end();
  assertEquals(
    hex(writer.bytes()),
    "2c000000" + "18" + "08" + "0080" + "01" + "0302" + "07060504" + "0800000001000000" + id + "0368c3a9" + "09",
  );
});

Deno.test("frames follow each other, those copied whole too, however large the buffer grows", () => {
  const step = fc.oneof(
    fc.record({ body: fc.uint8Array({ maxLength: 3000 }), copied: fc.constant(false) }),
    fc.record({ body: fc.uint8Array({ minLength: 1, maxLength: 9000 }), copied: fc.constant(true) }),
  );
  fc.assert(fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
    const writer = new FrameWriter();
    const expected: Uint8Array[] = [];
    for (const { body, copied } of steps) {
      const length = body.length + 8;
      const whole = concat([new Uint8Array([length & 0xff, length >> 8, 0, 0, 99, 8, 0, 0]), body]);
      if (copied) {
        writer.raw(whole);
      } else {
        writer.begin(99).raw(body).end();
      }
      expected.push(whole);
      assertEquals(writer.length, expected.reduce((sum, bytes) => sum + bytes.length, 0));
    }
    assertEquals(writer.bytes(), concat(expected));
    assertEquals(framesIn(writer.bytes()).length, steps.length);
  }));
});

Deno.test("a text longer than 255 bytes is cut between characters", () => {
  const cases: [string, number][] = [
    ["a".repeat(255), 255],
    ["a".repeat(256), 255],
    ["é".repeat(128), 254],
    ["a" + "é".repeat(127), 255],
    ["€".repeat(86), 255],
    ["a" + "€".repeat(86), 253],
    ["🦕".repeat(64), 252],
  ];
  for (const [text, length] of cases) {
    const writer = new FrameWriter();
    writer.text(text);
    assertEquals(writer.bytes()[0], length);
    const written = new TextDecoder("utf-8", { fatal: true }).decode(writer.bytes().subarray(1));
    assert(text.startsWith(written));
    assertEquals(writer.length, 1 + length);
  }
});

Deno.test("a u16 of the frame that was begun can be set later", () => {
  const writer = new FrameWriter();
  writer.begin(1).u8(5).end();
  writer.begin(2).u16(0).u8(7);
  writer.setU16(8, 0x0102);
  writer.end();
  assertEquals([...writer.bytes().subarray(9 + 8)], [2, 1, 7]);
  assertEquals(writer.bytes()[8], 5);
});

Deno.test("a cleared writer begins again; it gives memory above 4 KiB back unless it is told to keep it", () => {
  const writer = new FrameWriter();
  const memory = () => writer.bytes().buffer.byteLength;
  writer.raw(new Uint8Array(100));
  const small = memory();
  assert(small <= 4096);
  writer.clear(false);
  assertEquals([writer.length, writer.bytes().length], [0, 0]);
  assertEquals(memory(), small, "a small buffer stays");
  writer.raw(new Uint8Array(5000));
  const large = memory();
  writer.clear(true);
  assertEquals(memory(), large);
  writer.clear(false);
  assertEquals(memory(), 0);
  writer.begin(3).u8(1).end();
  assertEquals([...writer.bytes()], [9, 0, 0, 0, 3, 8, 0, 0, 1]);
});
