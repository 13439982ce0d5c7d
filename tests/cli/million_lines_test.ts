/** Real input end to end: a million lines through a pipe, at five subscribers, and through connections that are cut. */

import { assert, assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { CuttingProxy } from "../cutting_proxy.ts";
import { type Process, startServer } from "./process.ts";

const lineCount = 1_000_000;

/** Trades of several hundred symbols, as JSON lines: the same at every run. */
function trades(): Uint8Array {
  const all = new Uint8Array(lineCount * 100);
  const encoder = new TextEncoder();
  let random = 42;
  const next = (below: number) => {
    random ^= random << 13;
    random ^= random >>> 17;
    random ^= random << 5;
    return (random >>> 0) % below;
  };
  let length = 0;
  for (let from = 0; from < lineCount; from += 1_000) {
    let text = "";
    for (let i = from; i < from + 1_000; i++) {
      const price = `${10 + next(500)}.${String(next(100)).padStart(2, "0")}`;
      text += `{"time":${1_767_225_600_000 + i},"symbol":"S${next(400)}","price":${price},"size":${1 + next(5_000)}}\n`;
    }
    length += encoder.encodeInto(text, all.subarray(length)).written;
  }
  return all.subarray(0, length);
}

/** Compares what comes with what should, as it comes. */
class Comparison {
  /** How much has come and is right. */
  length = 0;
  /** Where the first wrong byte is, or -1. */
  fault = -1;
  readonly #expected: Uint8Array;
  readonly #halfway = Promise.withResolvers<void>();
  /** Resolves when half of it has come. */
  readonly halfway = this.#halfway.promise;

  constructor(expected: Uint8Array) {
    this.#expected = expected;
  }

  readonly sink = (chunk: Uint8Array): void => {
    const expected = this.#expected.subarray(this.length, this.length + chunk.length);
    if (this.fault < 0 && Buffer.compare(expected, chunk) !== 0) {
      this.fault = this.length + chunk.findIndex((byte, at) => byte !== expected[at]);
    }
    this.length += chunk.length;
    if (this.length >= this.#expected.length / 2) this.#halfway.resolve();
  };
}

async function assertWhole(subscriber: Process, comparison: Comparison, file: Uint8Array): Promise<void> {
  assertEquals(await subscriber.status, 0, subscriber.stderr.text);
  await subscriber.stdout.ended;
  assertEquals([comparison.fault, comparison.length], [-1, file.length]);
}

const wanted = ["--lag-policy", "wait", "-n", `${lineCount}`, "trades"];

Deno.test("a million lines arrive byte for byte at five subscribers: one late, one cut ten times", async () => {
  const file = trades();
  await using server = await startServer(["--retain", "256MiB"]);
  await using proxy = new CuttingProxy(server.endpoint, { down: Math.floor(file.length / 12), times: 10 });
  const comparisons = Array.from({ length: 5 }, () => new Comparison(file));
  const [first, second, third, cut, late] = comparisons as [Comparison, Comparison, Comparison, Comparison, Comparison];
  await using one = await server.subscriber(wanted, { sink: first.sink });
  await using two = await server.subscriber(wanted, { sink: second.sink });
  await using three = await server.subscriber(wanted, { sink: third.sink });
  await using four = await server.subscriber([...wanted, "-s", proxy.endpoint], { sink: cut.sink });
  await using publisher = server.start(["publish", "trades"], { stdin: file });
  await first.halfway;
  await using five = await server.subscriber([...wanted, "--from", "earliest"], { sink: late.sink });
  assertEquals(await publisher.ran(), { status: 0, stdout: "", stderr: "" });
  for (const [i, subscriber] of [one, two, three, four, five].entries()) {
    await assertWhole(subscriber, comparisons[i]!, file);
  }
  assertEquals(proxy.cuts, 10);
});

Deno.test("a million lines of a publisher that is cut ten times arrive once each, and in order", async () => {
  const file = trades();
  await using server = await startServer(["--retain", "256MiB"]);
  await using proxy = new CuttingProxy(server.endpoint, { up: Math.floor(file.length / 12), times: 10 });
  const live = new Comparison(file);
  await using subscriber = await server.subscriber(wanted, { sink: live.sink });
  const args = ["publish", "-s", proxy.endpoint, "trades"];
  await using publisher = server.start(args, { stdin: file });
  assertEquals(await publisher.status, 0, publisher.stderr.text);
  await assertWhole(subscriber, live, file);
  assertEquals(proxy.cuts, 10);
  const { first, next } = (await server.topics()).get("trades")!;
  assertEquals([first, next], [1, lineCount + 1]);
  await publisher.stderr.ended;
  assert(!publisher.stderr.text.includes("sent again"), publisher.stderr.text);
});
