/** Dials with TLS that are given up. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { X509Certificate } from "node:crypto";
import { parseEndpoint } from "../../transports/endpoint.ts";
import { fingerprintOf } from "../../transports/tls_certificate.ts";
import { dialTls } from "../../transports/tls_dial.ts";
import { Authority } from "./certificates.ts";
import { readToEnd } from "./tls_server.ts";

const root = await Authority.root();
const ca = root.cert;
const pin = fingerprintOf(new X509Certificate((await root.issue()).cert));
const reason = new Error("no longer wanted");
const dials = [
  ["verified", { ca }],
  ["pinned", { pin }],
  ["with a certificate of its own", { ca, client: await root.client("alice") }],
] as const;

for (const [how, trust] of dials) {
  Deno.test(`tls: a dial, ${how}, that is aborted during the handshake rejects with the reason`, async () => {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const controller = new AbortController();
    const dialling = dialTls(parseEndpoint(`tls://127.0.0.1:${listener.addr.port}`), trust, controller.signal);
    const ended = assertRejects(() => dialling);
    using silent = await listener.accept();
    assert(await silent.read(new Uint8Array(16_384)) !== null);
    controller.abort(reason);
    assertEquals(await ended, reason);
    // The runtime's own client goes on with its handshake, and closes when the other end does.
    if (how === "pinned") await readToEnd(silent);
  });
}

for (const [how, trust] of dials) {
  Deno.test({
    name: `tls: a dial, ${how}, that is aborted before it reaches anybody rejects with the reason`,
    // Other systems take connections for a listener whose queue is full.
    ignore: Deno.build.os !== "linux",
    async fn() {
      using listener = Deno.listen({ hostname: "127.0.0.1", port: 0, tcpBacklog: 1 });
      const { port } = listener.addr;
      const filling = Array.from({ length: 2 }, () => Deno.connect({ hostname: "127.0.0.1", port }));
      const queued = await Promise.all(filling);
      const controller = new AbortController();
      const dialling = dialTls(parseEndpoint(`tls://127.0.0.1:${port}`), trust, controller.signal);
      const ended = assertRejects(() => dialling);
      controller.abort(reason);
      assertEquals(await ended, reason);
      for (const connection of queued) {
        connection.close();
        (await listener.accept()).close();
      }
      // The runtime's own client cannot be stopped: what it was asked for comes when there is room, and is closed.
      if ("client" in trust) {
        using late = await listener.accept();
        await late.read(new Uint8Array(16_384));
      }
    },
  });
}
