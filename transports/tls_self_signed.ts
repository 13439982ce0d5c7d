/**
 * Certificates that sign themselves: for development, and for clients that pin a fingerprint.
 *
 * @module
 */

import { webcrypto } from "node:crypto";
import { isIP } from "node:net";
import type { KeyPair } from "./tls_identity.ts";

/** For how long one is valid: pins live as long. */
const years = 10;

/**
 * Makes a certificate with an ECDSA key (P-256) for host names and addresses; the first is its subject.
 *
 * It is marked as one that signs no others, as servers' are to be (RFC 5280, 4.2.1.9).
 *
 * @example
 * ```ts
 * import { selfSigned } from "../transports/tls_self_signed.ts";
 * import { assert } from "@std/assert";
 *
 * const { cert, key } = await selfSigned(["localhost", "127.0.0.1", "::1"]);
 * assert(cert.startsWith("-----BEGIN CERTIFICATE-----"));
 * assert(key.startsWith("-----BEGIN PRIVATE KEY-----"));
 * ```
 */
export async function selfSigned(hosts: readonly string[]): Promise<KeyPair> {
  // Loaded here: few need it, and it takes longer to load than all that a client is made of.
  await import("reflect-metadata");
  const x509 = await import("@peculiar/x509");
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]) as CryptoKeyPair;
  const now = new Date();
  const end = new Date(now);
  end.setFullYear(now.getFullYear() + years);
  const names = hosts.map((host) => ({ type: isIP(host) === 0 ? "dns" as const : "ip" as const, value: host }));
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: [{ CN: [hosts[0]!] }],
    notBefore: new Date(now.getTime() - 3_600_000),
    notAfter: end,
    keys,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(names),
    ],
  });
  const key = new Uint8Array(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey));
  return { cert: `${certificate.toString("pem")}\n`, key: x509.PemConverter.encode(key.buffer, "PRIVATE KEY") + "\n" };
}
