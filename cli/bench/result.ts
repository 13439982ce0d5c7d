/**
 * What a run has shown: one scenario's load, against one target, once.
 *
 * @module
 */

import type { TargetKind } from "./driver.ts";

/** Latencies, in microseconds. */
export interface Latency {
  /** How many were recorded. */
  readonly count: number;
  readonly min: number;
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly p9999: number;
  readonly max: number;
  /** The whole distribution: an HdrHistogram V2 of microseconds, compressed, in base64. */
  readonly histogram: string;
}

/** One slice of a run's time. */
export interface Slice {
  /** When it begins, in milliseconds from the beginning of the measurement. */
  readonly at: number;
  /** Messages received in it. */
  readonly received: number;
  /** Latencies of what was received in it, in microseconds; 0 where none was measured. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** What a process, or several together, used during the measurement. */
export interface Usage {
  /** Seconds of processor time. */
  readonly cpuSeconds: number;
  /** The most memory that was resident, in bytes; of several processes, the sum. 0 where it is not known. */
  readonly peakBytes: number;
}

/** What became of the messages of a run, warm-up included. */
export interface Counts {
  /** Given to the server. */
  readonly sent: number;
  /** What should have been received of them: each once by each connection that subscribed to its topic. */
  readonly expected: number;
  /** Received, each counted once. */
  readonly received: number;
  /** Never received, and not said to be lost. */
  readonly lost: number;
  /** Not received, and said to be lost: a multicast group could not repair them. They do not make a run wrong. */
  readonly unrepaired: number;
  /** Received again. */
  readonly duplicated: number;
  /** Received after one that was sent later to the same topic. */
  readonly reordered: number;
  /** Received with another content than was sent, or in a frame that is broken. */
  readonly corrupt: number;
}

/**
 * Whether a run counts, and if not, why: `lost` messages (or doubled, disordered, corrupt ones), `partial` because the
 * target or the load ended early, `late` because the load generator could not hold the rate that was asked for.
 */
export type Verdict = "counts" | "lost" | "partial" | "late";

/** What held a run back: the server, the load generator, all cores of the machine, or nothing (a rate below the maximum). */
export type Bottleneck = "server" | "load" | "machine" | "rate" | "unknown";

/** One run. */
export interface RunResult {
  /** The scenario: `fanout`. */
  readonly scenario: string;
  /** Which of the scenario's loads, for people: `1 to 10, 128 B`. */
  readonly load: string;
  readonly target: TargetKind;
  /** Where the server was, without user and password. */
  readonly endpoint: string;
  /** Whether all connections to it were with TLS. */
  readonly tls: boolean;
  /** What the server is: `nats-server 2.9.10`. */
  readonly server: string;
  /** From 1. Runs of the same round took place one after the other, and are compared with each other. */
  readonly round: number;
  readonly verdict: Verdict;
  /** Sentences on what a reader should know, such as why it does not count. */
  readonly notes: readonly string[];
  readonly publishers: number;
  readonly subscribers: number;
  readonly topics: number;
  /** Bytes of a message; the mean, where they differ. */
  readonly size: number;
  /** Messages a second that were to be sent; 0 for as many as go. */
  readonly rate: number;
  /** How long was measured, warm-up not included. */
  readonly seconds: number;
  readonly counts: Counts;
  /** Messages sent a second, during the measurement. */
  readonly sentRate: number;
  /** Messages received a second by all subscribers together, during the measurement. */
  readonly deliveryRate: number;
  /** From when a message was to be sent until a subscriber had it; `null` where it was not measured. */
  readonly oneWay: Latency | null;
  /** From when a message was to be sent until its echo was back. */
  readonly roundTrip: Latency | null;
  /** How late the generator itself was with sending, while the target held nothing up; `null` without a rate. */
  readonly sendDelay: Latency | null;
  /**
   * Bytes that the server sent to all subscribers in the whole run, those of its protocol included, those of TCP, UDP and IP
   * not. Of a multicast group it is what the server says, or `null` where it said nothing; else what subscribers received.
   */
  readonly serverBytes: number | null;
  /** What the server used; `null` where it is not on this machine, or cannot be told. */
  readonly serverUsage: Usage | null;
  readonly senderUsage: Usage;
  readonly receiverUsage: Usage;
  /** Processors of this machine. */
  readonly processors: number;
  readonly bottleneck: Bottleneck;
  readonly slices: readonly Slice[];
  /** Connections, where the scenario is about them. */
  readonly connections: ConnectionsResult | null;
  /** Datagrams, where those were measured. */
  readonly multicast: MulticastResult | null;
}

/** What became of a group's datagrams at its receivers, in the whole run; of several receivers, the sums. */
export interface ReceivedDatagrams {
  /** Lost, late and doubled on purpose. */
  readonly faults: { readonly lost: number; readonly reordered: number; readonly duplicated: number };
  /** Missing when others had come that follow them, for whatever reason. */
  readonly missed: number;
  /** Of those, never repaired. */
  readonly unrepaired: number;
  /** What receivers have sent, to ask for repairs and for what that takes. */
  readonly requests: number;
}

/** What a server says it has multicast. */
export interface SentDatagrams {
  /** New ones, with messages. */
  readonly datagrams: number;
  /** Sent again. */
  readonly repaired: number;
  /** Asked for and not sent again: the server did not have them any more. */
  readonly expired: number;
  /** Bytes of all of them, heartbeats included. */
  readonly bytes: number;
}

/** What the scenario `multicast` has shown of datagrams. */
export interface MulticastResult extends ReceivedDatagrams {
  /** The group's endpoint. */
  readonly group: string;
  readonly encrypted: boolean;
  /** `null` where the server ended without a word. */
  readonly sent: SentDatagrams | null;
}

/** What the scenario `connections` has shown. */
export interface ConnectionsResult {
  /** How many were wanted. */
  readonly wanted: number;
  /** How many were open at the same time. */
  readonly open: number;
  /** Connections a second while they were made. */
  readonly rate: number;
  /** From the begin of a connection until the server had confirmed its subscription. */
  readonly setup: Latency;
  /** Resident memory of the server that each of them takes, in bytes; `null` where it cannot be told. */
  readonly bytesEach: number | null;
}
