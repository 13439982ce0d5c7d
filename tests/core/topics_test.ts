import { assert, assertEquals, assertGreater, assertLessOrEqual, assertMatch, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import { Code } from "../../core/codes.ts";
import { defaultLimits, type ServerLimits } from "../../core/limits.ts";
import { Pattern } from "../../core/pattern.ts";
import { Permissions } from "../../core/permissions.ts";
import type { GuardedReader, Topic } from "../../core/topic.ts";
import { type Interest, Topics } from "../../core/topics.ts";
import { blankFrame, KiB, MiB, VirtualPlatform } from "./fixtures.ts";

function setUp(limits: Partial<ServerLimits> = {}, platform = new VirtualPlatform()) {
  const topics = new Topics(platform, { ...defaultLimits, ...limits });
  return { platform, topics };
}

function declared(topics: Topics, name: string): Topic {
  const topic = topics.declare(name);
  assert(typeof topic !== "number", `${name} was refused: ${topic}`);
  return topic;
}

function created(topics: Topics, name: string): Topic {
  const topic = declared(topics, name);
  if (topic.ordinal === 0) topics.create(topic);
  return topic;
}

function append(topic: Topic, length: number, time = 1): string {
  return topic.append(blankFrame(length), 0, length, 1, time);
}

const patterns = (...texts: string[]) => texts.map((text) => new Pattern(text));
const matching = (topics: Topics, ...texts: string[]) =>
  [...topics.matching(patterns(...texts))].map(({ name }) => name);

class TestInterest implements Interest {
  readonly patterns: readonly Pattern[];
  readonly seen: string[] = [];

  constructor(...texts: string[]) {
    this.patterns = patterns(...texts);
  }

  created(topic: Topic): void {
    this.seen.push(`+${topic.name}`);
  }

  forgotten(topic: Topic): void {
    this.seen.push(`-${topic.name}`);
  }
}

function holding(topic: Topic, sequence = 1): GuardedReader {
  const reader = {
    sequence,
    waitIndex: -1,
    holds: true,
    movedAt: 0,
    wake() {},
    overtaken() {},
    expelled() {},
  };
  topic.guard(reader);
  return reader;
}

Deno.test("a life of the server has an epoch of 128 bits, and no other has it", () => {
  const epochs = [1, 2, 3].map((seed) => setUp({}, new VirtualPlatform(seed)).topics.epoch);
  epochs.forEach((epoch) => assertMatch(epoch, /^[0-9a-f]{32}$/));
  assertEquals(new Set(epochs).size, 3);
});

Deno.test("declaring gives an id and shows nobody anything; creating does", () => {
  const { topics } = setUp();
  const topic = declared(topics, "a");
  assertEquals([topic.id, topic.ordinal, topics.size, topics.ordinal], [1, 0, 1, 0]);
  assertEquals(topics.declare("a"), topic, "the same for everybody");
  assertEquals([topics.get("a"), matching(topics, "a"), matching(topics, "#")], [undefined, [], []]);
  assertEquals(topics.byId(1), topic);
  topics.create(topic);
  assertEquals([topics.get("a"), topic.ordinal, topics.ordinal], [topic, 1, 1]);
  assertEquals([matching(topics, "a"), matching(topics, "#")], [["a"], ["a"]]);
});

Deno.test("names that cannot be, the server's own, and too many topics are refused with their code", () => {
  const { topics } = setUp({ topics: 2 });
  for (const name of ["", "a//b", "a/#", "+", "a\n", "x".repeat(256)]) {
    assertEquals(topics.declare(name), Code.topicName, name);
  }
  assertEquals(topics.declare("$sys/a"), Code.reservedTopic);
  declared(topics, "a");
  declared(topics, "b");
  assertEquals(topics.declare("c"), Code.topics);
  declared(topics, "a");
});

Deno.test("topics that match come in the order of creation, each once, for exact patterns and others", () => {
  const { topics } = setUp();
  for (const name of ["d", "c", "b", "a"]) declared(topics, name);
  for (const name of ["b", "a/x", "c", "a"]) created(topics, name);
  assertEquals(matching(topics, "#"), ["b", "a/x", "c", "a"]);
  assertEquals(matching(topics, "a", "b", "a", "d", "x"), ["b", "a"]);
  assertEquals(matching(topics, "+", "a", "c"), ["b", "c", "a"]);
  assertEquals(matching(topics, "a/#", "c"), ["a/x", "c", "a"]);
});

Deno.test("what follows an ordinal survives topics that go", () => {
  const { topics, platform } = setUp();
  const all = Array.from({ length: 50 }, (_, i) => created(topics, `t/${i % 2 ? "odd" : "even"}/${i}`));
  const walk = (text: string) => {
    const names: string[] = [];
    const pattern = new Pattern(text);
    for (
      let at = topics.after(0, pattern, Permissions.all);
      at !== null;
      at = topics.after(at.ordinal, pattern, Permissions.all)
    ) names.push(at.name);
    return names;
  };
  assertEquals(walk("#"), all.map(({ name }) => name));
  assertEquals(walk("t/odd/+"), all.filter((_, i) => i % 2).map(({ name }) => name));
  assertEquals(walk("t/none/#"), []);
  all.filter((_, i) => i % 3).forEach((topic) => append(topic, 100));
  platform.advance(defaultLimits.forgetAfter + 1);
  topics.sweep(platform.now());
  assertEquals(walk("#"), all.filter((_, i) => i % 3).map(({ name }) => name));
  assertEquals(topics.after(1, new Pattern("#"), Permissions.all), all[1]);
  assertEquals(topics.after(50, new Pattern("#"), Permissions.all), null);
});

Deno.test("interests hear of what is created and forgotten, by name or by pattern, each once, until they are removed", () => {
  const { topics, platform } = setUp();
  const exact = new TestInterest("a", "b", "a");
  const wild = new TestInterest("a/#", "a", "+");
  const other = new TestInterest("x/#", "y");
  const gone = new TestInterest("a", "b");
  const goneWild = new TestInterest("#");
  for (const interest of [exact, wild, other, gone, goneWild]) topics.addInterest(interest);
  topics.removeInterest(gone);
  topics.removeInterest(goneWild);
  topics.removeInterest(goneWild);
  declared(topics, "a");
  assertEquals(exact.seen, []);
  for (const name of ["a", "a/b", "c/d", "b"]) created(topics, name);
  assertEquals(exact.seen, ["+a", "+b"]);
  assertEquals(wild.seen, ["+a", "+a/b", "+b"]);
  assertEquals([other.seen, gone.seen, goneWild.seen], [[], [], []]);
  platform.advance(defaultLimits.forgetAfter + 1);
  topics.sweep(platform.now());
  assertEquals(exact.seen, ["+a", "+b", "-a", "-b"]);
  assertEquals(wild.seen.filter((seen) => seen !== "-c/d"), ["+a", "+a/b", "+b", "-a", "-a/b", "-b"]);
});

Deno.test("an interest hears of a creation exactly where its patterns match", () => {
  const text = fc.constantFrom("a", "b", "a/b", "+", "#", "a/+", "a/#", "+/b", "b/#");
  const name = fc.constantFrom("a", "b", "c", "a/b", "a/c", "b/b", "a/b/c");
  fc.assert(
    fc.property(
      fc.array(fc.array(text, { minLength: 1, maxLength: 3 }), { maxLength: 5 }),
      fc.uniqueArray(name),
      (texts, names) => {
        const { topics } = setUp();
        const interests = texts.map((list) => new TestInterest(...list));
        interests.forEach((interest) => topics.addInterest(interest));
        names.forEach((name) => created(topics, name));
        for (const { seen, patterns } of interests) {
          assertEquals(
            seen,
            names.filter((name) => patterns.some((pattern) => pattern.matches(name))).map((name) => `+${name}`),
          );
          assertEquals(seen, [...topics.matching(patterns)].map(({ name }) => `+${name}`));
        }
      },
    ),
  );
});

Deno.test("an unused topic is forgotten in time, its id never used again, and its end is remembered", () => {
  const { topics, platform } = setUp();
  const { forgetAfter } = topics.limits;
  const topic = created(topics, "a");
  append(topic, 100);
  append(topic, 100);
  const unborn = declared(topics, "b");
  platform.advance(forgetAfter + 1);
  topics.sweep(platform.now());
  assertEquals([topics.byId(1), topics.byId(2)], [topic, undefined], "a topic with messages stays");
  assertEquals(topics.tombstone(unborn.id), undefined, "a topic that never had a message needs none");
  topic.log.clear();
  topics.sweep(platform.now());
  assertEquals([topics.get("a"), topics.byId(1), topics.tombstone(1), topics.size], [undefined, undefined, 3, 0]);
  const again = created(topics, "a");
  assertEquals([again.id, again.ordinal, again.log.nextSequence], [3, 2, 1]);
  assertEquals(matching(topics, "#"), ["a"]);
});

Deno.test("a topic is not forgotten before its time, nor while somebody uses it", () => {
  const { topics, platform } = setUp();
  const { forgetAfter } = topics.limits;
  const topic = created(topics, "a");
  const { numbers } = topics.numbers(topic, "p")!;
  platform.advance(forgetAfter);
  topics.sweep(platform.now());
  assertEquals(topics.get("a"), topic);
  numbers.sessions = 1;
  platform.advance(1);
  topics.sweep(platform.now());
  assertEquals(topics.get("a"), topic);
  numbers.sessions = 0;
  topics.sweep(platform.now());
  assertEquals(topics.get("a"), undefined);
});

Deno.test("as many tombstones are kept as there may be topics, the newest", () => {
  const { topics, platform } = setUp({ topics: 3 });
  for (let i = 1; i <= 5; i++) {
    const topic = created(topics, `t${i}`);
    append(topic, 100);
    topic.log.clear();
    platform.advance(topics.limits.forgetAfter + 1);
    topics.sweep(platform.now());
  }
  assertEquals([1, 2, 3, 4, 5].map((id) => topics.tombstone(id)), [undefined, undefined, 2, 2, 2]);
});

Deno.test("a publisher's numbers are remembered for a while, and the oldest idle ones make room", () => {
  const { topics, platform } = setUp({ publishers: 2 });
  const topic = created(topics, "a");
  append(topic, 100);
  const first = topics.numbers(topic, "p1")!;
  assertEquals([first.known, first.numbers.last], [false, 0]);
  first.numbers.last = 7;
  assertEquals(topics.numbers(topic, "p1"), { numbers: first.numbers, known: true });
  const second = topics.numbers(topic, "p2")!;
  first.numbers.sessions = second.numbers.sessions = 1;
  assertEquals(topics.numbers(topic, "p3"), null, "both are in use");
  first.numbers.sessions = second.numbers.sessions = 0;
  first.numbers.usedAt = 20;
  second.numbers.usedAt = 10;
  assertEquals(topics.numbers(topic, "p3")!.known, false);
  const names = () => topic.publishers.map(({ publisher }) => publisher);
  assertEquals(names(), ["p1", "p3"]);
  topic.publishers[1]!.sessions = 1;
  platform.advance(topics.limits.forgetAfter + 21);
  topics.sweep(platform.now());
  assertEquals(names(), ["p3"], "one that publishes is not forgotten");
});

Deno.test("over the budget, the topic with the most memory loses its oldest segment", () => {
  const { topics } = setUp({ memory: 16 * MiB, retain: 100 * MiB });
  const [large, small] = [created(topics, "large"), created(topics, "small")];
  for (let i = 0; i < 3; i++) assertEquals(append(small, 800 * KiB), "appended");
  for (let i = 0; i < 40; i++) assertEquals(append(large, 800 * KiB), "appended");
  assertLessOrEqual(topics.pool.budget.used, 16 * MiB);
  assertEquals([small.log.firstSequence, small.log.bytes], [1, 3 * 800 * KiB]);
  assertEquals(large.log.nextSequence - large.log.firstSequence, 13, "all that is left");
  for (let i = 0; i < 40; i++) append(small, 800 * KiB);
  const kept = [large, small].map(({ log }) => log.nextSequence - log.firstSequence);
  assertEquals(kept[0]! + kept[1]!, 16);
  assertLessOrEqual(Math.abs(kept[0]! - kept[1]!), 2, "two who both want everything share it");
});

Deno.test("a topic's newest frame goes last: as long as any topic has another segment, that one goes", () => {
  const { topics } = setUp({ memory: 16 * MiB, retain: 100 * MiB });
  const single = created(topics, "single");
  append(single, 8 * MiB);
  const busy = created(topics, "busy");
  for (let i = 0; i < 30; i++) assertEquals(append(busy, 900 * KiB), "appended");
  assertEquals(single.log.bytes, 8 * MiB, "it has the most memory, but nothing else");
  assertEquals(busy.log.nextSequence - busy.log.firstSequence, 8);
  const third = created(topics, "third");
  for (let i = 0; i < 7; i++) assertEquals(append(third, 900 * KiB), "appended");
  assertGreater(single.log.bytes, 0);
  assertEquals(append(third, 9 * MiB), "appended", "where nothing else is left, it goes");
  assertEquals([single.log.bytes, single.log.firstSequence], [0, 2]);
});

Deno.test("small topics keep what they have while large ones make room", () => {
  const { topics } = setUp({ memory: 12 * MiB, retain: 100 * MiB });
  const small = Array.from({ length: 1000 }, (_, i) => created(topics, `small/${i}`));
  for (const topic of small) append(topic, 300);
  const large = created(topics, "large");
  for (let i = 0; i < 5000; i++) assertEquals(append(large, 20 * KiB), "appended");
  for (const topic of small) assertEquals(topic.log.bytes, 300);
  assertLessOrEqual(topics.pool.budget.used, 12 * MiB);
});

Deno.test("a topic of many that are alike makes room for another with one of its segments, not with all", () => {
  const { topics } = setUp({ memory: 8 * MiB, retain: 100 * MiB });
  const all = Array.from({ length: 32 }, (_, i) => created(topics, `t${i}`));
  for (const topic of all) assertEquals(append(topic, 200 * KiB), "appended");
  assertEquals(append(created(topics, "more"), 200 * KiB), "appended");
  assertEquals(all.filter(({ log }) => log.bytes === 0).length, 1);
});

Deno.test("where memory is full of small topics, an append costs others about as much as it takes", () => {
  const { topics } = setUp({ memory: 8 * MiB });
  const all = Array.from({ length: 1700 }, (_, i) => created(topics, `t${i}`));
  const lost = () => all.reduce((sum, { log }) => sum + log.firstSequence - 1, 0);
  for (let round = 0; lost() === 0; round++) {
    assert(round < 100);
    for (const topic of all) assertEquals(append(topic, 400), "appended");
  }
  for (let i = 0; i < 200; i++) {
    const before = lost();
    assertEquals(append(all[7 * i % all.length]!, 400), "appended");
    assertLessOrEqual(lost() - before, 10, "a segment of 4 KiB has ten such messages");
  }
  assertLessOrEqual(topics.pool.budget.used, 8 * MiB);
});

Deno.test("what a reader holds with the policy `wait` is not touched; others make room instead, or nobody does", () => {
  const { topics } = setUp({ memory: 8 * MiB, retain: 100 * MiB });
  const [held, other] = [created(topics, "held"), created(topics, "other")];
  for (let i = 0; i < 6; i++) append(held, 900 * KiB);
  const reader = holding(held);
  for (let i = 0; i < 20; i++) assertEquals(append(other, 900 * KiB), "appended");
  assertEquals([held.log.firstSequence, other.log.nextSequence - other.log.firstSequence], [1, 2]);
  let asked = 0;
  topics.closeOldestPin = () => ++asked > 100;
  const all = topics.pool.budget.used;
  assertEquals(append(other, 3 * MiB), "full", "not even with all that the other has");
  assertEquals([asked, held.log.firstSequence, topics.pool.budget.used <= all], [1, 1, true]);
  held.unguard(reader);
  assertEquals(append(other, 3 * MiB), "appended");
  assertGreater(held.log.firstSequence, 1);
});

Deno.test("memory that only a pending write keeps is asked back from its connection, when nothing else can go", () => {
  const { topics } = setUp({ memory: 4 * MiB, retain: 100 * MiB });
  const topic = created(topics, "a");
  const pins: (() => void)[] = [];
  let asked = 0;
  topics.closeOldestPin = () => {
    asked++;
    pins.shift()?.();
    return pins.length > 0;
  };
  for (let i = 0; i < 4; i++) {
    append(topic, 900 * KiB);
    const segment = topic.log.last!;
    topics.pool.pin(segment);
    pins.push(() => topics.pool.unpin(segment));
  }
  assertEquals(asked, 0);
  assertEquals(append(topic, 900 * KiB), "appended");
  assertEquals([asked, topic.log.firstSequence], [1, 5]);
  assertLessOrEqual(topics.pool.budget.used, 4 * MiB);
});

Deno.test("frames that could not be appended are tried again until they are, then the topic is no longer blocked", () => {
  const { topics, platform } = setUp();
  const [a, b] = [created(topics, "a"), created(topics, "b")];
  const ready = new Set<Topic>();
  for (const topic of [a, b]) {
    topic.held.push({ retry: () => ready.has(topic), pending: false });
    topics.blocked.add(topic);
  }
  topics.retryHeld();
  assertEquals([...topics.blocked], [a, b]);
  ready.add(a);
  topics.tick(platform.now());
  assertEquals([...topics.blocked], [b]);
  ready.add(b);
  topics.retryHeld();
  assertEquals(topics.blocked.size, 0);
});

Deno.test("a tick expels who holds a blocked topic's publishers for too long", () => {
  const { topics, platform } = setUp({ retain: 2 * KiB, maxWait: 5000 });
  const topic = created(topics, "a");
  const reader = holding(topic);
  let expelled = 0;
  reader.expelled = () => {
    expelled++;
    topic.unguard(reader);
  };
  let outcome = "";
  for (let i = 0; i < 100 && outcome !== "held"; i++) outcome = append(topic, 200);
  assertEquals(outcome, "held");
  platform.advance(100);
  topic.heldSince = platform.now();
  topic.held.push({ retry: () => append(topic, 200) === "appended", pending: false });
  topics.blocked.add(topic);
  platform.advance(4999);
  topics.tick(platform.now());
  assertEquals([expelled, topics.blocked.size], [0, 1]);
  platform.advance(1);
  topics.tick(platform.now());
  assertEquals([expelled, topics.blocked.size], [1, 0], "and what was held is appended in the same tick");
});

Deno.test("a tick expires what is older than is kept, by the wall clock", () => {
  const { topics, platform } = setUp({ retainFor: 1000 });
  const topic = created(topics, "a");
  append(topic, 100, platform.time());
  platform.advance(600);
  append(topic, 100, platform.time());
  topics.tick(platform.now());
  assertEquals(topic.log.firstSequence, 1);
  platform.advance(500);
  topics.tick(platform.now());
  assertEquals([topic.log.firstSequence, topic.log.bytes], [2, 100]);
  platform.advance(600);
  topics.tick(platform.now());
  assertEquals(topic.log.bytes, 0);
});

Deno.test("a sweep gives spare memory back", () => {
  const { topics, platform } = setUp({ retain: 100 * MiB });
  const topic = created(topics, "a");
  for (let i = 0; i < 50; i++) append(topic, 900 * KiB);
  topic.log.clear();
  assertGreater(topics.pool.budget.used, 40 * MiB);
  topics.sweep(platform.now());
  assertLessOrEqual(topics.pool.budget.used, 12 * MiB);
});

Deno.test("ids and ordinals only grow, and none is ever used twice", () => {
  const step = fc.record({ name: fc.nat({ max: 6 }), action: fc.constantFrom("declare", "create", "empty", "sweep") });
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const { topics, platform } = setUp();
    const byId = new Map<number, Topic>();
    const ordinals: number[] = [];
    let lastId = 0;
    for (const { name, action } of steps) {
      if (action === "sweep") {
        platform.advance(topics.limits.forgetAfter + 1);
        topics.sweep(platform.now());
        continue;
      }
      const topic = declared(topics, `t${name}`);
      if (byId.get(topic.id) !== topic) {
        assertGreater(topic.id, lastId);
        lastId = topic.id;
        byId.set(topic.id, topic);
      }
      if (action === "create" && topic.ordinal === 0) {
        topics.create(topic);
        append(topic, 100);
        ordinals.push(topic.ordinal);
      } else if (action === "empty") {
        topic.log.clear();
      }
      assertEquals(topics.byId(topic.id), topic);
    }
    assertEquals(ordinals, ordinals.map((_, index) => index + 1));
    for (const [id, topic] of byId) {
      if (topics.byId(id) === topic) assertEquals(topics.tombstone(id), undefined);
      else if (topic.ordinal > 0) assertEquals(topics.tombstone(id), topic.log.nextSequence);
      assertNotEquals(id, 0);
    }
  }));
});
