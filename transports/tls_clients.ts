/**
 * Who a client is by its certificate, and whether that is to be believed.
 *
 * `node:tls` is asked not to reject, since a client that it rejects is told nothing: here it is let in so far that the session
 * can tell it why it ends.
 *
 * @module
 */

import type { PeerCertificate, TLSSocket } from "node:tls";
import { Code } from "../core/codes.ts";
import type { Rejection } from "../core/connection.ts";
import { distrust, type Fingerprint, fingerprintOf } from "./tls_certificate.ts";

/** The most certificates that are remembered. */
const mostRemembered = 10_000;

/** Whom a connection is with: a user, or somebody who is not let in. */
export type Client = { readonly user: string } | { readonly rejected: Rejection };

/** Examines the certificates of clients, of one set of authorities. */
export class ClientCertificates {
  /** Those that were verified in a whole handshake. */
  readonly #verified = new Set<Fingerprint>();

  /** Says who is at the other end of a connection whose handshake is done. */
  examine(socket: TLSSocket): Client {
    const certificate = socket.getPeerCertificate() as PeerCertificate | null;
    if (!certificate?.raw) return rejected("this server asks for a client certificate: give --cert and --key");
    const why = this.#fault(socket, certificate);
    if (why !== null) return rejected(why);
    const { CN: user } = certificate.subject;
    if (typeof user !== "string" || user === "") {
      return rejected("the client's certificate has no common name, or several: the user is named by it");
    }
    return { user };
  }

  #fault(socket: TLSSocket, certificate: PeerCertificate): string | null {
    const fingerprint = fingerprintOf(certificate);
    // Deno 2.9.6 says of every certificate that it refuses that its signature could not be verified.
    if (Date.parse(certificate.valid_to) < Date.now()) return "the client's certificate has expired";
    if (Date.parse(certificate.valid_from) > Date.now()) return "the client's certificate is not valid yet";
    if (socket.isSessionReused()) {
      // Deno 2.9.6 verifies nothing when a session is resumed, and then says that it is authorized: whoever was refused
      // before would get in.
      if (!this.#verified.has(fingerprint)) return "the client resumes a session whose certificate was not accepted";
      this.#remember(fingerprint);
      return null;
    }
    if (!socket.authorized) return "the client's certificate is from no authority that this server trusts";
    const broken = distrust(certificate.raw);
    if (broken !== null) return `the client's certificate ${broken}`;
    this.#remember(fingerprint);
    return null;
  }

  /** The one that was longest not used is forgotten for another. */
  #remember(fingerprint: Fingerprint): void {
    this.#verified.delete(fingerprint);
    this.#verified.add(fingerprint);
    if (this.#verified.size > mostRemembered) this.#verified.delete(this.#verified.values().next().value!);
  }
}

function rejected(why: string): Client {
  return { rejected: { code: Code.certificate, why } };
}
