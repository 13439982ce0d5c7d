/**
 * Certificates: what a PEM file holds, what a certificate says of itself, and whether the runtime can be trusted with it.
 *
 * @module
 */

import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { UsageError } from "../core/errors.ts";

/** The SHA-256 fingerprint of a certificate: 64 hexadecimal digits, lower case. */
export type Fingerprint = string;

/**
 * Reads a fingerprint as people write it, and `openssl x509 -fingerprint`: 64 digits, with or without colons, in either case.
 *
 * @throws {UsageError} when it is none
 *
 * @example
 * ```ts
 * import { parseFingerprint } from "../transports/tls_certificate.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parseFingerprint("AB:".repeat(31) + "AB"), "ab".repeat(32));
 * ```
 */
export function parseFingerprint(text: string): Fingerprint {
  const digits = text.trim().replace(/^sha-?256(?: fingerprint)?[:/= ]/i, "").replaceAll(":", "").toLowerCase();
  if (/^[0-9a-f]{64}$/.test(digits)) return digits;
  throw new UsageError(
    `"${text}" is no SHA-256 fingerprint: it has 64 digits from 0 to f, with or without colons`,
    "the server prints it when it starts: stream serve --listen tls://... says fingerprint=...",
  );
}

/** The certificates of a PEM text, in order. Throws a `UsageError` where there is none, or one of no use. */
export function parseCertificates(pem: string, what: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) {
    throw new UsageError(`${what} holds no certificate`, "PEM is needed: -----BEGIN CERTIFICATE-----");
  }
  return blocks.map((block) => {
    let certificate: X509Certificate | null = null;
    try {
      certificate = new X509Certificate(block);
    } catch {
      // It is told below.
    }
    const why = certificate === null ? "is broken" : distrust(certificate.raw);
    if (why !== null) throw new UsageError(`${what}: a certificate in it ${why}`, "make it anew");
    return certificate!;
  });
}

/** The fingerprint of a certificate. */
export function fingerprintOf({ fingerprint256 }: { readonly fingerprint256: string }): Fingerprint {
  return fingerprint256.replaceAll(":", "").toLowerCase();
}

/**
 * Why a certificate proves nothing although `node:tls` would take it, as a clause; `null` where it does.
 *
 * Deno 2.9.6 skips every check of a signature, that of the handshake included, for certificates of version 1 and for those
 * that its verifier cannot read: whoever names a trusted issuer in one is believed.
 *
 * @param der the certificate
 */
export function distrust(der: Uint8Array): string | null {
  if (!isVersion3(der)) return "is not of X.509 version 3";
  try {
    // The one thing that reads certificates as the verifier does, and does nothing else.
    Deno.createHttpClient({ caCerts: [pemOf(der)] }).close();
    return null;
  } catch {
    return "is not well formed";
  }
}

/** A certificate as PEM. */
export function pemOf(der: Uint8Array): string {
  const base64 = btoa(Array.from(der, (byte) => String.fromCharCode(byte)).join(""));
  return `-----BEGIN CERTIFICATE-----\n${base64.replace(/.{64}(?=.)/g, "$&\n")}\n-----END CERTIFICATE-----\n`;
}

/** RFC 5280, 4.1: a `Certificate` is a sequence that begins with one, and that with `[0]` and the version, if it is not 1. */
function isVersion3(der: Uint8Array): boolean {
  const inside = (at: number, tag: number) => {
    if (der[at] !== tag) return -1;
    const length = der[at + 1] ?? 0xff;
    return length < 0x80 ? at + 2 : at + 2 + (length & 0x7f);
  };
  const certificate = inside(0, 0x30);
  const signed = certificate < 0 ? -1 : inside(certificate, 0x30);
  if (signed < 0) return false;
  const version = [0xa0, 3, 2, 1, 2];
  return version.every((byte, index) => der[signed + index] === byte);
}

/** The curves with which TLS signs here, by the names that `node:crypto` has for them. */
const curves = ["prime256v1", "secp384r1", "secp521r1"];

/**
 * Checks that a private key is that of a certificate, and one that TLS can sign with.
 *
 * @throws {UsageError} when it is not, or is none
 */
export function checkKey(certificate: X509Certificate, key: string, what: string): void {
  let own: KeyObject;
  let fits: boolean;
  try {
    own = createPrivateKey(key);
    fits = certificate.checkPrivateKey(own);
  } catch {
    throw new UsageError(`${what} holds no private key that can be used`, "an unencrypted PEM is needed");
  }
  if (!signs(own)) {
    throw new UsageError(
      `${what} is of a kind that TLS cannot use`,
      "take ECDSA with P-256, P-384 or P-521, Ed25519, or RSA with 2048 bits or more",
    );
  }
  if (!fits) throw new UsageError(`${what} is not the key of the certificate`, "give the two that belong together");
}

/** With any other key the runtime would listen, and no handshake would come to an end. */
function signs({ asymmetricKeyType: type, asymmetricKeyDetails: details }: KeyObject): boolean {
  if (type === "rsa") return (details?.modulusLength ?? 0) >= 2048;
  if (type === "ec") return curves.includes(details?.namedCurve ?? "");
  return type === "ed25519";
}
