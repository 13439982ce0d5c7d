/**
 * What a failed TLS handshake means, to the user at the client and to the operator of the server.
 *
 * @module
 */

import { Code, codeText } from "../core/codes.ts";
import type { Rejection } from "../core/connection.ts";
import type { Endpoint } from "./endpoint.ts";
import { errorCode } from "./fault.ts";

/** What the runtime's verifier says, and what that means; the first that is found counts. */
const clientFaults: readonly (readonly [says: string, why: (endpoint: Endpoint, message: string) => string])[] = [
  ["UnknownIssuer", () => `${untrusted}: give --ca with its authority's certificate, or --pin with its fingerprint`],
  ["certificate expired", (_, message) => `its certificate has expired${dateIn(message)}: it has to be renewed there`],
  [
    "certificate not valid yet",
    (_, message) => `its certificate is not valid yet${dateIn(message)}: check both clocks`,
  ],
  [
    "not valid for name",
    ({ host }, message) => `its certificate is ${namesIn(message)}not for ${host}: connect by a name that it has`,
  ],
  ["BadSignature", () => "its certificate is not signed by whom it names"],
  ["UnsupportedCertVersion", () => "its certificate is not of X.509 version 3: it has to be made anew"],
  ["invalid peer certificate", (_, message) => `its certificate is of no use: ${message}`],
  [
    "InvalidContentType",
    () => "what answers there does not speak TLS: connect to it with tcp:// if it is meant to be open",
  ],
  ["CertificateRequired", () => "it asks for a client certificate: give --cert and --key"],
  ["ProtocolVersion", () => "there is no version of TLS that both ends speak: this one speaks 1.2 and 1.3"],
  ["HandshakeFailure", () => "both ends have no way of encrypting in common, or it has no certificate for this name"],
  ["UnrecognisedName", ({ host }) => `it has no certificate for ${host}`],
  ["unexpected end of file", () => "it closed the connection during the TLS handshake"],
];

const untrusted = "its certificate is from nobody that is trusted here";

/** What went wrong with a handshake, for a user; `null` where it is nothing of TLS. */
export function handshakeFault(endpoint: Endpoint, error: unknown): string | null {
  const message = error instanceof Error ? error.message : String(error);
  const found = clientFaults.find(([says]) => message.includes(says));
  return found === undefined ? null : found[1](endpoint, message);
}

/** `certificate expired: verification time 1763 (UNIX), but certificate is not valid after 1609459200 (...)`. */
function dateIn(message: string): string {
  const seconds = /not valid (?:after|before) (\d+)/.exec(message)?.[1];
  return seconds === undefined ? "" : ` (${new Date(Number(seconds) * 1000).toISOString().slice(0, 10)})`;
}

/** `... certificate is only valid for DnsName("example.com")`. */
function namesIn(message: string): string {
  const names = [...message.matchAll(/(?:DnsName\("([^"]+)"\)|IpAddress\(([^)]+)\))/g)].map(([, name, ip]) =>
    name ?? ip
  );
  return names.length === 0 ? "" : `for ${names.join(", ")}, `;
}

/** What a client's alert says, by its name in `node:tls`, or what was wrong with what it sent. */
const serverFaults: readonly (readonly [says: string, code: Code, why: string])[] = [
  ["UNKNOWN_CA", Code.certificate, "the client does not know who issued this server's certificate"],
  ["CERTIFICATE_EXPIRED", Code.certificate, "the client finds this server's certificate expired"],
  [
    "BAD_CERTIFICATE",
    Code.certificate,
    "the client does not accept this server's certificate: another host name, perhaps",
  ],
  [
    "CERTIFICATE_UNKNOWN",
    Code.certificate,
    "the client does not accept this server's certificate: another host name, perhaps",
  ],
  ["DECRYPT_ERROR", Code.certificate, "the client finds this server's certificate not signed by whom it names"],
  ["WRONG_VERSION_NUMBER", Code.tls, "what came is not TLS: a client that connects with tcp://, perhaps"],
  ["ECONNRESET", Code.tls, "the client left during the handshake"],
];

/** Why a handshake failed, for an operator. */
export function rejectionOf(error: Error): Rejection {
  const said = errorCode(error);
  const found = serverFaults.find(([says]) => said.includes(says));
  if (found !== undefined) return { code: found[1], why: found[2] };
  return { code: Code.tls, why: error.message.split("\n")[0] || codeText(Code.tls) };
}
