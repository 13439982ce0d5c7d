/**
 * Certificates as tests need them: good ones, and ones with any one thing wrong.
 *
 * @module
 */

import "reflect-metadata";
import { webcrypto } from "node:crypto";
import { isIP } from "node:net";
import * as x509 from "@peculiar/x509";
import type { KeyPair } from "../../transports/tls_identity.ts";
import { openssl } from "./openssl.ts";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const rsa = { name: "RSASSA-PKCS1-v1_5", modulusLength: 2048, publicExponent: Uint8Array.of(1, 0, 1), hash: "SHA-256" };
const day = 86_400_000;

/** A moment so many days from now. */
export function daysFromNow(days: number): Date {
  return new Date(Date.now() + days * day);
}

/** What a certificate says; without more, one of a server on this machine. */
export interface Wanted {
  /** Its subject, such as `CN=alice`; `CN=localhost` unless given. */
  readonly subject?: string;
  /** Host names and addresses; `localhost`, `127.0.0.1` and `::1` unless given. */
  readonly hosts?: readonly string[];
  /** From when it is valid; yesterday unless given. */
  readonly from?: Date;
  /** Until when it is valid; tomorrow unless given. */
  readonly to?: Date;
  /** Whether it may sign others. */
  readonly ca?: boolean;
  /** Whether its key is one of RSA, instead of ECDSA. Only for one that another signs. */
  readonly rsa?: boolean;
}

/** Who signs certificates. */
export class Authority {
  /** Its own certificate, as PEM. */
  readonly cert: string;
  /** Its private key, as PEM. */
  readonly key: string;
  readonly #certificate: x509.X509Certificate;
  readonly #keys: CryptoKeyPair;
  /** What goes behind each certificate that it signs: itself, unless everybody who trusts anybody has it. */
  readonly #chain: string;

  private constructor(made: Made, root: boolean) {
    ({ cert: this.cert, key: this.key } = made.pair);
    this.#certificate = made.certificate;
    this.#keys = made.keys;
    this.#chain = root ? "" : this.cert;
  }

  /** Makes one that signs itself. Two of the same name are as like as a forger can make them. */
  static async root(name = "Test CA"): Promise<Authority> {
    return new Authority(await make({ subject: `CN=${name}`, hosts: [], ca: true }, null), true);
  }

  /** Signs with a key, in the name of whoever's certificate it is; that certificate goes behind each. */
  static async of({ cert, key }: KeyPair): Promise<Authority> {
    const certificate = new x509.X509Certificate(cert);
    const { publicKey } = certificate;
    const pkcs8 = x509.PemConverter.decodeFirst(key);
    const privateKey = await webcrypto.subtle.importKey("pkcs8", pkcs8, algorithm, true, ["sign"]);
    const keys = { privateKey, publicKey: await publicKey.export() };
    return new Authority({ pair: { cert, key }, certificate, keys }, false);
  }

  /** Makes one below this one: what it signs is shown together with its own certificate. */
  async intermediate(name = "Test Intermediate CA"): Promise<Authority> {
    return new Authority(await make({ subject: `CN=${name}`, hosts: [], ca: true }, this.#issuer), false);
  }

  /** Signs a certificate. */
  async issue(wanted: Wanted = {}): Promise<KeyPair> {
    const { cert, key } = (await make(wanted, this.#issuer)).pair;
    return { cert: cert + this.#chain, key };
  }

  /** Signs one of a client. */
  client(name: string, wanted: Wanted = {}): Promise<KeyPair> {
    return this.issue({ subject: `CN=${name}`, hosts: [], ...wanted });
  }

  get #issuer(): Issuer {
    return { certificate: this.#certificate, key: this.#keys.privateKey };
  }
}

/** Makes a certificate that signs itself. */
export async function selfSignedAs(wanted: Wanted): Promise<KeyPair> {
  return (await make(wanted, null)).pair;
}

/** Makes a certificate that signs itself, with a key as `openssl req -newkey` is told. Needs `openssl`. */
export async function selfSignedWith(newKey: readonly string[]): Promise<KeyPair> {
  const hosts = "subjectAltName=DNS:localhost,IP:127.0.0.1";
  return await inDirectory((path) =>
    openssl(["req", "-x509", "-nodes", "-newkey", ...newKey, "-keyout", path("key.pem"), "-out", path("cert.pem")]
      .concat("-subj", "/CN=localhost", "-days", "1", "-addext", hosts))
  );
}

/**
 * Forges a certificate of X.509 version 1: it names an issuer, whose key did not sign it. Needs `openssl`.
 *
 * @param issuer the common name of the issuer
 */
export async function forgedVersion1(subject: string, issuer: string): Promise<KeyPair> {
  const forger = await Authority.root(issuer);
  return await inDirectory(async (path) => {
    await Deno.writeTextFile(path("ca.pem"), forger.cert);
    await Deno.writeTextFile(path("ca.key"), forger.key);
    const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", path("key.pem")];
    await openssl(["req", "-new", ...newKey, "-subj", `/CN=${subject}`, "-out", path("request.pem")]);
    const signing = ["-CA", path("ca.pem"), "-CAkey", path("ca.key"), "-set_serial", "1", "-days", "1"];
    await openssl(["x509", "-req", "-in", path("request.pem"), ...signing, "-out", path("cert.pem")]);
  });
}

/** What is left as `cert.pem` and `key.pem` in a directory that is then removed. */
async function inDirectory(work: (path: (name: string) => string) => Promise<unknown>): Promise<KeyPair> {
  const directory = await Deno.makeTempDir();
  const path = (name: string) => `${directory}/${name}`;
  try {
    await work(path);
    return { cert: await Deno.readTextFile(path("cert.pem")), key: await Deno.readTextFile(path("key.pem")) };
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

interface Issuer {
  readonly certificate: x509.X509Certificate;
  readonly key: CryptoKey;
}

interface Made {
  readonly certificate: x509.X509Certificate;
  readonly keys: CryptoKeyPair;
  readonly pair: KeyPair;
}

async function make(wanted: Wanted, issuer: Issuer | null): Promise<Made> {
  const { subject = "CN=localhost", hosts = ["localhost", "127.0.0.1", "::1"], ca = false } = wanted;
  const keys = await webcrypto.subtle.generateKey(wanted.rsa ? rsa : algorithm, true, [
    "sign",
    "verify",
  ]) as CryptoKeyPair;
  const names = hosts.map((host) => ({ type: isIP(host) === 0 ? "dns" as const : "ip" as const, value: host }));
  const certificate = await x509.X509CertificateGenerator.create({
    subject,
    issuer: issuer?.certificate.subjectName ?? subject,
    publicKey: keys.publicKey,
    signingKey: issuer?.key ?? keys.privateKey,
    signingAlgorithm: algorithm,
    notBefore: wanted.from ?? daysFromNow(-1),
    notAfter: wanted.to ?? daysFromNow(1),
    extensions: [
      new x509.BasicConstraintsExtension(ca, undefined, true),
      ...(names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)]),
    ],
  });
  const key = new Uint8Array(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey));
  const pair = {
    cert: `${certificate.toString("pem")}\n`,
    key: `${x509.PemConverter.encode(key.buffer, "PRIVATE KEY")}\n`,
  };
  return { certificate, keys, pair };
}
