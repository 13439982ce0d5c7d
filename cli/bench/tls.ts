/**
 * TLS for what is measured: the certificate of the servers that the benchmark starts, and whom its connections trust.
 *
 * @module
 */

import { selfSigned } from "../../transports/tls_self_signed.ts";
import { Failure } from "../exit.ts";
import { fileReason } from "../stdio.ts";

/** What the user asked of TLS. */
export interface BenchTls {
  /** The file of certificates that servers which run already are trusted by; `null` for the system's. */
  readonly ca: string | null;
}

/** Whom connections with TLS trust. */
export interface BenchTrust {
  /** Certificates, as PEM, instead of those that the system trusts. */
  readonly ca?: string;
}

/** A certificate of this machine for the servers of one benchmark. Disposing of it removes its files. */
export class BenchCertificate implements AsyncDisposable {
  /** The file of the certificate. */
  readonly certFile: string;
  /** The file of its key, which this user alone may read. */
  readonly keyFile: string;
  /** Trusts it, and nobody else. */
  readonly trust: BenchTrust;
  readonly #directory: string;

  private constructor(directory: string, cert: string) {
    this.#directory = directory;
    this.certFile = `${directory}/cert.pem`;
    this.keyFile = `${directory}/key.pem`;
    this.trust = { ca: cert };
  }

  /**
   * Makes one.
   *
   * @throws {Failure} when its files cannot be written
   */
  static async make(): Promise<BenchCertificate> {
    const { cert, key } = await selfSigned(["localhost", "127.0.0.1"]);
    try {
      const certificate = new BenchCertificate(await Deno.makeTempDir({ prefix: "stream-bench-" }), cert);
      await Deno.writeTextFile(certificate.keyFile, key, { mode: 0o600 });
      await Deno.writeTextFile(certificate.certFile, cert);
      return certificate;
    } catch (error) {
      throw new Failure(`cannot write a certificate for the servers: ${fileReason(error)}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#directory, { recursive: true });
  }
}

/**
 * Whom servers that run already are trusted by.
 *
 * @param ca a file of certificates; the system's without it
 * @throws {Failure} when it cannot be read
 */
export async function readTrust(ca: string | null): Promise<BenchTrust> {
  if (ca === null) return {};
  try {
    return { ca: await Deno.readTextFile(ca) };
  } catch (error) {
    throw new Failure(`cannot read --ca ${JSON.stringify(ca)}: ${fileReason(error)}`);
  }
}
