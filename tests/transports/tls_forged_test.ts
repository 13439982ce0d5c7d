/** Servers that are not who they say, and what comes from whoever stands between the two ends. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { X509Certificate } from "node:crypto";
import { connect } from "node:tls";
import { TransportError } from "../../core/errors.ts";
import { parseEndpoint } from "../../transports/endpoint.ts";
import { fingerprintOf } from "../../transports/tls_certificate.ts";
import { dialTls } from "../../transports/tls_dial.ts";
import type { KeyPair } from "../../transports/tls_identity.ts";
import { Authority, daysFromNow, forgedVersion1, selfSignedAs } from "./certificates.ts";
import { hasOpenssl, OpensslServer } from "./openssl.ts";
import { Relay } from "./relay.ts";
import { TlsServer } from "./tls_server.ts";

const root = await Authority.root();
const good = await root.issue();

function derOf({ cert }: KeyPair): Uint8Array {
  return new X509Certificate(cert).raw;
}

function pinOf({ cert }: KeyPair): string {
  return fingerprintOf(new X509Certificate(cert));
}

/** Whether the client of `node:tls` takes a server for one that the authority vouches for. */
function isBelieved(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({
      host: "127.0.0.1",
      port,
      ca: root.cert,
      servername: "localhost",
      checkServerIdentity: () => undefined,
    });
    socket.on("secureConnect", () => {
      resolve(socket.authorized);
      socket.destroy();
    });
    socket.on("error", () => resolve(false));
  });
}

const forged: readonly [what: string, make: () => Promise<KeyPair>][] = [
  ["a certificate of X.509 version 1", () => forgedVersion1("localhost", "Test CA")],
  ["one that such a certificate has signed", async () => {
    const between = await forgedVersion1("Between", "Test CA");
    return await (await Authority.of(between)).issue();
  }],
];

for (const [what, make] of forged) {
  Deno.test(
    { name: `tls: nobody is believed for ${what} that names a trusted issuer`, ignore: !hasOpenssl },
    async () => {
      const pair = await make();
      await using server = await OpensslServer.start(pair);
      const endpoint = parseEndpoint(server.endpoint);
      const error = await assertRejects(() => dialTls(endpoint, { ca: root.cert }), TransportError);
      assertEquals(
        error.message,
        `cannot connect to ${server.endpoint}: its certificate is not of X.509 version 3: it has to be made anew`,
      );
      if (!await isBelieved(endpoint.port)) console.log(`this runtime's node:tls does not believe ${what} any more`);
    },
  );
}

Deno.test({ name: "tls: a pinned certificate of X.509 version 1 proves nothing", ignore: !hasOpenssl }, async () => {
  const pair = await forgedVersion1("localhost", "Test CA");
  await using server = await OpensslServer.start(pair);
  const error = await assertRejects(
    () => dialTls(parseEndpoint(server.endpoint), { pin: pinOf(pair) }),
    TransportError,
  );
  assertEquals(
    error.message,
    `cannot connect to ${server.endpoint}: its certificate is not of X.509 version 3`,
  );
});

const stolen: readonly [what: string, make: () => Promise<KeyPair>, behind: () => Promise<string>][] = [
  ["", () => root.issue(), () => Promise.resolve("")],
  [" that signs itself", () => selfSignedAs({}), () => Promise.resolve("")],
  [" with its authority behind it", () => root.issue(), () => Promise.resolve(root.cert)],
  [
    " with one of version 1 behind it",
    () => root.issue(),
    async () => (await forgedVersion1("Test CA", "Test CA")).cert,
  ],
];

for (const [what, make, behind] of stolen) {
  Deno.test(
    { name: `tls: a pinned certificate${what} is of no use without its key`, ignore: !hasOpenssl },
    async () => {
      // In TLS 1.2 certificates come in the open, so that whoever is on the way can put in another one; of the same length, so that
      // nothing else has to change. What follows is signed with the key of the one that was there.
      const pinned = await make();
      let own = await make();
      while (derOf(own).length !== derOf(pinned).length) own = await make();
      await using server = await OpensslServer.start({ ...own, cert: own.cert + await behind() }, ["-tls1_2"]);
      let changes = 0;
      const change = (piece: Uint8Array) => {
        const at = indexOf(piece, derOf(own));
        if (at < 0) return piece;
        changes++;
        piece.set(derOf(pinned), at);
        return piece;
      };
      await using relay = new Relay({ targets: [server.endpoint.slice("tls://".length)], change });
      const dialling = dialTls(parseEndpoint(`tls://${relay.address}`), { pin: pinOf(pinned) });
      const error = await assertRejects(() => dialling, TransportError);
      assertEquals(changes, 1);
      assertEquals(
        error.message,
        `cannot connect to tls://${relay.address}: it has not the key of the certificate that it shows, or one that is too weak`,
      );
      // The client saw it by the signature: it has sent its greeting, and no secret after it.
      assertEquals(relay.heard.map((piece) => piece[5]), [1]);
    },
  );
}

Deno.test("tls: a certificate in --ca that has expired is not taken from whoever shows another one first", async () => {
  const expired = await selfSignedAs({ ca: true, from: daysFromNow(-9), to: daysFromNow(-2) });
  await using first = await TlsServer.start(await selfSignedAs({ ca: true }));
  await using second = await TlsServer.start(expired);
  await using relay = new Relay({ targets: [first.address, second.address] });
  const dialling = dialTls(parseEndpoint(`tls://${relay.address}`), { ca: expired.cert });
  const error = await assertRejects(() => dialling, TransportError);
  const { validFrom, validTo } = new X509Certificate(expired.cert);
  assertEquals(
    error.message,
    `cannot connect to tls://${relay.address}: its certificate is valid from ${validFrom} to ${validTo}`,
  );
});

for (const [how, trust] of [["verified", { ca: root.cert }], ["pinned", { pin: pinOf(good) }]] as const) {
  Deno.test(`tls: bytes that are put in on the way end the connection at both ends (${how})`, async () => {
    await using server = await TlsServer.start(good);
    await using relay = new Relay({ targets: [server.address] });
    using here = await dialTls(parseEndpoint(`tls://${relay.address}`), trust);
    const there = await server.accepted.next();
    await here.write(new Uint8Array(3));
    await there.write(new Uint8Array(3));
    for (const connection of [here, there]) assertEquals(await connection.read(new Uint8Array(8)), 3);
    const record = new Uint8Array([23, 3, 3, 0, 32, ...new Uint8Array(32)]);
    for (const [connection, end] of [[there, "server"], [here, "client"]] as const) {
      await relay.say(end, record);
      const error = await assertRejects(() => connection.read(new Uint8Array(8)), TransportError);
      assertEquals(error.message, `cannot read from ${connection.peer}: what came is not what the other end sent`);
    }
    await assertRejects(() => there.write(new Uint8Array(3)), TransportError);
  });
}

function indexOf(bytes: Uint8Array, part: Uint8Array): number {
  for (let at = 0; at + part.length <= bytes.length; at++) {
    if (part.every((byte, index) => bytes[at + index] === byte)) return at;
  }
  return -1;
}

const asking: readonly [args: readonly string[], fails: "dial" | "read", why: string][] = [
  [
    ["-tls1_2"],
    "dial",
    "it has no way of encrypting in common, no certificate for this name, or asks for one of the client (--cert and --key)",
  ],
  [["-tls1_3"], "read", "the other end asks for a client certificate: give --cert and --key"],
];

for (const [how, trust] of [["verified", { ca: root.cert }], ["pinned", { pin: pinOf(good) }]] as const) {
  for (const [args, fails, why] of asking) {
    Deno.test(
      { name: `tls: a server that asks for a certificate (${how}, ${args})`, ignore: !hasOpenssl },
      async () => {
        await using server = await OpensslServer.start(good, ["-Verify", "1", ...args]);
        const endpoint = parseEndpoint(server.endpoint);
        if (fails === "dial") {
          const error = await assertRejects(() => dialTls(endpoint, trust), TransportError);
          assertEquals(error.message, `cannot connect to ${server.endpoint}: ${why}`);
        } else {
          using here = await dialTls(endpoint, trust);
          const error = await assertRejects(() => here.read(new Uint8Array(8)), TransportError);
          assertEquals(error.message, `cannot read from ${here.peer}: ${why}`);
        }
        using here = await dialTls(endpoint, { ...trust, client: await root.client("alice") });
        await here.write(new TextEncoder().encode("let in\n"));
        assertEquals(await server.line(/^let in$/), "let in");
      },
    );
  }

  Deno.test(
    { name: `tls: a server that knows nobody who issues certificates (${how})`, ignore: !hasOpenssl },
    async () => {
      const client = await root.client("alice");
      const strict = ["-Verify", "1", "-verify_return_error"];
      await using early = await OpensslServer.start(good, [...strict, "-tls1_2"]);
      const error = await assertRejects(
        () => dialTls(parseEndpoint(early.endpoint), { ...trust, client }),
        TransportError,
      );
      assertEquals(
        error.message,
        `cannot connect to ${early.endpoint}: it does not know who issued the client's certificate`,
      );
      await using late = await OpensslServer.start(good, [...strict, "-tls1_3"]);
      using here = await dialTls(parseEndpoint(late.endpoint), { ...trust, client });
      const alert = await assertRejects(() => here.read(new Uint8Array(8)), TransportError);
      assertEquals(alert.message, `cannot read from ${here.peer}: the other end ended it with the alert UnknownCA`);
    },
  );

  Deno.test({ name: `tls: a server of TLS 1.1 is not spoken to (${how})`, ignore: !hasOpenssl }, async () => {
    await using server = await OpensslServer.start(good, ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]);
    const error = await assertRejects(() => dialTls(parseEndpoint(server.endpoint), trust), TransportError);
    assertEquals(
      error.message,
      `cannot connect to ${server.endpoint}: there is no version of TLS that both ends speak: this one speaks 1.2 and 1.3`,
    );
    assert(error.cause instanceof Error);
  });
}
