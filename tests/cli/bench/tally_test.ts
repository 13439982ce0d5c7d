import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Messages } from "../../../cli/bench/message.ts";
import { Recorder } from "../../../cli/bench/recorder.ts";
import { Tally } from "../../../cli/bench/tally.ts";

const messages = new Messages({ kind: "random", size: 40, seed: 3 });

/** Gives a tally messages, in this order. */
function tallyOf(received: readonly (readonly [source: number, count: number])[], sources = 4): Tally {
  const tally = new Tally(sources, new Recorder(false), messages);
  for (const [source, count] of received) {
    tally.arrived();
    take(tally, messages.make(source, count, 0));
  }
  return tally;
}

function take(tally: Tally, message: Uint8Array): void {
  const bytes = new Uint8Array([9, 9, ...message, 9]);
  tally.take(bytes, new DataView(bytes.buffer), 2, 2 + message.length);
}

const everything = () => true;

Deno.test("a tally counts what comes in order as received, and nothing else", () => {
  const tally = tallyOf([[0, 0], [1, 0], [0, 1], [3, 0], [0, 2]]);
  const { received, duplicated, reordered, corrupt } = tally;
  assertEquals({ received, duplicated, reordered, corrupt }, { received: 5, duplicated: 0, reordered: 0, corrupt: 0 });
  assertEquals(tally.lost(Uint32Array.of(3, 1, 0, 1), everything), 0);
  assertEquals(tally.next(0), 3);
});

Deno.test("a tally counts messages that never came: in the middle, at the end, and of a source it never heard of", () => {
  const tally = tallyOf([[0, 0], [0, 3], [1, 0]]);
  assertEquals(tally.received, 3);
  assertEquals(tally.lost(Uint32Array.of(6, 1, 2), everything), 2 + 2 + 2);
});

Deno.test("what is not for a connection is not lost on it", () => {
  assertEquals(tallyOf([[0, 0]]).lost(Uint32Array.of(1, 9), (source) => source === 0), 0);
});

Deno.test("a tally tells a message that comes late from one that comes twice", () => {
  const tally = tallyOf([[0, 0], [0, 4], [0, 2], [0, 2], [0, 4], [0, 1], [0, 3]]);
  const { received, duplicated, reordered } = tally;
  assertEquals({ received, duplicated, reordered }, { received: 5, duplicated: 2, reordered: 3 });
  assertEquals(tally.lost(Uint32Array.of(5), everything), 0);
});

Deno.test("a tally knows a message that is not what was sent", () => {
  const tally = new Tally(2, new Recorder(false), messages);
  const changed = messages.make(0, 0, 0).slice();
  changed[39]! ^= 1;
  take(tally, changed);
  take(tally, messages.make(0, 1, 0).subarray(0, 30));
  take(tally, new Uint8Array(7));
  take(tally, messages.make(2, 0, 0));
  take(tally, messages.make(1, 0, 0));
  assertEquals(tally.corrupt, 4);
  assertEquals(tally.received, 3);
});

Deno.test("a tally stays small when very many messages are missing, and still knows how many", () => {
  const tally = new Tally(1, new Recorder(false));
  for (let count = 0; count < 100_000; count += 2) take(tally, messages.make(0, count, 0));
  assertEquals(tally.received, 50_000);
  assertEquals(tally.lost(Uint32Array.of(100_000), everything), 50_000);
});

Deno.test("property: whatever is dropped, doubled and disordered, a tally accounts for every message once", () => {
  const arrival = fc.record({ source: fc.nat(2), count: fc.nat(30) });
  fc.assert(fc.property(fc.array(arrival, { maxLength: 200 }), (arrivals) => {
    const tally = tallyOf(arrivals.map(({ source, count }) => [source, count] as const), 3);
    const distinct = new Set(arrivals.map(({ source, count }) => `${source}:${count}`)).size;
    const sent = Uint32Array.of(31, 31, 31);
    assertEquals(tally.received, distinct);
    assertEquals(tally.duplicated, arrivals.length - distinct);
    assertEquals(tally.lost(sent, everything), 3 * 31 - distinct);
    assertEquals(tally.corrupt, 0);
    const inOrder = [0, 1, 2].every((source) => {
      const counts = arrivals.filter((one) => one.source === source).map(({ count }) => count);
      return counts.every((count, index) => index === 0 || count > counts[index - 1]!);
    });
    assert(!inOrder || tally.reordered === 0);
  }));
});
