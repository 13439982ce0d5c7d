import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { RateLimit } from "../../core/rate_limit.ts";
import { RateQueue } from "../../core/rate_queue.ts";
import { VirtualPlatform } from "./fixtures.ts";

/** Lines of frames of so many bytes, which share a rate. */
class Lines {
  readonly platform = new VirtualPlatform();
  rates: RateLimit[];
  readonly waiting: number[][] = [];
  readonly done: number[] = [];
  readonly queues: RateQueue<number>[] = [];

  constructor(bytesPerSecond: number, lines: number) {
    this.rates = [new RateLimit(bytesPerSecond, Infinity)];
    for (let line = 0; line < lines; line++) {
      this.waiting.push([]);
      this.done.push(0);
      const queue: RateQueue<number> = new RateQueue(this.platform, () => this.rates, (it) => this.#next(queue, it));
      this.queues.push(queue);
    }
  }

  come(line: number, bytes: number): void {
    const queue = this.queues[line]!;
    const frames = this.waiting[line]!;
    if (!queue.late) {
      queue.charge(bytes, 1);
      this.done[line]! += bytes;
    } else if (frames.push(bytes) === 1) queue.add(line);
  }

  #next(queue: RateQueue<number>, line: number): boolean {
    const bytes = this.waiting[line]!.shift()!;
    queue.charge(bytes, 1);
    this.done[line]! += bytes;
    return this.waiting[line]!.length > 0;
  }
}

Deno.test("without rates nothing waits, and nothing is charged", () => {
  const lines = new Lines(10, 1);
  lines.rates = [];
  for (let i = 0; i < 100; i++) lines.come(0, 1_000);
  assertEquals(lines.done, [100_000]);
});

Deno.test("what comes too fast goes on at its rate, however it comes, to the last frame", () => {
  const arrivals = fc.array(
    fc.record({ line: fc.nat(2), bytes: fc.integer({ min: 1, max: 900 }), pause: fc.nat(400) }),
    {
      minLength: 1,
      maxLength: 200,
    },
  );
  fc.assert(fc.property(arrivals, (arrivals) => {
    const lines = new Lines(1_000, 3);
    let most = 0;
    for (const { line, bytes, pause } of arrivals) {
      lines.come(line, bytes);
      lines.platform.advance(pause);
      most += bytes;
      const sum = lines.done.reduce((sum, bytes) => sum + bytes, 0);
      // A second's worth is free, and the frame that makes the debt.
      assert(sum <= 1_000 + 900 + lines.platform.now(), `${sum} in ${lines.platform.now()} ms`);
    }
    lines.platform.advance(most + 1_000);
    assertEquals(lines.done.reduce((sum, bytes) => sum + bytes, 0), most);
  }));
});

Deno.test("lines that share a rate have their turns", () => {
  const lines = new Lines(10_000, 4);
  for (let i = 0; i < 400; i++) for (let line = 0; line < 4; line++) lines.come(line, 100);
  lines.platform.advance(8_000);
  const least = Math.min(...lines.done.slice(1));
  assert(Math.max(...lines.done.slice(1)) - least <= 200, `${lines.done}`);
});

Deno.test("another rate holds at once for who waits, and none for who has left", () => {
  const lines = new Lines(1, 2);
  for (const line of [0, 1]) for (let i = 0; i < 3; i++) lines.come(line, 100);
  lines.platform.advance(1_000);
  const before = lines.done.join();
  lines.queues[1]!.close();
  lines.rates = [];
  for (const queue of lines.queues) queue.revise();
  lines.platform.advance(10);
  assertEquals(lines.done[0], 300);
  assert(lines.done.join() !== before && lines.done[1]! < 300);
});
