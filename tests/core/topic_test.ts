import { assert, assertEquals } from "@std/assert";
import { type GuardedReader, type Held, Topic } from "../../core/topic.ts";
import { PublisherNumbers } from "../../core/topic.ts";
import { blankFrame, KiB, MiB, Random, roomyPool } from "./fixtures.ts";

function newTopic(retention = { bytes: 2 * KiB, age: Infinity }): Topic {
  return new Topic("a", 1, roomyPool(), retention, 0);
}

function append(topic: Topic, length = 200, time = 1): string {
  return topic.append(blankFrame(length), 0, length, 1, time);
}

/** Appends until the log has dropped something, or may not. */
function overfill(topic: Topic): void {
  const before = topic.log.firstSequence;
  for (let i = 0; i < 1000; i++) {
    if (append(topic) !== "appended" || topic.log.firstSequence !== before) return;
  }
  throw new Error("nothing was dropped");
}

class TestReader implements GuardedReader {
  waitIndex = -1;
  woken = 0;
  timesOvertaken = 0;
  timesExpelled = 0;
  sequence = 1;
  movedAt = 0;
  readonly holds: boolean;

  constructor(holds = false) {
    this.holds = holds;
  }

  wake(): void {
    this.woken++;
  }

  overtaken(): void {
    this.timesOvertaken++;
  }

  expelled(): void {
    this.timesExpelled++;
  }
}

Deno.test("an append wakes those who wait, once", () => {
  const topic = newTopic();
  const readers = [new TestReader(), new TestReader()];
  readers.forEach((reader) => topic.wait(reader));
  readers.forEach((reader) => topic.wait(reader));
  assertEquals(topic.waiting.length, 2);
  append(topic);
  append(topic);
  assertEquals(readers.map(({ woken, waitIndex }) => [woken, waitIndex]), [[1, -1], [1, -1]]);
  assertEquals(topic.waiting.length, 0);
  topic.wait(readers[0]!);
  append(topic);
  assertEquals(readers.map(({ woken }) => woken), [2, 1]);
});

Deno.test("an append that is held wakes nobody", () => {
  const topic = newTopic();
  const guard = new TestReader(true);
  topic.guard(guard);
  overfill(topic);
  topic.wait(guard);
  assertEquals(append(topic), "held");
  assertEquals(guard.woken, 0);
});

Deno.test("readers that wait come and go in any order", () => {
  const random = new Random(1);
  const topic = newTopic();
  const readers = Array.from({ length: 20 }, () => new TestReader());
  const waiting = new Set<TestReader>();
  for (let step = 0; step < 2000; step++) {
    const reader = random.pick(readers);
    if (random.chance(0.5)) {
      topic.wait(reader);
      waiting.add(reader);
    } else {
      topic.unwait(reader);
      waiting.delete(reader);
    }
    assertEquals(new Set(topic.waiting), new Set(waiting));
    assertEquals(topic.waiting.length, waiting.size);
    for (const [index, one] of topic.waiting.entries()) assertEquals(one.waitIndex, index);
    for (const one of readers) assertEquals(one.waitIndex >= 0, waiting.has(one));
  }
});

Deno.test("a guarded reader that does not hold is told when retention overtakes it, not before", () => {
  const topic = newTopic();
  const [behind, ahead] = [new TestReader(), new TestReader()];
  topic.guard(behind);
  topic.guard(ahead);
  append(topic);
  append(topic);
  behind.sequence = 2;
  ahead.sequence = 3;
  assertEquals([behind.timesOvertaken, ahead.timesOvertaken], [0, 0]);
  // The first segment has two frames.
  overfill(topic);
  assertEquals(topic.log.firstSequence, 3);
  assertEquals([behind.timesOvertaken, ahead.timesOvertaken], [1, 0]);
});

Deno.test("eviction and expiry tell those they overtake, too", () => {
  const topic = newTopic({ bytes: MiB, age: 10 });
  const reader = new TestReader();
  topic.guard(reader);
  append(topic, 200, 1000);
  append(topic, 200, 20_000);
  topic.expire(10_000);
  assertEquals(reader.timesOvertaken, 0);
  topic.expire(15_000);
  assertEquals(reader.timesOvertaken, 1);
  reader.sequence = 2;
  topic.expire(15_000);
  assertEquals(reader.timesOvertaken, 1);
  topic.evict();
  assertEquals([topic.log.firstSequence, reader.timesOvertaken], [3, 2]);
});

Deno.test("one reader that holds is enough for nothing to go, until it has read it or is gone", () => {
  const topic = newTopic();
  const [holding, other] = [new TestReader(true), new TestReader(false)];
  topic.guard(holding);
  topic.guard(other);
  overfill(topic);
  assertEquals([append(topic), topic.evictable], ["held", false]);
  other.sequence = topic.log.nextSequence;
  assertEquals(append(topic), "held");
  holding.sequence = topic.log.first!.nextSequence;
  assertEquals([topic.evictable, append(topic)], [true, "appended"]);
  holding.sequence = topic.log.firstSequence;
  topic.unguard(holding);
  assert(topic.evictable);
  overfill(topic);
  assertEquals(topic.log.guards !== null, true);
  topic.unguard(other);
  assertEquals(topic.log.guards, null);
});

Deno.test("an age drops what a reader holds", () => {
  const topic = newTopic({ bytes: 2 * KiB, age: 10 });
  const holding = new TestReader(true);
  topic.guard(holding);
  append(topic, 200, 1000);
  topic.expire(1_000_000);
  assertEquals([topic.log.bytes, holding.timesOvertaken, topic.evictable], [0, 0, false]);
});

Deno.test("who holds publishers without moving is expelled in time: counted from its last move or the first held frame", () => {
  const topic = newTopic();
  const [slow, quick, told] = [new TestReader(true), new TestReader(true), new TestReader(false)];
  for (const reader of [slow, quick, told]) topic.guard(reader);
  topic.expel(1e9, 5000);
  assertEquals(slow.timesExpelled, 0, "an empty log holds nobody");
  overfill(topic);
  quick.sequence = topic.log.first!.nextSequence;
  const expelled = (now: number) => {
    topic.expel(now, 5000);
    return [slow, quick, told].map(({ timesExpelled }) => timesExpelled);
  };
  topic.heldSince = 1000;
  assertEquals(expelled(5999), [0, 0, 0]);
  slow.movedAt = 2000;
  assertEquals(expelled(6999), [0, 0, 0]);
  assertEquals(expelled(7000), [1, 0, 0]);
});

class TestPublisher implements Held {
  readonly name: string;
  left: number;
  readonly appended: string[];
  blocked = false;

  constructor(name: string, left: number, appended: string[]) {
    this.name = name;
    this.left = left;
    this.appended = appended;
  }

  get pending(): boolean {
    return this.left > 0;
  }

  retry(): boolean {
    if (this.blocked) return false;
    if (this.left > 0) this.appended.push(`${this.name}${this.left--}`);
    return true;
  }
}

Deno.test("held frames are tried in turn, one of each publisher, until none is left", () => {
  const topic = newTopic();
  const appended: string[] = [];
  topic.held.push(
    new TestPublisher("a", 3, appended),
    new TestPublisher("b", 1, appended),
    new TestPublisher("c", 2, appended),
  );
  assert(topic.retry());
  assertEquals(appended, ["a3", "b1", "c2", "a2", "c1", "a1"]);
  assertEquals(topic.held.length, 0);
});

Deno.test("the first held frame that cannot be appended stops the others: they are in turn", () => {
  const topic = newTopic();
  const appended: string[] = [];
  const [a, b] = [new TestPublisher("a", 2, appended), new TestPublisher("b", 2, appended)];
  topic.held.push(a, b);
  b.blocked = true;
  assertEquals([topic.retry(), appended, topic.held[0] === b], [false, ["a2"], true]);
  b.blocked = false;
  assertEquals([topic.retry(), appended], [true, ["a2", "b2", "a1", "b1"]]);
});

Deno.test("a publisher that disappears while its own frame is tried is not taken for the next", () => {
  const topic = newTopic();
  const appended: string[] = [];
  const gone = new TestPublisher("gone", 2, appended);
  const next = new TestPublisher("next", 1, appended);
  topic.held.push(gone, next);
  const retry = gone.retry.bind(gone);
  gone.retry = () => {
    topic.held.shift();
    return retry();
  };
  assert(topic.retry());
  assertEquals(appended, ["gone2", "next1"]);
});

Deno.test("a topic is unused without messages, publishers, held frames and readers that have something to read", () => {
  const topic = newTopic();
  assert(topic.unused);
  const numbers = new PublisherNumbers("p");
  topic.publishers = [numbers];
  assert(topic.unused, "numbers alone do not keep it");
  numbers.sessions = 1;
  assert(!topic.unused);
  numbers.sessions = 0;
  const reader = new TestReader();
  topic.readers = 1;
  assert(!topic.unused, "the reader is to be told of something");
  topic.wait(reader);
  assert(topic.unused);
  append(topic);
  topic.wait(reader);
  assert(!topic.unused);
  topic.log.clear();
  assert(topic.unused);
  topic.held.push(new TestPublisher("a", 1, []));
  assert(!topic.unused);
});
