/** What is read of certificates before anybody trusts them. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { X509Certificate } from "node:crypto";
import { UsageError } from "../../core/errors.ts";
import {
  distrust,
  fingerprintOf,
  parseCertificates,
  parseFingerprint,
  pemOf,
} from "../../transports/tls_certificate.ts";
import { Random } from "../core/fixtures.ts";
import { Authority, forgedVersion1 } from "./certificates.ts";
import { hasOpenssl } from "./openssl.ts";

const root = await Authority.root();
const { cert, key } = await root.issue();
const certificate = new X509Certificate(cert);
const digits = fingerprintOf(certificate);

Deno.test("tls: fingerprints are read as people and programs write them", () => {
  const { fingerprint256 } = certificate;
  for (
    const text of [
      digits,
      digits.toUpperCase(),
      fingerprint256,
      ` ${fingerprint256.toLowerCase()}\n`,
      `SHA256:${digits}`,
      `sha-256=${digits}`,
      // As `openssl x509 -fingerprint -sha256` prints it.
      `sha256 Fingerprint=${fingerprint256}`,
    ]
  ) assertEquals(parseFingerprint(text), digits, text);
  for (const text of ["", digits.slice(1), `${digits}0`, digits.replace(/./, "g"), "sha256:"]) {
    const error = assertThrows(() => parseFingerprint(text), UsageError);
    assertEquals(
      error.message,
      `"${text}" is no SHA-256 fingerprint: it has 64 digits from 0 to f, with or without colons`,
    );
  }
});

Deno.test("tls: the certificates of a file are read in order, with whatever stands between them", () => {
  const text = `subject=CN = localhost\n${cert}\r\n${key}\n# the authority\n${root.cert.replaceAll("\n", "\r\n")}`;
  assertEquals(parseCertificates(text, "a.pem").map(fingerprintOf), [
    digits,
    fingerprintOf(new X509Certificate(root.cert)),
  ]);
  assertEquals(parseCertificates(pemOf(certificate.raw), "a.pem").map(fingerprintOf), [digits]);
});

Deno.test({ name: "tls: a certificate of X.509 version 1 is no certificate", ignore: !hasOpenssl }, async () => {
  const { cert: forged } = await forgedVersion1("localhost", "Test CA");
  assertEquals(distrust(new X509Certificate(forged).raw), "is not of X.509 version 3");
  const error = assertThrows(() => parseCertificates(cert + forged, "a.pem"), UsageError);
  assertEquals(error.message, "a.pem: a certificate in it is not of X.509 version 3");
});

Deno.test("tls: what is cut off, changed at its head or made up is distrusted", () => {
  const { raw } = certificate;
  assertEquals(distrust(raw), null);
  // Every length up to that of the head, and some behind it.
  for (let end = 0; end < raw.length; end += end < 40 ? 1 : 23) {
    assert(distrust(raw.subarray(0, end)) !== null, `${end}`);
  }
  const random = new Random(1);
  for (let round = 0; round < 100; round++) {
    const bytes = raw.slice();
    // What is before the serial number says that it is a certificate of version 3.
    bytes[random.below(13)]! ^= 1 << random.below(8);
    assert(distrust(bytes) !== null, bytes.join(" "));
    assert(distrust(Uint8Array.from({ length: random.below(500) }, () => random.below(256))) !== null);
  }
});
