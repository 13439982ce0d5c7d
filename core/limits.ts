/**
 * Every bound of the protocol, as a number, with the unit in its name or beside it.
 *
 * What an operator may set is in {@linkcode ServerLimits}; what is fixed by the protocol is a constant.
 *
 * @module
 */

const KiB = 1024;
const MiB = 1024 * KiB;

/** The largest message a server may be set to take. A length then fits a varint of four bytes. */
export const largestMessage = 64 * MiB;
/** The largest frame of more than one message, header included. */
export const largestBatch = 64 * KiB;
/** The most messages in one frame. */
export const mostMessages = 65_535;
/** The largest extension of a frame, all its TLVs together. */
export const largestExtension = 65_535;
/** The largest control frame, prefix included. */
export const largestControl = 64 * KiB;
/** The largest HELLO, prefix included: what a stranger may send before it is known. */
export const largestHello = KiB;
/** The longest topic name or pattern, in UTF-8 bytes. */
export const longestTopic = 255;
/** The most patterns in one subscription. */
export const mostPatterns = 64;
/** Bytes that the largest datagram of a delivery may have: at least, and at most. */
export const leastDatagram = 512;
export const largestDatagram = 65_000;
/** The largest sequence: what a double holds exactly. At a billion messages a second it lasts 104 days of one topic. */
export const largestSequence = Number.MAX_SAFE_INTEGER;
/** The most bytes of one write, unless a single frame is larger. */
export const largestWrite = 256 * KiB;
/** What a read holds that waits: at first, and where the memory for incoming bytes is short. */
export const idleRead = 4 * KiB;
/** How long an acknowledgement waits at most to go with others, or with something else, in milliseconds. */
export const ackDelay = 20;
/** Frames of so many bytes, or of a quarter of a credit where that is less, are acknowledged without waiting. */
export const ackBytes = 64 * KiB;
/** The most bytes of answers that wait for a peer which does not read. */
export const mostControlOutput = MiB;

/** What an operator may set. Sizes are bytes, durations milliseconds. */
export interface ServerLimits {
  /** The largest message: up to {@linkcode largestMessage}, and to half of `retain`. */
  maxMessage: number;
  /** How much of each topic is kept at least, in bytes of frames. */
  retain: number;
  /** How long frames are kept at most; `Infinity` for as long as `retain` allows. */
  retainFor: number;
  /** The memory of all logs, pins and inputs together. */
  memory: number;
  /** The part of `memory` that incoming bytes may take. */
  inputMemory: number;
  /** The most connections at once. */
  connections: number;
  /** The most topics, declared ones included. */
  topics: number;
  /** The most subscriptions of one connection. */
  subscriptions: number;
  /** The most publishers whose numbers one topic remembers. */
  publishers: number;
  /** What one publisher may have unacknowledged per topic. */
  topicCredit: number;
  /** What one connection may have unacknowledged in all. */
  connectionCredit: number;
  /** How long publishers are held for a `wait` subscriber that does not move. */
  maxWait: number;
  /** How long the `wait` policy is withheld from a subscriber that used it up. */
  waitPenalty: number;
  /** How long a greeting may take. */
  handshakeTimeout: number;
  /** How long a peer may be silent; it is pinged after a third of this. */
  idleTimeout: number;
  /** How long a peer may accept no byte. */
  writeDeadline: number;
  /** How long an empty topic, a publisher's numbers and a close reason are remembered. */
  forgetAfter: number;
}

/** What a server uses unless it is told otherwise. */
export const defaultLimits: Readonly<ServerLimits> = {
  maxMessage: MiB,
  retain: 8 * MiB,
  retainFor: Infinity,
  memory: 512 * MiB,
  inputMemory: 128 * MiB,
  connections: 10_000,
  topics: 100_000,
  subscriptions: 1_024,
  publishers: 1_024,
  topicCredit: MiB,
  connectionCredit: 16 * MiB,
  maxWait: 5_000,
  waitPenalty: 60_000,
  handshakeTimeout: 5_000,
  idleTimeout: 45_000,
  writeDeadline: 10_000,
  forgetAfter: 600_000,
};
