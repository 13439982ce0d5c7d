/**
 * Encoding: messages into frames of a publisher's outbox, taken for writing and acknowledged.
 *
 * @module
 */

import { Slice } from "../core/cursor.ts";
import { largestBatch } from "../core/limits.ts";
import { MemoryBudget } from "../core/memory.ts";
import { ConnectionCredit, Outbox } from "../core/outbox.ts";
import { SegmentPool } from "../core/segment_pool.ts";
import { platform } from "../transports/platform.ts";

const MiB = 1024 * 1024;
/** Messages an iteration. */
const count = 10_000;

for (const size of [8, 16, 64, 128, 1024]) {
  const pool = new SegmentPool(new MemoryBudget(64 * MiB));
  const credit = new ConnectionCredit();
  credit.limit = 64 * MiB;
  const outbox = new Outbox("bench", platform, pool, credit, largestBatch);
  outbox.declared(1, 64 * MiB, largestBatch, 0);
  const payload = new Uint8Array(size).fill(120);
  const slice = new Slice();
  Deno.bench(`encode ${count} messages of ${size} B, take and acknowledge them`, () => {
    for (let i = 0; i < count; i++) outbox.push(payload, 0, size);
    while (outbox.take(256 * 1024, slice) === "taken");
    outbox.acknowledge(outbox.lastNumber);
  });
}
