/** What a server for TLS offers to whom it does not know, as programs say that are made to find weaknesses. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { Code } from "../../core/codes.ts";
import { Authority } from "./certificates.ts";
import { hasOpenssl, installed, tryOpenssl } from "./openssl.ts";
import { TlsServer } from "./tls_server.ts";

const root = await Authority.root();
const hasSslscan = await installed("sslscan");

for (const rsa of [false, true]) {
  const key = rsa ? "RSA" : "ECDSA";
  Deno.test({ name: `tls: sslscan finds no weakness (${key})`, ignore: !hasSslscan }, async () => {
    await using server = await TlsServer.start(await root.issue({ rsa }));
    const args = ["--no-colour", "--no-groups", "--no-check-certificate", server.address];
    const { success, stdout } = await new Deno.Command("sslscan", { args }).output();
    const lines = new TextDecoder().decode(stdout).split("\n").map((line) => line.trim());
    assert(success, lines.join("\n"));
    const under = (title: string) => {
      const from = lines.findIndex((line) => line.startsWith(title)) + 1;
      assert(from > 0, `${title} is not in\n${lines.join("\n")}`);
      return lines.slice(from, lines.indexOf("", from));
    };
    assertEquals(under("SSL/TLS Protocols:"), [
      "SSLv2     disabled",
      "SSLv3     disabled",
      "TLSv1.0   disabled",
      "TLSv1.1   disabled",
      "TLSv1.2   enabled",
      "TLSv1.3   enabled",
    ]);
    assertEquals(under("TLS renegotiation:"), ["Session renegotiation not supported"]);
    assertEquals(under("Heartbleed:"), [
      "TLSv1.3 not vulnerable to heartbleed",
      "TLSv1.2 not vulnerable to heartbleed",
    ]);
    // Each with a key of its own for each session, and with authenticated encryption.
    const ciphers = under("Supported Server Cipher(s):").map((line) => /TLSv\S+ +\d+ bits +(\S+)/.exec(line)?.[1]);
    assertEquals(ciphers.toSorted(), [
      `ECDHE-${key}-AES128-GCM-SHA256`,
      `ECDHE-${key}-AES256-GCM-SHA384`,
      `ECDHE-${key}-CHACHA20-POLY1305`,
      "TLS_AES_128_GCM_SHA256",
      "TLS_AES_256_GCM_SHA384",
      "TLS_CHACHA20_POLY1305_SHA256",
    ]);
  });
}

const refused: readonly (readonly [what: string, args: readonly string[], lacking: string])[] = [
  ["TLS 1.1", ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], "SignatureAlgorithmsExtensionRequired"],
  ["TLS 1.0", ["-tls1", "-cipher", "ALL:@SECLEVEL=0"], "SignatureAlgorithmsExtensionRequired"],
  ["a key that is not made for the session", ["-tls1_2", "-cipher", "kRSA"], "NoKxGroupsInCommon"],
  ["CBC", ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES128-SHA"], "NoCipherSuitesInCommon"],
  ["no encryption", ["-tls1_2", "-cipher", "eNULL:@SECLEVEL=0"], "NoCipherSuitesInCommon"],
  ["no certificate", ["-tls1_2", "-cipher", "aNULL:@SECLEVEL=0"], "NoCipherSuitesInCommon"],
];

for (const [what, args, lacking] of refused) {
  Deno.test({ name: `tls: openssl does not get through with ${what}`, ignore: !hasOpenssl }, async () => {
    await using server = await TlsServer.start(await root.issue());
    const { success, text } = await tryOpenssl(["s_client", "-connect", server.address, ...args]);
    assertEquals(success, false);
    assertMatch(text, /alert (handshake failure|protocol version)/);
    const { code, why } = await server.rejections.next();
    assertEquals(code, Code.tls);
    assertEquals(
      why,
      `the client has not what TLS 1.2 or 1.3 needs, ECDHE and an AEAD cipher: ${lacking}`,
    );
    assertEquals(server.accepted.waiting, []);
  });
}

for (const version of ["-tls1_2", "-tls1_3"]) {
  Deno.test(
    { name: `tls: nothing is compressed or said before the handshake (${version})`, ignore: !hasOpenssl },
    async () => {
      await using server = await TlsServer.start(await root.issue());
      const running = tryOpenssl(["s_client", "-connect", server.address, version]);
      const connection = await server.accepted.next();
      await connection.write(new TextEncoder().encode("hello\n"));
      await connection.closeWrite();
      const { text } = await running;
      assertMatch(text, /^Compression: NONE$/m);
      assertEquals(text.match(/Max Early Data: (?!0\b).*/), null);
    },
  );
}
