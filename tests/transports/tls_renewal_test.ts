/** A certificate that is renewed while its server listens. */

import { assertEquals, assertMatch, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { TransportError, UsageError } from "../../core/errors.ts";
import { dialTls } from "../../transports/tls_dial.ts";
import { TlsIdentity } from "../../transports/tls_identity.ts";
import { Authority, selfSignedWith } from "./certificates.ts";
import { hasOpenssl } from "./openssl.ts";
import { TlsServer } from "./tls_server.ts";

const root = await Authority.root();
const [first, second] = [await root.issue(), await root.issue()];
const [firstPin, secondPin] = [first, second].map((pair) => new TlsIdentity(pair).fingerprint);

Deno.test("tls: with a new certificate connections live on, and new ones see it", async () => {
  await using server = await TlsServer.start(first);
  const { identity } = server;
  using before = await dialTls(server.endpoint, { pin: firstPin! });
  const accepted = await server.accepted.next();

  identity.renew(second);
  assertEquals([identity.fingerprint, identity.serving], [secondPin!, second]);
  using after = await dialTls(server.endpoint, { pin: secondPin! });
  const later = await server.accepted.next();
  const error = await assertRejects(() => dialTls(server.endpoint, { pin: firstPin! }), TransportError);
  assertEquals(
    error.message,
    `cannot connect to tls://${server.address}: its certificate is another one: its fingerprint is ${secondPin}, and ${firstPin} is pinned`,
  );

  for (const [here, there] of [[before, accepted], [after, later]] as const) {
    await here.write(new Uint8Array(3));
    assertEquals(await there.read(new Uint8Array(8)), 3);
    await there.write(new Uint8Array(4));
    assertEquals(await here.read(new Uint8Array(8)), 4);
  }
});

Deno.test("tls: an identity that is renewed says so to who watches it, and not after that", () => {
  const identity = new TlsIdentity(first);
  const told: string[] = [];
  const end = identity.watch(({ cert }) => told.push(cert));
  identity.renew(second);
  end();
  identity.renew(first);
  assertEquals(told, [second.cert]);
});

const wrong = [
  [
    "a key of another certificate",
    { cert: second.cert, key: first.key },
    "the server's key is not the key of the certificate",
  ],
  ["no key", { cert: second.cert, key: second.cert }, "the server's key holds no private key that can be used"],
  ["no certificate", { cert: second.key, key: second.key }, "the server's certificate holds no certificate"],
  [
    "a certificate that is cut off",
    { cert: second.cert.replace(/.{8}\n-----END/, "\n-----END"), key: second.key },
    "the server's certificate: a certificate in it is broken",
  ],
] as const;

// Some kinds the runtime cannot even read.
const notUsable = /^the server's key (is of a kind that TLS cannot use|holds no private key that can be used)$/;
const curve = (name: string) => ["ec", "-pkeyopt", `ec_paramgen_curve:${name}`];
/** Keys that `node:crypto` reads, and TLS has no use for. */
const useless = [["rsa:1024"], curve("secp256k1"), curve("brainpoolP256r1"), ["ed448"]];
const useful = [["rsa:2048"], curve("P-256"), curve("P-384"), curve("P-521"), ["ed25519"]];

for (const newKey of useless) {
  Deno.test({ name: `tls: a key of the kind ${newKey.at(-1)} changes nothing`, ignore: !hasOpenssl }, async () => {
    const serving = await selfSignedWith(newKey);
    assertMatch(assertThrows(() => new TlsIdentity(serving), UsageError).message, notUsable);
    await using server = await TlsServer.start(first);
    assertMatch(assertThrows(() => server.identity.renew(serving), UsageError).message, notUsable);
    assertStrictEquals(server.identity.serving, first);
    using _here = await dialTls(server.endpoint, { pin: firstPin! });
    await server.accepted.next();
  });
}

for (const newKey of useful) {
  Deno.test({ name: `tls: a key of the kind ${newKey.at(-1)} serves`, ignore: !hasOpenssl }, async () => {
    const serving = await selfSignedWith(newKey);
    await using server = await TlsServer.start(serving);
    for (const trust of [{ ca: serving.cert }, { pin: server.identity.fingerprint }]) {
      using _here = await dialTls(server.endpoint, trust);
      await server.accepted.next();
    }
  });
}

for (const [what, serving, why] of wrong) {
  Deno.test(`tls: ${what} changes nothing`, async () => {
    assertEquals(assertThrows(() => new TlsIdentity(serving), UsageError).message, why);
    await using server = await TlsServer.start(first);
    assertEquals(assertThrows(() => server.identity.renew(serving), UsageError).message, why);
    assertStrictEquals(server.identity.serving, first);
    assertEquals(server.identity.fingerprint, firstPin!);
    using _here = await dialTls(server.endpoint, { pin: firstPin! });
    await server.accepted.next();
  });
}

Deno.test("tls: authorities of clients that are none change nothing", async () => {
  const serving = { ...first, clientCa: root.cert };
  await using server = await TlsServer.start(serving);
  const error = assertThrows(() => server.identity.renew({ ...serving, clientCa: "" }), UsageError);
  assertEquals(error.message, "the clients' authorities holds no certificate");
  const client = await root.client("alice");
  using _here = await dialTls(server.endpoint, { pin: firstPin!, client });
  assertEquals((await server.accepted.next()).user, "alice");
});
