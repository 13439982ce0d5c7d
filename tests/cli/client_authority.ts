/** An authority that issues certificates to clients. */

import { webcrypto } from "node:crypto";
import "reflect-metadata";
import * as x509 from "@peculiar/x509";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const hour = 3_600_000;

/** A certificate and its key, as texts. */
export interface Issued {
  readonly cert: string;
  readonly key: string;
}

/** Issues certificates that are valid for an hour. */
export class ClientAuthority {
  /** Its own certificate. */
  readonly cert: string;
  readonly #name: string;
  readonly #keys: CryptoKeyPair;

  private constructor(name: string, keys: CryptoKeyPair, cert: string) {
    this.#name = name;
    this.#keys = keys;
    this.cert = cert;
  }

  static async make(name: string): Promise<ClientAuthority> {
    const keys = await newKeys();
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      name: [{ CN: [name] }],
      ...validFrom(-hour),
      keys,
      signingAlgorithm: algorithm,
      extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
    });
    return new ClientAuthority(name, keys, certificate.toString("pem"));
  }

  /** @param begins when it begins to be valid, in milliseconds from now */
  async issue(user: string, begins = -hour / 2): Promise<Issued> {
    const keys = await newKeys();
    const certificate = await x509.X509CertificateGenerator.create({
      subject: [{ CN: [user] }],
      issuer: [{ CN: [this.#name] }],
      ...validFrom(begins),
      publicKey: keys.publicKey,
      signingKey: this.#keys.privateKey,
      signingAlgorithm: algorithm,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
      ],
    });
    const key = await webcrypto.subtle.exportKey("pkcs8", keys.privateKey) as ArrayBuffer;
    return { cert: certificate.toString("pem"), key: x509.PemConverter.encode(key, "PRIVATE KEY") };
  }
}

function newKeys(): Promise<CryptoKeyPair> {
  return webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]) as Promise<CryptoKeyPair>;
}

function validFrom(begins: number): { readonly notBefore: Date; readonly notAfter: Date } {
  const begin = Date.now() + begins;
  return { notBefore: new Date(begin), notAfter: new Date(begin + hour) };
}
