/** How fast a session decides what to write. One iteration is what the name says, all of it written at once. */

import { Cursor, type Slice } from "../core/cursor.ts";
import { at, FrameType, messagesHeader, writePrefix } from "../core/frame.ts";
import { TopicLog } from "../core/log.ts";
import { MemoryBudget } from "../core/memory.ts";
import { Output, type Source, type TakeOutcome } from "../core/output.ts";
import { SegmentPool } from "../core/segment_pool.ts";

const MiB = 1024 * 1024;

class LogSource implements Source {
  queued = false;
  readonly log: TopicLog;
  readonly #cursor: Cursor;

  constructor(pool: SegmentPool) {
    this.log = new TopicLog(pool, { bytes: MiB, age: Infinity });
    this.#cursor = new Cursor(this.log, 1);
  }

  take(most: number, into: Slice): TakeOutcome {
    return this.#cursor.read(most, into);
  }
}

for (const [sources, frames, length] of [[1, 1000, 200], [1000, 1, 200], [10, 10, 65_536]] as const) {
  const frame = new Uint8Array(length);
  const view = new DataView(frame.buffer);
  writePrefix(view, 0, length, FrameType.messages, messagesHeader);
  view.setUint16(at.count, 1, true);
  const pool = new SegmentPool(new MemoryBudget(512 * MiB));
  const output = new Output(pool);
  const all = Array.from({ length: sources }, () => new LogSource(pool));
  Deno.bench(`${sources} sources, ${frames} frames of ${length} bytes each`, () => {
    for (const source of all) {
      for (let i = 0; i < frames; i++) source.log.append(frame, 0, length, 1, i);
      output.add(source);
    }
    for (let bytes = output.next(); bytes !== null; bytes = output.next()) output.written(bytes.length);
  });
}
