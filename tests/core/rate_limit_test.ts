import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import fc from "fast-check";
import { everybody } from "../../core/account.ts";
import { RateLimit } from "../../core/rate_limit.ts";

Deno.test("a second's worth is free after idleness, and the rest waits its turn", () => {
  const limit = new RateLimit(1000, Infinity);
  assertEquals(limit.take(0, 1000, 1), 0);
  assertEquals(limit.take(0, 500, 1), 500);
  assertEquals(limit.take(250, 250, 1), 750);
  assertEquals(limit.take(60_000, 1000, 1), 60_000);
  assertEquals(limit.take(60_000, 1, 1), 60_001);
});

Deno.test("whoever keeps to the rate never waits", () => {
  const limit = new RateLimit(Infinity, 10);
  for (let now = 0; now < 100_000; now += 100) assert(limit.take(now, 1e6, 1) <= now);
});

Deno.test("the slower of bytes and messages decides", () => {
  const limit = new RateLimit(1000, 10);
  assertEquals(limit.take(0, 100, 20), 1000);
  assertEquals(limit.take(0, 500, 10), 2000);
  assertEquals(limit.take(0, 5000, 1), 6000);
});

Deno.test("one frame of more than a burst is let through, and owed", () => {
  const limit = new RateLimit(1000, Infinity);
  assertEquals(limit.take(0, 10_000, 1), 9000);
  assertEquals(limit.take(9000, 1, 1), 9001);
});

Deno.test("whom nothing limits is never slowed down", () => {
  const { bytesPerSecond, messagesPerSecond } = everybody.limits;
  const limit = new RateLimit(bytesPerSecond, messagesPerSecond);
  for (let i = 0; i < 1000; i++) assert(limit.take(7, 1e9, 65_535) <= 7);
});

Deno.test("another rate counts from then on, for what is owed too", () => {
  const limit = new RateLimit(1000, Infinity);
  limit.take(0, 5000, 1);
  limit.setRates(10_000, Infinity, 1000);
  // 4000 bytes are owed, which take 400 ms now; a second of that is the burst.
  assertAlmostEquals(limit.take(1000, 10_000, 1), 1400);
  limit.setRates(Infinity, Infinity, 1000);
  assert(limit.take(1000, 1e9, 1) <= 1000);
  limit.setRates(1000, 1, 2000);
  assertEquals(limit.take(2000, 2000, 1), 3000);
});

Deno.test("what waits for one rate saves nothing up at the other", () => {
  const limit = new RateLimit(1000, 10);
  assertEquals(limit.take(0, 1, 1000), 99_000);
  // Those bytes come to their turn at 99 s: a burst of them is free then, and the rest goes at the rate.
  assertEquals(limit.take(0, 5000, 1), 103_000);
});

Deno.test("over any time what is let through is what the rates allow, a burst, and one frame", () => {
  const frame = fc.record({
    pause: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 3000 })),
    bytes: fc.integer({ min: 1, max: 3000 }),
    messages: fc.integer({ min: 1, max: 30 }),
  });
  const rates = { bytes: 1000, messages: 10 };
  fc.assert(
    fc.property(fc.array(frame, { minLength: 1, maxLength: 60 }), (frames) => {
      const limit = new RateLimit(rates.bytes, rates.messages);
      let now = 0;
      let latest = -Infinity;
      const through = frames.map(({ pause, bytes, messages }) => {
        now += pause;
        const at = Math.max(now, limit.take(now, bytes, messages));
        // Nothing waits longer than all before it takes at the rate that is slower for each.
        latest = Math.max(latest, now) + 1000 * Math.max(bytes / rates.bytes, messages / rates.messages);
        assert(at <= Math.max(now, latest - 1000) + 1e-6);
        return { at, bytes, messages };
      });
      for (let from = 0; from < through.length; from++) {
        const sums = { bytes: 0, messages: 0 };
        for (let to = from; to < through.length; to++) {
          const seconds = (through[to]!.at - through[from]!.at) / 1000;
          assert(seconds >= 0, "in order");
          for (const what of ["bytes", "messages"] as const) {
            sums[what] += through[to]![what];
            const most = rates[what] * (seconds + 1) + through[from]![what];
            assert(sums[what] <= most + 1e-6, `${sums[what]} ${what} in ${seconds} s`);
          }
        }
      }
    }),
    { numRuns: 300 },
  );
});
