import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Pacer } from "../../core/pacer.ts";

Deno.test("a burst goes at once, then as the rate has it", () => {
  const pacer = new Pacer(1_000_000, 3000, 0);
  for (let i = 0; i < 3; i++) {
    assert(pacer.allows(1000, 0));
    pacer.spend(1000);
  }
  assert(!pacer.allows(1000, 0.9));
  assertEquals(pacer.allowedAt(1000, 0.9), 1);
  assert(pacer.allows(1000, 1));
});

Deno.test("what was not used for long is not made up for", () => {
  const pacer = new Pacer(1_000_000, 3000, 0);
  pacer.spend(3000);
  let sent = 0;
  while (pacer.allows(1000, 1e6)) {
    pacer.spend(1000);
    sent++;
  }
  assertEquals(sent, 3);
});

Deno.test("one that is larger than a burst goes when the bucket is full, and is owed", () => {
  const pacer = new Pacer(1_000_000, 1000, 0);
  assert(pacer.allows(5000, 0));
  pacer.spend(5000);
  assertEquals(pacer.allowedAt(1000, 0), 5);
  assertEquals(pacer.allowedAt(9000, 2), 5);
});

Deno.test("a rate that changes counts from then on, and no limit is none", () => {
  const pacer = new Pacer(1_000_000, 1000, 0);
  pacer.spend(1000);
  pacer.setRate(100_000, 0.5);
  assertAlmostEquals(pacer.allowedAt(1000, 0.5), 5.5);
  const free = new Pacer(Infinity, 1000, 0);
  for (let i = 0; i < 100; i++) {
    assert(free.allows(1e6, 0));
    free.spend(1e6);
  }
  assertEquals(free.allowedAt(1e9, 0), 0);
});

Deno.test("a clock that stands or goes back gives nothing away", () => {
  const pacer = new Pacer(1000, 10, 5);
  pacer.spend(10);
  assert(!pacer.allows(1, 5));
  assert(!pacer.allows(1, 1));
  assert(!pacer.allows(1, 5));
  assert(pacer.allows(1, 6));
});

Deno.test("over any time no more goes than a burst, and what the rate gives", () => {
  const steps = fc.array(fc.record({ wait: fc.nat(20), size: fc.integer({ min: 1, max: 1500 }) }), { maxLength: 300 });
  fc.assert(fc.property(steps, fc.integer({ min: 1000, max: 10_000_000 }), (steps, rate) => {
    const pacer = new Pacer(rate, 3000, 0);
    let now = 0;
    let sent = 0;
    for (const { wait, size } of steps) {
      now += wait / 10;
      if (!pacer.allows(size, now)) {
        const at = pacer.allowedAt(size, now);
        assert(at > now);
        continue;
      }
      pacer.spend(size);
      sent += size;
      assert(sent <= 3000 + rate * now / 1000 + 1e-3, `${sent} bytes at ${now}`);
    }
  }));
});
