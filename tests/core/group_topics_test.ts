import { assertEquals, assertLess, assertLessOrEqual } from "@std/assert";
import { readU64, writeU64 } from "../../core/bytes.ts";
import { at, stamp } from "../../core/frame.ts";
import { GroupTopics } from "../../core/group_topics.ts";
import { blankFrame, MiB, viewOf } from "./fixtures.ts";
import { textFrame } from "./world.ts";

/** Topics of a receiver that began with datagram `first`, and what they told. */
function setUp(first = 10) {
  const told: string[] = [];
  const topics = new GroupTopics(
    {
      wants: (topic) => topic !== "unwanted",
      frame: (topic, _bytes, view, start) => void told.push(`${topic} ${readU64(view, start + at.sequence)}`),
      gap: (topic, first, last) => void told.push(`${topic} lost ${first}-${last}`),
    },
    first,
    () => true,
  );
  const frame = (topic: number, sequence: number, length = 100) => {
    const bytes = blankFrame(length);
    viewOf(bytes).setUint32(at.topic, topic, true);
    writeU64(viewOf(bytes), at.sequence, sequence);
    topics.frame(bytes, viewOf(bytes), 0, bytes.length);
  };
  /** A heartbeat: before datagram `number` the next message of a topic, called by its id, is `next`. */
  const beat = (number: number, topic: number, next: number, born = 1) =>
    topics.told([{ id: topic, name: topic === 0 ? "unwanted" : `${topic}`, born, start: 1, next }], number);
  return { topics, told, frame, beat };
}

Deno.test("what was lost of a topic is told by its next frame, or by a heartbeat", () => {
  const { topics, told, frame, beat } = setUp();
  beat(10, 1, 5);
  topics.reached(10, false);
  frame(1, 5);
  frame(1, 8);
  beat(20, 1, 11);
  topics.reached(20, false);
  assertEquals(told, ["1 5", "1 lost 6-7", "1 8", "1 lost 9-10"]);
});

Deno.test("what a heartbeat tells is compared when all before it has come or is lost, not sooner, nor never", () => {
  const { topics, told, frame, beat } = setUp();
  beat(10, 1, 5);
  topics.reached(10, false);
  beat(20, 1, 9);
  topics.reached(19, false);
  assertEquals(told, []);
  // Those behind it came earlier, and follow at once.
  frame(2, 1);
  topics.reached(25, false);
  assertEquals(told, ["1 lost 5-8"]);
  // One that comes late says what is true, too.
  beat(24, 1, 12);
  topics.reached(25, false);
  assertEquals(told, ["1 lost 5-8", "1 lost 9-11"]);
});

Deno.test("of heartbeats that wait, each may tell of other topics", () => {
  const { topics, told, beat } = setUp();
  beat(10, 1, 5);
  beat(10, 2, 5);
  topics.reached(10, false);
  beat(20, 1, 9);
  beat(21, 2, 7);
  beat(20, 2, 6);
  topics.reached(21, false);
  assertEquals(told, ["1 lost 5-8", "2 lost 5-6"]);
});

Deno.test("what was sent before this receiver began is not missed", () => {
  const { topics, told, frame, beat } = setUp();
  // It was sent earlier, and overtaken on its way.
  beat(8, 1, 5);
  topics.reached(11, false);
  frame(1, 7);
  beat(12, 2, 3);
  topics.reached(12, false);
  frame(2, 3);
  assertEquals(told, ["1 7", "2 3"]);
});

Deno.test("where datagrams were lost before anything was known of a topic, nobody knows how many were its", () => {
  const { topics, told, frame, beat } = setUp();
  for (const topic of [0, 1, 2, 3]) beat(9, topic, 5);
  topics.lost();
  frame(1, 7);
  beat(20, 2, 9);
  beat(20, 3, 1);
  beat(20, 0, 9);
  topics.reached(20, false);
  frame(2, 9);
  frame(3, 1);
  assertEquals(told, ["1 lost 7-0", "1 7", "2 lost 9-0", "2 9", "3 1"]);
});

Deno.test("frames without a name are kept until it comes, a megabyte of them, the newest ones", () => {
  const { topics, told, frame, beat } = setUp(1);
  frame(1, 1);
  frame(2, 1);
  frame(2, 2);
  assertEquals([topics.awaitsNames, topics.unknown(16), told], [true, [1, 2], []]);
  for (let topic = 3; topic < 2000; topic++) {
    frame(topic, 1, 1000);
    assertLessOrEqual(topics.held, MiB);
  }
  assertLess(MiB - 2000, topics.held);
  for (const topic of [1, 2, 1999]) beat(1, topic, 1);
  assertEquals(told, ["1999 1"]);
  frame(2, 3);
  assertEquals(told.slice(1), ["2 lost 1-2", "2 3"]);
});

/** Topics of a sender, and what is told of them. */
function heard(wanted: (topic: string) => boolean = () => true) {
  const told: string[] = [];
  const topics = new GroupTopics(
    {
      wants: wanted,
      named: (topic, id) => told.push(`${topic} is ${id}`),
      frame: (topic, _bytes, _view, _start, _end, floor) => told.push(`${topic} ${floor}`),
      gap: (topic, first, last) => told.push(`${topic} ${first}-${last}`),
    },
    1,
    () => true,
  );
  const frame = (topic: number, sequence: number) => {
    const bytes = textFrame(["x"], { topic });
    stamp(viewOf(bytes), 0, sequence, 1);
    topics.frame(bytes, viewOf(bytes), 0, bytes.length);
  };
  const named = (...rows: [id: number, name: string][]) =>
    topics.told(rows.map(([id, name]) => ({ id, name, born: 1, start: 1, next: 1 })), 1);
  return { told, frame, named };
}

Deno.test("group topics: a topic's id is told once, before anything else of it, and that of the next of its name", () => {
  const { told, frame, named } = heard((topic) => topic !== "c");
  frame(1, 1);
  named([1, "a"], [2, "b"], [3, "c"]);
  named([1, "a"]);
  frame(2, 3);
  frame(3, 1);
  named([4, "a"]);
  frame(4, 1);
  assertEquals(told, ["a is 1", "a 1", "b is 2", "b 1-2", "b 3", "a is 4", "a 1"]);
});

Deno.test("group topics: a name that no topic can have is nobody's, and what comes under it is not wanted", () => {
  const names = ["", "#", "a/#/b", "a/+", "a//b", "a\nb", "x".repeat(256)];
  const { told, frame, named } = heard();
  for (const [index, name] of names.entries()) {
    frame(index + 1, 1);
    named([index + 1, name]);
    frame(index + 1, 2);
  }
  assertEquals(told, []);
});
