import { assert, assertEquals } from "@std/assert";
import { LiveLine } from "../../../cli/bench/live.ts";

function lineOf(columns = 120) {
  const written: string[] = [];
  const clock = { now: 0 };
  const live = new LiveLine({ write: (text) => written.push(text), now: () => clock.now, columns: () => columns });
  const latest = () => written.at(-1)!.replace(/^\r/, "").replace("\x1b[K", "");
  return { live, written, clock, latest };
}

Deno.test("it tells the target, the round, the phase and the rate", () => {
  const { live, clock, latest } = lineOf();
  live.begin("nats", 2, 7, "fanout, 1 to 10");
  assertEquals(latest(), "nats, round 2 of 7: fanout, 1 to 10  starting");
  live.phase("warm-up", 0.5);
  assertEquals(latest(), "nats, round 2 of 7: fanout, 1 to 10  warm-up ████████░░░░░░░░ 50%");
  clock.now = 200;
  live.sample({ deliveryRate: 6_310_000, p50: 0, p99: 0 });
  assertEquals(latest(), "nats, round 2 of 7: fanout, 1 to 10  warm-up ████████░░░░░░░░ 50%  6.31 M/s");
  live.phase("draining", null);
  assertEquals(latest(), "nats, round 2 of 7: fanout, 1 to 10  draining  6.31 M/s");
  live.begin("nats", 1, 1, "fanout");
  assertEquals(latest(), "nats: fanout  starting");
});

Deno.test("where latencies are measured, the last thirty p99 are bars", () => {
  const { live, clock, latest } = lineOf();
  live.begin("redis", 1, 1, "latency");
  for (let sample = 0; sample < 40; sample++) {
    clock.now += 250;
    live.sample({ deliveryRate: 1000, p50: 60, p99: sample === 39 ? 1600 : 80 });
  }
  assertEquals(latest(), `redis: latency  starting  1.00 k/s  p50   60 µs  p99 1.60 ms  ${"▁".repeat(29)}█`);
});

Deno.test("it writes at most five times a second, but a new phase at once", () => {
  const { live, clock, written } = lineOf();
  live.begin("nats", 1, 1, "x");
  for (clock.now = 1; clock.now < 1000; clock.now++) {
    live.phase("starting", clock.now / 1000);
    live.sample({ deliveryRate: 1, p50: 0, p99: 0 });
  }
  assertEquals(written.length, 5);
  live.phase("draining", null);
  assertEquals(written.length, 6);
});

Deno.test("it stays on its line, and is taken away", () => {
  const { live, written } = lineOf(10);
  live.begin("nats", 1, 1, "a load\nwith lines");
  assertEquals(written.at(-1), "\rnats: a l\x1b[K");
  live.clear();
  live.clear();
  assertEquals(written.slice(1), ["\r\x1b[K"]);
  live.phase("starting", 2);
  assert(written.length === 3);
  live[Symbol.dispose]();
  assertEquals(written.length, 4);
});
