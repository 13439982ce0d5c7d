/** Servers that ask for the certificates of clients: who gets in, as whom, and who does not. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { createServer } from "node:tls";
import type { Connection } from "../../core/connection.ts";
import { Code } from "../../core/codes.ts";
import { UsageError } from "../../core/errors.ts";
import { dialTls } from "../../transports/tls_dial.ts";
import type { KeyPair, TlsServing } from "../../transports/tls_identity.ts";
import { Authority, daysFromNow, forgedVersion1, selfSignedAs } from "./certificates.ts";
import { hasOpenssl, OpensslClient } from "./openssl.ts";
import { TlsServer } from "./tls_server.ts";

const root = await Authority.root();
const intermediate = await root.intermediate();
const stranger = await Authority.root("Another CA");
const alice = await root.client("alice");
const serving: TlsServing = { ...await root.issue(), clientCa: root.cert };

const unknown = "the client's certificate is from no authority that this server trusts";
const resumed = "the client resumes a session whose certificate was not accepted";
const none = "this server asks for a client certificate: give --cert and --key";

/** Who a connection is with, or why it is not served. */
function who({ user, rejected }: Connection): string | undefined {
  // Never both: who is turned away is nobody.
  assert(user === undefined || rejected === undefined);
  if (rejected !== undefined) assertEquals(rejected.code, Code.certificate);
  return rejected?.why ?? user;
}

/** A client connects, and is told something. Tells how, and who the server says it is. */
async function meet(
  server: TlsServer,
  client: OpensslClient,
  ...args: string[]
): Promise<[string, string | undefined]> {
  const connecting = client.connect(server.address, args);
  const connection = await server.accepted.next();
  await connection.write(new TextEncoder().encode("hello\n"));
  await connection.closeWrite();
  return [await connecting, who(connection)];
}

const clients: readonly [what: string, client: KeyPair | null, who: string][] = [
  ["its authority's", alice, "alice"],
  ["one below an intermediate authority", await intermediate.client("bob"), "bob"],
  ["none", null, none],
  ["another authority's", await stranger.client("alice"), unknown],
  ["that of an authority with the same name", await (await Authority.root()).client("alice"), unknown],
  ["one that signs itself", await selfSignedAs({ subject: "CN=alice" }), unknown],
  [
    "one that has expired",
    await root.client("alice", { from: daysFromNow(-9), to: daysFromNow(-2) }),
    "the client's certificate has expired",
  ],
  [
    "one that is not valid yet",
    await root.client("alice", { from: daysFromNow(2), to: daysFromNow(9) }),
    "the client's certificate is not valid yet",
  ],
  [
    "one without a common name",
    await root.client("", { subject: "O=alice" }),
    "the client's certificate has no common name, or several: the user is named by it",
  ],
  [
    "one with two common names",
    await root.client("", { subject: "CN=alice, CN=root" }),
    "the client's certificate has no common name, or several: the user is named by it",
  ],
];

for (const [what, client, expected] of clients) {
  Deno.test(`tls: a server that asks for a certificate, and the client has ${what}`, async () => {
    await using server = await TlsServer.start(serving);
    for (const trust of [{ ca: root.cert }, { pin: server.identity.fingerprint }]) {
      using here = await dialTls(server.endpoint, client === null ? trust : { ...trust, client });
      // Where the runtime verifies, it is with a connection of its own, which comes before and is closed.
      const connections = client !== null && trust.ca !== undefined ? 2 : 1;
      const accepted = await server.accepted.take(connections);
      assertEquals(accepted.map(who), accepted.map(() => expected));
      // Who is turned away can be told so.
      await accepted.at(-1)!.write(new Uint8Array([1, 2]));
      assertEquals(await here.read(new Uint8Array(8)), 2);
    }
    assertEquals(server.rejections.waiting, []);
  });
}

Deno.test("tls: whoever's own certificate is among the authorities is let in", async () => {
  const self = await selfSignedAs({ subject: "CN=zoe", hosts: [] });
  await using server = await TlsServer.start({ ...serving, clientCa: stranger.cert + self.cert });
  using _here = await dialTls(server.endpoint, { pin: server.identity.fingerprint, client: self });
  assertEquals(who(await server.accepted.next()), "zoe");
});

Deno.test("tls: a server that asks for no certificate knows nobody by one", async () => {
  await using server = await TlsServer.start(await root.issue());
  using _here = await dialTls(server.endpoint, { pin: server.identity.fingerprint, client: alice });
  const { user, rejected } = await server.accepted.next();
  assertEquals([user, rejected], [undefined, undefined]);
});

const forged: readonly [what: string, make: () => Promise<KeyPair>][] = [
  ["a certificate of X.509 version 1", () => forgedVersion1("alice", "Test CA")],
  ["one that such a certificate has signed", async () => {
    return await (await Authority.of(await forgedVersion1("Between", "Test CA"))).client("alice");
  }],
];

for (const [what, make] of forged) {
  Deno.test({ name: `tls: no client is believed for ${what}`, ignore: !hasOpenssl }, async () => {
    await using server = await TlsServer.start(serving);
    await using client = await OpensslClient.create(await make());
    assertEquals(await meet(server, client), ["New", unknown]);
  });
}

for (const version of ["-tls1_2", "-tls1_3"]) {
  const name = (what: string) => ({ name: `tls: ${what} (${version})`, ignore: !hasOpenssl });

  Deno.test(name("a client that was not let in does not get in by resuming"), async () => {
    await using server = await TlsServer.start(serving);
    await using eve = await OpensslClient.create(await stranger.client("alice"));
    assertEquals(await meet(server, eve, version), ["New", unknown]);
    assertEquals(await meet(server, eve, version), ["Reused", resumed]);
    assertEquals(await meet(server, eve, version), ["Reused", resumed]);
  });

  Deno.test(name("a client without a certificate does not get in by resuming"), async () => {
    await using server = await TlsServer.start(serving);
    await using nobody = await OpensslClient.create(null);
    assertEquals(await meet(server, nobody, version), ["New", none]);
    assertEquals(await meet(server, nobody, version), ["Reused", none]);
  });

  Deno.test(name("a client that was let in may resume, until its authority is trusted no more"), async () => {
    await using server = await TlsServer.start(serving);
    await using client = await OpensslClient.create(alice);
    assertEquals(await meet(server, client, version), ["New", "alice"]);
    assertEquals(await meet(server, client, version), ["Reused", "alice"]);
    server.identity.renew({ ...serving });
    assertEquals((await meet(server, client, version))[1], "alice", "the server's own certificate is another matter");
    server.identity.renew({ ...serving, clientCa: stranger.cert });
    // Whether it can still resume is up to the runtime.
    const [how, why] = await meet(server, client, version);
    assertEquals(why, how === "New" ? unknown : resumed);
    client.forget();
    assertEquals(await meet(server, client, version), ["New", unknown]);
    await using carol = await OpensslClient.create(await stranger.client("carol"));
    assertEquals(await meet(server, carol, version), ["New", "carol"]);
  });

  Deno.test(name("what node:tls itself says of a client that resumes"), async () => {
    const { cert, key, clientCa } = serving;
    const authorized: boolean[] = [];
    const options = { cert, key, ca: clientCa!, requestCert: true, rejectUnauthorized: false };
    const server = createServer(options, (socket) => {
      authorized.push(socket.authorized);
      socket.on("error", () => {});
      socket.end("hello\n");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    await using eve = await OpensslClient.create(await stranger.client("alice"));
    const { port } = server.address() as { port: number };
    for (const _ of [1, 2]) await eve.connect(`127.0.0.1:${port}`, [version]);
    await new Promise((resolve) => server.close(resolve));
    assertEquals(authorized[0], false);
    if (authorized[1] === false) console.log("this runtime's node:tls does not believe who resumes any more");
  });
}

Deno.test("tls: whether clients are asked for certificates does not change while a server listens", async () => {
  const { clientCa: _, ...open } = serving;
  for (const [before, after] of [[open, serving], [serving, open]] as const) {
    await using server = await TlsServer.start(before);
    const error = assertThrows(() => server.identity.renew(after), UsageError);
    assertEquals(error.message, "whether clients are asked for certificates cannot change");
    assertEquals(server.identity.serving, before);
  }
});
