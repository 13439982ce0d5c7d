import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { hex, readU64, writeU64 } from "../../core/bytes.ts";
import { Codec } from "../../core/codec.ts";
import { Code, codeName } from "../../core/codes.ts";
import {
  at,
  encodedFlag,
  faultOf,
  FrameType,
  messagesAgree,
  messagesHeader,
  optionalFrame,
  stamp,
  writePrefix,
} from "../../core/frame.ts";
import { largestBatch } from "../../core/limits.ts";
import { codecOf, concat, type FrameParts, messagesFrame, viewOf, VirtualPlatform } from "./fixtures.ts";

const platform = new VirtualPlatform();
const text = (value: string) => new TextEncoder().encode(value);

function fault(frame: Uint8Array, start = 0, length = frame.length): string {
  return codeName(faultOf(platform, frame, viewOf(frame), start, length));
}

function changed(change: (view: DataView) => void, parts: FrameParts = {}): Uint8Array {
  const frame = messagesFrame([text("ab"), text("")], parts);
  change(viewOf(frame));
  return frame;
}

const someMessages = fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 20 });

Deno.test("a frame of messages has the bytes that the documentation says", () => {
  const frame = messagesFrame([text("ab"), text("")], { topic: 0x01020304, number: 7 });
  stamp(viewOf(frame), 0, 9, 2 ** 40 + 5);
  assertEquals(
    hex(frame),
    "34000000" + "01" + "30" + "0000" + // length 52, type 1, header 48, flags
      "04030201" + "0200" + "0000" + // topic, count, extension length
      "0900000000000000" + "0500000000010000" + "0700000000000000" + // sequence, time, number
      "04000000" + hex(frame.subarray(44, 48)) + // payload length, checksum
      "02" + "6162" + "00",
  );
  assertEquals(viewOf(frame).getUint32(at.checksum, true), platform.crc32(frame.subarray(48)));
});

Deno.test("types, header lengths and flags are those of the wire: none may ever change", () => {
  assertEquals(Object.values(FrameType), Array.from({ length: 29 }, (_, index) => index + 1));
  assertEquals([messagesHeader, encodedFlag, optionalFrame], [48, 1, 0x8000]);
});

Deno.test("stamping changes sequence and time, and neither the checksum nor anything else", () => {
  fc.assert(
    fc.property(
      someMessages,
      fc.maxSafeNat(),
      fc.maxSafeNat(),
      fc.nat({ max: 9 }),
      (messages, sequence, time, shift) => {
        const before = concat([new Uint8Array(shift), messagesFrame(messages)]);
        const frame = before.slice();
        stamp(viewOf(frame), shift, sequence, time);
        assertEquals(readU64(viewOf(frame), shift + at.sequence), sequence);
        assertEquals(readU64(viewOf(frame), shift + at.time), time);
        assertEquals(fault(frame, shift, frame.length - shift), "done");
        frame.fill(0, shift + at.sequence, shift + at.number);
        assertEquals(frame, before);
      },
    ),
  );
});

Deno.test("a valid frame is found valid, wherever it stands", () => {
  const parts = fc.record({
    number: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER - 20 }),
    header: fc.integer({ min: 48, max: 255 }),
    extension: fc.uint8Array({ maxLength: 50 }).map((value) =>
      concat([new Uint8Array([200, 0, value.length, 0]), value])
    ),
  });
  fc.assert(fc.property(someMessages, parts, fc.nat({ max: 9 }), (messages, parts, shift) => {
    const frame = messagesFrame(messages, parts);
    const bytes = concat([new Uint8Array(shift), frame, new Uint8Array(3)]);
    assert(messagesAgree(viewOf(bytes), shift, frame.length));
    assertEquals(fault(bytes, shift, frame.length), "done");
  }));
});

Deno.test("a frame whose lengths do not add up does not agree", () => {
  const cases: [string, (view: DataView) => void][] = [
    ["payload longer", (view) => view.setUint32(at.payload, view.getUint32(at.payload, true) + 1, true)],
    ["payload shorter", (view) => view.setUint32(at.payload, view.getUint32(at.payload, true) - 1, true)],
    ["payload huge", (view) => view.setUint32(at.payload, 0xffff_ffff, true)],
    ["extension longer", (view) => view.setUint16(at.extension, 1, true)],
    ["header longer", (view) => view.setUint8(at.header, 49)],
    ["header too short", (view) => {
      view.setUint8(at.header, 47);
      view.setUint32(at.payload, view.getUint32(at.payload, true) + 1, true);
    }],
  ];
  assert(messagesAgree(viewOf(changed(() => {})), 0, 52));
  for (const [what, change] of cases) assert(!messagesAgree(viewOf(changed(change)), 0, 52), what);
});

Deno.test("a frame shorter than its header does not agree", () => {
  const frame = new Uint8Array(48);
  writePrefix(viewOf(frame), 0, 40, FrameType.messages, 48);
  assert(!messagesAgree(viewOf(frame), 0, 40));
});

Deno.test("each fault of a frame has its code", () => {
  const entry = (flags: number) => new Uint8Array([9, flags, 1, 0, 42]);
  const encoded = (extension: Uint8Array) => ({ flags: encodedFlag, extension });
  const cases: [string, Uint8Array][] = [
    ["done", changed(() => {})],
    ["count", changed((view) => view.setUint16(at.count, 0, true))],
    ["count", changed((view) => view.setUint16(at.count, 5, true))],
    ["checksum", changed((view) => view.setUint32(at.checksum, 1, true))],
    ["number", changed((view) => writeU64(view, at.number, 0))],
    ["number", changed((view) => writeU64(view, at.number, Number.MAX_SAFE_INTEGER - 1))],
    ["number", changed((view) => view.setBigUint64(at.number, 2n ** 64n - 1n, true))],
    ["done", changed((view) => writeU64(view, at.number, Number.MAX_SAFE_INTEGER - 2))],
    ["done", changed(() => {}, { extension: entry(0) })],
    ["unsupported", changed(() => {}, { extension: entry(1) })],
    ["corrupt", changed(() => {}, { extension: entry(0).subarray(0, 4) })],
    ["corrupt", changed((view) => view.setUint16(at.flags, encodedFlag, true))],
    ["corrupt", changed(() => {}, { extension: codecOf(Codec.zstd, 100) })],
    ["corrupt", changed(() => {}, encoded(concat([codecOf(Codec.zstd, 100), codecOf(Codec.zstd, 100)])))],
    ["corrupt", changed(() => {}, encoded(codecOf(Codec.zstd, 100).with(1, 0)))],
    ["unsupported", changed(() => {}, encoded(codecOf(3, 100)))],
    ["done", changed(() => {}, encoded(codecOf(Codec.zstd, 100)))],
    ["done", changed(() => {}, encoded(codecOf(Codec.deflate, largestBatch - messagesHeader)))],
    ["message-too-large", changed(() => {}, encoded(codecOf(Codec.deflate, largestBatch - messagesHeader + 1)))],
    ["message-too-large", changed(() => {}, encoded(codecOf(Codec.deflate, 0xffff_ffff)))],
    ["count", changed(() => {}, encoded(codecOf(Codec.deflate, 1)))],
  ];
  for (const [code, frame] of cases) assertEquals(fault(frame), code, hex(frame));
});

Deno.test("the count may be as large as the payload, no larger", () => {
  const frame = messagesFrame(Array.from({ length: 100 }, () => new Uint8Array(0)));
  assertEquals(fault(frame), "done");
  viewOf(frame).setUint16(at.count, 101, true);
  assertEquals(fault(frame), "count");
});

Deno.test("any bit that flips in extension or payload is noticed", () => {
  const extension = new Uint8Array([9, 0, 2, 0, 1, 2]);
  fc.assert(fc.property(someMessages, fc.nat(), fc.nat({ max: 7 }), (messages, place, bit) => {
    const frame = messagesFrame(messages, { extension });
    const index = messagesHeader + place % (frame.length - messagesHeader);
    frame[index]! ^= 1 << bit;
    assertEquals(faultOf(platform, frame, viewOf(frame), 0, frame.length), Code.checksum);
  }));
});
