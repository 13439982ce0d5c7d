/**
 * Connects with TLS.
 *
 * The runtime's own client verifies certificates. `node:tls` serves where the certificate is known by itself, or does not
 * matter: what Deno 2.9.6 verifies there can be forged (see `distrust`), so that nothing is left to it but the encryption and
 * the proof that the other end has the certificate's key.
 *
 * @module
 */

import { isIP, Socket as TcpSocket } from "node:net";
import { checkServerIdentity, connect, type PeerCertificate, type TLSSocket } from "node:tls";
import type { Connection } from "../core/connection.ts";
import type { Endpoint } from "./endpoint.ts";
import { dialSocket, type Socket } from "./socket.ts";
import { distrust, type Fingerprint, fingerprintOf, parseCertificates } from "./tls_certificate.ts";
import { handshakeFault } from "./tls_fault.ts";
import type { KeyPair } from "./tls_identity.ts";
import { TlsSocket } from "./tls_socket.ts";

/** Whom a client trusts, and who it is. */
export interface TlsTrust {
  /** Certificates of authorities, or of servers themselves, instead of those that the runtime trusts; PEM. */
  readonly ca?: string;
  /** The server's certificate has this fingerprint; nothing else of it matters. */
  readonly pin?: Fingerprint;
  /** Any certificate will do: whoever is on the way can read and change everything. */
  readonly insecure?: boolean;
  /** The client's own certificate. */
  readonly client?: KeyPair;
}

/** What is wrong with a server's certificate, as a clause; `null` if nothing is. */
type Examine = (certificate: PeerCertificate) => string | null;

/**
 * Connects with TLS, and checks that the certificate is the host's and from somebody who is trusted.
 *
 * @throws {TransportError} when nothing listens there, the name is not known, the certificate is not to be trusted, or there is
 * no answer within 10 s
 * @throws the signal's reason when it aborts
 */
export function dialTls(endpoint: Endpoint, trust: TlsTrust = {}, signal?: AbortSignal): Promise<Connection> {
  return dialSocket(endpoint, (signal) => open(endpoint, trust, signal), signal);
}

async function open(endpoint: Endpoint, trust: TlsTrust, signal: AbortSignal): Promise<Socket> {
  try {
    if (trust.insecure === true) return await known(endpoint, trust, () => null, signal);
    if (trust.pin !== undefined) return await known(endpoint, trust, pinned(trust.pin), signal);
    return await trusted(endpoint, trust, signal);
  } catch (error) {
    const why = handshakeFault(endpoint, error);
    throw why === null ? error : new Error(why, { cause: error });
  }
}

/** Connects to whom an authority vouches for. */
async function trusted(endpoint: Endpoint, trust: TlsTrust, signal: AbortSignal): Promise<Socket> {
  let verified: Deno.TlsConn;
  try {
    verified = await verify(endpoint, trust, signal);
  } catch (error) {
    // A certificate that may sign others is no server's, says the runtime's verifier; but it is what `openssl req -x509` makes.
    if (trust.ca === undefined || !String(error).includes("CaUsedAsEndEntity")) throw error;
    return await known(endpoint, trust, listed(endpoint, trust.ca, String(error)), signal);
  }
  if (trust.client === undefined) return verified;
  // With a certificate of its own the runtime's client keeps Nagle's algorithm: whose certificate it has verified is enough.
  const fingerprint = fingerprintOfPeer(verified);
  verified.close();
  return await known(endpoint, trust, pinned(fingerprint), signal);
}

/** The runtime's own handshake, which verifies. */
async function verify({ host, port }: Endpoint, trust: TlsTrust, signal: AbortSignal): Promise<Deno.TlsConn> {
  const caCerts = trust.ca === undefined ? [] : [trust.ca];
  if (trust.client !== undefined) {
    const connecting = Deno.connectTls({ hostname: host, port, caCerts, ...trust.client });
    return await shaken(await unlessAborted(connecting, signal), signal);
  }
  const tcp = await Deno.connect({ hostname: host, port, signal });
  tcp.setNoDelay(true);
  return await shaken(await Deno.startTls(tcp, { hostname: host, caCerts }), signal);
}

/** Waits for a connection, which cannot be told of a signal. If that aborts first, the connection is closed when it comes. */
async function unlessAborted(connecting: Promise<Deno.TlsConn>, signal: AbortSignal): Promise<Deno.TlsConn> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => {
    connecting.then((late) => late.close(), () => {});
    reject(signal.reason);
  };
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([connecting, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/**
 * Waits for the handshake; a connection that is aborted meanwhile is closed.
 *
 * Deno 2.9.6 keeps the TCP connection below it until the other end says something or closes, too.
 *
 * @internal
 */
export async function shaken(socket: Deno.TlsConn, signal: AbortSignal): Promise<Deno.TlsConn> {
  const close = () => socket.close();
  if (signal.aborted) close();
  signal.addEventListener("abort", close, { once: true });
  try {
    await socket.handshake();
    return socket;
  } catch (error) {
    if (!signal.aborted) close();
    throw error;
  } finally {
    signal.removeEventListener("abort", close);
  }
}

/** The runtime knows the peer's certificate, and has no name for telling it: `node:tls` asks it by this symbol. */
function fingerprintOfPeer(socket: Deno.TlsConn): Fingerprint {
  const symbol = Object.getOwnPropertySymbols(Object.getPrototypeOf(socket))
    .find(({ description }) => description === "getPeerCertificate");
  const tell = symbol && (socket as unknown as Record<symbol, () => PeerCertificate>)[symbol];
  if (tell === undefined) {
    throw new Error("this runtime does not tell the server's certificate: leave --cert and --key out");
  }
  return fingerprintOf(tell.call(socket));
}

function pinned(pin: Fingerprint): Examine {
  return (certificate) => {
    const fingerprint = fingerprintOf(certificate);
    if (fingerprint === pin) return distrusted(certificate);
    return `its certificate is another one: its fingerprint is ${fingerprint}, and ${pin} is pinned`;
  };
}

/**
 * Takes a certificate that is one of those in `ca`, for the names in it.
 *
 * @param otherwise what is wrong with any other
 */
function listed({ host }: Endpoint, ca: string, otherwise: string): Examine {
  const fingerprints = parseCertificates(ca, "--ca").map(fingerprintOf);
  return (certificate) => {
    if (!fingerprints.includes(fingerprintOf(certificate))) return otherwise;
    const { valid_from: from, valid_to: to } = certificate;
    // The one that the runtime looked at was in time; but it was another connection, and may have been another certificate.
    if (Date.parse(from) > Date.now() || Date.parse(to) < Date.now()) {
      return `its certificate is valid from ${from} to ${to}`;
    }
    return checkServerIdentity(host, certificate)?.message ?? null;
  };
}

function distrusted({ raw }: PeerCertificate): string | null {
  const why = distrust(raw);
  return why === null ? null : `its certificate ${why}`;
}

/** Connects to whom the certificate itself is known of, or to anybody. */
async function known(endpoint: Endpoint, trust: TlsTrust, examine: Examine, signal: AbortSignal): Promise<Socket> {
  const { host, port } = endpoint;
  const tcp = new TcpSocket({ allowHalfOpen: true });
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const abort = () => reject(new Error("aborted"));
  signal.addEventListener("abort", abort, { once: true });
  tcp.on("error", reject);
  tcp.once("close", () => reject(new Deno.errors.UnexpectedEof("unexpected end of file")));
  tcp.once("connect", () => {
    const servername = isIP(host) === 0 ? { servername: host } : {};
    const options = {
      socket: tcp,
      rejectUnauthorized: false,
      minVersion: "TLSv1.2",
      ...servername,
      ...trust.client,
    } as const;
    const socket: TLSSocket = connect({ ...options, checkServerIdentity: () => undefined });
    socket.on("error", reject);
    socket.once("secureConnect", () => {
      const why = examine(socket.getPeerCertificate());
      if (why === null) resolve(new TlsSocket(socket, tcp));
      else reject(new Error(why));
    });
  });
  tcp.connect({ host, port });
  try {
    return await promise;
  } catch (error) {
    tcp.destroy();
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
