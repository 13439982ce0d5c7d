/**
 * TLS 1.2 and 1.3 over TCP.
 *
 * @module
 */

import type { Socket as TcpSocket } from "node:net";
import { createServer, type TLSSocket } from "node:tls";
import { Code, codeText } from "../core/codes.ts";
import type { Listener } from "../core/connection.ts";
import { type Endpoint, formatAddress, formatEndpoint } from "./endpoint.ts";
import { listenFault } from "./fault.ts";
import { SocketListener, type SocketListenerOptions } from "./socket.ts";
import { ClientCertificates } from "./tls_clients.ts";
import { rejectionOf } from "./tls_fault.ts";
import type { TlsIdentity, TlsServing } from "./tls_identity.ts";
import { TlsSocket } from "./tls_socket.ts";

/** How long a client may take for its handshake, in milliseconds. */
const handshakeTimeout = 5_000;
/** The most handshakes that are not done; of more, the oldest is given up. */
const mostHandshakes = 1_000;

/** What `node:tls` does not tell in its types. */
type Accepted = TLSSocket & { readonly _parent: TcpSocket };

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
 * using listener = await listenTls(parseEndpoint("tls://127.0.0.1:0"), identity);
 * const dialling = dialTls(parseEndpoint(listener.endpoint), { pin: identity.fingerprint });
 * using accepted = (await listener.accept())!;
 * using dialled = await dialling;
 * await dialled.write(new Uint8Array([1, 2, 3]));
 * assertEquals(await accepted.read(new Uint8Array(16)), 3);
 * ```
 */
export async function listenTls(
  endpoint: Endpoint,
  identity: TlsIdentity,
  options: SocketListenerOptions = {},
): Promise<Listener> {
  const acceptor = new Acceptor(identity, options);
  try {
    const port = await acceptor.listen(endpoint);
    return new SocketListener(acceptor, formatEndpoint({ ...endpoint, port }), options);
  } catch (error) {
    acceptor.close();
    throw listenFault(endpoint, formatEndpoint(endpoint), error);
  }
}

/** Does the handshakes. */
class Acceptor {
  readonly #server;
  readonly #options: SocketListenerOptions;
  readonly #unwatch: () => void;
  #clients: ClientCertificates | null;
  /** Connections whose handshake is not done, oldest first, and what ends the wait for each. */
  readonly #shaking = new Map<TcpSocket, ReturnType<typeof setTimeout>>();
  readonly #waiting: TlsSocket[] = [];
  #arrived: (() => void) | null = null;
  #closed = false;

  constructor(identity: TlsIdentity, options: SocketListenerOptions) {
    this.#options = options;
    this.#server = createServer({ ...shown(identity.serving), allowHalfOpen: true });
    this.#clients = clientsOf(identity.serving);
    this.#unwatch = identity.watch((serving) => {
      this.#server.setSecureContext(shown(serving));
      // Who was let in by another authority is looked at again.
      this.#clients = clientsOf(serving);
    });
    this.#server.on("connection", (tcp: TcpSocket) => this.#begun(tcp));
    this.#server.on("secureConnection", (socket: TLSSocket) => this.#done(socket as Accepted));
    this.#server.on("tlsClientError", (error: Error, socket: TLSSocket) => this.#failed(error, socket as Accepted));
  }

  listen({ host, port }: Endpoint): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, host, () => {
        this.#server.removeListener("error", reject);
        this.#server.on("error", (error: Error) => this.#options.onAcceptError?.(error));
        resolve((this.#server.address() as { port: number }).port);
      });
    });
  }

  async accept(): Promise<TlsSocket> {
    while (this.#waiting.length === 0 && !this.#closed) await new Promise<void>((resolve) => this.#arrived = resolve);
    const socket = this.#waiting.shift();
    if (socket === undefined) throw new Deno.errors.BadResource("closed");
    return socket;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#unwatch();
    this.#server.close();
    for (const tcp of [...this.#shaking.keys()]) this.#over(tcp)?.destroy();
    for (const socket of this.#waiting.splice(0)) socket.close();
    this.#arrived?.();
  }

  #begun(tcp: TcpSocket): void {
    const late = setTimeout(() => this.#giveUp(tcp, codeText(Code.handshakeTimeout)), handshakeTimeout);
    this.#shaking.set(tcp, late);
    tcp.once("close", () => this.#over(tcp));
    if (this.#shaking.size <= mostHandshakes) return;
    this.#giveUp(this.#shaking.keys().next().value!, `more than ${mostHandshakes} handshakes are under way`);
  }

  #giveUp(tcp: TcpSocket, why: string): void {
    this.#reject(tcp, Code.handshakeTimeout, why);
    this.#over(tcp);
    tcp.destroy();
  }

  /** A handshake is not waited for any more. */
  #over(tcp: TcpSocket): TcpSocket {
    clearTimeout(this.#shaking.get(tcp));
    this.#shaking.delete(tcp);
    return tcp;
  }

  #done(socket: Accepted): void {
    this.#over(socket._parent);
    if (this.#closed) {
      socket.destroy();
      return;
    }
    this.#waiting.push(new TlsSocket(socket, socket._parent, this.#clients?.examine(socket)));
    this.#arrived?.();
    this.#arrived = null;
  }

  #failed(error: Error, socket: Accepted): void {
    // What was given up is told already.
    if (!this.#shaking.has(socket._parent)) return;
    const { code, why } = rejectionOf(error);
    this.#reject(socket._parent, code, why);
    this.#over(socket._parent);
  }

  #reject({ remoteAddress: host, remotePort: port }: TcpSocket, code: Code, why: string): void {
    const peer = host === undefined || port === undefined ? "?" : formatAddress(host, port);
    this.#options.onRejected?.({ peer, code, why });
  }
}

function clientsOf({ clientCa }: TlsServing): ClientCertificates | null {
  return clientCa === undefined ? null : new ClientCertificates();
}

function shown({ cert, key, clientCa }: TlsServing): object {
  const asks = clientCa === undefined ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: false };
  return { cert, key, minVersion: "TLSv1.2", ...asks };
}
