/** Greetings that are broken in every way: each is told once, none is let in, and none is left open. */

import { assert, assertEquals } from "@std/assert";
import { Code } from "../../core/codes.ts";
import { parseEndpoint } from "../../transports/endpoint.ts";
import { dialTls } from "../../transports/tls_dial.ts";
import { selfSigned } from "../../transports/tls_self_signed.ts";
import { Random } from "../core/fixtures.ts";
import { readToEnd, TlsServer } from "./tls_server.ts";

const serving = await selfSigned(["localhost", "127.0.0.1"]);
const trust = { ca: serving.cert };
const greeting = await realGreeting();
/** Connections at a time. */
const atOnce = 50;

/** What a client says first. */
async function realGreeting(): Promise<Uint8Array> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const failed = dialTls(parseEndpoint(`tls://127.0.0.1:${listener.addr.port}`), trust).catch(() => true);
  const connection = await listener.accept();
  const into = new Uint8Array(16_384);
  const count = (await connection.read(into))!;
  connection.close();
  assertEquals(await failed, true);
  assertEquals([into[0], 5 + (into[3]! << 8 | into[4]!)], [22, count]);
  return into.slice(0, count);
}

/** Says each of these, and nothing more, on a connection of its own, until the server closes it. */
async function assertAllRejected(greetings: readonly Uint8Array[]): Promise<void> {
  await using server = await TlsServer.start(serving);
  const peers: string[] = [];
  const say = async (bytes: Uint8Array) => {
    using connection = await server.connectPlain();
    const { hostname, port } = connection.localAddr;
    peers.push(`${hostname}:${port}`);
    // The server may have heard enough before the end.
    await (bytes.length > 0 ? connection.write(bytes) : connection.closeWrite()).catch(() => {});
    await connection.closeWrite().catch(() => {});
    await readToEnd(connection);
  };
  for (let at = 0; at < greetings.length; at += atOnce) await Promise.all(greetings.slice(at, at + atOnce).map(say));
  const told = await server.rejections.take(greetings.length);
  assertEquals(told.map(({ peer }) => peer).toSorted(), peers.toSorted());
  assertEquals(told.filter(({ code, why }) => code !== Code.tls || why === ""), []);

  using here = await dialTls(server.endpoint, trust);
  const there = await server.accepted.next();
  await here.write(new Uint8Array(3));
  assertEquals(await there.read(new Uint8Array(8)), 3);
  assertEquals([server.accepted.waiting, server.rejections.waiting], [[], []]);
}

Deno.test("tls: a greeting that ends at any byte is rejected", async () => {
  await assertAllRejected(Array.from({ length: greeting.length + 1 }, (_, end) => greeting.subarray(0, end)));
});

Deno.test("tls: greetings with some wrong bytes are rejected, or end where the client has no more to say", async () => {
  const random = new Random(1);
  await assertAllRejected(Array.from({ length: 1_000 }, () => {
    const bytes = greeting.slice();
    for (let change = random.between(1, 4); change > 0; change--) bytes[random.below(bytes.length)] = random.below(256);
    return bytes;
  }));
});

Deno.test("tls: greetings of which parts are cut out or doubled are rejected", async () => {
  const random = new Random(2);
  await assertAllRejected(Array.from({ length: 500 }, () => {
    const [from, to] = [random.below(greeting.length), random.below(greeting.length)];
    return Uint8Array.of(...greeting.subarray(0, from), ...greeting.subarray(to));
  }));
});

Deno.test("tls: random bytes are rejected, with the head of a record or without", async () => {
  const random = new Random(3);
  await assertAllRejected(Array.from({ length: 500 }, (_, at) => {
    const bytes = Uint8Array.from({ length: random.between(1, 2_000) }, () => random.below(256));
    if (at % 2 === 0) bytes.set([22, 3, 1, bytes.length - 5 >> 8, bytes.length - 5 & 0xff].slice(0, bytes.length));
    return bytes;
  }));
});

Deno.test("tls: greetings are taken in pieces of one byte", async () => {
  await using server = await TlsServer.start(serving);
  using connection = await server.connectPlain();
  connection.setNoDelay(true);
  for (const byte of greeting) await connection.write(Uint8Array.of(byte));
  const into = new Uint8Array(16_384);
  const count = await connection.read(into);
  // A record of the handshake, and in it the server's greeting.
  assert(count !== null);
  assertEquals([into[0], into[5]], [22, 2]);
});
