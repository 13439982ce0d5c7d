import { assert, assertEquals, assertRejects } from "@std/assert";
import { Code } from "../../core/codes.ts";
import { GapError, type GapEvent, readBatches, readEvents, readMessages } from "../../core/events.ts";
import { encodedFlag, stamp } from "../../core/frame.ts";
import { FrameReader } from "../../core/frame_reader.ts";
import { ResumableInbox } from "../../core/resumable_inbox.ts";
import { MemoryBudget } from "../../core/memory.ts";
import { largestMessage } from "../../core/limits.ts";
import type { SegmentPool } from "../../core/segment_pool.ts";
import { platform } from "../../transports/platform.ts";
import { concat, MiB, roomyPool, viewOf } from "./fixtures.ts";
import { textFrame } from "./world.ts";

/** A frame as a server sends it. */
function stamped(sequence: number, texts: readonly string[], parts: Parameters<typeof textFrame>[1] = {}): Uint8Array {
  const frame = textFrame(texts, parts);
  stamp(viewOf(frame), 0, sequence, 5_000_000 + sequence);
  return frame;
}

/** An inbox with an input before it and a reader behind it. */
class Subject {
  readonly platform = platform;
  readonly verify = false;
  readonly maxMessage = largestMessage;
  readonly pool: SegmentPool = roomyPool();
  readonly inbox: ResumableInbox;
  readonly reader: FrameReader;
  left = false;
  ended = false;
  error: Error | null = null;
  wentOn = 0;

  constructor(floor = 1) {
    this.inbox = new ResumableInbox(this.pool, floor);
    this.reader = new FrameReader(this.pool, new MemoryBudget(64 * MiB));
    this.reader.mostMessages = 2 * MiB;
  }

  /** Feeds frames, as one read. */
  feed(...frames: Uint8Array[]): void {
    let bytes = concat(frames);
    while (bytes.length > 0) {
      const space = this.reader.space();
      const part = bytes.subarray(0, space.length);
      space.set(part);
      this.reader.settle();
      this.reader.received(part.length);
      while (this.reader.next()) assert(this.inbox.frame(this.reader));
      bytes = bytes.subarray(part.length);
    }
  }

  goOn(): void {
    this.wentOn++;
  }

  arrival(): Promise<void> {
    throw new Error("nothing more comes");
  }

  /** What a reader gets until the end: `topic sequence text`, or `topic first-last reason`. */
  async all(): Promise<string[]> {
    this.ended = true;
    const lines: string[] = [];
    for await (const event of readEvents(this)) {
      if (event.kind === "gap") lines.push(`${event.topic} ${event.first}-${event.last} ${event.reason}`);
      else if (event.kind === "restarted") lines.push("restarted");
      else {
        for (let i = 0; i < event.count; i++) {
          const { topic, sequence, payload, time } = event.message(i);
          lines.push(`${topic} ${sequence} ${new TextDecoder().decode(payload)}`);
          assert(time >= 5_000_000 && time <= 5_000_000 + sequence);
        }
      }
    }
    return lines;
  }

  /** Nothing is held any more. */
  assertEmpty(): void {
    assertEquals(this.inbox.bytes, 0);
    this.reader.close();
    this.pool.trim(0);
    assertEquals(this.pool.budget.used, 0);
  }
}

Deno.test("inbox: frames come out in order, topics mixed as they came", async () => {
  const subject = new Subject();
  subject.inbox.announced("a", 1, 1, 1);
  subject.inbox.announced("b", 2, 2, 7);
  subject.feed(stamped(1, ["x", "y"]), stamped(3, ["z"]), stamped(7, ["B"], { topic: 2 }), stamped(4, ["w"]));
  assertEquals(await subject.all(), ["a 1 x", "a 2 y", "a 3 z", "b 7 B", "a 4 w"]);
  assertEquals([...subject.inbox.points()], [
    { topic: "a", id: 1, first: 1, next: 5 },
    { topic: "b", id: 2, first: 7, next: 8 },
  ]);
  subject.assertEmpty();
});

Deno.test("inbox: what is before the start point is left out, inside a frame too", async () => {
  const cases: [what: string, floor: number, announced: number, expected: string[]][] = [
    ["a sequence", 3, 3, ["a 3 3", "a 4 4", "a 5 5", "a 6 6"]],
    ["the last two, or a resume", 1, 5, ["a 5 5", "a 6 6"]],
    ["a sequence that the log did not have yet", 6, 4, ["a 6 6"]],
    ["a sequence to come", 100, 7, []],
  ];
  for (const [what, floor, announced, expected] of cases) {
    const subject = new Subject(floor);
    subject.inbox.announced("a", 1, 1, announced);
    subject.feed(stamped(1, ["1", "2"]), stamped(3, ["3", "4", "5"]), stamped(6, ["6"]));
    assertEquals(await subject.all(), expected, what);
    subject.assertEmpty();
  }
});

Deno.test("inbox: a topic that is announced again goes on where it was", async () => {
  const subject = new Subject();
  subject.inbox.announced("a", 1, 1, 1);
  subject.feed(stamped(1, ["1", "2"]));
  subject.inbox.announced("a", 1, 1, 3);
  subject.feed(stamped(2, ["2", "3"]), stamped(4, ["4"]));
  assertEquals(await subject.all(), ["a 1 1", "a 2 2", "a 3 3", "a 4 4"]);
  subject.assertEmpty();
});

Deno.test("inbox: a gap stands where it came, and covers all that was not delivered", async () => {
  const subject = new Subject();
  subject.inbox.announced("a", 1, 1, 1);
  subject.inbox.announced("b", 2, 2, 10);
  subject.feed(stamped(1, ["1"]));
  subject.inbox.gap(1, 2, 4, Code.lagged);
  subject.feed(stamped(5, ["5"]));
  subject.inbox.gap(2, 10, 19, Code.expired);
  subject.inbox.gap(2, 12, 15, Code.lagged);
  subject.inbox.gap(3, 1, 2, Code.lagged);
  subject.feed(stamped(20, ["20"], { topic: 2 }));
  assertEquals(await subject.all(), ["a 1 1", "a 2-4 lagged", "a 5 5", "b 10-19 expired", "b 20 20"]);
});

Deno.test("inbox: what a server leaves out without a word is a gap all the same", async () => {
  const subject = new Subject();
  subject.inbox.announced("a", 1, 1, 4);
  subject.feed(stamped(4, ["4"]), stamped(7, ["7"]));
  assertEquals(await subject.all(), ["a 4 4", "a 5-6 lagged", "a 7 7"]);
});

Deno.test("inbox: what is missing at the very beginning of a topic is a gap, too", async () => {
  const subject = new Subject();
  subject.inbox.announced("a", 1, 1, 1);
  subject.feed(stamped(3, ["3"]));
  assertEquals(await subject.all(), ["a 1-2 lagged", "a 3 3"]);
});

Deno.test("inbox: a forgotten topic is told if something of it is missing; its id says nothing any more", async () => {
  const subject = new Subject();
  for (const [id, name] of ["a", "b", "c"].entries()) subject.inbox.announced(name, id + 1, id + 1, 1);
  subject.feed(stamped(1, ["1"]), stamped(1, ["1"], { topic: 2 }), stamped(1, ["1"], { topic: 3 }));
  subject.inbox.gap(1, 2, 1, Code.forgotten);
  subject.inbox.gap(2, 2, 9, Code.forgotten);
  subject.inbox.gap(3, 2, 0, Code.forgotten);
  assertEquals([...subject.inbox.points()], []);
  assertEquals((await subject.all()).slice(3), ["b 2-9 forgotten", "c 2-0 forgotten"]);
});

Deno.test("inbox: a restart forgets ids, sequences and the start point", async () => {
  const subject = new Subject(5);
  subject.inbox.announced("a", 1, 4, 5);
  subject.feed(stamped(5, ["5"]));
  subject.inbox.restarted();
  assertEquals([[...subject.inbox.points()], subject.inbox.ordinal], [[], 0]);
  subject.inbox.announced("b", 1, 1, 1);
  subject.feed(stamped(1, ["new"]));
  assertEquals(await subject.all(), ["a 5 5", "restarted", "b 1 new"]);
});

Deno.test("inbox: a frame that is broken inside is a gap between good ones: corrupt, or unsupported", async () => {
  const broken = stamped(2, ["xx", "yy"]);
  broken[48] = 9;
  const short = stamped(4, ["4"]);
  short[48] = 0;
  const extension = stamped(6, ["6"], { extension: new Uint8Array([1, 0, 9, 0]) });
  const mandatory = stamped(7, ["7"], { extension: new Uint8Array([1, 1, 0, 0]) });
  const subject = new Subject();
  subject.inbox.announced("a", 1, 1, 1);
  subject.feed(stamped(1, ["1"]), broken, short, stamped(5, ["5"]), extension, mandatory);
  subject.feed(stamped(8, ["8", "9"], { flags: encodedFlag }), stamped(10, ["10"]));
  assertEquals(await subject.all(), [
    "a 1 1",
    "a 2-3 corrupt",
    "a 4-4 corrupt",
    "a 5 5",
    "a 6-6 corrupt",
    "a 7-7 unsupported",
    "a 8-9 corrupt",
    "a 10 10",
  ]);
  subject.assertEmpty();
});

Deno.test("inbox: of a broken frame only what was wanted is missing", async () => {
  const broken = stamped(1, ["xx", "yy", "zz"]);
  broken[48] = 99;
  const subject = new Subject();
  subject.inbox.announced("a", 1, 1, 2);
  subject.feed(broken);
  assertEquals(await subject.all(), ["a 2-3 corrupt"]);
});

Deno.test("inbox: a broken frame of 65,535 messages", async () => {
  const frame = stamped(1, Array(65_535).fill(""));
  frame[48] = 0x80;
  const subject = new Subject();
  subject.inbox.announced("a", 1, 1, 1);
  subject.feed(frame, stamped(65_536, ["ok"]));
  assertEquals(await subject.all(), ["a 1-65535 corrupt", "a 65536 ok"]);
});

Deno.test("messages and batches: a gap is thrown, once, and reading can go on behind it", async () => {
  for (const read of [readMessages, readBatches]) {
    const subject = new Subject();
    subject.ended = true;
    subject.inbox.announced("a", 1, 1, 1);
    subject.feed(stamped(1, ["1"]));
    subject.inbox.gap(1, 2, 4, Code.lagged);
    subject.feed(stamped(5, ["5"]));
    const iterator = read(subject);
    const sequence = async () => ((await iterator.next()).value as { sequence: number } | undefined)?.sequence;
    assertEquals(await sequence(), 1);
    const error = await assertRejects(() => iterator.next(), GapError, "messages of a were lost: 2 to 4: lagged");
    const gap: GapEvent = { kind: "gap", topic: "a", first: 2, last: 4, lost: 3, reason: "lagged", code: Code.lagged };
    assertEquals(error.gap, gap);
    assertEquals([await sequence(), await sequence()], [5, undefined]);
    subject.assertEmpty();
  }
});

Deno.test("who stops reading and begins again misses nothing: not a message, not a batch", async () => {
  const subject = new Subject();
  subject.ended = true;
  subject.inbox.announced("a", 1, 1, 1);
  subject.inbox.announced("b", 2, 2, 1);
  subject.feed(stamped(1, ["1", "2", "3"]), stamped(4, ["4"]), stamped(5, ["5"]), stamped(1, ["b"], { topic: 2 }));
  subject.feed(stamped(6, ["6", "7"]));
  const got: string[] = [];
  for (let i = 0; i < 3; i++) {
    for await (const { topic, sequence } of readMessages(subject)) {
      got.push(`${topic}${sequence}`);
      if (i < 2) break;
      if (sequence === 5) break;
    }
  }
  for await (const { topic, sequence } of readBatches(subject)) {
    got.push(`${topic}${sequence}`);
    break;
  }
  for await (const event of readEvents(subject)) {
    if (event.kind === "batch") got.push(`${event.topic}${event.sequence}x${event.count}`);
  }
  assertEquals(got, ["a1", "a2", "a3", "a4", "a5", "b1", "a6x2"]);
  subject.assertEmpty();
});

Deno.test("messages: an error comes after what was received, and only then", async () => {
  const subject = new Subject();
  subject.inbox.announced("a", 1, 1, 1);
  subject.feed(stamped(1, ["1", "2"]));
  subject.ended = true;
  subject.error = new Error("lost");
  const iterator = readMessages(subject);
  assertEquals((await iterator.next()).value.sequence, 1);
  assertEquals((await iterator.next()).value.sequence, 2);
  await assertRejects(() => iterator.next(), Error, "lost");
});

Deno.test("leaving forgets what was not read, in the middle of a batch too", async () => {
  const subject = new Subject();
  subject.inbox.announced("a", 1, 1, 1);
  subject.feed(stamped(1, ["1", "2"]), stamped(3, ["3"]));
  const iterator = readMessages(subject);
  await iterator.next();
  subject.left = subject.ended = true;
  assertEquals((await iterator.next()).done, true);
  subject.inbox.clear();
  subject.assertEmpty();
});
