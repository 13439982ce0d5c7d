import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import type { Driver, Receiver, Sender, Sink } from "../../../cli/bench/driver.ts";
import type { ReceiveJob } from "../../../cli/bench/job.ts";
import { Messages } from "../../../cli/bench/message.ts";
import { Receiving } from "../../../cli/bench/receiving.ts";
import { now } from "../../../cli/bench/clock.ts";

const messages = new Messages({ kind: "random", size: 32, seed: 1 });

/** A driver whose connections receive what the test gives them. */
class Played implements Driver {
  readonly sinks: Sink[] = [];
  readonly patterns: (readonly string[])[] = [];
  readonly echoed: Uint8Array[] = [];
  #lose: ((error: Error) => void)[] = [];

  receive(_endpoint: string, patterns: readonly string[], sink: Sink): Promise<Receiver> {
    this.patterns.push(patterns);
    this.sinks.push(sink);
    const closed = new Promise<void>((_, reject) => this.#lose.push(reject));
    closed.catch(() => {});
    const datagrams = { faults: { lost: 1, reordered: 2, duplicated: 3 }, missed: 4, unrepaired: 5, requests: 6 };
    return Promise.resolve({ closed, bytes: 100, datagrams, close: () => {} });
  }

  send(): Promise<Sender> {
    const { echoed } = this;
    return Promise.resolve({
      closed: new Promise<void>(() => {}),
      writable: true,
      send: (_topic: number, message: Uint8Array) => echoed.push(message.slice()) > 0,
      ready: () => Promise.resolve(),
      flush: () => Promise.resolve(),
      close: () => Promise.resolve(),
    });
  }

  /** Messages of source 0 come on a connection, in one read. */
  give(connection: number, from: number, count: number, source = 0): void {
    const sink = this.sinks[connection]!;
    sink.arrived();
    for (let i = 0; i < count; i++) {
      const message = messages.make(source, from + i, 0);
      sink.take(message, new DataView(message.buffer), 0, message.length);
    }
  }

  lose(connection: number, error: Error): void {
    this.#lose[connection]!(error);
  }
}

function job(connections: number, change: Partial<ReceiveJob> = {}): ReceiveJob {
  return {
    role: "receive",
    kind: "stream",
    endpoint: "tcp://nowhere",
    trust: null,
    topics: ["t/0"],
    publishers: 1,
    spread: false,
    body: { kind: "random", size: 32, seed: 1 },
    seed: 1,
    connections: Array.from({ length: connections }, () => ({ first: 0, end: 1, pattern: null })),
    timing: false,
    verify: false,
    progress: 0,
    echo: null,
    group: null,
    ...change,
  };
}

async function receiving(given: ReceiveJob): Promise<{ driver: Played; receiving: Receiving }> {
  const driver = new Played();
  const it = new Receiving(given, null);
  await it.connect(driver);
  it.start({ origin: now(), from: now(), until: now() + 60_000, slice: 1000 });
  return { driver, receiving: it };
}

Deno.test("each connection subscribes to its topics, or to all of them by one pattern", async () => {
  const connections = [{ first: 0, end: 2, pattern: null }, { first: 2, end: 3, pattern: null }, {
    first: 0,
    end: 3,
    pattern: "t/#",
  }];
  const { driver } = await receiving(job(0, { topics: ["t/0", "t/1", "t/2"], connections }));
  assertEquals(driver.patterns, [["t/0", "t/1"], ["t/2"], ["t/#"]]);
});

Deno.test("what every connection has received is added up, and what one has missed", async () => {
  const { driver, receiving: it } = await receiving(job(2));
  driver.give(0, 0, 10);
  driver.give(1, 0, 4);
  driver.give(1, 5, 5);
  const { expected, received, missing, measured } = it.result(Uint8Array.of(10) as unknown as Uint32Array);
  assertEquals({ expected, received, missing, measured }, { expected: 20, received: 19, missing: 1, measured: 19 });
});

Deno.test("what was said to be lost is not lost without a word; what comes all the same, or is not said, is wrong", async () => {
  const { driver, receiving: it } = await receiving(job(3));
  for (const connection of [0, 1, 2]) driver.give(connection, 0, 4);
  for (const connection of [0, 1, 2]) driver.give(connection, 6, 4);
  driver.sinks[0]!.missed!(2);
  driver.sinks[1]!.missed!(1);
  driver.sinks[2]!.missed!(5);
  const { received, missing, unrepaired, corrupt } = it.result(Uint32Array.of(10));
  assertEquals({ received, missing, unrepaired, corrupt }, {
    received: 24,
    missing: 1,
    unrepaired: 2 + 1 + 2,
    corrupt: 3,
  });
});

Deno.test("all that was sent came or was said to be lost: then nothing is waited for", async () => {
  const { driver, receiving: it } = await receiving(job(1));
  const complete = it.complete(Uint32Array.of(10));
  driver.give(0, 0, 7);
  driver.sinks[0]!.missed!(3);
  await complete;
  const { bytes, datagrams } = (await receiving(job(2))).receiving.result(Uint32Array.of(0));
  assertEquals(bytes, 200);
  assertEquals(datagrams, {
    faults: { lost: 2, reordered: 4, duplicated: 6 },
    missed: 8,
    unrepaired: 10,
    requests: 12,
  });
});

Deno.test("property: however the connections get ahead of each other, nobody who waits for them waits for ever", async () => {
  const gift = fc.record({ connection: fc.nat(4), count: fc.integer({ min: 1, max: 40 }) });
  await fc.assert(fc.asyncProperty(fc.array(gift, { maxLength: 60 }), async (gifts) => {
    const progress = 10;
    const { driver, receiving: it } = await receiving(job(5, { progress }));
    let told = 0;
    it.onProgress = ([count]) => told = count!;
    const counts = [0, 0, 0, 0, 0];
    for (const { connection, count } of gifts) {
      driver.give(connection, counts[connection]!, count);
      counts[connection]! += count;
    }
    const slowest = Math.min(...counts);
    assert(told <= slowest);
    // The last read is counted with the next one.
    const largest = 40;
    assert(told > slowest - 2 * progress - largest, `${told} of ${slowest}`);
  }));
});

Deno.test("an echo sends back what it receives, byte for byte", async () => {
  const { driver } = await receiving(job(1, { echo: ["back"] }));
  driver.give(0, 7, 1);
  assertEquals(driver.echoed, [messages.make(0, 7, 0)]);
});

Deno.test("all that was sent is waited for, and a lost connection is told", async () => {
  const { driver, receiving: it } = await receiving(job(1));
  const totals = Uint32Array.of(3);
  const complete = it.complete(totals);
  driver.give(0, 0, 3);
  await complete;
  const lost = it.lost;
  driver.lose(0, new Error("reset"));
  await assertRejects(() => lost, Error, "reset");
});
