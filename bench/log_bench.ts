/** How fast frames are appended to a log and read from it. One iteration is 1,000 frames, of the size that the group says. */

import { Cursor, Slice } from "../core/cursor.ts";
import { TopicLog } from "../core/log.ts";
import { MemoryBudget } from "../core/memory.ts";
import { at, FrameType, messagesHeader, writePrefix } from "../core/frame.ts";
import { largestWrite } from "../core/limits.ts";
import { SegmentPool } from "../core/segment_pool.ts";

const MiB = 1024 * 1024;
const frames = 1000;
const retention = { bytes: 8 * MiB, age: Infinity };

function newLog(): TopicLog {
  return new TopicLog(new SegmentPool(new MemoryBudget(512 * MiB)), retention);
}

/** Two frames one after the other, as they may stand in an input. */
function someFrames(length: number, count: number): Uint8Array {
  const bytes = new Uint8Array(2 * length);
  const view = new DataView(bytes.buffer);
  for (const start of [0, length]) {
    writePrefix(view, start, length, FrameType.messages, messagesHeader);
    view.setUint16(start + at.count, count, true);
  }
  return bytes;
}

for (const [name, length, count] of [["200 B", 200, 1], ["2 KiB", 2048, 14], ["64 KiB", 65_536, 500]] as const) {
  const source = someFrames(length, count);
  const appended = (log: TopicLog) => {
    for (let i = 0; i < frames; i++) log.append(source, i & 1 ? length : 0, length, count, 1_700_000_000_000_000 + i);
  };
  const log = newLog();
  for (let i = 0; i < 20; i++) appended(log);

  Deno.bench("copy the same bytes only", { group: `append ${name}`, baseline: true }, () => {
    const into = new Uint8Array(log.first!.bytes.buffer);
    for (let i = 0, to = 0; i < frames; i++, to += length) {
      if (to + length > into.length) to = 0;
      into.set(source.subarray(0, length), to);
    }
  });
  Deno.bench("append", { group: `append ${name}` }, () => appended(log));

  const slice = new Slice();
  let sum = 0;
  for (const readers of [1, 10, 100]) {
    const cursors = Array.from({ length: readers }, () => new Cursor(log, log.nextSequence));
    Deno.bench(`${readers} cursors, woken at every frame`, { group: `append and read ${name}` }, () => {
      for (let i = 0; i < frames; i++) {
        log.append(source, 0, length, count, 1_700_000_000_000_000 + i);
        for (const cursor of cursors) if (cursor.read(largestWrite, slice) === "taken") sum += slice.length;
      }
    });
  }
  for (const most of [4096, largestWrite]) {
    Deno.bench(`the newest 100 frames, ${most / 1024} KiB at a time`, { group: `read ${name}` }, () => {
      const cursor = new Cursor(log, log.nextSequence - 100 * count);
      while (cursor.read(most, slice) === "taken") sum += slice.length;
    });
  }
}
