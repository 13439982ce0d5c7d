import { Buffer } from "node:buffer";
import { assert, assertEquals, assertLess, assertRejects } from "@std/assert";
import { Copier, greetingOf } from "../../../cli/bench/copier.ts";
import { mulberry32 } from "../../../cli/bench/message.ts";
import { Relay } from "../../../cli/bench/relay.ts";
import { selfCommand, selfEnvironment } from "../../../cli/bench/self.ts";

const MiB = 1024 * 1024;
/** More than the sockets of one sender and one receiver, and the copier between them, can hold. */
const more = 96 * MiB;
/** What they can hold at most, with the kernel's usual limits: 20 MiB in the sockets, and a ring. */
const most = 64 * MiB;

Deno.test("every receiver gets every byte in order, whatever the sizes of writes and reads", async () => {
  await using running = new Running();
  const receivers = [await running.receiver(), await running.receiver(), await running.receiver()];
  const sender = await running.sender();
  const content = bytesOf(1, 8 * MiB);
  const sent = sender.send(content, sizesOf(2, 300_000));
  const received = receivers.map((receiver, i) => receiver.take(content.length, sizesOf(3 + i, 400_000)));
  await sent;
  for (const bytes of await Promise.all(received)) assertSame(bytes, content);
});

Deno.test("single bytes come at once: nothing waits for more", async () => {
  await using running = new Running();
  const receiver = await running.receiver();
  const sender = await running.sender();
  for (let i = 0; i < 100; i++) {
    await sender.send(Uint8Array.of(i));
    assertEquals(await receiver.take(1), Uint8Array.of(i));
  }
});

Deno.test("a receiver that does not read holds back its sender only, in bounded memory, and loses nothing", async () => {
  await using running = new Running();
  const [idle, busy] = [await running.receiver(0), await running.receiver(1)];
  const also = await running.receiver(0);
  const [held, free] = [await running.sender(0), await running.sender(1)];
  const content = bytesOf(1, more);

  const sent = held.send(content);
  // As much as comes without the one that does not read.
  const alsoTaken = also.take(more);
  for (let round = 0; round < 2; round++) {
    const [bytes] = await Promise.all([busy.take(more), free.send(content)]);
    assertSame(bytes, content);
  }
  assertLess(held.sent, most);
  assertEquals(running.copier.memory, 2 * Relay.memory);

  const [late] = await Promise.all([idle.take(more), sent]);
  assertSame(late, content);
  assertSame(await alsoTaken, content);
});

Deno.test("a receiver that dies while it holds back the others does so no longer", async () => {
  await using running = new Running();
  const receiver = await running.receiver();
  const idle = await running.receiver();
  const sender = await running.sender();
  const content = bytesOf(1, more);
  const taken = receiver.take(more);
  const sent = sender.send(content);
  await receiver.past(256 * 1024);
  idle.close();
  await sent;
  assertSame(await taken, content);
});

Deno.test("receivers that come and go in the middle disturb nobody, and get whole what they get", async () => {
  await using running = new Running();
  const receiver = await running.receiver();
  const sender = await running.sender();
  const content = bytesOf(1, MiB);
  const twice = Buffer.concat([content, content]);
  let coming = true;
  const visit = async () => {
    for (let i = 0; i < 20; i++) {
      const guest = await running.receiver();
      const part = await guest.take(8 + i * 10_000);
      assert(twice.includes(Buffer.from(part)), "what a guest got is not in what was sent");
      guest.close();
    }
  };
  const guests = visit().finally(() => coming = false);
  while (coming) {
    const [bytes] = await Promise.all([receiver.take(content.length), sender.send(content, sizesOf(2, 100_000))]);
    assertSame(bytes, content);
  }
  await guests;
});

Deno.test("several senders are kept apart", async () => {
  await using running = new Running();
  const indices = [0, 1, 2, 255, 256, 65_535];
  const receivers = await Promise.all(indices.map((index) => running.receiver(index)));
  const senders = await Promise.all(indices.map((index) => running.sender(index)));
  const contents = indices.map((index) => bytesOf(index, MiB));
  const sent = senders.map((sender, i) => sender.send(contents[i]!, sizesOf(i, 50_000)));
  const received = await Promise.all(receivers.map((receiver) => receiver.take(MiB)));
  await Promise.all(sent);
  for (const [i, bytes] of received.entries()) assertSame(bytes, contents[i]!);
});

Deno.test("when a sender closes, its receivers get the rest, and the next sender's bytes", async () => {
  await using running = new Running();
  const receiver = await running.receiver();
  for (let run = 0; run < 3; run++) {
    const content = bytesOf(run, 4 * MiB);
    const sender = await running.sender();
    const taken = receiver.take(content.length);
    await sender.send(content);
    sender.close();
    assertSame(await taken, content);
  }
});

Deno.test("two senders of the same number do not mix", async () => {
  await using running = new Running();
  const receiver = await running.receiver();
  const senders = [await running.sender(), await running.sender()];
  const contents = [new Uint8Array(4 * MiB).fill(1), new Uint8Array(4 * MiB).fill(2)];
  const sent = senders.map(async (sender, i) => {
    await sender.send(contents[i]!);
    sender.close();
  });
  const bytes = await receiver.take(8 * MiB);
  await Promise.all(sent);
  let changes = 0;
  for (let i = 1; i < bytes.length; i++) if (bytes[i] !== bytes[i - 1]) changes++;
  assertEquals(changes, 1);
});

Deno.test("a sender without receivers is read; when nobody is left, nothing is kept", async () => {
  await using running = new Running();
  const sender = await running.sender();
  await sender.send(bytesOf(1, more));
  assertEquals(running.copier.memory, Relay.memory);
  sender.close();
  // A stranger is closed when the copier gets to it.
  const stranger = await running.connect(new TextEncoder().encode("GET"));
  assertEquals(await stranger.read(new Uint8Array(1)), null);
  const receiver = await running.receiver(7);
  receiver.close();
  await running.end();
  assertEquals(running.copier.memory, 0);
});

Deno.test("a greeting may come in pieces; one that breaks off, and strangers, are closed", async () => {
  await using running = new Running();
  const halting = await running.connect(Uint8Array.of(greetingOf("R", 0x0102)[0]!));
  const strangers = [
    await running.connect(new TextEncoder().encode("PING\r\n")),
    await running.connect(new Uint8Array(2)),
  ];
  await strangers[1]!.closeWrite();
  for (const stranger of strangers) {
    await stranger.read(new Uint8Array(1)).then((count) => assertEquals(count, null), () => {});
  }
  for (const byte of [0x02, 0x01]) await halting.write(Uint8Array.of(byte));
  assertEquals(await halting.read(new Uint8Array(8)), 1);
  const sender = await running.sender(0x0102);
  await sender.send(Uint8Array.of(5, 6));
  const received = new Uint8Array(8);
  assertEquals(await halting.read(received), 2);
  assertEquals(received.subarray(0, 2), Uint8Array.of(5, 6));
});

Deno.test("as a process it ends when its stdin does", async () => {
  const { command, args } = selfCommand(["bench", "copier"]);
  const child = new Deno.Command(command, { args, env: selfEnvironment, stdin: "piped", stdout: "piped" }).spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value } = await lines.read();
  const [, port] = /^listening tcp:\/\/127\.0\.0\.1:(\d+)\n$/.exec(value!)!;
  const receiver = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
  await receiver.write(greetingOf("R", 0));
  assertEquals(await receiver.read(new Uint8Array(8)), 1);
  await child.stdin.close();
  assertEquals((await child.status).code, 0);
  await assertRejects(() => Deno.connect({ hostname: "127.0.0.1", port: Number(port) }));
  receiver.close();
  await lines.cancel();
});

/** A copier, and all that is connected to it: gone with the test. */
class Running implements AsyncDisposable {
  readonly copier = new Copier(Deno.listen({ hostname: "127.0.0.1", port: 0 }));
  readonly #serving = this.copier.serve();
  readonly #peers: Peer[] = [];
  readonly #sockets: Deno.TcpConn[] = [];

  async connect(greeting: Uint8Array<ArrayBuffer>): Promise<Deno.TcpConn> {
    const { hostname, port } = new URL(this.copier.endpoint.replace("tcp:", "http:"));
    const socket = await Deno.connect({ hostname, port: Number(port) });
    this.#sockets.push(socket);
    await socket.write(greeting);
    return socket;
  }

  async sender(index = 0): Promise<Peer> {
    return this.#peer(await this.connect(greetingOf("S", index)));
  }

  async receiver(index = 0): Promise<Peer> {
    const peer = this.#peer(await this.connect(greetingOf("R", index)));
    assertEquals(await peer.take(1), new TextEncoder().encode("R"));
    return peer;
  }

  /** Ends the copier, and waits until it has. */
  async end(): Promise<void> {
    this.copier.close();
    await this.#serving;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
    for (const socket of this.#sockets) {
      try {
        socket.close();
      } catch {
        // The test has closed it.
      }
    }
  }

  #peer(socket: Deno.TcpConn): Peer {
    const peer = new Peer(socket);
    this.#peers.push(peer);
    return peer;
  }
}

/** One end of a connection to the copier. */
class Peer {
  /** Bytes that were taken from it. */
  sent = 0;
  #received = 0;
  #changed = Promise.withResolvers<void>();
  readonly #socket: Deno.TcpConn;

  constructor(socket: Deno.TcpConn) {
    this.#socket = socket;
  }

  /** Sends all, in writes of the sizes given. */
  async send(bytes: Uint8Array, size: () => number = () => 128 * 1024): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      const count = await this.#socket.write(bytes.subarray(at, at + size()));
      at += count;
      this.sent += count;
    }
  }

  /** Receives so many bytes, in reads of at most the sizes given. */
  async take(length: number, size: () => number = () => 256 * 1024): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length;) {
      const count = await this.#socket.read(bytes.subarray(at, at + size()));
      assert(count !== null, `the copier closed the connection after ${at} bytes`);
      at += count;
      this.#received += count;
      this.#changed.resolve();
      this.#changed = Promise.withResolvers();
    }
    return bytes;
  }

  /** Waits until so many bytes have come, which somebody takes. */
  async past(length: number): Promise<void> {
    while (this.#received < length) await this.#changed.promise;
  }

  close(): void {
    this.#socket.close();
  }
}

/** Bytes without a pattern, other ones for each seed. */
function bytesOf(seed: number, length: number): Uint8Array {
  const random = mulberry32(seed);
  const words = new Uint32Array(Math.ceil(length / 4));
  // A prime number of words, over and over, each time changed: what is displaced does not fit.
  const period = 65_521;
  for (let i = 0; i < Math.min(period, words.length); i++) words[i] = random() * 2 ** 32;
  for (let i = period; i < words.length; i++) words[i] = (words[i - period]! * 1664525 + 1013904223) >>> 0;
  return new Uint8Array(words.buffer, 0, length);
}

function sizesOf(seed: number, largest: number): () => number {
  const random = mulberry32(seed);
  return () => 1 + Math.floor(random() * largest);
}

function assertSame(actual: Uint8Array, expected: Uint8Array): void {
  assertEquals(actual.length, expected.length);
  assert(Buffer.compare(actual, expected) === 0, "the bytes are not those that were sent");
}
