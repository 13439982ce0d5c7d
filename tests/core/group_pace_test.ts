import { assert, assertAlmostEquals, assertEquals, assertLessOrEqual } from "@std/assert";
import { GroupPace, paceInterval } from "../../core/group_pace.ts";

const most = 1_000_000;

/** A pace, and who sends as much as it allows. */
function setUp() {
  const pace = new GroupPace(most);
  let sent = 0;
  /** Some intervals in which so large a part of what is allowed goes. Returns the part of the rate that it is at then. */
  const pass = (intervals: number, { part = 1, troubled = false } = {}) => {
    for (let i = 0; i < intervals; i++) {
      sent += part * pace.rate * paceInterval / 1000;
      pace.adapt(troubled, sent);
    }
    return pace.rate / most;
  };
  return { pace, pass };
}

Deno.test("a group begins slowly, and soon has its whole rate", () => {
  const { pace, pass } = setUp();
  assertEquals(pace.rate, most / 8);
  assertEquals([pass(1), pass(1), pass(1), pass(100)], [1 / 4, 1 / 2, 1, 1]);
});

Deno.test("who sends little does not learn whether more would go", () => {
  const { pass } = setUp();
  assertEquals(pass(100, { part: 0.2 }), 1 / 8);
  assertEquals(pass(3, { part: 0.3 }), 1);
  assertEquals(pass(100, { part: 0 }), 1);
});

Deno.test("in trouble it goes by half each time, and soon after it is back near where that began", () => {
  const { pass } = setUp();
  pass(3);
  assertEquals([pass(1, { troubled: true }), pass(2, { troubled: true })], [1 / 2, 1 / 8]);
  assertAlmostEquals(pass(3), 0.7);
  // From there on it grows slowly: it may be the most that goes.
  const grown = pass(5);
  assert(grown > 0.75 && grown < 0.85, `${grown}`);
  assertEquals(pass(20), 1);
});

Deno.test("where trouble comes again and again at the same rate, it stays near that", () => {
  const { pass } = setUp();
  pass(3);
  const capacity = 0.3;
  let at = 1;
  let sum = 0;
  let troubles = 0;
  for (let i = 0; i < 1000; i++) {
    const troubled = at > capacity;
    if (troubled && i >= 100) troubles++;
    at = pass(1, { troubled });
    if (i >= 100) sum += at;
  }
  assert(sum / 900 > 0.7 * capacity && sum / 900 < capacity, `${sum / 900}`);
  assertLessOrEqual(troubles, 900 / 10);
});

Deno.test("lasting trouble leaves a thirty-second part; it is left as soon as it is over, though nothing went meanwhile", () => {
  const { pass } = setUp();
  pass(3);
  assertEquals(pass(100, { troubled: true }), 1 / 32);
  assertEquals(pass(1, { part: 0 }), 1 / 16);
  assertEquals(pass(1, { part: 0 }), 1 / 16);
  assertAlmostEquals(pass(4), 0.7);
});

Deno.test("without a limit there is none", () => {
  const pace = new GroupPace(Infinity);
  for (let i = 0; i < 10; i++) pace.adapt(i % 3 === 0, i * 1e9);
  assertEquals(pace.rate, Infinity);
});
