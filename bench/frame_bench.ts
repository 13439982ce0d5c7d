/** How fast bytes are cut into frames, frames checked, and messages found in them. One iteration is about 1 MiB. */

import { crc32 } from "node:zlib";
import { BodyReader } from "../core/body_reader.ts";
import * as control from "../core/control.ts";
import { at, faultOf, FrameType, messagesHeader, writePrefix } from "../core/frame.ts";
import { FrameReader } from "../core/frame_reader.ts";
import { FrameWriter } from "../core/frame_writer.ts";
import { MemoryBudget } from "../core/memory.ts";
import { findMessages, varintLength, writeVarint } from "../core/payload.ts";
import { SegmentPool } from "../core/segment_pool.ts";
import { platform } from "../transports/platform.ts";

const MiB = 1024 * 1024;
let sum = 0;

function payload(messages: number, length: number): Uint8Array {
  const bytes = new Uint8Array(messages * (varintLength(length) + length));
  for (let i = 0, offset = 0; i < messages; i++) offset = writeVarint(bytes, offset, length) + length;
  return bytes;
}

/** A stream of frames of `messages` messages each. */
function stream(total: number, messages: number, length: number): Uint8Array {
  const body = payload(messages, length);
  const size = messagesHeader + body.length;
  const bytes = new Uint8Array(Math.floor(total / size) * size);
  const view = new DataView(bytes.buffer);
  for (let start = 0; start < bytes.length; start += size) {
    writePrefix(view, start, size, FrameType.messages, messagesHeader);
    view.setUint16(start + at.count, messages, true);
    view.setUint32(start + at.number, 1, true);
    view.setUint32(start + at.payload, body.length, true);
    view.setUint32(start + at.checksum, crc32(body), true);
    bytes.set(body, start + messagesHeader);
  }
  return bytes;
}

for (const [name, messages, length] of [["200 B", 1, 150], ["64 KiB", 507, 128]] as const) {
  const bytes = stream(MiB, messages, length);
  const view = new DataView(bytes.buffer);
  const size = view.getUint32(0, true);
  const reader = new FrameReader(new SegmentPool(new MemoryBudget(64 * MiB)), new MemoryBudget(64 * MiB));
  reader.mostMessages = MiB;

  for (const piece of [1460, 65_536, 262_144]) {
    Deno.bench(`read in pieces of ${piece} bytes`, { group: `frames of ${name}` }, () => {
      for (let offset = 0; offset < bytes.length;) {
        const space = reader.space();
        const count = Math.min(piece, space.length, bytes.length - offset);
        space.set(bytes.subarray(offset, offset + count));
        reader.settle();
        reader.received(count);
        offset += count;
        while (reader.next()) sum += reader.length;
      }
    });
  }
  Deno.bench("check every frame", { group: `frames of ${name}` }, () => {
    for (let start = 0; start < bytes.length; start += size) sum += faultOf(platform, bytes, view, start, size);
  });
}

for (const length of [8, 128, 1024]) {
  const count = Math.floor(65_000 / (varintLength(length) + length));
  const bytes = payload(count, length);
  const bounds = new Uint32Array(2 * count);
  const frames = Math.floor(MiB / bytes.length);
  Deno.bench(`find ${frames * count} messages of ${length} bytes`, { group: "messages" }, () => {
    for (let i = 0; i < frames; i++) {
      if (!findMessages(bytes, 0, bytes.length, count, bounds)) throw new Error("broken");
    }
  });
}

const writer = new FrameWriter();
const body = new BodyReader();
const gap = { subscription: 1, topic: 2, first: 3, last: 4, code: 7 };
Deno.bench("write a GAP", { group: "control" }, () => {
  writer.clear(true);
  control.gap.write(writer, gap);
});
Deno.bench("read a GAP", { group: "control" }, () => {
  writer.clear(true);
  control.gap.write(writer, gap);
  const bytes = writer.bytes();
  sum += control.gap.read(body.open(bytes, new DataView(bytes.buffer), 8, bytes.length)).last;
});
Deno.bench("write an ACK of 100 topics, by hand", { group: "control" }, () => {
  writer.clear(true);
  writer.begin(FrameType.ack).u16(100);
  for (let i = 0; i < 100; i++) writer.u32(i).u64(i * 1e6);
  writer.end();
});
