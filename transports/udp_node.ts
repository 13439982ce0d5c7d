/**
 * A UDP socket over the runtime's `node:dgram`, for what its own sockets cannot be asked for: which interface IPv6 multicast
 * leaves by. It carries about a quarter as many datagrams.
 *
 * @module
 */

import { createSocket, type Socket } from "node:dgram";
import type { Address, Arrived, DatagramPort } from "../core/datagram_port.ts";
import { TransportError } from "../core/errors.ts";
import { Queue } from "../core/queue.ts";

/** The most datagrams that wait to be received; more are dropped, as the system drops what its buffer cannot hold. */
const mostWaiting = 256;

/** One socket. */
export class NodeUdpPort implements DatagramPort {
  /** Where it can be reached. */
  readonly address: Address;
  readonly #socket: Socket;
  readonly #came = new Queue<{ readonly bytes: Uint8Array; readonly from: Address }>();
  #arrived: (() => void) | null = null;
  #closed = false;

  /**
   * Takes the socket over.
   *
   * @param socket that is bound
   * @param addressOf makes addresses
   */
  constructor(socket: Socket, addressOf: (host: string, port: number) => Address) {
    this.#socket = socket;
    const { address, port } = socket.address();
    this.address = addressOf(address, port);
    socket.on("message", (bytes, { address, port }) => {
      if (this.#came.length < mostWaiting) this.#came.push({ bytes, from: addressOf(address, port) });
      this.#arrive();
    });
    // What a send meets is told to that send.
    socket.on("error", () => {});
  }

  /** Sends one datagram. */
  send(bytes: Uint8Array, to: Address): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.send(bytes, to.port, to.host, (error) => {
        if (error === null || this.#closed) resolve();
        else reject(new TransportError(`send to ${to.text}`, `udp://${to.text}`, error.message));
      });
    });
  }

  /** Receives the next one. */
  async receive(into: Uint8Array): Promise<Arrived | null> {
    while (!this.#closed) {
      const next = this.#came.shift();
      if (next !== undefined) {
        const length = Math.min(next.bytes.length, into.length);
        into.set(next.bytes.subarray(0, length));
        return { length, from: next.from };
      }
      await new Promise<void>((resolve) => this.#arrived = resolve);
    }
    return null;
  }

  /** Ends it. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.close();
    this.#arrive();
  }

  /** As {@linkcode close}. */
  [Symbol.dispose](): void {
    this.close();
  }

  #arrive(): void {
    this.#arrived?.();
    this.#arrived = null;
  }
}

/**
 * A socket from which IPv6 multicast goes, to the interface's own network: `setMulticastTTL` does nothing for IPv6 here.
 *
 * @param zone of the interface that it leaves by
 * @param addressOf makes addresses
 */
export async function openIpv6Group(
  zone: string,
  addressOf: (host: string, port: number) => Address,
): Promise<DatagramPort> {
  const socket = createSocket({ type: "udp6", ipv6Only: true });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.once("error", reject);
  socket.bind(0, "::", () => resolve());
  await promise;
  socket.off("error", reject);
  try {
    socket.setMulticastInterface(`::%${zone}`);
    socket.setMulticastLoopback(true);
  } catch (error) {
    socket.close();
    throw error;
  }
  return new NodeUdpPort(socket, addressOf);
}
