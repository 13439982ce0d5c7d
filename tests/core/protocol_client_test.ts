/**
 * A client that was written from docs/PROTOCOL.md alone: it shares no code with the program that it talks to.
 *
 * It is the proof that the document suffices, so nothing of `core/` may be imported here.
 */

import { assert, assertEquals } from "@std/assert";
import { listen, serve } from "../../mod.ts";

const utf8 = new TextEncoder();
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** CRC-32, bit by bit. */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

/** Bytes from fields: `[bytes of the integer, value]`, a text, or bytes. */
function pack(...fields: ([number, number | bigint] | string | Uint8Array)[]): Uint8Array {
  const parts = fields.flatMap((field) => {
    if (field instanceof Uint8Array) return [...field];
    if (typeof field === "string") return [utf8.encode(field).length, ...utf8.encode(field)];
    return Array.from({ length: field[0] }, (_, i) => Number((BigInt(field[1]) >> BigInt(8 * i)) & 255n));
  });
  return new Uint8Array(parts);
}

function control(type: number, ...fields: Parameters<typeof pack>): Uint8Array {
  const body = pack(...fields);
  return pack([4, 8 + body.length], [1, type], [1, 8], [2, 0], body);
}

function varint(value: number): Uint8Array {
  const bytes = [];
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push(value % 128 + 128);
  return new Uint8Array([...bytes, value]);
}

function messages(topic: number, number: number, payloads: Uint8Array[]): Uint8Array {
  const payload = pack(...payloads.flatMap((bytes) => [varint(bytes.length), bytes]));
  const prefix = pack([4, 48 + payload.length], [1, 1], [1, 48], [2, 0]);
  const numbers = pack([8, 0], [8, 0], [8, number], [4, payload.length], [4, crc32(payload)]);
  return pack(prefix, [4, topic], [2, payloads.length], [2, 0], numbers, payload);
}

interface Frame {
  readonly type: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/** Reads the fields of a body, one after the other. */
class Fields {
  readonly #frame: Frame;
  #offset: number;

  constructor(frame: Frame) {
    this.#frame = frame;
    this.#offset = frame.view.getUint8(5);
  }

  int(bytes: 1 | 2 | 4 | 8): number {
    const at = this.#offset;
    this.#offset += bytes;
    const { view } = this.#frame;
    if (bytes === 8) return Number(view.getBigUint64(at, true));
    return bytes === 1 ? view.getUint8(at) : bytes === 2 ? view.getUint16(at, true) : view.getUint32(at, true);
  }

  raw(length: number): Uint8Array {
    this.#offset += length;
    return this.#frame.bytes.slice(this.#offset - length, this.#offset);
  }

  text(): string {
    return text(this.raw(this.int(1)));
  }
}

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
    await client.send(utf8.encode("stream\x01\x00"), control(2, [4, 0], session, "from-the-document/1"));
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

/** The messages of a frame, with their sequences. */
function read({ bytes, view }: Frame): { topic: number; sequence: number; payload: string }[] {
  const [topic, count, extension] = [view.getUint32(8, true), view.getUint16(12, true), view.getUint16(14, true)];
  const first = Number(view.getBigUint64(16, true));
  const header = view.getUint8(5);
  assertEquals(crc32(bytes.subarray(header)), view.getUint32(44, true));
  let offset = header + extension;
  const found = Array.from({ length: count }, (_, index) => {
    let length = 0;
    for (let scale = 1;; scale *= 128) {
      const byte = bytes[offset++]!;
      length += (byte & 127) * scale;
      if (byte < 128) break;
    }
    offset += length;
    return { topic, sequence: first + index, payload: text(bytes.subarray(offset - length, offset)) };
  });
  assertEquals(offset, bytes.length);
  return found;
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
        received.push(payload);
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
  assertEquals(read(await resumed.expect(1)), [{ topic: declared.id, sequence: 6, payload: "six" }]);
  await resumed.send(control(16, [4, 9]));
  await resumed.expect(17);
  await resumed.close();
  await again.close();
});
