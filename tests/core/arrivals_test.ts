import { assert, assertEquals, assertGreater, assertLessOrEqual } from "@std/assert";
import fc from "fast-check";
import { Arrivals, type AskedRange, mostAsked, mostRanges } from "../../core/arrivals.ts";
import { backoff } from "../../core/backoff.ts";
import { Random, viewOf } from "./fixtures.ts";

const defaults = { span: 1024, largest: 16, wait: 10, patience: 1000, repair: true };

/** Arrivals with a clock of the test's, and what they gave. */
function setUp(options: Partial<typeof defaults> = {}, next = 1, seed = 1) {
  const random = new Random(seed);
  const given: number[] = [];
  const lost: [number, number][] = [];
  const delivery = {
    deliver: (_: Uint8Array, view: DataView, start: number, end: number) => {
      assertEquals(end - start, 8);
      given.push(view.getUint32(start, true));
    },
    lost: (first: number, last: number) => void lost.push([first, last]),
  };
  const arrivals = new Arrivals(next, { ...defaults, ...options }, delivery, () => random.u32() / 2 ** 32);
  const receive = (number: number, now = 0, repair = false) => {
    const bytes = new Uint8Array(12);
    viewOf(bytes).setUint32(2, number, true);
    return arrivals.received(number, repair, bytes, viewOf(bytes), 2, 10, now);
  };
  const poll = (now: number) => {
    arrivals.expire(now);
    return arrivals.ask(now);
  };
  return { arrivals, given, lost, receive, poll };
}

const numbers = (ranges: readonly AskedRange[]) =>
  ranges.flatMap(({ first, count }) => Array.from({ length: count }, (_, index) => first + index));

const upTo = (last: number, first = 1) => Array.from({ length: last - first + 1 }, (_, index) => first + index);

Deno.test("in order, early, double and late: each is given once, in order", () => {
  const { receive, given, arrivals } = setUp({}, 5);
  assertEquals([receive(5), receive(7), receive(7), receive(4), receive(6), receive(6), receive(8)], [
    "delivered",
    "kept",
    "double",
    "double",
    "delivered",
    "double",
    "delivered",
  ]);
  assertEquals([given, arrivals.missing, arrivals.missed, arrivals.next], [[5, 6, 7, 8], 0, 0, 9]);
});

Deno.test("what is missing is asked for after a short random wait, again after longer ones, and then given up", () => {
  const { receive, arrivals, given, lost, poll } = setUp();
  receive(1);
  receive(4, 100);
  const asked: number[] = [];
  let now = 100;
  while (arrivals.missing > 0) {
    assert(arrivals.dueAt > now || asked.length === 0, "time goes on");
    now = Math.max(now, arrivals.dueAt);
    const ranges = poll(now);
    if (ranges.length === 0) break;
    assertEquals(ranges, [{ first: 2, count: 2 }]);
    asked.push(now - 100);
  }
  assert(asked[0]! < 10, `${asked}`);
  for (let i = 2; i < 5; i++) assert(asked[i]! - asked[i - 1]! > (asked[i - 1]! - asked[i - 2]!) * 1.1);
  assertLessOrEqual(asked.length, 12);
  assertEquals([now, given, lost], [1100, [1, 4], [[2, 3]]]);
  assertEquals([arrivals.lost, arrivals.dueAt], [2, Infinity]);
});

Deno.test("the first wait is short for a few, and nearly as long as it may be for most", () => {
  const waits = upTo(1000).map((i) => backoff((i - 1) / 1000, 10));
  assertEquals(waits[0], 0);
  assert(waits.every((wait, i) => wait < 10 && wait >= (waits[i - 1] ?? 0)));
  assertLessOrEqual(waits.filter((wait) => wait < 2).length, 10);
  assert(waits.filter((wait) => wait > 8).length > 600);
});

Deno.test("what another asked for is not asked for when its repair comes first", () => {
  const { receive, arrivals, poll } = setUp();
  receive(1);
  receive(3);
  receive(2, arrivals.dueAt - 0.01);
  assertEquals([arrivals.dueAt, poll(1e9)], [Infinity, []]);
});

Deno.test("a lost tail is noticed when the sender says how far it is", () => {
  const { receive, arrivals, poll } = setUp();
  receive(1);
  arrivals.announced(2, 0);
  assertEquals(arrivals.missing, 0);
  arrivals.announced(5, 0);
  arrivals.announced(4, 0);
  assertEquals(numbers(poll(10)), [2, 3, 4]);
  receive(6, 11);
  assertEquals(numbers(poll(30)).filter((number) => number === 5), [5]);
});

Deno.test("a request is bounded, whatever is missing", () => {
  const { receive, poll } = setUp({ span: 4096 });
  for (let number = 1; number < 2000; number += 2) receive(number);
  assertEquals(numbers(poll(10)), upTo(16).map((i) => 2 * i));
  const second = poll(10);
  assertEquals([second.length, second[0]!.first], [mostRanges, 34]);
  let requests = 2;
  while (poll(10).length > 0) requests++;
  assertEquals(requests, 512 / 16, "512 are asked for at most before some have come");
});

Deno.test("a gap of 10,000 costs 40 requests, and new datagrams beyond the span are asked for in their turn", () => {
  const { receive, arrivals, given, lost, poll } = setUp({ span: 1024 });
  receive(1);
  assertEquals(receive(10_002), "ahead");
  let now = 0;
  let requests = 0;
  while (arrivals.next <= 10_002) {
    now = Math.max(now + 1, Math.min(arrivals.dueAt, now + 1));
    for (let asked = poll(now); asked.length > 0; asked = poll(now)) {
      requests++;
      assertLessOrEqual(numbers(asked).length, mostAsked);
      for (const number of numbers(asked)) receive(number, now, true);
    }
    assert(now < 1000, `at ${now} ms it stands at ${arrivals.next}`);
  }
  assertEquals([given.length, lost.length], [10_002, 0]);
  assertLessOrEqual(requests, 41);
});

Deno.test("where nothing is repaired, nothing is asked for, and what is missing is given up when it is late", () => {
  const { receive, arrivals, given, lost, poll } = setUp({ repair: false, patience: 50 });
  receive(1);
  receive(3, 100);
  assertEquals([poll(149), arrivals.dueAt, given], [[], 150, [1]]);
  assertEquals([poll(150), given, lost], [[], [1, 3], [[2, 2]]]);
  assertEquals(receive(2, 151), "double");
});

Deno.test("what the sender has no more is not asked for, and given up when those before it have come", () => {
  const { receive, arrivals, given, lost, poll } = setUp();
  receive(1);
  receive(8);
  arrivals.gone(4, 6);
  assertEquals([poll(5), lost], [[], []]);
  assertEquals(numbers([...poll(20), ...poll(20)]), [2, 3, 7]);
  receive(2, 21, true);
  receive(3, 21, true);
  assertEquals(arrivals.endAt, -Infinity);
  poll(22);
  assertEquals([lost, given], [[[4, 6]], [1, 2, 3]]);
  receive(7, 23, true);
  assertEquals([given, arrivals.dueAt], [[1, 2, 3, 7, 8], Infinity]);
});

Deno.test("a datagram that is too large to be kept holds nobody up: it is asked for, and taken when its turn comes", () => {
  const { arrivals, given, receive, poll } = setUp({ largest: 7 });
  assertEquals([receive(1), receive(3)], ["delivered", "ahead"]);
  assertEquals(numbers(poll(10)), [2, 3]);
  assertEquals([receive(2, 11, true), receive(3, 11, true)], ["delivered", "delivered"]);
  assertEquals([given, arrivals.dueAt], [[1, 2, 3], Infinity]);
});

Deno.test("what is gone makes room for others to be asked for, though it waits for its turn to be given up", () => {
  const { receive, arrivals, poll, given } = setUp({ span: 4096 });
  for (let number = 1; number < 2100; number += 2) receive(number);
  let asked: number[] = [];
  for (let some = poll(10); some.length > 0; some = poll(10)) asked = [...asked, ...numbers(some)];
  assertEquals(asked, upTo(512).map((i) => 2 * i));
  // All but the first, which still may come.
  arrivals.gone(4, 1024);
  assertEquals(numbers(poll(10)), upTo(528, 513).map((i) => 2 * i));
  for (const number of asked) receive(number, 11, true);
  assertEquals(given.length, 1025, "those that come all the same are taken");
  let more = 0;
  for (let some = poll(12); some.length > 0; some = poll(12)) more += some.length;
  assertEquals(more, 512 - 16);
});

Deno.test("what is waited for longest is asked for before what is missing behind it", () => {
  const { receive, poll } = setUp({ span: 4096 });
  receive(1);
  // 2 to 251 are to be asked for later than the 800 behind them.
  receive(252, 100);
  for (let number = 254; number < 1854; number += 2) receive(number);
  let asked: number[] = [];
  for (let some = poll(50); some.length > 0; some = poll(50)) asked = [...asked, ...numbers(some)];
  assertEquals(asked, upTo(272).map((i) => 251 + 2 * i), "the rest would leave no room for the first");
  for (const number of asked.slice(0, 16)) receive(number, 110, true);
  assertEquals(numbers(poll(110)).slice(0, 250), upTo(251, 2));
});

Deno.test("without repairs, what is missing makes room for what comes", () => {
  const { receive, given, lost, arrivals } = setUp({ repair: false, patience: 50 });
  receive(1);
  assertEquals([receive(3), receive(5), receive(2 + defaults.span)], ["kept", "kept", "kept"]);
  assertEquals([given, lost], [[1, 3], [[2, 2]]], "4 can still be waited for");
  arrivals.announced(6000, 0);
  assertEquals(receive(5000), "delivered");
  assertEquals(given, [1, 3, 5, 2 + defaults.span, 5000]);
  assertEquals(
    lost,
    [[2, 2], [4, 4], [6, 1 + defaults.span], [3 + defaults.span, 4999]],
    "what follows may still come",
  );
});

Deno.test("memory is bounded by the span, however far ahead a number is", () => {
  const { receive, arrivals, lost, poll } = setUp({ span: 128 });
  for (const number of [1, 50, 2 ** 40, 2 ** 50, 129, 130, 131]) receive(number);
  assertLessOrEqual(arrivals.memory, 4 * 64 * 16);
  poll(1000);
  assertEquals(lost, [[2, 49], [51, 128], [130, 2 ** 50]]);
});

Deno.test("what is too far ahead to be kept takes no memory, and few requests", () => {
  const { receive, arrivals, poll } = setUp({ span: 64 });
  receive(1);
  for (let number = 3; number <= 100_000; number++) receive(number, number / 100);
  assertEquals(arrivals.missing, 100_000 - 64);
  assertLessOrEqual(arrivals.memory, 3 * 64 * 16 + 30 * 64);
  receive(2, 1000, true);
  let requests = 0;
  for (let now = 1000; arrivals.missing > 0; now++) {
    for (let asked = poll(now); asked.length > 0; asked = poll(now)) {
      requests++;
      for (const number of numbers(asked)) receive(number, now, true);
    }
  }
  assertLessOrEqual(requests, 100_000 / 64 + 30);
});

Deno.test("what was asked for is not asked for again while what was asked for before it comes", () => {
  const { receive, arrivals, poll } = setUp();
  receive(1);
  receive(300);
  const first = arrivals.dueAt;
  assertEquals([...numbers(poll(first)), ...numbers(poll(first))], upTo(299, 2));
  // One every two milliseconds: the last comes long after it would be asked for again.
  for (let number = 2; number <= 299; number++) {
    const now = first + 2 * number;
    receive(number, now, true);
    assertEquals(poll(now), []);
  }
  assertEquals(arrivals.missing, 0);
});

Deno.test("what would be asked for soon goes with a request that is made anyway", () => {
  const { receive, arrivals, poll } = setUp({ wait: 4 });
  for (const number of [1, 3, 5, 7, 9]) receive(number, number / 10);
  assertEquals(numbers(poll(arrivals.dueAt)), [2, 4, 6, 8]);
  assertGreater(arrivals.dueAt, 10);
});

Deno.test("what is lost of an answer is asked for again when the rest has come", () => {
  const { receive, arrivals, poll } = setUp();
  receive(1);
  receive(102);
  const asked = arrivals.dueAt;
  assertEquals(numbers(poll(asked)), upTo(101, 2));
  for (let number = 2; number <= 101; number++) if (number % 10 !== 0) receive(number, asked + 5, true);
  assertEquals(numbers(poll(asked + 30)), upTo(10).map((i) => 10 * i));
});

Deno.test("who asks for nothing is not held up by repairs that others asked for", () => {
  const { receive, given, poll } = setUp({ repair: false, patience: 50 });
  receive(1);
  receive(3, 100);
  for (let now = 101; now <= 150; now++) {
    receive(1, now, true);
    poll(now);
  }
  assertEquals(given, [1, 3]);
});

/** What a network does to datagrams. */
const network = fc.record({
  seed: fc.integer(),
  loss: fc.constantFrom(0, 0.05, 0.3),
  repeat: fc.constantFrom(0, 0.1),
  jitter: fc.constantFrom(0, 3, 40),
  span: fc.constantFrom(64, 256, 1024),
  answered: fc.boolean(),
});

Deno.test("who asks in vain is held up by repairs that others asked for, but not for ever", () => {
  const { receive, given, poll } = setUp({ patience: 1000 });
  receive(1);
  receive(3);
  for (let now = 1; now <= 10_000; now++) {
    poll(now);
    assertEquals(given.length, now < 10_000 ? 1 : 2, `${now}`);
    receive(1, now, true);
  }
});

Deno.test("over any network each datagram is given once and in order, or reported lost", () => {
  fc.assert(
    fc.property(network, ({ seed, loss, repeat, jitter, span, answered }) => {
      const total = 800;
      const random = new Random(seed);
      const { arrivals, given, lost, receive, poll } = setUp({ span, patience: 5000 }, 1, seed);
      /** Datagrams on their way, and when they arrive. */
      const onTheWay: { at: number; number: number; repair: boolean }[] = [];
      const send = (number: number, now: number, repair: boolean) => {
        if (random.chance(loss)) return;
        onTheWay.push({ at: now + 1 + random.below(jitter + 1), number, repair });
        if (random.chance(repeat)) onTheWay.push({ at: now + 1 + random.below(50), number, repair });
      };
      for (let number = 1; number <= total; number++) send(number, number / 10, false);
      for (let now = 0; now < 20_000 && given.length + arrivals.lost < total; now++) {
        const arriving = onTheWay.filter(({ at }) => at <= now).sort((a, b) => a.at - b.at);
        onTheWay.splice(0, onTheWay.length, ...onTheWay.filter(({ at }) => at > now));
        for (const { number, repair } of arriving) receive(number, now, repair);
        if (now % 50 === 0 && now > total / 10) arrivals.announced(total + 1, now);
        for (let asked = poll(now); asked.length > 0; asked = poll(now)) {
          if (answered) { for (const number of numbers(asked)) send(number, now, true); }
        }
        assertLessOrEqual(arrivals.memory, (span / 64 + 2) * 64 * 16 + total * 64 / 2);
      }
      const gone = new Set(lost.flatMap(([first, last]) => upTo(last, first)));
      assertEquals(given, upTo(total).filter((number) => !gone.has(number)));
      if (answered) assertEquals(gone.size, 0);
    }),
    { numRuns: 100 },
  );
});
