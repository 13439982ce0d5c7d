import { assert, assertEquals, assertLess, assertThrows } from "@std/assert";
import fc from "fast-check";
import { Batch } from "../../core/batch.ts";
import { Codec, codecFeatures, featureOf } from "../../core/codec.ts";
import { Code } from "../../core/codes.ts";
import { Compression, type CompressionOptions, Compressor, highestLevel } from "../../core/compression.ts";
import { Slice } from "../../core/cursor.ts";
import { UsageError } from "../../core/errors.ts";
import { at, encodingOf, faultOf, isEncoded, messagesHeader } from "../../core/frame.ts";
import { ConnectionCredit, Outbox } from "../../core/outbox.ts";
import { Segment } from "../../core/segment.ts";
import { framesIn, KiB, MiB, opening, Random, roomyPool, same, viewOf, VirtualPlatform } from "./fixtures.ts";

const platform = new VirtualPlatform();
const random = new Random(1);
const line = (number: number) => new TextEncoder().encode(`{"symbol":"ACME","price":101.25,"number":${number}}`);

/** An outbox that compresses, of a server that grants some features. */
function outboxOf(options: CompressionOptions, features = codecFeatures) {
  const compression = new Compression(platform, options);
  compression.granted(features);
  const pool = roomyPool();
  const credit = new ConnectionCredit();
  credit.limit = 16 * MiB;
  const outbox = new Outbox("a", platform, pool, credit, 64 * KiB, new Compressor(compression));
  outbox.declared(1, MiB, 64 * KiB, 0);
  return { outbox, compression, credit, pool };
}

function push(outbox: Outbox, ...messages: Uint8Array[]): void {
  for (const message of messages) assert(outbox.push(message, 0, message.length));
}

/** What there is to be written: copies of the frames, each found in order. */
function takeAll(outbox: Outbox): Uint8Array[] {
  const frames: Uint8Array[] = [];
  const slice = new Slice();
  while (outbox.take(256 * KiB, slice) !== "empty") {
    frames.push(...framesIn(slice.segment!.bytes.slice(slice.start, slice.end)));
  }
  for (const frame of frames) assertEquals(faultOf(platform, frame, viewOf(frame), 0, frame.length), Code.done);
  return frames;
}

/** The messages of a frame, as a subscriber gets them. */
function messagesOf(frame: Uint8Array): Uint8Array[] {
  const batch = new Batch();
  const segment = new Segment(frame, viewOf(frame), 0, frame.length, 0, 1);
  assertEquals(batch.open("a", segment, 0, 0, opening(platform)), Code.done);
  return Array.from({ length: batch.count }, (_, index) => batch.message(index).payload);
}

const encoded = (frame: Uint8Array) => isEncoded(viewOf(frame), 0);
const lines = (count: number) => Array.from({ length: count }, (_, index) => line(index));

Deno.test("any batch comes back as it was pushed, by each codec, and is no longer than it would be as it is", () => {
  const messages = fc.array(
    fc.oneof(
      fc.uint8Array({ maxLength: 400 }),
      fc.integer({ min: 0, max: 9 }).map(line),
      fc.integer({ min: 0, max: 70_000 }).map((length) => new Uint8Array(length)),
    ),
    { minLength: 1, maxLength: 40 },
  );
  fc.assert(fc.property(messages, fc.constantFrom("zstd", "deflate", "auto"), (messages, codec) => {
    const { outbox, credit } = outboxOf({ codec });
    const plain = outboxOf({ codec }, 0);
    push(outbox, ...messages);
    push(plain.outbox, ...messages);
    const frames = takeAll(outbox);
    const back = frames.flatMap(messagesOf);
    assertEquals(back.length, messages.length);
    back.forEach((message, index) => assert(same(message, messages[index]!)));
    const size = (all: Uint8Array[]) => all.reduce((sum, frame) => sum + frame.length, 0);
    assert(size(frames) <= size(takeAll(plain.outbox)));
    assertEquals([outbox.bytes, credit.kept, credit.used], [size(frames), size(frames), size(frames)]);
    outbox.acknowledge(messages.length);
    assertEquals([outbox.bytes, credit.kept, credit.used, outbox.pending], [0, 0, 0, 0]);
  }));
});

Deno.test("a message of a batch that was compressed is its receiver's own", () => {
  const { outbox } = outboxOf({ codec: "zstd" });
  push(outbox, ...lines(50));
  const [first, second] = messagesOf(takeAll(outbox)[0]!);
  first!.fill(0);
  assertEquals(second, line(1));
});

Deno.test("what is sent again is what was sent, to the byte", () => {
  const { outbox, credit } = outboxOf({ codec: "zstd" });
  push(outbox, ...lines(100));
  const sent = takeAll(outbox);
  push(outbox, ...lines(100));
  sent.push(...takeAll(outbox));
  assert(sent.every(encoded));
  outbox.reset();
  assertEquals(credit.used, 0);
  outbox.declared(1, MiB, 64 * KiB, 0);
  assertEquals(takeAll(outbox), sent);
});

Deno.test("a codec that is granted is used, and none that is not", () => {
  const used = (codec: CompressionOptions["codec"], features: number) => {
    const { outbox } = outboxOf({ codec }, features);
    push(outbox, ...lines(100));
    const [frame] = takeAll(outbox);
    return encoded(frame!) ? encodingOf(viewOf(frame!), 0).codec : null;
  };
  const { deflate, zstd } = Codec;
  assertEquals(["zstd", "deflate", "auto"].map((codec) => used(codec as "auto", codecFeatures)), [zstd, deflate, zstd]);
  assertEquals([used("zstd", featureOf(deflate)), used("deflate", featureOf(zstd))], [null, null]);
  assertEquals([used("auto", featureOf(deflate)), used("auto", 0), used("auto", 4)], [deflate, null, null]);
});

Deno.test("what does not get smaller goes as it is, and so does what is small", () => {
  const { outbox, compression } = outboxOf({ codec: "zstd" });
  const noise = random.bytes(10_000);
  push(outbox, noise);
  const [large] = takeAll(outbox);
  assert(!encoded(large!));
  assert(same(messagesOf(large!)[0]!, noise));
  assertEquals(large!.length, messagesHeader + 2 + noise.length);
  assertEquals(compression.before, compression.after);
  push(outbox, new Uint8Array(100));
  assert(!encoded(takeAll(outbox)[0]!));
});

Deno.test("what was compressed is counted: payloads, before and after", () => {
  const { outbox, compression } = outboxOf({ codec: "deflate" });
  push(outbox, ...lines(100));
  const [frame] = takeAll(outbox);
  assertEquals(compression.before, encodingOf(viewOf(frame!), 0).expanded);
  assertEquals(compression.after, frame!.length - messagesHeader);
  assertLess(compression.after, compression.before / 4);
});

/** Compresses frame by frame; whether each was tried. */
function tried(codec: CompressionOptions["codec"], payloads: readonly Uint8Array[]): boolean[] {
  let calls = 0;
  const compress = (...given: Parameters<typeof platform.compress>) => {
    calls++;
    return platform.compress(...given);
  };
  const compression = new Compression({ compress }, { codec });
  compression.granted(codecFeatures);
  const compressor = new Compressor(compression);
  return payloads.map((payload) => {
    const before = calls;
    const bytes = payload.slice();
    const segment = new Segment(bytes, viewOf(bytes), 0, bytes.length, 0, 1);
    segment.end = bytes.length;
    compressor.compress(segment, 0);
    return calls > before;
  });
}

Deno.test("auto: what does not compress is tried less and less often, and never given up", () => {
  const noise = Array.from({ length: 2_000 }, () => random.bytes(1_000));
  const tries = tried("auto", noise).flatMap((was, index) => was ? [index] : []);
  assertEquals(tries, [0, 2, 6, 14, 30, 62, 126, 254, 510, 766, 1022, 1278, 1534, 1790]);
  assert(tried("zstd", noise.slice(0, 20)).every((was) => was));
});

Deno.test("auto: what compresses is tried each time, and what begins to is found out", () => {
  const text = new TextEncoder().encode("the same words again and ".repeat(40));
  assert(tried("auto", Array.from({ length: 50 }, () => text)).every((was) => was));
  const noise = Array.from({ length: 300 }, () => random.bytes(1_000));
  const was = tried("auto", [...noise, ...Array.from({ length: 300 }, () => text)]).slice(300);
  const found = was.indexOf(true);
  assertLess(found, 256);
  assert(was.slice(found).every((each) => each));
});

Deno.test("a level that a codec does not have is a wrong use", () => {
  for (const level of [0, -1, 1.5, NaN, Infinity]) {
    assertThrows(() => new Compression(platform, { codec: "zstd", level }), UsageError, `level ${level}`);
  }
  for (const codec of ["deflate", "zstd"] as const) {
    new Compression(platform, { codec, level: highestLevel[codec] });
    assertThrows(() => new Compression(platform, { codec, level: highestLevel[codec] + 1 }), UsageError, `of ${codec}`);
  }
  const compression = new Compression(platform, { codec: "auto", level: highestLevel.zstd });
  assert(compression.granted(featureOf(Codec.deflate)));
  assertLess(compression.compress(Codec.deflate, new Uint8Array(1_000)).length, 100);
});

Deno.test("a segment of many frames has each where it ends: compressed ones, and one that is still open", () => {
  const { outbox, credit } = outboxOf({ codec: "zstd" });
  const sent: Uint8Array[] = [];
  const pushed: Uint8Array[] = [];
  for (let round = 0; round < 400; round++) {
    const message = random.chance(0.2) ? random.bytes(random.below(3_000)) : line(round);
    push(outbox, message);
    pushed.push(message);
    if (random.chance(0.1)) sent.push(...takeAll(outbox));
    if (random.chance(0.05) && sent.length > 0) {
      const last = viewOf(sent.at(-1)!);
      outbox.acknowledge(Number(last.getBigUint64(at.number, true)) + last.getUint16(at.count, true) - 1);
    }
  }
  sent.push(...takeAll(outbox));
  assertEquals(sent.flatMap(messagesOf), pushed);
  outbox.acknowledge(pushed.length);
  assertEquals([outbox.bytes, credit.kept, credit.used], [0, 0, 0]);
});
