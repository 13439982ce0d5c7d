/** Whom a client with TLS connects to, and what it says of whom it does not. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { X509Certificate } from "node:crypto";
import type { Connection } from "../../core/connection.ts";
import { Code } from "../../core/codes.ts";
import { TransportError } from "../../core/errors.ts";
import { formatEndpoint, parseEndpoint } from "../../transports/endpoint.ts";
import { fingerprintOf } from "../../transports/tls_certificate.ts";
import { dialTls, type TlsTrust } from "../../transports/tls_dial.ts";
import type { KeyPair } from "../../transports/tls_identity.ts";
import { selfSigned } from "../../transports/tls_self_signed.ts";
import { Authority, daysFromNow, selfSignedAs } from "./certificates.ts";
import { TlsServer } from "./tls_server.ts";

const root = await Authority.root();
const intermediate = await root.intermediate();
const good = await root.issue();
const below = await intermediate.issue();
const alone = await selfSignedAs({});
const signsOthers = await selfSignedAs({ ca: true });
const ours = await selfSigned(["localhost", "127.0.0.1"]);
const elsewhere = ["example.com", "192.0.2.1"];
const hasIpv6 = canListen("::1");

function canListen(hostname: string): boolean {
  try {
    Deno.listen({ hostname, port: 0 }).close();
    return true;
  } catch {
    return false;
  }
}

function pinOf({ cert }: KeyPair): string {
  return fingerprintOf(new X509Certificate(cert));
}

function dial(server: TlsServer, trust: TlsTrust, host = server.endpoint.host): Promise<Connection> {
  return dialTls({ ...server.endpoint, host }, trust);
}

/** Sends a byte each way. */
async function assertCarries(here: Connection, there: Connection): Promise<void> {
  for (const [from, to] of [[here, there], [there, here]] as const) {
    assertEquals(await from.write(new Uint8Array([42])), 1);
    const into = new Uint8Array(8);
    assertEquals(await to.read(into), 1);
    assertEquals(into[0], 42);
  }
}

const accepted: readonly [what: string, shown: KeyPair, trust: TlsTrust, host?: string][] = [
  ["an authority's certificate, with the authority in --ca", good, { ca: root.cert }],
  ["the same by name", good, { ca: root.cert }, "localhost"],
  ["the same with another authority in --ca before it", good, { ca: alone.cert + root.cert }],
  ["one below an intermediate authority", below, { ca: root.cert }],
  ["one that signs itself, in --ca", alone, { ca: alone.cert }],
  ["one that signs itself and may sign others, in --ca", signsOthers, { ca: signsOthers.cert }],
  ["the same by name", signsOthers, { ca: signsOthers.cert }, "localhost"],
  ["one that this program has made, in --ca", ours, { ca: ours.cert }],
  ["one that is pinned", good, { pin: pinOf(good) }],
  ["one below an intermediate authority that is pinned", below, { pin: pinOf(below) }],
  ["one that signs itself and is pinned", alone, { pin: pinOf(alone) }],
  ["one that signs others and is pinned", signsOthers, { pin: pinOf(signsOthers) }],
  ["one that this program has made, pinned", ours, { pin: pinOf(ours) }],
  ["a pinned one of another host", await root.issue({ hosts: elsewhere }), { pin: "" }],
  ["a pinned one that has expired", await root.issue({ from: daysFromNow(-9), to: daysFromNow(-2) }), { pin: "" }],
  ["any certificate, if told so", await root.issue({ hosts: elsewhere }), { insecure: true }],
];

for (const [what, shown, trust, host] of accepted) {
  Deno.test(`tls: a client takes ${what}${host === undefined ? "" : ` (${host})`}`, async () => {
    await using server = await TlsServer.start(shown);
    using here = await dial(server, trust.pin === "" ? { pin: pinOf(shown) } : trust, host);
    await assertCarries(here, await server.accepted.next());
  });
}

Deno.test({
  name: "tls: a client takes the certificate of an IPv6 host, which stands in brackets",
  ignore: !hasIpv6,
  async fn() {
    await using server = await TlsServer.start(good, {}, "tls://[::1]:0");
    for (const trust of [{ ca: root.cert }, { pin: pinOf(good) }]) {
      using here = await dialTls(parseEndpoint(`tls://[::1]:${server.endpoint.port}`), trust);
      await assertCarries(here, await server.accepted.next());
    }
  },
});

const untrusted =
  "its certificate is from nobody that is trusted here: give --ca with its authority's certificate, or --pin with its fingerprint";
const toldUnknown = "the client does not know who issued this server's certificate";
const toldDates = "the client finds this server's certificate expired, or not valid yet";
const toldName = "the client does not accept this server's certificate: another host name, perhaps";

/** A certificate that a client refuses: what it says, and what the server is told. */
interface Refused {
  readonly what: string;
  readonly shown: KeyPair;
  readonly trust: TlsTrust;
  readonly host?: string;
  readonly why: string;
  /** None where the client has no way of telling. */
  readonly told?: string;
}

const date = (moment: Date) => moment.toISOString().slice(0, 10);
const past = daysFromNow(-2);
const future = daysFromNow(2);
const elsewhereCa = await selfSignedAs({ ca: true, hosts: elsewhere });
const namelessCa = await selfSignedAs({ ca: true, hosts: [], subject: "CN=example.com" });
const expiredCa = await selfSignedAs({ ca: true, from: daysFromNow(-9), to: past });
const byName = { ca: root.cert };

const refused: readonly Refused[] = [
  { what: "of an unknown authority", shown: good, trust: { ca: alone.cert }, why: untrusted, told: toldUnknown },
  { what: "of no public authority", shown: good, trust: {}, why: untrusted, told: toldUnknown },
  {
    what: "of an authority that only has the name of the trusted one",
    shown: await (await Authority.root()).issue(),
    trust: byName,
    why: "its certificate is not signed by whom it names",
    told: "the client finds this server's certificate not signed by whom it names",
  },
  {
    what: "without the intermediate one",
    shown: { ...below, cert: below.cert.slice(0, below.cert.lastIndexOf("-----BEGIN")) },
    trust: byName,
    why: untrusted,
    told: toldUnknown,
  },
  { what: "that signs itself", shown: alone, trust: byName, why: untrusted, told: toldUnknown },
  { what: "that signs others, not in --ca", shown: signsOthers, trust: byName, why: untrusted, told: toldName },
  { what: "that signs others, without --ca", shown: signsOthers, trust: {}, why: untrusted, told: toldName },
  {
    what: "that has expired",
    shown: await root.issue({ from: daysFromNow(-9), to: past }),
    trust: byName,
    why: `its certificate has expired (${date(past)}): it has to be renewed there`,
    told: toldDates,
  },
  {
    what: "that has expired, signs others and is in --ca",
    shown: expiredCa,
    trust: { ca: expiredCa.cert },
    why: `its certificate has expired (${date(past)}): it has to be renewed there`,
    told: toldDates,
  },
  {
    what: "that is not valid yet",
    shown: await root.issue({ from: future, to: daysFromNow(9) }),
    trust: byName,
    why: `its certificate is not valid yet (${date(future)}): check both clocks`,
    told: toldDates,
  },
  {
    what: "for other names",
    shown: await root.issue({ hosts: elsewhere }),
    trust: byName,
    host: "localhost",
    why: "its certificate is for example.com, 192.0.2.1, not for localhost: connect by a name that it has",
    told: toldName,
  },
  {
    what: "for other addresses",
    shown: await root.issue({ hosts: elsewhere }),
    trust: byName,
    why: "its certificate is for example.com, 192.0.2.1, not for 127.0.0.1: connect by a name that it has",
    told: toldName,
  },
  {
    what: "for no name",
    shown: await root.issue({ hosts: [] }),
    trust: byName,
    host: "localhost",
    why: "its certificate is not for localhost: connect by a name that it has",
    told: toldName,
  },
  {
    what: "for other names, which signs others and is in --ca",
    shown: elsewhereCa,
    trust: { ca: elsewhereCa.cert },
    host: "localhost",
    why: "its certificate is for example.com, 192.0.2.1, not for localhost: connect by a name that it has",
    told: toldName,
  },
  {
    what: "for other addresses, which signs others and is in --ca",
    shown: elsewhereCa,
    trust: { ca: elsewhereCa.cert },
    why: "its certificate is for 192.0.2.1, not for 127.0.0.1: connect by a name that it has",
    told: toldName,
  },
  {
    what: "with one common name and no other, which signs others and is in --ca",
    shown: namelessCa,
    trust: { ca: namelessCa.cert },
    host: "localhost",
    why: "its certificate is for example.com, not for localhost: connect by a name that it has",
    told: toldName,
  },
  {
    what: "other than the one that is pinned",
    shown: good,
    trust: { pin: pinOf(alone) },
    why: `its certificate is another one: its fingerprint is ${pinOf(good)}, and ${pinOf(alone)} is pinned`,
  },
];

for (const { what, shown, trust, host, why, told } of refused) {
  Deno.test(`tls: a client refuses a certificate ${what}`, async () => {
    await using server = await TlsServer.start(shown);
    const endpoint = formatEndpoint({ ...server.endpoint, host: host ?? server.endpoint.host });
    const error = await assertRejects(() => dial(server, trust, host), TransportError);
    assertEquals(error.message, `cannot connect to ${endpoint}: ${why}`);
    assertEquals(error.endpoint, endpoint);
    if (told === undefined) return;
    const rejection = await server.rejections.next();
    assertEquals(rejection, { peer: rejection.peer, code: Code.certificate, why: told });
    assert(/^127\.0\.0\.1:\d+$/.test(rejection.peer), rejection.peer);
  });
}

/** What stands behind a port where a server for TLS is expected. */
const strangers: readonly [what: string, talk: (connection: Deno.TcpConn) => Promise<void>, why: string][] = [
  [
    "speaks without TLS",
    async (connection) => {
      await connection.read(new Uint8Array(16_384));
      await connection.write(new TextEncoder().encode("stream\x01\x00 and more of it"));
      await connection.read(new Uint8Array(16_384)).catch(() => {});
    },
    "what answers there does not speak TLS: connect to it with tcp:// if it is meant to be open",
  ],
  [
    "closes during the handshake",
    async (connection) => void await connection.read(new Uint8Array(16_384)),
    "it closed the connection during the TLS handshake",
  ],
];

for (const [what, talk, why] of strangers) {
  for (const [how, trust] of [["verified", byName], ["pinned", { pin: pinOf(good) }]] as const) {
    Deno.test(`tls: a client, ${how}, says that what it reached ${what}`, async () => {
      using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const talking = listener.accept().then(async (connection) => {
        await talk(connection);
        connection.close();
      });
      const endpoint = `tls://127.0.0.1:${listener.addr.port}`;
      const error = await assertRejects(() => dialTls(parseEndpoint(endpoint), trust), TransportError);
      assertEquals(error.message, `cannot connect to ${endpoint}: ${why}`);
      await talking;
    });
  }
}
