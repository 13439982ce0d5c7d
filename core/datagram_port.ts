/**
 * What core asks of a transport that carries datagrams.
 *
 * @module
 */

/** Where a datagram comes from, or goes to. */
export interface Address {
  /** A name or an address; an IPv6 address without brackets. */
  readonly host: string;
  /** 1 to 65,535. */
  readonly port: number;
  /** Both, as an endpoint has them: two addresses are the same when their texts are. */
  readonly text: string;
}

/** A datagram that came: how long it is, and from whom. */
export interface Arrived {
  /** Bytes of it. */
  readonly length: number;
  /** Who sent it. */
  readonly from: Address;
}

/**
 * One UDP socket: sized, lossy, addressed.
 *
 * - At most one `receive` is pending at a time; the caller sees to it. Sends may overlap.
 * - `close` is idempotent, and ends a pending `receive`.
 */
export interface DatagramPort extends Disposable {
  /** Where it can be reached; the host as it was bound. */
  readonly address: Address;
  /**
   * Sends one datagram, whole. Whether it arrives is not known.
   *
   * @throws {TransportError} when the system does not take it: it is too large, or there is no way to there
   */
  send(bytes: Uint8Array, to: Address): Promise<void>;
  /**
   * Receives the next datagram into `into`; what does not fit is cut off.
   *
   * @returns what came, or `null` once the port is closed
   */
  receive(into: Uint8Array): Promise<Arrived | null>;
  /** Ends it. */
  close(): void;
}

/**
 * Opens the port that datagrams leave from to those who are connected to an address: at that address, since they know no
 * other, and neither do the firewalls on the way.
 *
 * @throws {TransportError} when it cannot be opened
 */
export type OpenDatagrams = (at: Address) => DatagramPort;

/** The ports of a group's receiver. */
export interface GroupPorts {
  /** Where the group's datagrams come: on each port of the group. */
  readonly group: readonly DatagramPort[];
  /** Where requests leave, and what is sent to this receiver alone comes. */
  readonly own: DatagramPort;
}
