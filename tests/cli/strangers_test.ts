/** Peers that do not speak the protocol, or not well: junk, trickles, and frames that are broken inside. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { crc32 } from "node:zlib";
import { connectTo } from "../cutting_proxy.ts";
import { memoryOf, startServer } from "./process.ts";
import { exchange, framesOf, recordedPublisher, sendAll, withId } from "./recorded.ts";

const MiB = 1024 * 1024;
const text = (bytes: string) => Uint8Array.from(bytes, (character) => character.charCodeAt(0));

Deno.test({
  name: "100 MB of junk after each of a dozen wrong first packets grow the server by less than 20 MB",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using server = await startServer();
    const publisher = await recordedPublisher(server);
    const frames = framesOf(publisher);
    const greeting = publisher.subarray(0, frames[1]);
    const declared = publisher.subarray(0, frames[2]);
    const messages = publisher.subarray(frames[2], frames[3]);
    const huge = messages.slice(0, 48);
    new DataView(huge.buffer).setUint32(0, 0xffff_ffff, true);
    const large = messages.slice(0, 48);
    // As large as the server takes at most, so that it has to wait for all of it.
    new DataView(large.buffer).setUint32(0, MiB, true);
    new DataView(large.buffer).setUint32(40, MiB - 48, true);
    const first: readonly Uint8Array[] = [
      text("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
      text("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
      text("SSH-2.0-OpenSSH_9.6\r\n"),
      text("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
      text("\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00"),
      text('CONNECT {"verbose":false}\r\nPING\r\n'),
      text("*1\r\n$4\r\nPING\r\n"),
      text("stream\x02\x00"),
      text("strea"),
      text("stream\x01\x00\xff\xff\xff\xff\x02\x08\x00\x00"),
      text("stream\x01\x00\x00\x00\x00\x00\x02\x08\x00\x00"),
      join(publisher.subarray(0, 8), messages),
      new Uint8Array(64),
      join(greeting, text("\xff\xff\xff\xff\x04\x08\x00\x00")),
      join(greeting, messages),
      join(declared, huge),
      join(declared, large),
    ];
    const junk = Uint8Array.from({ length: 256 * 1024 }, (_, i) => (i * 2_654_435_761) >>> 13);
    const flood = async (packet: Uint8Array, id: number) => {
      using connection = await connectTo(server.endpoint);
      const reading = (async () => {
        const buffer = new Uint8Array(4096);
        while (await connection.read(buffer) !== null);
      })().catch(() => {});
      try {
        await sendAll(connection, withId(packet, id));
        for (let sent = 0; sent < 100 * 1e6; sent += junk.length) await sendAll(connection, junk);
      } catch {
        // The server has had enough.
      }
      try {
        await connection.closeWrite();
      } catch {
        // Reset.
      }
      await reading;
    };
    await flood(first[0]!, 1);
    const before = await memoryOf(server, "VmHWM");
    for (const [i, packet] of first.entries()) await flood(packet, i + 2);
    const grown = await memoryOf(server, "VmHWM") - before;
    assert(grown < 20 * MiB, `it grew by ${(grown / MiB).toFixed(1)} MiB`);
    assertEquals((await server.run(["publish", "after", "-m", "x"])).status, 0);
    assert(!server.stderr.text.includes("internal"), server.stderr.text);
  },
});

Deno.test("a slow trickle cannot hold a handshake open past its deadline", async () => {
  await using server = await startServer();
  const hello = (await recordedPublisher(server)).subarray(0, 40);
  const trickle = async (bytes: Uint8Array) => {
    const begun = performance.now();
    using connection = await connectTo(server.endpoint);
    let at = 0;
    const timer = setInterval(() => {
      if (at < bytes.length) connection.write(bytes.subarray(at, ++at)).catch(() => {});
    }, 900);
    try {
      return { answer: await readAll(connection), took: performance.now() - begun };
    } finally {
      clearInterval(timer);
    }
  };
  const slow = await Promise.all([
    trickle(hello),
    trickle(hello.subarray(0, 3)),
    trickle(new Uint8Array(0)),
    (async () => {
      using connection = await connectTo(server.endpoint);
      // All but the end of HELLO, at once.
      await sendAll(connection, hello.subarray(0, 24));
      const begun = performance.now();
      const answer = await readAll(connection);
      return { answer, took: performance.now() - begun };
    })(),
  ]);
  for (const { answer, took } of slow) {
    assert(took > 4_500 && took < 7_500, `${took} ms`);
    // The preamble, and a CLOSE that says handshake-timeout.
    assertEquals([answer[12], answer[16]], [25, 4]);
  }
  assertMatch(await server.stderr.line(/handshake-timeout/), /warn {2}session closed/);
});

Deno.test("a publisher of frames that are valid outside and broken inside harms no subscriber", async () => {
  await using server = await startServer();
  const session = await recordedPublisher(server);
  const args = ["--no-reconnect", "--json", "recorded/topic"];
  await using subscriber = await server.subscriber(["-n", "3", ...args]);
  await using strict = await server.subscriber(["--strict", "-n", "3", ...args]);
  const start = framesOf(session)[2]!;
  const view = new DataView(session.buffer);
  assertEquals([view.getUint8(start + 4), view.getUint8(start + 5), view.getUint16(start + 12, true)], [1, 48, 3]);
  const length = view.getUint32(start, true);
  // The length of the first message reaches beyond the frame, or the messages do not fill it.
  for (const [id, inner] of [[1, 0x7f], [2, 0xff], [3, 0x01]] as const) {
    const broken = withId(session, id);
    broken[start + 48] = inner;
    new DataView(broken.buffer).setUint32(start + 44, crc32(broken.subarray(start + 48, start + length)), true);
    await exchange(server.endpoint, broken);
  }
  await exchange(server.endpoint, withId(session, 4));
  for (const [process, status] of [[subscriber, 0], [strict, 6]] as const) {
    const ran = await process.ran();
    assertEquals(ran.stderr, "subscribed recorded/topic\n");
    const lines = ran.stdout.split("\n").slice(0, -1).map((line) => JSON.parse(line));
    const gap = (first: number) => ({
      gap: { topic: "recorded/topic", first, last: first + 2, lost: 3, reason: "corrupt" },
    });
    assertEquals(lines.slice(0, 3), [gap(4), gap(7), gap(10)]);
    assertEquals(lines.slice(3).map(({ seq, payload }) => [seq, payload]), [[13, "one"], [14, "two"], [15, "three"]]);
    assertEquals(ran.status, status);
  }
});

async function readAll(connection: Deno.TcpConn): Promise<Uint8Array> {
  const all: number[] = [];
  const buffer = new Uint8Array(1024);
  for (;;) {
    const count = await connection.read(buffer);
    if (count === null) return Uint8Array.from(all);
    all.push(...buffer.subarray(0, count));
  }
}

function join(one: Uint8Array, two: Uint8Array): Uint8Array {
  const both = new Uint8Array(one.length + two.length);
  both.set(one);
  both.set(two, one.length);
  return both;
}
