/**
 * What the coordinator and a process of the load generator say to each other: one JSON object a line, on the process's stdin
 * and stdout.
 *
 * @module
 */

import type { TargetKind } from "./driver.ts";
import type { RecordedSlice, Window } from "./recorder.ts";
import type { Latency, ReceivedDatagrams, Usage } from "./result.ts";
import type { Reception } from "./scenarios.ts";
import type { BenchTrust } from "./tls.ts";

/** Where messages come from, as it is told to a process: a file is read by each that needs it. */
export type BodyJob =
  | { readonly kind: "random"; readonly size: number; readonly seed: number }
  | { readonly kind: "file"; readonly path: string };

/** What all jobs have. */
interface CommonJob {
  readonly kind: TargetKind;
  /** With the user and the password, if there are any. */
  readonly endpoint: string;
  /** Whom to trust; `null` without TLS. */
  readonly trust: BenchTrust | null;
  /** All topics of the run, by their indices. */
  readonly topics: readonly string[];
  /** How many publishers there are in all processes. */
  readonly publishers: number;
  /** Whether a publisher sends to random topics of all, or to one of its own. Decides what a source is: {@linkcode sourcesOf}. */
  readonly spread: boolean;
  readonly body: BodyJob;
  readonly seed: number;
}

/** Send messages. */
export interface SendJob extends CommonJob {
  readonly role: "send";
  /** Which of the publishers this process is, each a connection. */
  readonly indices: readonly number[];
  /** Messages a second of all publishers of all processes together; 0 for as many as go. */
  readonly rate: number;
  /** Messages that each publisher sends from the start of the measurement on; 0 to send until it ends. */
  readonly count: number;
  /** How many messages a publisher may be ahead of the slowest receiver; 0 for any number. */
  readonly window: number;
  /** How many receiving processes tell how far they are. */
  readonly receivers: number;
}

/** The multicast group that a process receives from. */
export interface GroupJob extends Reception {
  /** `mcast://239.255.1.2:7071?interface=127.0.0.1`. */
  readonly endpoint: string;
  /** In hexadecimal; `null` without encryption. */
  readonly key: string | null;
  /** What faults begin with: each process has another. */
  readonly seed: number;
}

/** Receive messages. */
export interface ReceiveJob extends CommonJob {
  readonly role: "receive";
  /** What each connection subscribes to: indices of topics from `first` up to, and without, `end`; all by one pattern. */
  readonly connections: readonly { readonly first: number; readonly end: number; readonly pattern: string | null }[];
  /** Whether latencies are measured. */
  readonly timing: boolean;
  /** Whether each message is compared whole. */
  readonly verify: boolean;
  /** Tell of progress each time that so many messages more came on a connection; 0 for never. */
  readonly progress: number;
  /** Send each message back, on these topics: an echo of the topics of the same index. */
  readonly echo: readonly string[] | null;
  /** Receive from a group; `null` for connections. */
  readonly group: GroupJob | null;
}

/** What a process is to do. */
export type Job = SendJob | ReceiveJob;

/** What the coordinator says, after the job. */
export type Order =
  | { readonly say: "clock" }
  | { readonly say: "start"; readonly window: Window }
  | { readonly say: "feedback"; readonly ports: readonly number[] }
  | { readonly say: "sent"; readonly totals: readonly number[] };

/** What a process says. */
export type Report =
  | { readonly say: "clock"; readonly time: number }
  | { readonly say: "sending"; readonly port: number }
  | { readonly say: "ready"; readonly setup: Latency | null; readonly setupSeconds: number; readonly open: number }
  | { readonly say: "linked" }
  | { readonly say: "live"; readonly received: number; readonly p50: number; readonly p99: number }
  | { readonly say: "sent"; readonly result: SendResult }
  | { readonly say: "received"; readonly result: ReceiveResult }
  | { readonly say: "failed"; readonly message: string; readonly status: number };

/** What a sending process did. */
export interface SendResult {
  /** Messages sent, by source; those of other processes are 0. */
  readonly totals: readonly number[];
  /** Messages sent while it was measured. */
  readonly measured: number;
  /** Milliseconds of the measurement in which a publisher that had something to send could not, all publishers together. */
  readonly held: number;
  readonly delay: Latency | null;
  readonly usage: Usage;
  /** Why it ended early; `null` if it did not. */
  readonly lost: string | null;
}

/** What a receiving process did. */
export interface ReceiveResult {
  readonly expected: number;
  readonly received: number;
  readonly missing: number;
  /** Never came, as was said. */
  readonly unrepaired: number;
  readonly duplicated: number;
  readonly reordered: number;
  readonly corrupt: number;
  readonly damages: readonly string[];
  readonly measured: number;
  /** When the last message came. */
  readonly lastArrival: number;
  readonly latency: Latency | null;
  readonly slices: readonly RecordedSlice[];
  /** Bytes that came. */
  readonly bytes: number;
  /** Of a group: what became of its datagrams. */
  readonly datagrams: ReceivedDatagrams | null;
  readonly usage: Usage;
  /** Why it ended early; `null` if it did not. */
  readonly lost: string | null;
}

/** How many sources a run has: each is one publisher's messages to one topic. */
export function sourcesOf(job: CommonJob): number {
  return job.spread ? job.publishers * job.topics.length : job.publishers;
}

/** The source of what a publisher sends to a topic. */
export function sourceOf(job: CommonJob, publisher: number, topic: number): number {
  return job.spread ? publisher * job.topics.length + topic : publisher;
}

/** The topic that a source's messages go to, as an index. */
export function topicOf(job: CommonJob, source: number): number {
  return source % job.topics.length;
}
