/**
 * A client that was written from docs/PROTOCOL.md alone: it shares no code with the program that it talks to.
 *
 * It is the proof that the document suffices, so nothing of `core/` may be imported here.
 */

import { assert, assertEquals } from "@std/assert";
import { listen, serve } from "../../mod.ts";
import { control, Fields, type Frame, messages, pack, read, text, utf8 } from "./from_document.ts";

/** One connection. Answers pings, and passes over optional frames. */
class Client {
  readonly #socket: Deno.Conn;
  #input: Uint8Array = new Uint8Array(0);
  epoch: Uint8Array = new Uint8Array(16);

  constructor(socket: Deno.Conn) {
    this.#socket = socket;
  }

  static async connect(port: number, session: Uint8Array): Promise<Client> {
    const client = new Client(await Deno.connect({ hostname: "127.0.0.1", port }));
    await client.send(utf8.encode("stream\x01\x00"), control(2, [4, 0], session, "from-the-document/1", "", ""));
    assertEquals(text((await client.#take(8)).subarray(0, 7)), "stream\x01");
    const welcome = new Fields(await client.expect(3));
    welcome.int(4);
    client.epoch = welcome.raw(16);
    return client;
  }

  async send(...parts: Uint8Array[]): Promise<void> {
    const bytes = pack(...parts);
    for (let sent = 0; sent < bytes.length;) sent += await this.#socket.write(bytes.subarray(sent));
  }

  async next(): Promise<Frame> {
    for (;;) {
      const prefix = await this.#take(8);
      const rest = await this.#take(new DataView(prefix.buffer).getUint32(0, true) - 8);
      const bytes = pack(prefix, rest);
      const view = new DataView(bytes.buffer);
      const type = view.getUint8(4);
      if (type === 22) await this.send(control(23, rest));
      else if (type <= 25 || !(view.getUint16(6, true) & 0x8000)) return { type, bytes, view };
    }
  }

  async expect(type: number): Promise<Frame> {
    const frame = await this.next();
    assertEquals(frame.type, type);
    return frame;
  }

  /** Returns id, whether the publisher is known, and the last number that the server has. */
  async declare(topic: string): Promise<{ id: number; known: number; last: number }> {
    await this.send(control(4, [4, 7], [8, 0], topic));
    const fields = new Fields(await this.expect(5));
    assertEquals(fields.int(4), 7);
    const id = fields.int(4);
    assert(fields.int(4) >= 65_536 && fields.int(4) >= 1_000);
    return { id, known: fields.int(1), last: fields.int(8) };
  }

  async acknowledged(topic: number, number: number): Promise<void> {
    for (let last = 0; last < number;) {
      const fields = new Fields(await this.expect(7));
      for (let left = fields.int(2); left > 0; left--) if (fields.int(4) === topic) last = fields.int(8);
    }
  }

  /** Says CLOSE, ends its direction, and waits for the server's end. */
  async close(): Promise<void> {
    await this.send(control(25, [2, 0], ""));
    await this.#socket.closeWrite();
    while (await this.#socket.read(new Uint8Array(1024)) !== null);
    this.#socket.close();
  }

  /** The connection is gone, without a word. */
  lose(): void {
    this.#socket.close();
  }

  async #take(length: number): Promise<Uint8Array> {
    while (this.#input.length < length) {
      const chunk = new Uint8Array(4096);
      const count = await this.#socket.read(chunk);
      if (count === null) throw new Error("the server has ended the connection");
      this.#input = pack(this.#input, chunk.subarray(0, count));
    }
    const taken = this.#input.slice(0, length);
    this.#input = this.#input.slice(length);
    return taken;
  }
}

Deno.test("a client written from the document publishes, resends and subscribes over TCP", async () => {
  await using server = serve();
  using listener = await listen("tcp://127.0.0.1:0");
  server.serve(listener);
  const port = Number(new URL(listener.endpoint).port);
  const session = crypto.getRandomValues(new Uint8Array(16));
  const long = "x".repeat(300);

  const publisher = await Client.connect(port, session);
  const declared = await publisher.declare("example/a");
  assertEquals([declared.known, declared.last], [0, 0]);
  const frame = (number: number, ...payloads: string[]) =>
    messages(declared.id, number, payloads.map((t) => utf8.encode(t)));
  await publisher.send(frame(1, "one", "", long), frame(4, "four"));
  await publisher.acknowledged(declared.id, 4);
  await publisher.send(frame(5, "five"));
  publisher.lose();

  // It cannot know whether the last frame arrived, so it asks, and sends the frame again if it did not.
  const again = await Client.connect(port, session);
  const back = await again.declare("example/a");
  assertEquals([back.id, back.known], [declared.id, 1]);
  assert(back.last === 4 || back.last === 5);
  await again.send(frame(5, "five"));
  await again.acknowledged(declared.id, 5);

  const subscriber = await Client.connect(port, crypto.getRandomValues(new Uint8Array(16)));
  await subscriber.send(control(10, [4, 1], [1, 0], [1, 1], [8, 0], new Uint8Array(16), [2, 1], "example/#"));
  const names = new Map<number, string>();
  const received: string[] = [];
  let confirmed = false;
  let next = 1;
  while (received.length < 5) {
    const frame = await subscriber.next();
    const fields = new Fields(frame);
    if (frame.type === 14) {
      assertEquals(fields.int(4), 1);
      const id = fields.int(4);
      assertEquals([fields.int(8), fields.int(8)], [1, 1]);
      names.set(id, fields.text());
    } else if (frame.type === 13) {
      confirmed = true;
    } else if (frame.type === 12) {
      assertEquals(fields.int(4), 1);
    } else {
      assertEquals(frame.type, 1);
      for (const { topic, sequence, payload } of read(frame)) {
        assertEquals([names.get(topic), sequence], ["example/a", next++]);
        received.push(text(payload));
      }
    }
  }
  assert(confirmed);
  assertEquals(received, ["one", "", long, "four", "five"]);
  subscriber.lose();

  // It comes back for what is new: a point, and the epoch.
  await again.send(frame(6, "six"));
  await again.acknowledged(declared.id, 6);
  const resumed = await Client.connect(port, crypto.getRandomValues(new Uint8Array(16)));
  await resumed.send(
    control(11, [4, 9], [2, 1], [4, declared.id], [8, next]),
    control(10, [4, 9], [1, 1], [1, 6], [8, 1], resumed.epoch, [2, 1], "example/#"),
  );
  for (const type of [14, 13, 12]) await resumed.expect(type);
  assertEquals(read(await resumed.expect(1)), [{ topic: declared.id, sequence: 6, payload: utf8.encode("six") }]);
  await resumed.send(control(16, [4, 9]));
  await resumed.expect(17);
  await resumed.close();
  await again.close();
});
