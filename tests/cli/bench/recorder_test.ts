import { assertEquals } from "@std/assert";
import { Recorder } from "../../../cli/bench/recorder.ts";

/** A recorder with a clock of the test's, and one connection. */
class Subject {
  time = 1000;
  readonly recorder = new Recorder(true, () => this.time);
  readonly connection = { received: 0 };

  /** Messages come at a time, each so many milliseconds late. */
  receive(at: number, count: number, late = 1): void {
    this.time = at;
    this.recorder.arrived(this.connection);
    for (let i = 0; i < count; i++) this.recorder.time(at - 1000 - late);
    this.connection.received += count;
  }
}

const window = { origin: 1000, from: 1100, until: 1200, slice: 40 };

Deno.test("only what comes in the measured time is measured, and only what was due in it has a latency", () => {
  const subject = new Subject();
  const { recorder } = subject;
  recorder.start(window);
  subject.receive(1099, 5);
  subject.receive(1100, 3);
  subject.receive(1130, 4, 2);
  subject.receive(1199, 8);
  subject.receive(1200, 2);
  subject.receive(1201, 1);
  recorder.finish();
  assertEquals([recorder.received, recorder.measured], [23, 15]);
  // Of those at 1100 the time was before the measurement, of those at 1200 in it.
  assertEquals([recorder.latencies.count, recorder.latencies.percentile(10), recorder.latencies.most], [
    14,
    1000,
    2000,
  ]);
});

Deno.test("the measured time is cut into slices, empty ones too", () => {
  const subject = new Subject();
  const { recorder } = subject;
  recorder.start(window);
  subject.receive(1101, 7, 0);
  subject.receive(1185, 2, 30);
  recorder.finish();
  assertEquals(recorder.slices.map(({ received, latency }) => [received, latency?.max ?? 0]), [[7, 0], [0, 0], [
    2,
    30_000,
  ]]);
});

Deno.test("what came lately is told once", () => {
  const subject = new Subject();
  subject.recorder.start(window);
  subject.receive(1150, 1, 3);
  assertEquals(subject.recorder.interval(), { received: 1, p50: 3001, p99: 3001 });
  assertEquals(subject.recorder.interval(), { received: 0, p50: 0, p99: 0 });
});
