import { assert, assertEquals, assertRejects } from "@std/assert";
import { TransportError } from "../../core/errors.ts";
import { type MemoryListener, memoryListener, type MemoryOptions, memoryPair } from "../../transports/memory.ts";
import { contract, pattern, readUpTo, writeAll } from "./contract.ts";

function memoryContract(name: string, options: MemoryOptions): void {
  contract(name, {
    listen: () => memoryListener(options),
    dial: (listener) => (listener as MemoryListener).dial(listener.endpoint),
    dialWith: (listener, signal) => (listener as MemoryListener).dial(listener.endpoint, signal),
    overflow: 200_000,
  });
}

memoryContract("memory", {});
memoryContract("memory, small chunks", { readChunk: 997, writeChunk: (free) => Math.ceil(free / 3), capacity: 1500 });
memoryContract("memory, delayed", { delay: { milliseconds: 1, after: (_, run) => queueMicrotask(run) } });

Deno.test("memory: a write takes as much as there is room for, and then waits", async () => {
  const [here, there] = memoryPair({ capacity: 10 });
  assertEquals(await here.write(pattern(16)), 10);
  let taken = 0;
  const writing = here.write(pattern(6)).then((count) => taken = count);
  assertEquals(await there.read(new Uint8Array(4)), 4);
  await writing;
  assertEquals(taken, 4);
});

Deno.test("memory: bytes arrive after the delay, by the clock that was given", async () => {
  const due: { milliseconds: number; run: () => void }[] = [];
  const [here, there] = memoryPair({
    delay: { milliseconds: 30, after: (milliseconds, run) => due.push({ milliseconds, run }) },
  });
  await writeAll(here, pattern(3));
  await here.closeWrite();
  let count: number | null | undefined;
  const reading = there.read(new Uint8Array(8)).then((it) => count = it);
  assertEquals(due.map((it) => it.milliseconds), [30, 30]);
  await Promise.resolve();
  assertEquals(count, undefined);
  due.forEach((it) => it.run());
  await reading;
  assertEquals(count, 3);
  assertEquals(await there.read(new Uint8Array(8)), null);
});

Deno.test("memory: a connection fails at both ends after the number of bytes that was set", async () => {
  const [here, there] = memoryPair({ failAfter: 5 });
  await writeAll(here, pattern(100));
  assertEquals(await readUpTo(there, 5), pattern(5));
  for (const end of [here, there]) {
    await assertRejects(() => end.read(new Uint8Array(1)), TransportError, "reset");
    await assertRejects(() => end.write(new Uint8Array(1)), TransportError, "reset");
  }
});

Deno.test("memory: a failure ends what waits", async () => {
  const [here, there] = memoryPair({ failAfter: 1, capacity: 1 });
  await writeAll(here, pattern(1));
  const writing = assertRejects(() => writeAll(here, pattern(10)), TransportError, "reset");
  const reading = assertRejects(() => here.read(new Uint8Array(1)), TransportError, "reset");
  assertEquals(await there.read(new Uint8Array(8)), 1);
  await Promise.all([writing, reading]);
});

Deno.test("memory: connections that nobody accepted end with the listener", async () => {
  const listener = memoryListener();
  using here = await listener.dial(listener.endpoint);
  listener.close();
  assertEquals(await here.read(new Uint8Array(1)), null);
  assert((await assertRejects(() => here.write(new Uint8Array(1)), TransportError)).message.includes("closed"));
});
