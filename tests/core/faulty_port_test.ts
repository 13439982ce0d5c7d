import { assert, assertEquals } from "@std/assert";
import type { Address, Arrived, DatagramPort } from "../../core/datagram_port.ts";
import { type Faults, FaultyPort, mostLate } from "../../core/faulty_port.ts";
import { Random } from "./fixtures.ts";

const here: Address = { host: "here", port: 1, text: "here:1" };
const there: Address = { host: "there", port: 2, text: "there:2" };
const none: Faults = { loss: 0, reorder: 0, duplicate: 0 };

/** A port on which datagrams 0, 1, 2, ... come, each its number; then it waits until it is closed. */
class Numbers implements DatagramPort {
  readonly address = here;
  readonly sent: [bytes: Uint8Array, to: Address][] = [];
  closings = 0;
  readonly #count: number;
  readonly #closed = Promise.withResolvers<null>();
  #next = 0;

  constructor(count: number) {
    this.#count = count;
  }

  send(bytes: Uint8Array, to: Address): Promise<void> {
    this.sent.push([bytes, to]);
    return Promise.resolve();
  }

  receive(into: Uint8Array): Promise<Arrived | null> {
    if (this.#next === this.#count) return this.#closed.promise;
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, this.#next++);
    const length = Math.min(4, into.length);
    into.set(bytes.subarray(0, length));
    return Promise.resolve({ length, from: there });
  }

  close(): void {
    this.closings++;
    this.#closed.resolve(null);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function faulty(port: DatagramPort, faults: Partial<Faults>, seed = 1): FaultyPort {
  const random = new Random(seed);
  return new FaultyPort(port, { ...none, ...faults }, () => random.u32() / 2 ** 32);
}

/** Everything that comes of so many datagrams, in order, until nothing comes any more. */
async function pass(count: number, faults: Partial<Faults>, seed = 1) {
  const port = faulty(new Numbers(count), faults, seed);
  const came: number[] = [];
  const bytes = new Uint8Array(16);
  const receiving = (async () => {
    for (;;) {
      const arrived = await port.receive(bytes.fill(0xff));
      if (arrived === null) return;
      assertEquals([arrived.length, arrived.from, bytes[4]], [4, there, 0xff]);
      came.push(new DataView(bytes.buffer).getUint32(0));
    }
  })();
  // The port waits for more once all of them have passed.
  while (port.counts.received < count) await Promise.resolve();
  await new Promise((resolve) => setTimeout(resolve));
  port.close();
  await receiving;
  return { came, counts: port.counts };
}

const inOrder = (count: number) => Array.from({ length: count }, (_, index) => index);

/** That a share of `count` is about so many percent: within four standard deviations. */
function assertShare(share: number, percent: number, count: number): void {
  const expected = count * percent / 100;
  assert(Math.abs(share - expected) <= 4 * Math.sqrt(expected), `${share} of ${count} is not ${percent} %`);
}

Deno.test("without faults everything comes as it was sent, and goes as it is", async () => {
  assertEquals((await pass(1000, {})).came, inOrder(1000));
  const numbers = new Numbers(0);
  const port = faulty(numbers, { loss: 100, reorder: 100, duplicate: 100 });
  assertEquals(port.address, here);
  const bytes = new Uint8Array(1);
  await port.send(bytes, there);
  assertEquals(numbers.sent, [[bytes, there]]);
});

Deno.test("as much is lost as was asked for, and the rest stays in order", async () => {
  const count = 100_000;
  for (const loss of [0.1, 1, 20]) {
    const { came, counts } = await pass(count, { loss });
    assertEquals(counts, { received: count, lost: count - came.length, reordered: 0, duplicated: 0 });
    assertShare(counts.lost, loss, count);
    assertEquals(came, came.toSorted((a, b) => a - b));
  }
  assertEquals((await pass(100, { loss: 100 })).came, []);
});

Deno.test("what is late comes after at most eight others, once", async () => {
  const count = 100_000;
  const { came, counts } = await pass(count, { reorder: 5 });
  assertShare(counts.reordered, 5, count);
  assertEquals(counts.lost + counts.duplicated, 0);
  // The last few may wait for others for good.
  const whole = came.filter((number) => number < count - mostLate);
  assertEquals(whole.toSorted((a, b) => a - b), inOrder(count - mostLate));
  let late = 0;
  let highest = -1;
  for (const number of came) {
    if (number < highest) late++;
    assert(highest - number <= mostLate, `${number} after ${highest}`);
    highest = Math.max(highest, number);
  }
  // One is overtaken only where those behind it are not as late.
  assert(late > counts.reordered * 0.8 && late <= counts.reordered, `${late} of ${counts.reordered}`);
});

Deno.test("what is doubled comes twice, the second time soon after", async () => {
  const count = 100_000;
  const { came, counts } = await pass(count, { duplicate: 3 });
  assertShare(counts.duplicated, 3, count);
  const times = new Uint8Array(count);
  for (const number of came) times[number]!++;
  assert(times.every((count) => count === 1 || count === 2));
  const waiting = counts.duplicated - (came.length - count);
  assert(waiting >= 0 && waiting <= mostLate, `the second ones of ${waiting} wait for others`);
});

Deno.test("the same seed does the same, another one something else; each fault by itself", async () => {
  const faults = { loss: 5, reorder: 5, duplicate: 5 };
  const first = await pass(5000, faults, 7);
  assertEquals(await pass(5000, faults, 7), first);
  assert((await pass(5000, faults, 8)).came.join() !== first.came.join());
  // What is lost is lost whatever else happens.
  const { came } = await pass(5000, { loss: 5 }, 7);
  const lost = (numbers: number[]) => inOrder(5000 - mostLate).filter((number) => !numbers.includes(number));
  assertEquals(lost(first.came), lost(came));
});

Deno.test("what is late is cut off where it does not fit", async () => {
  const port = faulty(new Numbers(40), { reorder: 100 });
  const bytes = new Uint8Array(4);
  assertEquals((await port.receive(bytes))?.length, 4);
  assert(port.counts.received > 1, "others came before it");
  assertEquals((await port.receive(bytes.subarray(0, 2)))?.length, 2);
  port.close();
});

Deno.test("closing ends it at once, with what is late still held", async () => {
  const numbers = new Numbers(3);
  const port = faulty(numbers, { reorder: 100 });
  const bytes = new Uint8Array(4);
  const pending = port.receive(bytes);
  while (port.counts.received < 3) await Promise.resolve();
  port.close();
  assertEquals(await pending, null);
  assertEquals(await port.receive(bytes), null);
  port.close();
  port[Symbol.dispose]();
  assert(numbers.closings > 0);
});
