/** Handshakes that fail or never end: what the operator is told, and what they cost. */

import { assertEquals } from "@std/assert";
import type { Rejection } from "../../core/connection.ts";
import { Code, codeText } from "../../core/codes.ts";
import { dialTls } from "../../transports/tls_dial.ts";
import { selfSigned } from "../../transports/tls_self_signed.ts";
import { readToEnd, TlsServer } from "./tls_server.ts";

const serving = await selfSigned(["localhost", "127.0.0.1"]);
const trust = { ca: serving.cert };

/** The head of a record that holds the head of a ClientHello, and half of it. */
const halfGreeting = new Uint8Array([22, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, ...new Uint8Array(200)]);
const plain = new TextEncoder().encode("stream\x01\x00, and no TLS");
const left = { code: Code.tls, why: "the client left during the handshake" };
const late = { code: Code.handshakeTimeout, why: codeText(Code.handshakeTimeout) };

/** The listener still lets in who does it right. */
async function assertServes(server: TlsServer): Promise<void> {
  using here = await dialTls(server.endpoint, trust);
  const there = await server.accepted.next();
  await here.write(new Uint8Array([1, 2, 3]));
  assertEquals(await there.read(new Uint8Array(8)), 3);
}

const failures: readonly [what: string, talk: (c: Deno.TcpConn) => Promise<unknown>, told: Rejection][] = [
  ["a client that speaks without TLS", (c) => c.write(plain), {
    code: Code.tls,
    why: "what came is not TLS: a client that connects with tcp://, perhaps",
  }],
  ["a browser that speaks without TLS", (c) => c.write(new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n")), {
    code: Code.tls,
    why: "what came is not TLS: a client that connects with tcp://, perhaps",
  }],
  ["a client that ends its writing before its greeting", (c) => c.closeWrite(), left],
  ["a client that ends its writing within its greeting", async (c) => {
    await c.write(halfGreeting);
    await c.closeWrite();
  }, left],
];

for (const [what, talk, told] of failures) {
  Deno.test(`tls: the operator is told of ${what}, and it is closed`, async () => {
    await using server = await TlsServer.start(serving);
    using connection = await server.connectPlain();
    const { hostname, port } = connection.localAddr;
    await talk(connection);
    assertEquals(await server.rejections.next(), { peer: `${hostname}:${port}`, ...told });
    await readToEnd(connection);
    await assertServes(server);
    assertEquals(server.rejections.waiting, []);
  });
}

for (const [what, greeting] of [["before", new Uint8Array()], ["within", halfGreeting]] as const) {
  Deno.test(`tls: the operator is told of a client that leaves ${what} its greeting`, async () => {
    await using server = await TlsServer.start(serving);
    const connection = await server.connectPlain();
    const { hostname, port } = connection.localAddr;
    if (greeting.length > 0) await connection.write(greeting);
    connection.close();
    assertEquals(await server.rejections.next(), { peer: `${hostname}:${port}`, ...left });
    await assertServes(server);
    assertEquals(server.rejections.waiting, []);
  });

  Deno.test(`tls: a client that goes silent ${what} its greeting is given up, and the operator is told`, async () => {
    await using server = await TlsServer.start(serving, { handshakeTimeout: 20 });
    using connection = await server.connectPlain();
    const { hostname, port } = connection.localAddr;
    if (greeting.length > 0) await connection.write(greeting);
    assertEquals(await server.rejections.next(), { peer: `${hostname}:${port}`, ...late });
    assertEquals(await readToEnd(connection), new Uint8Array());
  });
}

Deno.test("tls: a client that has said all before it is accepted is still answered", async () => {
  await using server = await TlsServer.start(serving);
  for (const here of [trust, { pin: server.identity.fingerprint }]) {
    using dialled = await dialTls(server.endpoint, here);
    await dialled.write(new Uint8Array([1, 2, 3]));
    await dialled.closeWrite();
    const accepted = await server.accepted.next();
    assertEquals(await accepted.read(new Uint8Array(8)), 3);
    assertEquals(await accepted.read(new Uint8Array(8)), null);
    await accepted.write(new Uint8Array([4, 5]));
    await accepted.closeWrite();
    assertEquals(await dialled.read(new Uint8Array(8)), 2);
    assertEquals(await dialled.read(new Uint8Array(8)), null);
  }
});

Deno.test("tls: closing a listener gives up the handshakes that are under way, and tells nobody", async () => {
  await using server = await TlsServer.start(serving);
  using silent = await server.connectPlain();
  using half = await server.connectPlain();
  await half.write(halfGreeting);
  await assertServes(server);
  await server.close();
  for (const connection of [silent, half]) assertEquals(await readToEnd(connection), new Uint8Array());
  assertEquals(server.rejections.waiting, []);
});

Deno.test("tls: of 2,000 handshakes that never end 1,000 are kept, and a right client is served all the while", async () => {
  const [flood, most] = [2_000, 1_000];
  // Those that are kept are given up by nothing but the end of the listener, however slow this machine is.
  await using server = await TlsServer.start(serving, { handshakeTimeout: 600_000 });
  const connections: Deno.TcpConn[] = [];
  try {
    while (connections.length < flood) {
      const connection = await server.connectPlain();
      connections.push(connection);
      if (connections.length % 2 === 0) await connection.write(halfGreeting);
      if (connections.length % 500 === 0) await assertServes(server);
    }
    // The oldest are given up, and one of them for the right client that came last.
    const peers = connections.map(({ localAddr: { hostname, port } }) => `${hostname}:${port}`);
    const why = "more than 1000 handshakes are under way";
    assertEquals(
      server.rejections.waiting,
      peers.slice(0, flood - most + 1).map((peer) => ({ peer, code: Code.handshakeTimeout, why })),
    );
    await server.close();
    for (const connection of connections) assertEquals(await readToEnd(connection), new Uint8Array());
  } finally {
    for (const connection of connections) connection.close();
  }
});
