import { assertEquals, assertRejects } from "@std/assert";
import { Relay, type RelaySocket } from "../../../cli/bench/relay.ts";
import { setImmediate } from "node:timers";

Deno.test("a sender is read until the ring is full of what a receiver has not got, and not a byte further", async () => {
  const relay = new Relay();
  const [quick, slow] = [new FakeReceiver(), new FakeReceiver()];
  quick.free = true;
  const received = [relay.receive(quick), relay.receive(slow)];
  const sender = new FakeSender();
  const sent = relay.send(sender);
  await settled();
  assertEquals(sender.given, Relay.memory);
  assertEquals(quick.accepted, 1 + Relay.memory);

  // Half of the ring is free when it is passed: as long as one byte is missing there is no room.
  slow.accept(Relay.memory / 2 - 1);
  await settled();
  assertEquals(sender.given, Relay.memory);
  slow.accept(1);
  await settled();
  assertEquals(sender.given, Relay.memory * 1.5);

  sender.end();
  slow.free = true;
  slow.accept(1);
  await sent;
  await settled();
  assertEquals([quick.accepted, slow.accepted], [1 + sender.given, 1 + sender.given]);
  assertEquals([quick.damaged, slow.damaged], [false, false]);
  quick.end();
  slow.end();
  await Promise.all(received);
  assertEquals(relay.unused, true);
});

Deno.test("a receiver that dies frees what it held, once its pending write is over", async () => {
  const relay = new Relay();
  const [dying, staying] = [new FakeReceiver(), new FakeReceiver()];
  staying.free = true;
  const gone = relay.receive(dying);
  relay.receive(staying);
  const sender = new FakeSender();
  relay.send(sender);
  await settled();
  dying.lingers = true;
  dying.end();
  await settled();
  assertEquals(sender.given, Relay.memory);
  sender.most = 4 * Relay.memory;
  dying.fail();
  await gone;
  await settled();
  assertEquals(sender.given, 4 * Relay.memory);
  assertEquals(staying.damaged, false);
});

Deno.test("a sender that is reset does not stop the next, whose bytes come behind its own", async () => {
  const relay = new Relay();
  const receiver = new FakeReceiver();
  receiver.free = true;
  relay.receive(receiver);
  const [first, second] = [new FakeSender(), new FakeSender()];
  first.most = 1000;
  second.most = 500;
  const sent = relay.send(first);
  relay.send(second);
  await settled();
  assertEquals([first.given, second.given], [1000, 0]);
  first.reset();
  await assertRejects(() => sent, Error, "reset");
  await settled();
  assertEquals([first.given, second.given, receiver.accepted], [1000, 500, 1501]);
});

/** Lets everything happen that can. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 100; turn++) await new Promise<void>((resolve) => void setImmediate(resolve));
}

/** Gives bytes that say where they are, as many as are asked for, up to a limit; then it waits. */
class FakeSender implements RelaySocket {
  given = 0;
  most = 10 * Relay.memory;
  #ended = false;
  #failed = false;
  #waiting: { resolve: (count: number | null) => void; reject: (error: Error) => void } | null = null;

  read(into: Uint8Array): Promise<number | null> {
    if (this.#ended) return Promise.resolve(null);
    if (this.#failed) return Promise.reject(new Error("reset"));
    const count = Math.min(into.length, this.most - this.given);
    if (count === 0) return new Promise((resolve, reject) => this.#waiting = { resolve, reject });
    for (let i = 0; i < count; i++) into[i] = (this.given + i) % 251;
    this.given += count;
    return Promise.resolve(count);
  }

  write(): Promise<number> {
    throw new Error("nobody writes to a sender");
  }

  close(): void {}

  end(): void {
    this.#ended = true;
    this.#waiting?.resolve(null);
  }

  reset(): void {
    this.#failed = true;
    this.#waiting?.reject(new Error("reset"));
  }
}

/** Accepts bytes when it is told to, and looks whether they are those that come next. */
class FakeReceiver implements RelaySocket {
  accepted = 0;
  damaged = false;
  /** Whether it accepts whatever comes. */
  free = false;
  /** Whether a pending write survives the end, until {@linkcode fail}. */
  lingers = false;
  /** The first write is the answer to a registration. */
  #answered = false;
  readonly #gone = Promise.withResolvers<number | null>();
  #pending: { bytes: Uint8Array; resolve: (count: number) => void; reject: (error: Error) => void } | null = null;

  read(): Promise<number | null> {
    return this.#gone.promise;
  }

  write(bytes: Uint8Array): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    this.#pending = { bytes, resolve, reject };
    if (this.free || !this.#answered) this.accept(bytes.length);
    return promise;
  }

  close(): void {
    if (!this.lingers) this.fail();
  }

  /** Accepts the next bytes of the write that is pending, or as many as it has. */
  accept(most: number): void {
    const { bytes, resolve } = this.#pending!;
    this.#pending = null;
    const count = Math.min(most, bytes.length);
    const greeting = this.#answered ? 0 : 1;
    for (let i = greeting; i < count; i++) {
      // One byte less than it has accepted: the answer was not the sender's.
      if (bytes[i] !== (this.accepted - 1 + i) % 251) this.damaged = true;
    }
    this.accepted += count;
    this.#answered = true;
    resolve(count);
  }

  /** Its connection ends. */
  end(): void {
    this.#gone.resolve(null);
  }

  /** Its pending write fails. */
  fail(): void {
    this.#pending?.reject(new Error("closed"));
    this.#pending = null;
  }
}
