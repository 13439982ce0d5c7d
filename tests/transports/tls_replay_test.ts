/** All that a client has sent, sent again by somebody else. */

import { assert, assertEquals } from "@std/assert";
import type { Rejection } from "../../core/connection.ts";
import { Code } from "../../core/codes.ts";
import { formatEndpoint, parseEndpoint } from "../../transports/endpoint.ts";
import { dialTls } from "../../transports/tls_dial.ts";
import { CuttingProxy } from "../cutting_proxy.ts";
import { Authority } from "./certificates.ts";
import { hasOpenssl, OpensslClient } from "./openssl.ts";
import { readToEnd, TlsServer } from "./tls_server.ts";

const root = await Authority.root();
const serving = { ...await root.issue(), clientCa: root.cert };
const alice = await root.client("alice");

const noKeys = { code: Code.tls, why: "cannot decrypt peer's message" };
const notSigned = {
  code: Code.certificate,
  why: "the client has not the key of the certificate that it shows, or one that is too weak",
};

/** What a record holds, as far as its outside tells. */
type RecordType = "change" | "alert" | "handshake" | "encrypted";
/** By number (RFC 8446, 5.1). */
const recordTypes: Readonly<Record<number, RecordType>> = {
  20: "change",
  21: "alert",
  22: "handshake",
  23: "encrypted",
};
/** What a server says until it has heard who is there: in TLS 1.3 all but the first is encrypted, in TLS 1.2 the last. */
const answer13 = ["handshake", "change", "encrypted", "alert"] as const;

/** Somebody who has heard a connection, encrypted as it is, says the same again, all at once or piece by piece. */
async function assertNoReplay(
  server: TlsServer,
  pieces: readonly Uint8Array[],
  told: Rejection,
  answers: readonly RecordType[],
): Promise<void> {
  assert(pieces.length >= 2);
  const all = Uint8Array.from(pieces.flatMap((piece) => [...piece]));
  for (const said of [[all], pieces]) {
    using connection = await server.connectPlain();
    const { hostname, port } = connection.localAddr;
    const answer = readToEnd(connection);
    for (const piece of said) await connection.write(piece).catch(() => {});
    assertEquals(recordsIn(await answer), answers);
    assertEquals(await server.rejections.next(), { peer: `${hostname}:${port}`, ...told });
  }
  assertEquals([server.accepted.waiting, server.rejections.waiting], [[], []]);
}

function recordsIn(bytes: Uint8Array): RecordType[] {
  const types: RecordType[] = [];
  for (let at = 0; at < bytes.length; at += 5 + (bytes[at + 3]! << 8 | bytes[at + 4]!)) {
    // An encrypted alert of TLS 1.3 is known by its length: it, its type, and a tag.
    types.push(bytes[at] === 23 && bytes[at + 4] === 2 + 1 + 16 ? "alert" : recordTypes[bytes[at]!]!);
  }
  return types;
}

function proxyTo(server: TlsServer): CuttingProxy {
  return new CuttingProxy(formatEndpoint({ ...server.endpoint, scheme: "tcp" }), { record: true });
}

Deno.test("tls: what a client has said is of no use to somebody else", async () => {
  await using server = await TlsServer.start(serving);
  await using proxy = proxyTo(server);
  const trust = { pin: server.identity.fingerprint, client: alice };
  using here = await dialTls({ ...parseEndpoint(proxy.endpoint), scheme: "tls" }, trust);
  const there = await server.accepted.next();
  assertEquals(there.user, "alice");
  await here.write(new TextEncoder().encode("a secret that moves money"));
  assertEquals(await there.read(new Uint8Array(64)), 25);
  await there.write(new Uint8Array(1));
  await here.read(new Uint8Array(8));
  await assertNoReplay(server, proxy.recorded[0]!, noKeys, answer13);
});

const resuming: readonly [
  version: string,
  whole: [Rejection, readonly RecordType[]],
  short: [Rejection, readonly RecordType[]],
][] = [
  ["-tls1_2", [notSigned, ["handshake", "alert"]], [noKeys, [
    "handshake",
    "handshake",
    "change",
    "handshake",
    "alert",
  ]]],
  ["-tls1_3", [noKeys, answer13], [noKeys, answer13]],
];

for (const [version, whole, short] of resuming) {
  Deno.test({ name: `tls: nor is what a client said that resumed (${version})`, ignore: !hasOpenssl }, async () => {
    await using server = await TlsServer.start(serving);
    await using proxy = proxyTo(server);
    await using client = await OpensslClient.create(alice);
    for (const how of ["New", "Reused"]) {
      const connecting = client.connect(proxy.endpoint.slice("tcp://".length), [version]);
      const there = await server.accepted.next();
      assertEquals(there.user, "alice");
      await there.write(new TextEncoder().encode("hello\n"));
      await there.closeWrite();
      assertEquals(await connecting, how);
    }
    const [first, second] = proxy.recorded;
    await assertNoReplay(server, first!, ...whole);
    await assertNoReplay(server, second!, ...short);
  });
}
