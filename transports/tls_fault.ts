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
  ["UnknownIssuer", () => untrusted],
  // It may sign others, as what `openssl req -x509` makes may, and it is not one of --ca.
  ["CaUsedAsEndEntity", () => untrusted],
  ["certificate expired", (_, message) => `its certificate has expired${dateIn(message)}: it has to be renewed there`],
  [
    "certificate not valid yet",
    (_, message) => `its certificate is not valid yet${dateIn(message)}: check both clocks`,
  ],
  ["not valid for name", wrongName],
  ["does not match certificate", wrongName],
  // Where no issuer is asked for, `node:tls` says these of a handshake that the certificate's key has not signed.
  ["unable to get local issuer certificate", () => stolen],
  ["unable to verify the first certificate", () => stolen],
  ["self-signed certificate", () => stolen],
  ["BadSignature", () => "its certificate is not signed by whom it names"],
  ["UnsupportedCertVersion", () => "its certificate is not of X.509 version 3: it has to be made anew"],
  ["invalid peer certificate", (_, message) => `its certificate is of no use: ${message}`],
  [
    "InvalidContentType",
    () => "what answers there does not speak TLS: connect to it with tcp:// if it is meant to be open",
  ],
  ["CertificateRequired", () => "it asks for a client certificate: give --cert and --key"],
  ["ProtocolVersion", () => "there is no version of TLS that both ends speak: this one speaks 1.2 and 1.3"],
  [
    "HandshakeFailure",
    () =>
      "it has no way of encrypting in common, no certificate for this name, or asks for one of the client (--cert and --key)",
  ],
  ["UnrecognisedName", ({ host }) => `it has no certificate for ${host}`],
  ["UnknownCA", () => "it does not know who issued the client's certificate"],
  ["received fatal alert", (_, message) => `it ended the TLS handshake with the alert ${message.split(": ").at(-1)}`],
  ["unexpected end of file", () => "it closed the connection during the TLS handshake"],
  ["before secure TLS connection", () => "it closed the connection during the TLS handshake"],
];

const untrusted =
  "its certificate is from nobody that is trusted here: give --ca with its authority's certificate, or --pin with its fingerprint";

const stolen = "it has not the key of the certificate that it shows, or one that is too weak";

function wrongName({ host }: Endpoint, message: string): string {
  return `its certificate is ${namesIn(message)}not for ${host}: connect by a name that it has`;
}

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

/** `... certificate is only valid for DnsName("example.com")`, or `... altnames: DNS:example.com, IP Address:10.0.0.1`. */
function namesIn(message: string): string {
  const names = message.matchAll(
    /DnsName\("([^"]+)"\)|IpAddress\(([^)]+)\)|(?:DNS|IP Address|cert's (?:CN|list)): ?([^\s,]+)/g,
  );
  const list = [...names].map(([, dns, ip, either]) => dns ?? ip ?? either).join(", ");
  return list === "" ? "" : `for ${list}, `;
}

/** What a client's alert says, by its name in `node:tls`, or what was wrong with what it sent. */
const serverFaults: readonly (readonly [says: string, code: Code, why: string])[] = [
  ["UNKNOWN_CA", Code.certificate, "the client does not know who issued this server's certificate"],
  ["CERTIFICATE_EXPIRED", Code.certificate, "the client finds this server's certificate expired, or not valid yet"],
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
  // As at the client: a handshake that the certificate's key has not signed.
  [
    "UNABLE_TO_VERIFY_LEAF",
    Code.certificate,
    "the client has not the key of the certificate that it shows, or one that is too weak",
  ],
  ["WRONG_VERSION_NUMBER", Code.tls, "what came is not TLS: a client that connects with tcp://, perhaps"],
];

/** Why a handshake failed whose client is gone. */
export const clientLeft: Rejection = { code: Code.tls, why: "the client left during the handshake" };

/** Why a handshake failed, for an operator. */
export function rejectionOf(error: Error): Rejection {
  const said = errorCode(error);
  if (said === "ECONNRESET") return clientLeft;
  const found = serverFaults.find(([says]) => said.includes(says));
  if (found !== undefined) return { code: found[1], why: found[2] };
  const why = error.message.split("\n")[0]!;
  const lacking = /^peer is incompatible: (\w+)/.exec(why)?.[1];
  if (lacking !== undefined) {
    return {
      code: Code.tls,
      why: `the client has not what TLS 1.2 or 1.3 needs, ECDHE and an AEAD cipher: ${lacking}`,
    };
  }
  return { code: Code.tls, why: why || codeText(Code.tls) };
}
