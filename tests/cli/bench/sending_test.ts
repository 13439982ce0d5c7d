import { assert, assertEquals } from "@std/assert";
import { now } from "../../../cli/bench/clock.ts";
import type { Driver, Receiver, Sender } from "../../../cli/bench/driver.ts";
import type { SendJob } from "../../../cli/bench/job.ts";
import { field, Messages } from "../../../cli/bench/message.ts";
import { Sending } from "../../../cli/bench/sending.ts";

interface Taken {
  readonly topic: number;
  readonly source: number;
  readonly count: number;
  readonly due: number;
  readonly at: number;
}

/** A target that takes messages, and may hold the publisher up. */
class Played implements Driver {
  readonly taken: Taken[] = [];
  flushes = 0;
  /** The last time that it holds somebody up. */
  held: Promise<void> = Promise.resolve();
  /** Takes so many, then holds for so many milliseconds, again and again. */
  readonly #burst: number;
  readonly #hold: number;

  constructor(burst = Infinity, hold = 0) {
    this.#burst = burst;
    this.#hold = hold;
  }

  receive(): Promise<Receiver> {
    throw new Error("nobody receives here");
  }

  send(): Promise<Sender> {
    // deno-lint-ignore no-this-alias
    const target = this;
    let room = this.#burst;
    return Promise.resolve({
      closed: new Promise<void>(() => {}),
      get writable() {
        return room > 0;
      },
      send(topic: number, message: Uint8Array) {
        const view = new DataView(message.buffer);
        target.taken.push({
          topic,
          source: view.getUint32(field.source, true),
          count: view.getUint32(field.count, true),
          due: view.getFloat64(field.due, true),
          at: now(),
        });
        return --room > 0;
      },
      async ready() {
        if (target.#hold > 0) await (target.held = new Promise((resolve) => setTimeout(resolve, target.#hold)));
        room = target.#burst;
      },
      flush: () => {
        target.flushes++;
        return Promise.resolve();
      },
      close: () => Promise.resolve(),
    });
  }
}

function job(change: Partial<SendJob> = {}): SendJob {
  const { indices = [0] } = change;
  return {
    role: "send",
    kind: "stream",
    endpoint: "tcp://nowhere",
    trust: null,
    topics: ["t/0"],
    publishers: indices.length,
    spread: false,
    body: { kind: "random", size: 32, seed: 1 },
    seed: 1,
    indices,
    rate: 0,
    count: 0,
    window: 0,
    receivers: 1,
    ...change,
  };
}

async function run(
  given: SendJob,
  driver: Played,
  milliseconds: number,
  warmup = 0,
): Promise<{ sending: Sending; origin: number }> {
  const sending = new Sending(given, new Messages({ kind: "random", size: 32, seed: 1 }));
  await sending.open(driver);
  const origin = now() + 20;
  await sending.run({ origin, from: origin + warmup, until: origin + warmup + milliseconds, slice: 100 });
  return { sending, origin };
}

Deno.test("at a rate each message is due in its turn, carries that time, and none is sent before it", async () => {
  const driver = new Played();
  const { sending, origin } = await run(job({ rate: 500, indices: [0, 1] }), driver, 200, 100);
  assertEquals(driver.taken.length, 150);
  const inTurn = driver.taken.toSorted((a, b) => a.due - b.due);
  assertEquals(inTurn.map(({ due }) => Math.round(due)), Array.from({ length: 150 }, (_, index) => 2 * index));
  assert(driver.taken.every(({ due, at }) => at >= origin + due));
  assertEquals([...sending.sent.totals], [75, 75]);
  // What was due in the warm-up is not measured.
  assertEquals([sending.sent.measured, sending.sent.delay.count, driver.flushes], [100, 100, 2]);
});

Deno.test("a target that holds a publisher up is charged for it, and the generator is not", async () => {
  const driver = new Played(50, 60);
  const { sending, origin } = await run(job({ rate: 1000 }), driver, 300);
  await driver.held;
  assert(sending.sent.held >= 100, `${sending.sent.held}`);
  // Messages that were due while it was held kept their times.
  const waited = driver.taken.map(({ due, at }) => at - origin - due);
  assert(Math.max(...waited) > 30);
  // Of what was due while nothing was held there is little, and its delay is the generator's own.
  assert(sending.sent.delay.count < driver.taken.length / 2);
});

Deno.test("as fast as it goes is never further ahead of the receivers than the window", async () => {
  const driver = new Played();
  const given = job({ window: 64, count: 500 });
  const sending = new Sending(given, new Messages({ kind: "random", size: 32, seed: 1 }));
  await sending.open(driver);
  const origin = now();
  const running = sending.run({ origin, from: origin, until: origin + 60_000, slice: 100 });
  let received = 0;
  let over = false;
  running.then(() => over = true);
  while (!over) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    assert(driver.taken.length <= received + 64, `${driver.taken.length} sent, ${received} received`);
    received = driver.taken.length;
    sending.progress(0, [received]);
  }
  assertEquals(driver.taken.length, 500);
  assertEquals(driver.taken.map(({ count }) => count), Array.from({ length: 500 }, (_, index) => index));
});

Deno.test("the slowest of several receiving processes decides, whichever tells first", async () => {
  const driver = new Played();
  const sending = new Sending(
    job({ window: 10, count: 100, receivers: 2 }),
    new Messages({ kind: "random", size: 32, seed: 1 }),
  );
  await sending.open(driver);
  const origin = now();
  const running = sending.run({ origin, from: origin, until: origin + 60_000, slice: 100 });
  const settled = async () => {
    for (let before = -1; before !== driver.taken.length;) {
      before = driver.taken.length;
      for (let i = 0; i < 20; i++) await new Promise((resolve) => setTimeout(resolve, 0));
    }
    return driver.taken.length;
  };
  assertEquals(await settled(), 10);
  sending.progress(1, [8]);
  assertEquals(await settled(), 10);
  sending.progress(0, [3]);
  assertEquals(await settled(), 13);
  sending.progress(0, [90]);
  assertEquals(await settled(), 18);
  sending.progress(1, [90]);
  await running;
  assertEquals(driver.taken.length, 100);
});

Deno.test("who spreads over topics numbers the messages of each, and the same seed picks the same", async () => {
  const topics = ["t/0", "t/1", "t/2"];
  const runs = await Promise.all([1, 1, 2].map(async (seed) => {
    const driver = new Played();
    await run(job({ spread: true, topics, count: 300, seed }), driver, 60_000);
    return driver.taken;
  }));
  const [one, same, other] = runs.map((taken) => taken.map(({ topic }) => topic).join(""));
  assertEquals(one, same);
  assert(one !== other);
  const next = [0, 0, 0];
  for (const { topic, source, count } of runs[0]!) {
    assertEquals([source, count], [topic, next[topic]!]);
    next[topic]!++;
  }
  assert(next.every((count) => count > 60));
});
