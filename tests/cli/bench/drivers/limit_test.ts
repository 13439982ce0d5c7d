import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { Copier, greetingOf } from "../../../../cli/bench/copier.ts";
import type { Sink } from "../../../../cli/bench/driver.ts";
import { limitDriver } from "../../../../cli/bench/drivers/limit.ts";
import { mulberry32 } from "../../../../cli/bench/message.ts";
import { ProtocolError, TransportError } from "../../../../core/errors.ts";

Deno.test("messages of every size come as they were sent, in order, to every receiver", async () => {
  await using copier = new RunningCopier();
  const sinks = [new Recorded(), new Recorded(), new Recorded()];
  const receivers = await Promise.all(sinks.map((sink) => limitDriver.receive(copier.endpoint, ["a"], sink)));
  const sender = await limitDriver.send(copier.endpoint, ["a"]);
  const sizes = [8, 1, 0, 127, 128, 16_383, 16_384, 65_535, 65_536, 70_000, 1_000_000, 3_000_000, 8];
  const messages = sizes.map((size, i) => bytesOf(i, size));
  for (const message of messages) {
    if (!sender.send(0, message)) await sender.ready();
  }
  await sender.flush();
  for (const sink of sinks) {
    await sink.has(messages.length);
    assertEquals(sink.messages.map((message) => message.length), sizes);
    assertEquals(sink.messages, messages);
    assertEquals(sink.damages, []);
  }
  for (const receiver of receivers) receiver.close();
  await Promise.all(receivers.map(({ closed }) => closed));
  await sender.close();
  await sender.closed;
});

Deno.test("many small messages go together: reads are far fewer than messages", async () => {
  await using copier = new RunningCopier();
  const sink = new Recorded();
  const receiver = await limitDriver.receive(copier.endpoint, ["a"], sink);
  const sender = await limitDriver.send(copier.endpoint, ["a"]);
  const count = 100_000;
  const message = new Uint8Array(16);
  const view = new DataView(message.buffer);
  for (let i = 0; i < count; i++) {
    view.setUint32(0, i);
    if (!sender.send(0, message)) {
      assert(!sender.writable);
      await sender.ready();
      assert(sender.writable);
    }
  }
  await sender.flush();
  await sink.has(count);
  const wrong = sink.messages.findIndex((bytes, i) => new DataView(bytes.buffer, bytes.byteOffset).getUint32(0) !== i);
  assertEquals(wrong, -1);
  assert(sink.arrivals < count / 10, `${sink.arrivals} reads`);
  receiver.close();
  await sender.close();
});

Deno.test("all topics go into the one stream", async () => {
  await using copier = new RunningCopier();
  const sink = new Recorded();
  const receiver = await limitDriver.receive(copier.endpoint, ["bench/#"], sink);
  const sender = await limitDriver.send(copier.endpoint, ["bench/a", "bench/b"]);
  for (const topic of [0, 1, 0]) sender.send(topic, Uint8Array.of(topic));
  await sink.has(3);
  assertEquals(sink.messages, [Uint8Array.of(0), Uint8Array.of(1), Uint8Array.of(0)]);
  receiver.close();
  await sender.close();
});

Deno.test("a receiver of several senders gets each one's messages in order", async () => {
  await using copier = new RunningCopier();
  const [both, first] = [new Recorded(), new Recorded()];
  const receivers = [
    await limitDriver.receive(`${copier.endpoint}?senders=2`, ["a"], both),
    await limitDriver.receive(copier.endpoint, ["a"], first),
  ];
  const senders = [
    await limitDriver.send(`${copier.endpoint}?sender=0`, ["a"]),
    await limitDriver.send(`${copier.endpoint}?sender=1`, ["a"]),
  ];
  for (let i = 0; i < 1000; i++) {
    for (const [index, sender] of senders.entries()) sender.send(0, Uint8Array.of(index, i >> 8, i & 0xff));
  }
  await both.has(2000);
  await first.has(1000);
  for (const index of [0, 1]) {
    const own = both.messages.filter((message) => message[0] === index);
    assertEquals(own, Array.from({ length: 1000 }, (_, i) => Uint8Array.of(index, i >> 8, i & 0xff)));
  }
  assertEquals(first.messages, both.messages.filter((message) => message[0] === 0));
  for (const receiver of receivers) receiver.close();
  for (const sender of senders) await sender.close();
});

Deno.test("senders one after the other, to receivers that stay", async () => {
  await using copier = new RunningCopier();
  const sink = new Recorded();
  const receiver = await limitDriver.receive(copier.endpoint, ["a"], sink);
  for (let run = 0; run < 3; run++) {
    const sender = await limitDriver.send(copier.endpoint, ["a"]);
    sender.send(0, Uint8Array.of(run));
    await sender.flush();
    await sender.close();
  }
  await sink.has(3);
  assertEquals(sink.messages, [Uint8Array.of(0), Uint8Array.of(1), Uint8Array.of(2)]);
  receiver.close();
});

Deno.test("a frame that is broken is damage, and the next one is not", async () => {
  await using copier = new RunningCopier();
  const frame = await frameOf(copier, bytesOf(1, 100));
  const sink = new Recorded();
  const receiver = await limitDriver.receive(copier.endpoint, ["a"], sink);
  const broken = frame.slice();
  broken[broken.length - 1]! ^= 1;
  const disagreeing = frame.slice();
  disagreeing[40]! ^= 1;
  await copier.write([...broken, ...disagreeing, ...frame]);
  await sink.has(1);
  assertEquals(sink.messages, [bytesOf(1, 100)]);
  assertEquals(sink.damages, Array(2).fill(`a frame of ${frame.length} bytes is corrupt`));
  receiver.close();
});

Deno.test("bytes that are no frames end the connection, and are damage", async () => {
  await using copier = new RunningCopier();
  for (const bytes of [[1, 0, 0, 0, 1, 8, 0, 0], [8, 0, 0, 0, 22, 8, 0, 0], [255, 255, 255, 255, 1, 48, 0, 0]]) {
    const sink = new Recorded();
    const receiver = await limitDriver.receive(copier.endpoint, ["a"], sink);
    await copier.write(bytes);
    await assertRejects(() => receiver.closed, ProtocolError);
    assertEquals(sink.damages.length, 1);
  }
});

Deno.test("when the copier ends, receivers and senders say so", async () => {
  const copier = new RunningCopier();
  const receiver = await limitDriver.receive(`${copier.endpoint}?senders=3`, ["a"], new Recorded());
  const [idle, busy] = [await limitDriver.send(copier.endpoint, ["a"]), await limitDriver.send(copier.endpoint, ["a"])];
  // More than the sockets take: the copier reads one sender of a number at a time, and this is the second.
  assert(!busy.send(0, new Uint8Array(48 * 1024 * 1024)));
  const ready = assertRejects(() => busy.ready(), TransportError);
  const flushed = assertRejects(() => busy.flush(), TransportError);
  await copier[Symbol.asyncDispose]();
  await assertRejects(() => receiver.closed, TransportError, "cannot receive from tcp://127.0.0.1:");
  await assertRejects(() => idle.closed, TransportError);
  await Promise.all([ready, flushed]);
  await assertRejects(() => busy.closed, TransportError);
  await assertRejects(() => idle.flush(), TransportError);
  assert(!idle.writable);
  assert(!idle.send(0, Uint8Array.of(1)));
  await idle.close();
});

Deno.test("a receiver that is closed counts nothing any more", async () => {
  await using copier = new RunningCopier();
  const [sink, other] = [new Recorded(), new Recorded()];
  const receiver = await limitDriver.receive(copier.endpoint, ["a"], sink);
  const stays = await limitDriver.receive(copier.endpoint, ["a"], other);
  sink.onTake = () => receiver.close();
  const sender = await limitDriver.send(copier.endpoint, ["a"]);
  // Each message is a frame: closing in the midst of a batch is after its last message.
  for (let i = 0; i < 5; i++) sender.send(0, new Uint8Array(100_000));
  await other.has(5);
  await receiver.closed;
  assertEquals(sink.messages.length, 1);
  stays.close();
  await sender.close();
});

Deno.test("where no copier is, there is no connection", async () => {
  const copier = new RunningCopier();
  const { endpoint } = copier;
  await copier[Symbol.asyncDispose]();
  await assertRejects(() => limitDriver.send(endpoint, ["a"]), TransportError, `cannot connect to ${endpoint}`);
  await assertRejects(() => limitDriver.receive(endpoint, ["a"], new Recorded()), TransportError);
});

Deno.test("what answers otherwise is no copier", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const answering = listener.accept().then(async (socket) => {
    await socket.write(new TextEncoder().encode("-ERR"));
    await socket.read(new Uint8Array(8));
    await socket.read(new Uint8Array(8)).catch(() => {});
    socket.close();
  });
  const endpoint = `tcp://127.0.0.1:${listener.addr.port}`;
  const error = await assertRejects(() => limitDriver.receive(endpoint, ["a"], new Recorded()), TransportError);
  assertMatch(error.message, /no byte copier/);
  await answering;
});

/** A copier in this process. */
class RunningCopier implements AsyncDisposable {
  readonly #copier = new Copier(Deno.listen({ hostname: "127.0.0.1", port: 0 }));
  readonly #serving = this.#copier.serve();
  readonly endpoint = this.#copier.endpoint;

  /** Connects as a role, by hand. */
  async connect(role: "S" | "R"): Promise<Deno.TcpConn> {
    const { hostname, port } = new URL(this.endpoint.replace("tcp:", "http:"));
    const socket = await Deno.connect({ hostname, port: Number(port) });
    await socket.write(greetingOf(role, 0));
    return socket;
  }

  /** Sends bytes as a sender of its own. */
  async write(bytes: readonly number[]): Promise<void> {
    using socket = await this.connect("S");
    assertEquals(await socket.write(Uint8Array.from(bytes)), bytes.length);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#copier.close();
    await this.#serving;
  }
}

/** Keeps what comes. */
class Recorded implements Sink {
  readonly messages: Uint8Array[] = [];
  readonly damages: string[] = [];
  arrivals = 0;
  onTake = () => {};
  #change = Promise.withResolvers<void>();

  arrived(): void {
    this.arrivals++;
  }

  take(bytes: Uint8Array, view: DataView, start: number, end: number): void {
    assert(start === end || view.getUint8(start) === bytes[start]);
    this.messages.push(bytes.slice(start, end));
    this.#change.resolve();
    this.#change = Promise.withResolvers();
    this.onTake();
  }

  damaged(why: string): void {
    this.damages.push(why);
  }

  /** Waits until so many messages have come. */
  async has(count: number): Promise<void> {
    while (this.messages.length < count) await this.#change.promise;
  }
}

/** What the driver makes of one message. */
async function frameOf(copier: RunningCopier, message: Uint8Array): Promise<Uint8Array> {
  using socket = await copier.connect("R");
  const bytes = new Uint8Array(1000);
  assertEquals(await socket.read(bytes), 1);
  const sender = await limitDriver.send(copier.endpoint, ["a"]);
  sender.send(0, message);
  const count = await socket.read(bytes);
  await sender.close();
  return bytes.subarray(0, count!);
}

function bytesOf(seed: number, size: number): Uint8Array {
  const random = mulberry32(seed);
  return Uint8Array.from({ length: size }, () => random() * 256);
}
