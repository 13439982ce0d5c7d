import { assert, assertEquals } from "@std/assert";
import { readU64 } from "../../core/bytes.ts";
import { Slice } from "../../core/cursor.ts";
import { at, faultOf, messagesAgree } from "../../core/frame.ts";
import { Flight, grownFrame, largestFlight } from "../../core/flight.ts";
import { largestBatch } from "../../core/limits.ts";
import { ConnectionCredit, Outbox } from "../../core/outbox.ts";
import { findMessages } from "../../core/payload.ts";
import type { SegmentPool } from "../../core/segment_pool.ts";
import { framesIn, KiB, MiB, Random, roomyPool, same, viewOf, VirtualPlatform } from "./fixtures.ts";

interface Sent {
  readonly number: number;
  readonly count: number;
  readonly topic: number;
  readonly bytes: Uint8Array;
  readonly messages: Uint8Array[];
}

const platform = new VirtualPlatform();

function parse(frame: Uint8Array): Sent {
  const view = viewOf(frame);
  assert(messagesAgree(view, 0, frame.length));
  assertEquals(faultOf(platform, frame, view, 0, frame.length), 0);
  const count = view.getUint16(at.count, true);
  const bounds = new Uint32Array(2 * count);
  assert(findMessages(frame, 48, frame.length, count, bounds));
  const messages = Array.from({ length: count }, (_, i) => frame.slice(bounds[2 * i], bounds[2 * i + 1]));
  return { number: readU64(view, at.number), count, topic: view.getUint32(at.topic, true), bytes: frame, messages };
}

/** Takes what there is to be written, at most `most` bytes; copies of the frames. */
function take(outbox: Outbox, most = 256 * KiB): Sent[] {
  const slice = new Slice();
  if (outbox.take(most, slice) === "empty") return [];
  const bytes = slice.segment!.bytes.slice(slice.start, slice.end);
  const frames = framesIn(bytes);
  assert(bytes.length <= most || frames.length === 1, "more than was asked for");
  return frames.map(parse);
}

function takeAll(outbox: Outbox, most?: number): Sent[] {
  const all = [];
  for (let frames = take(outbox, most); frames.length > 0; frames = take(outbox, most)) all.push(...frames);
  return all;
}

function newOutbox(limit = 16 * MiB): { outbox: Outbox; credit: ConnectionCredit; pool: SegmentPool } {
  const pool = roomyPool();
  const credit = new ConnectionCredit();
  credit.limit = limit;
  return { outbox: new Outbox("a", platform, pool, credit), credit, pool };
}

function push(outbox: Outbox, bytes: Uint8Array): void {
  assert(outbox.push(bytes, 0, bytes.length));
}

/** Nothing is held but memory that the pool keeps for reuse. */
function assertEmpty(pool: SegmentPool): void {
  pool.trim(0);
  assertEquals(pool.budget.used, 0);
}

Deno.test("outbox: messages that come between two writes go in one frame", () => {
  const { outbox } = newOutbox();
  for (let i = 0; i < 10; i++) push(outbox, new Uint8Array([i]));
  assertEquals(take(outbox), [], "not before it is declared");
  outbox.declared(7, MiB, largestBatch, 0);
  const [frame, ...more] = takeAll(outbox);
  assertEquals(more, []);
  assertEquals([frame!.number, frame!.count, frame!.topic], [1, 10, 7]);
  push(outbox, new Uint8Array([10]));
  assertEquals(takeAll(outbox).map(({ number, count }) => [number, count]), [[11, 1]]);
});

Deno.test("outbox: no batch is larger than the server wants, however many messages wait", () => {
  const { outbox } = newOutbox();
  outbox.declared(1, 64 * MiB, 1000, 0);
  for (let i = 0; i < 100; i++) push(outbox, new Uint8Array(100));
  push(outbox, new Uint8Array(5000));
  push(outbox, new Uint8Array(1));
  const frames = takeAll(outbox);
  for (const { bytes, count } of frames) assert(bytes.length <= 1000 || count === 1);
  assertEquals(frames.reduce((sum, { count }) => sum + count, 0), 102);
});

Deno.test("outbox: empty messages, 65,535 of them a frame", () => {
  const { outbox } = newOutbox();
  outbox.declared(1, 64 * MiB, largestBatch, 0);
  for (let i = 0; i < 150_000; i++) push(outbox, new Uint8Array(0));
  const frames = takeAll(outbox);
  assert(frames.every(({ count, bytes }) => count <= 65_535 && bytes.length <= largestBatch));
  assertEquals(frames.reduce((sum, { count }) => sum + count, 0), 150_000);
});

Deno.test("outbox: a message of 64 MiB", () => {
  const { outbox, pool } = newOutbox();
  outbox.declared(1, MiB, largestBatch, 0);
  push(outbox, new Uint8Array(64 * MiB).fill(9));
  push(outbox, new Uint8Array(1));
  assertEquals(take(outbox).map(({ count, bytes }) => [count, bytes.length]), [[1, 48 + 4 + 64 * MiB]]);
  assertEquals(take(outbox), [], "one frame may exceed the credit, alone");
  outbox.acknowledge(1);
  assertEquals(take(outbox).length, 1);
  outbox.acknowledge(2);
  assertEquals(outbox.bytes, 0);
  assertEmpty(pool);
});

Deno.test("outbox: what is not acknowledged is written again, byte for byte but for the topic's id", () => {
  const { outbox } = newOutbox();
  outbox.declared(3, MiB, largestBatch, 0);
  const first = [];
  for (let i = 0; i < 50; i++) {
    push(outbox, new Uint8Array(i * 100).fill(i));
    if (i % 3 === 0) first.push(...takeAll(outbox));
  }
  outbox.acknowledge(first[4]!.number + first[4]!.count - 1);
  outbox.reset();
  assertEquals(take(outbox), []);
  outbox.declared(9, MiB, largestBatch, 0);
  const again = takeAll(outbox);
  const rest = (sent: Sent) => [sent.number, sent.count, sent.bytes.subarray(12)];
  assertEquals(again.slice(0, first.length - 5).map(rest), first.slice(5).map(rest));
  assert(again.every(({ topic }) => topic === 9));
});

Deno.test("outbox: where there is no memory a message is not taken, and what is there is whole", () => {
  const pool = roomyPool(2 * MiB);
  const credit = new ConnectionCredit();
  credit.limit = 64 * MiB;
  const outbox = new Outbox("a", platform, pool, credit);
  outbox.declared(1, 64 * MiB, largestBatch, 0);
  let taken = 0;
  while (outbox.push(new Uint8Array(10_000), 0, 10_000)) taken++;
  assert(taken > 50);
  assertEquals(outbox.lastNumber, taken);
  assertEquals(takeAll(outbox).reduce((sum, { count }) => sum + count, 0), taken);
  outbox.acknowledge(taken);
  assertEquals(outbox.bytes, 0);
  assert(outbox.push(new Uint8Array(10_000), 0, 10_000));
  assertEquals(outbox.clear(), 1);
  assertEmpty(pool);
});

Deno.test("outbox: a frame that grows is not ended by the end of its segment, as long as it is small", () => {
  const { outbox, credit, pool } = newOutbox();
  outbox.declared(1, 64 * MiB, largestBatch, 0);
  for (let i = 0; i < 3; i++) push(outbox, new Uint8Array(100).fill(i));
  assertEquals(take(outbox).map(({ count }) => count), [3]);
  for (let i = 3; i < 80; i++) push(outbox, new Uint8Array(100).fill(i));
  const frames = takeAll(outbox);
  assertEquals(frames.map(({ number, count }) => [number, count]), [[4, 77]], "begun behind another, and moved twice");
  assertEquals(frames[0]!.messages.map(([first]) => first), Array.from({ length: 77 }, (_, i) => i + 3));
  outbox.acknowledge(80);
  assertEquals([outbox.pending, outbox.bytes, credit.used], [0, 0, 0]);
  assertEmpty(pool);
});

Deno.test("outbox: while much is in flight a small frame stays and grows; a large one and what was closed go", () => {
  const { outbox, credit } = newOutbox();
  const flight = credit.flight = new Flight();
  outbox.declared(1, 64 * MiB, largestBatch, 0);
  push(outbox, new Uint8Array(10));
  assertEquals(takeAll(outbox).length, 1);
  flight.add(largestFlight);
  const slice = new Slice();
  push(outbox, new Uint8Array(10));
  assertEquals(outbox.take(1000, slice), "held");
  while (outbox.bytes < grownFrame - 100) push(outbox, new Uint8Array(100));
  assertEquals(outbox.take(2 * grownFrame, slice), "held");
  push(outbox, new Uint8Array(100));
  const grown = takeAll(outbox);
  assertEquals(grown.map(({ number }) => number), [2], "all of them, in one frame");
  outbox.reset();
  outbox.declared(1, 64 * MiB, largestBatch, 0);
  assertEquals(takeAll(outbox).length, 2, "what is written again has its size for good");
  push(outbox, new Uint8Array(10));
  assertEquals(outbox.take(1000, slice), "held");
  flight.ask();
  flight.answered();
  assertEquals(takeAll(outbox).length, 1);
});

Deno.test("outbox: acknowledgements that are beyond all that was written do no harm", () => {
  const { outbox, credit, pool } = newOutbox();
  outbox.declared(1, MiB, largestBatch, 0);
  for (let i = 0; i < 100; i++) push(outbox, new Uint8Array(3000));
  take(outbox, 1);
  outbox.acknowledge(2 ** 53 - 1);
  const open = outbox.pending;
  assertEquals(takeAll(outbox).reduce((sum, { count }) => sum + count, 0), open, "what is open still goes");
  outbox.acknowledge(100);
  assertEquals([outbox.pending, outbox.bytes, credit.used], [0, 0, 0]);
  assertEmpty(pool);
});

Deno.test("outbox: whatever happens in whatever order: each message once and in order, credit kept, memory given back", () => {
  for (let seed = 1; seed <= 200; seed++) {
    try {
      simulate(new Random(seed));
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
  }
});

/** Two outboxes on a connection that is lost now and then, and a server that appends, or forgets what it appended. */
function simulate(random: Random): void {
  const pool = roomyPool();
  const credit = new ConnectionCredit();
  credit.limit = random.pick([3_000, 50_000, 16 * MiB]);
  const topicCredit = random.pick([1_000, 20_000, MiB]);
  const largest = random.pick([200, 4_000, largestBatch]);
  const size = random.pick([10, 300, 5_000]);
  const models = ["a", "b"].map((topic) => ({
    outbox: new Outbox(topic, platform, pool, credit),
    pushed: [] as Uint8Array[],
    /** What the server has, and what is under way to it: lost with the connection. */
    appended: 0,
    flying: [] as Sent[],
    /** Sent and not acknowledged, as the client knows it, in bytes. */
    unacknowledged: 0,
    acked: 0,
    sizes: [] as { last: number; bytes: number }[],
  }));
  let connected = false;
  let id = 1;
  const credits = () => {
    const used = models.map((model) => model.sizes.reduce((sum, { bytes }) => sum + bytes, 0));
    assertEquals(credit.used, used[0]! + used[1]!);
    for (const [index, bytes] of used.entries()) {
      assert(bytes <= topicCredit || models[index]!.sizes.length === 1, "the topic's credit");
    }
    assert(credit.used <= credit.limit || models.filter(({ sizes }) => sizes.length > 0).length === 1);
  };
  const acknowledge = (model: typeof models[0], number: number) => {
    model.outbox.acknowledge(number);
    model.sizes = model.sizes.filter(({ last }) => last > number);
  };
  const arrive = (model: typeof models[0], count: number) => {
    for (const frame of model.flying.splice(0, count)) {
      const last = frame.number + frame.count - 1;
      if (last <= model.appended) continue;
      assertEquals(frame.number, model.appended + 1, "a frame was left out, or overlaps");
      for (const [index, message] of frame.messages.entries()) {
        assert(same(message, model.pushed[frame.number - 1 + index]!));
      }
      model.appended = last;
    }
  };
  const declare = (model: typeof models[0]) => {
    // Now and then the server does not remember: then what it has comes again.
    const last = random.chance(0.2) ? 0 : model.appended;
    if (last === 0) model.appended = model.outbox.ackedNumber;
    model.outbox.declared(id++, topicCredit, largest, last);
  };
  const step = (model: typeof models[0]) => {
    switch (random.below(8)) {
      case 0:
      case 1:
      case 2:
        for (let i = random.below(20); i >= 0; i--) {
          const message = random.bytes(random.below(random.chance(0.02) ? 90_000 : size));
          push(model.outbox, message);
          model.pushed.push(message);
        }
        break;
      case 3:
      case 4:
        for (const frame of take(model.outbox, random.pick([1, 1_000, 256 * KiB]))) {
          assert(model.outbox.id !== 0);
          assertEquals(frame.topic, model.outbox.id);
          model.flying.push(frame);
          model.sizes.push({ last: frame.number + frame.count - 1, bytes: frame.bytes.length });
        }
        break;
      case 5:
        arrive(model, random.below(model.flying.length + 1));
        break;
      case 6:
        if (connected && model.outbox.id !== 0) acknowledge(model, random.between(0, model.appended));
        break;
      default:
        if (random.chance(0.8)) break;
        if (connected) {
          for (const each of models) {
            arrive(each, random.below(each.flying.length + 1));
            each.flying = [];
            each.sizes = [];
            each.outbox.reset();
          }
        } else {
          for (const each of models) declare(each);
        }
        connected = !connected;
    }
    credits();
  };
  for (let i = 0; i < 300; i++) step(random.pick(models));
  if (!connected) { for (const each of models) declare(each); }
  // From here on everything goes well, and so everything arrives.
  for (let i = 0; i < 100_000 && models.some(({ outbox }) => outbox.pending > 0); i++) {
    for (const model of models) {
      for (const frame of takeAll(model.outbox)) {
        model.flying.push(frame);
        model.sizes.push({ last: frame.number + frame.count - 1, bytes: frame.bytes.length });
      }
      credits();
      arrive(model, model.flying.length);
      acknowledge(model, model.appended);
      credits();
    }
  }
  for (const { outbox, pushed, appended } of models) {
    assertEquals([outbox.pending, outbox.bytes, appended, outbox.unsent], [0, 0, pushed.length, false]);
  }
  assertEquals(credit.used, 0);
  assertEmpty(pool);
}

Deno.test("outbox: it says with the last frames that it is drained", () => {
  const { outbox } = newOutbox();
  outbox.declared(1, MiB, 1000, 0);
  for (let i = 0; i < 15; i++) push(outbox, new Uint8Array(100));
  const slice = new Slice();
  assertEquals([outbox.take(1000, slice), outbox.take(1000, slice), outbox.take(1000, slice)], [
    "taken",
    "drained",
    "empty",
  ]);
});
