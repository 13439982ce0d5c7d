/**
 * TLS 1.2 and 1.3 over TCP.
 *
 * @module
 */

import type { Socket as TcpSocket } from "node:net";
import { createServer, type TLSSocket } from "node:tls";
import { Code, codeText } from "../core/codes.ts";
import type { Listener, Rejection } from "../core/connection.ts";
import { type Endpoint, formatAddress, formatEndpoint } from "./endpoint.ts";
import { listenFault } from "./fault.ts";
import { SocketListener, type SocketListenerOptions } from "./socket.ts";
import { ClientCertificates } from "./tls_clients.ts";
import { clientLeft, rejectionOf } from "./tls_fault.ts";
import type { TlsIdentity, TlsServing } from "./tls_identity.ts";
import { TlsSocket } from "./tls_socket.ts";
import { toNodeSocket } from "./tls_tcp.ts";

/** How long a client may take for its handshake, in milliseconds, unless it is said. */
const handshakeTimeout = 5_000;
/** The most handshakes that are not done; of more, the oldest is given up. */
const mostHandshakes = 1_000;

/** How a listener may be set up. */
export interface TlsListenerOptions extends SocketListenerOptions {
  /** How long a client may take for its handshake, in milliseconds; 5,000 unless given. */
  readonly handshakeTimeout?: number;
}

/** What `node:tls` does not tell in its types. */
type Accepted = TLSSocket & { readonly _parent: TcpSocket };

/** A connection whose handshake is not done. */
interface Handshake {
  /** Who it is with, as an address; a socket that is closed does not know it any more. */
  readonly peer: string;
  /** Ends the wait for it. */
  readonly late: ReturnType<typeof setTimeout>;
}

/**
 * Listens for TLS connections: those that are accepted have done their handshake.
 *
 * @throws {TransportError} when the port is in use or not permitted
 *
 * @example
 * ```ts
 * import { parseEndpoint } from "../transports/endpoint.ts";
 * import { listenTls } from "../transports/tls.ts";
 * import { dialTls } from "../transports/tls_dial.ts";
 * import { TlsIdentity } from "../transports/tls_identity.ts";
 * import { selfSigned } from "../transports/tls_self_signed.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const identity = new TlsIdentity(await selfSigned(["localhost", "127.0.0.1"]));
 * using listener = listenTls(parseEndpoint("tls://127.0.0.1:0"), identity);
 * const dialling = dialTls(parseEndpoint(listener.endpoint), { pin: identity.fingerprint });
 * using accepted = (await listener.accept())!;
 * using dialled = await dialling;
 * await dialled.write(new Uint8Array([1, 2, 3]));
 * assertEquals(await accepted.read(new Uint8Array(16)), 3);
 * ```
 */
export function listenTls(endpoint: Endpoint, identity: TlsIdentity, options: TlsListenerOptions = {}): Listener {
  let listener: Deno.TcpListener;
  try {
    listener = Deno.listen({ hostname: endpoint.host, port: endpoint.port });
  } catch (error) {
    throw listenFault(endpoint, formatEndpoint(endpoint), error);
  }
  const acceptor = new Acceptor(listener, identity, options);
  return new SocketListener(acceptor, formatEndpoint({ ...endpoint, port: listener.addr.port }), options);
}

/** Does the handshakes. */
class Acceptor {
  readonly #listener: Deno.TcpListener;
  /** It listens to nothing itself: it is given connections. */
  readonly #server;
  readonly #options: TlsListenerOptions;
  readonly #unwatch: () => void;
  #clients: ClientCertificates | null;
  /** Oldest first. */
  readonly #shaking = new Map<TcpSocket, Handshake>();
  readonly #waiting: TlsSocket[] = [];
  #arrived: (() => void) | null = null;
  #accepting = false;
  /** Why no connection can be accepted, until that was told. */
  #fault: unknown = null;
  #closed = false;

  constructor(listener: Deno.TcpListener, identity: TlsIdentity, options: TlsListenerOptions) {
    this.#listener = listener;
    this.#options = options;
    this.#server = createServer(shown(identity.serving));
    this.#clients = clientsOf(identity.serving);
    let { clientCa } = identity.serving;
    this.#unwatch = identity.watch((serving) => {
      this.#server.setSecureContext(shown(serving));
      // Who was let in by another authority is looked at again. By the same one it is let in again, also where it resumes a
      // session, as the runtime lets it do whatever certificate the server has now.
      if (serving.clientCa !== clientCa) this.#clients = clientsOf(serving);
      clientCa = serving.clientCa;
    });
    this.#server.on("connection", (tcp: TcpSocket) => this.#begun(tcp));
    this.#server.on("secureConnection", (socket: TLSSocket) => this.#done(socket as Accepted));
    this.#server.on("tlsClientError", (error: Error, socket: TLSSocket) => {
      this.#failed((socket as Accepted)._parent, rejectionOf(error));
    });
  }

  async accept(): Promise<TlsSocket> {
    if (!this.#accepting) this.#acceptTcp();
    while (this.#waiting.length === 0 && this.#fault === null) {
      await new Promise<void>((resolve) => this.#arrived = resolve);
    }
    const fault = this.#fault;
    this.#fault = null;
    if (fault !== null) throw fault;
    return this.#waiting.shift()!;
  }

  /** Begins handshakes until something is wrong, which {@linkcode accept} tells: it is then asked again, when that may help. */
  async #acceptTcp(): Promise<void> {
    this.#accepting = true;
    try {
      for (;;) this.#server.emit("connection", toNodeSocket(await this.#listener.accept()));
    } catch (error) {
      this.#accepting = false;
      this.#fault = error;
      this.#woken();
    }
  }

  #woken(): void {
    this.#arrived?.();
    this.#arrived = null;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#unwatch();
    this.#listener.close();
    for (const tcp of [...this.#shaking.keys()]) {
      this.#over(tcp);
      tcp.destroy();
    }
    for (const socket of this.#waiting.splice(0)) socket.close();
  }

  #begun(tcp: TcpSocket): void {
    const { remoteAddress: host, remotePort: port } = tcp;
    const peer = host === undefined || port === undefined ? "?" : formatAddress(host, port);
    const { handshakeTimeout: timeout = handshakeTimeout } = this.#options;
    const late = setTimeout(() => this.#giveUp(tcp, codeText(Code.handshakeTimeout)), timeout);
    this.#shaking.set(tcp, { peer, late });
    tcp.once("close", () => this.#failed(tcp, clientLeft));
    if (this.#shaking.size <= mostHandshakes) return;
    this.#giveUp(this.#shaking.keys().next().value!, `more than ${mostHandshakes} handshakes are under way`);
  }

  #giveUp(tcp: TcpSocket, why: string): void {
    this.#failed(tcp, { code: Code.handshakeTimeout, why });
    tcp.destroy();
  }

  /** Tells of a handshake that failed, once: that it is given up or in error is followed by the end of its connection. */
  #failed(tcp: TcpSocket, rejection: Rejection): void {
    const handshake = this.#over(tcp);
    if (handshake !== undefined) this.#options.onRejected?.({ peer: handshake.peer, ...rejection });
  }

  /** A handshake is not waited for any more, if it was. */
  #over(tcp: TcpSocket): Handshake | undefined {
    const handshake = this.#shaking.get(tcp);
    clearTimeout(handshake?.late);
    this.#shaking.delete(tcp);
    return handshake;
  }

  #done(socket: Accepted): void {
    this.#over(socket._parent);
    if (this.#closed) {
      socket.destroy();
      return;
    }
    // Not before: the wait for a client that has left during its handshake would go on.
    socket.allowHalfOpen = true;
    this.#waiting.push(new TlsSocket(socket, socket._parent, this.#clients?.examine(socket)));
    this.#woken();
  }
}

function clientsOf({ clientCa }: TlsServing): ClientCertificates | null {
  return clientCa === undefined ? null : new ClientCertificates();
}

function shown({ cert, key, clientCa }: TlsServing): object {
  const asks = clientCa === undefined ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: false };
  return { cert, key, minVersion: "TLSv1.2", ...asks };
}
