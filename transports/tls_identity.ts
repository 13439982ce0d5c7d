/**
 * Who a server is, and whom it asks for a certificate: what may change while it listens.
 *
 * @module
 */

import type { X509Certificate } from "node:crypto";
import { UsageError } from "../core/errors.ts";
import { checkKey, type Fingerprint, fingerprintOf, parseCertificates } from "./tls_certificate.ts";

/** A certificate with its private key, as PEM. */
export interface KeyPair {
  /** The certificate, and those between it and one that the other end trusts. */
  readonly cert: string;
  /** The private key, not encrypted. */
  readonly key: string;
}

/** What a server shows, and what it asks for. */
export interface TlsServing extends KeyPair {
  /** Certificates of the authorities whose clients are let in, as PEM; without it no client is asked for one. */
  readonly clientCa?: string;
}

/**
 * What listeners for TLS show and ask for. One may serve several listeners; when it is renewed, all of them use the new one for
 * the connections that come, and those that are there live on.
 */
export class TlsIdentity {
  #serving: TlsServing;
  #certificate: X509Certificate;
  readonly #listeners = new Set<(serving: TlsServing) => void>();

  /**
   * Checks it.
   *
   * @throws {UsageError} when there is no certificate, or the key is not its own
   */
  constructor(serving: TlsServing) {
    this.#certificate = check(serving);
    this.#serving = serving;
  }

  /** What it is now. */
  get serving(): TlsServing {
    return this.#serving;
  }

  /** The fingerprint that clients may pin. */
  get fingerprint(): Fingerprint {
    return fingerprintOf(this.#certificate);
  }

  /** Until when its certificate is valid. */
  get expires(): Date {
    return new Date(this.#certificate.validTo);
  }

  /**
   * Becomes another; nothing changes where that is of no use.
   *
   * @throws {UsageError} as the constructor does, and when clients would be asked for certificates who were not, or the reverse
   */
  renew(serving: TlsServing): void {
    const certificate = check(serving);
    // A server of `node:tls` decides once whether it asks.
    if ((serving.clientCa === undefined) !== (this.#serving.clientCa === undefined)) {
      throw new UsageError("whether clients are asked for certificates cannot change", "start the server anew");
    }
    this.#certificate = certificate;
    this.#serving = serving;
    for (const renewed of this.#listeners) renewed(serving);
  }

  /**
   * Calls back when it was renewed; returns what ends that.
   *
   * @internal
   */
  watch(renewed: (serving: TlsServing) => void): () => void {
    this.#listeners.add(renewed);
    return () => this.#listeners.delete(renewed);
  }
}

function check({ cert, key, clientCa }: TlsServing): X509Certificate {
  const [certificate] = parseCertificates(cert, "the server's certificate");
  checkKey(certificate!, key, "the server's key");
  if (clientCa !== undefined) parseCertificates(clientCa, "the clients' authorities");
  return certificate!;
}
