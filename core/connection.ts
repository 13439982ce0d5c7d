/**
 * What core asks of a transport: byte streams, and what accepts them.
 *
 * Transports implement these over sockets, tests over memory; core knows no other kind of I/O.
 *
 * @module
 */

import type { Codec } from "./codec.ts";
import type { Code } from "./codes.ts";
import type { Address } from "./datagram_port.ts";

/**
 * One reliable, ordered byte stream between two programs.
 *
 * - At most one `read` and at most one `write` are pending at a time; the caller sees to it.
 * - `close` is idempotent. It rejects a pending `read` or `write`, which is an ordinary end: after
 *   `close`, callers ignore the rejection.
 * - A connection the peer ended (end of file, reset) rejects `write` with a `TransportError`.
 */
export interface Connection extends Disposable {
  /** The other end, for people: `127.0.0.1:51334`. Never parsed. */
  readonly peer: string;
  /** Where this end is, for datagrams beside it; none where it does not go over IP. */
  readonly local?: Address;
  /** Where the other end is. */
  readonly remote?: Address;
  /** Whether nobody on the way can read it. */
  readonly encrypted?: boolean;
  /** Who the other end has proved to be; none where it was not asked. */
  readonly user?: string;
  /** Why the other end is not to be served, although there is a connection to tell it so. */
  readonly rejected?: Rejection;
  /**
   * Reads at least one byte into `into`, as soon as there is one.
   *
   * @returns the number of bytes read, or `null` when the peer has finished writing
   */
  read(into: Uint8Array): Promise<number | null>;
  /**
   * Writes at least one byte of `bytes`, waiting while the peer accepts none: this is back-pressure.
   *
   * @returns the number of bytes accepted, from 1 to `bytes.length`; callers loop on the rest
   */
  write(bytes: Uint8Array): Promise<number>;
  /** Tells the peer that nothing more will be written; reading goes on. */
  closeWrite(): Promise<void>;
  /** Ends both directions at once. */
  close(): void;
}

/** Why somebody is turned away: the close reason, and a sentence about it. */
export interface Rejection {
  /** The close reason. */
  readonly code: Code;
  /** More about it, for people. */
  readonly why: string;
}

/** What accepts connections on one endpoint. */
export interface Listener extends Disposable {
  /** The endpoint as a user would type it, with the real port: `tcp://127.0.0.1:7070`. */
  readonly endpoint: string;
  /**
   * Waits for the next connection.
   *
   * A connection that fails while it is being accepted is passed over, never thrown.
   *
   * @returns the connection, or `null` once the listener is closed
   */
  accept(): Promise<Connection | null>;
  /** Stops accepting; connections already accepted live on. */
  close(): void;
}

/** Opens a connection to an endpoint. Rejects with a `TransportError`, or with the signal's reason. */
export type Dial = (endpoint: string, signal?: AbortSignal) => Promise<Connection>;

/**
 * What core needs of the platform and may not import: checksums, codecs, randomness, time and timers.
 *
 * `transports/platform.ts` fills it; a test fills it with a seeded source and a virtual clock.
 */
export interface Platform {
  /** CRC-32 (ISO-HDLC, as in zlib and Ethernet) of `bytes`, continuing from `seed` (0 to begin). */
  crc32(bytes: Uint8Array, seed?: number): number;
  /** Compresses `bytes` by a codec, at a level of that codec. What comes out may be longer than what went in. */
  compress(codec: Codec, level: number, bytes: Uint8Array): Uint8Array;
  /**
   * Expands what a codec has compressed.
   *
   * Never makes more than `length` bytes, whatever is in `bytes`; a codec's own memory is bounded too, by 8 MiB.
   *
   * @returns exactly `length` bytes, or `null` where `bytes` are broken, or make more, or less
   */
  expand(codec: Codec, bytes: Uint8Array, length: number): Uint8Array | null;
  /** HMAC-SHA-256 (RFC 2104) of `bytes`: 32 bytes. */
  mac(key: Uint8Array, bytes: Uint8Array): Uint8Array;
  /** HKDF-SHA-256 (RFC 5869): `length` bytes made from a key, which only who has it can make. */
  hkdf(key: Uint8Array, salt: Uint8Array, info: Uint8Array, length: number): Uint8Array;
  /**
   * AES-256-GCM (NIST SP 800-38D), in place: `bytes` from `body` to `end` are encrypted, those from `start` to `body` are
   * authenticated with them, and the tag of 16 bytes goes behind `end`.
   */
  encrypt(key: Uint8Array, nonce: Uint8Array, bytes: Uint8Array, start: number, body: number, end: number): void;
  /** The reverse of {@linkcode encrypt}. Returns whether the tag is right; where it is not, the bytes stay as they are. */
  decrypt(key: Uint8Array, nonce: Uint8Array, bytes: Uint8Array, start: number, body: number, end: number): boolean;
  /** Fills `into` with bytes that cannot be predicted. */
  random(into: Uint8Array): void;
  /** Monotonic milliseconds, for deadlines. */
  now(): number;
  /** Unix time in whole microseconds, for stamps. */
  time(): number;
  /** Calls back once, after `delay` milliseconds. Returns what cancels it. */
  after(delay: number, callback: () => void): () => void;
  /** Calls back when what is ready now was read and written: some microseconds later, where no timer is as fine. */
  turn(callback: () => void): void;
  /** Leaves the processor to other programs for a fraction of a millisecond, in which nothing happens here; where it can. */
  nap(milliseconds: number): void;
  /** Calls back at the end of this turn, before anything else happens. */
  soon(callback: () => void): void;
}
