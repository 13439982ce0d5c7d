/**
 * Makes the result of a run of what its processes have told.
 *
 * @module
 */

import { availableParallelism } from "node:os";
import { largeBuffer } from "../doctor/commands.ts";
import { formatRate } from "../units.ts";
import { withoutSecrets } from "./drivers/address.ts";
import { percent } from "./figures.ts";
import type { ReceiveResult, Report, SendResult } from "./job.ts";
import { Latencies } from "./latencies.ts";
import type { Window } from "./recorder.ts";
import { addUp } from "./receiving.ts";
import type {
  Bottleneck,
  ConnectionsResult,
  Counts,
  Latency,
  MulticastResult,
  RunResult,
  Slice,
  Usage,
  Verdict,
} from "./result.ts";
import type { Load } from "./scenarios.ts";
import type { ProcessUsage } from "./usage.ts";

/** What was gathered in a run. */
export interface Gathered {
  readonly window: Window;
  /** What the receiving processes said when they were connected. */
  readonly setups: readonly Extract<Report, { say: "ready" }>[];
  /** The server before and after the connections were made. */
  readonly memory: { readonly before: ProcessUsage | null; readonly after: ProcessUsage | null };
  readonly sent: readonly SendResult[];
  readonly echoed: readonly ReceiveResult[];
  readonly received: readonly ReceiveResult[];
  readonly server: Usage | null;
  readonly processors: number;
  /** The group, and what its server said of it; `null` where connections were measured. */
  readonly multicast: Pick<MulticastResult, "group" | "encrypted" | "sent"> | null;
}

/** Which target, and which run of it. */
interface Identity {
  readonly kind: RunResult["target"];
  readonly endpoint: string;
  readonly server: string;
}

/** A rate is held when so much of it was sent. */
const heldPart = 0.99;
/** A target that holds publishers for more than this part of the time is what misses the rate. */
const heldShare = 0.02;
/** A process with more than this of a core cannot do more; all together with more than this of all cores neither. */
const busy = 0.9;
/** More than this part of a group's datagrams is much to be lost by the system. */
const muchLost = 0.01;
/** Send delays above this many microseconds at p99 are told. */
const lateDelay = 1_000;

/** The result. */
export function resultOf(
  load: Load,
  target: Identity,
  { round, size }: { readonly round: number; readonly size: number },
  gathered: Gathered,
): RunResult {
  const { window, sent, echoed, received, server, processors } = gathered;
  const counts = countsOf(sent, [...echoed, ...received]);
  const seconds = secondsOf(load, window, [...echoed, ...received]);
  const measuredSent = sent.reduce((sum, { measured }) => sum + measured, 0);
  const measured = received.reduce((sum, result) => sum + result.measured, 0);
  const sentRate = measuredSent / seconds;
  const held = sent.reduce((sum, result) => sum + result.held, 0) / 1000 / seconds / load.publishers;
  const sendDelay = merged(sent.map(({ delay }) => delay));
  const senders = sent.map(({ usage }) => usage.cpuSeconds / seconds);
  const slow = load.rate > 0 && load.count === 0 && sentRate < heldPart * load.rate;
  // Who is held while it does all it can is not held by the target.
  const late = slow && (held < heldShare || Math.max(...senders) >= busy);
  const broken = [...sent, ...echoed, ...received].flatMap(({ lost }) => lost ?? []);
  const verdict: Verdict = broken.length > 0 ? "partial" : isWhole(counts) ? late ? "late" : "counts" : "lost";
  const senderUsage = together(sent.map(({ usage }) => usage));
  const receiverUsage = together([...echoed, ...received].map(({ usage }) => usage));
  const processes = [...sent, ...echoed, ...received].map(({ usage }) => usage.cpuSeconds / seconds);
  const bottleneck = load.rate > 0 ? "rate" : bottleneckOf(server, processes, seconds, processors);
  const notes = [...new Set(broken)].map((why) => `the connection was lost: ${why}`);
  notes.push(...[...echoed, ...received].flatMap(({ damages }) => damages).slice(0, 3));
  const [is, due] = [sentRate, load.rate].map((rate) => formatRate({ messages: rate }));
  if (late) notes.push(`the load generator could not hold the rate: it sent ${is} of ${due}`);
  else if (slow) {
    notes.push(`the target did not take the rate: it took ${is} of ${due}, and latencies are those of what it took`);
  }
  if (sendDelay !== null && sendDelay.p99 > lateDelay) {
    notes.push(
      `the load generator itself was late with sending, ${sendDelay.p99} µs at p99, which the latencies include`,
    );
  }
  const multicast = multicastOf(gathered);
  if (multicast !== null) notes.push(...overflow(multicast, load.subscribers));
  return {
    scenario: load.scenario,
    load: load.label,
    target: target.kind,
    endpoint: withoutSecrets(target.endpoint),
    tls: load.tls,
    server: target.server,
    round,
    verdict,
    notes,
    publishers: load.publishers,
    subscribers: load.subscribers,
    topics: load.topics,
    size,
    rate: load.rate,
    seconds,
    counts,
    sentRate,
    deliveryRate: measured / seconds,
    oneWay: load.trip === "one-way" ? latencyOf(received) : load.trip === "round" ? latencyOf(echoed) : null,
    roundTrip: load.trip === "round" || load.trip === "far" ? latencyOf(received) : null,
    sendDelay,
    serverBytes: gathered.multicast === null
      ? received.reduce((sum, { bytes }) => sum + bytes, 0)
      : gathered.multicast.sent?.bytes ?? null,
    serverUsage: server,
    senderUsage,
    receiverUsage,
    processors,
    bottleneck,
    slices: slicesOf(window, received),
    connections: load.scenario === "connections" ? connectionsOf(load, gathered) : null,
    multicast,
  };
}

function countsOf(sent: readonly SendResult[], received: readonly ReceiveResult[]): Counts {
  const sum = (of: (result: ReceiveResult) => number) => received.reduce((total, result) => total + of(result), 0);
  return {
    sent: sent.reduce((total, { totals }) => total + totals.reduce((all, count) => all + count, 0), 0),
    expected: sum(({ expected }) => expected),
    received: sum((result) => result.received),
    lost: sum(({ missing }) => missing),
    unrepaired: sum(({ unrepaired }) => unrepaired),
    duplicated: sum(({ duplicated }) => duplicated),
    reordered: sum(({ reordered }) => reordered),
    corrupt: sum(({ corrupt, damages }) => Math.max(corrupt, damages.length)),
  };
}

function isWhole({ lost, duplicated, reordered, corrupt }: Counts): boolean {
  return lost + duplicated + reordered + corrupt === 0;
}

/** How long was measured: until the last message, where a number of them was sent and no rate given. */
function secondsOf({ count, rate }: Load, { from, until }: Window, received: readonly ReceiveResult[]): number {
  if (count === 0 || rate > 0) return (until - from) / 1000;
  return Math.max(1, Math.max(...received.map(({ lastArrival }) => lastArrival)) - from) / 1000;
}

function latencyOf(received: readonly ReceiveResult[]): Latency | null {
  return merged(received.map(({ latency }) => latency));
}

function merged(parts: readonly (Latency | null)[]): Latency | null {
  const all = new Latencies();
  for (const part of parts) if (part !== null) all.add(part);
  return all.summary();
}

function together(usages: readonly Usage[]): Usage {
  return {
    cpuSeconds: usages.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0),
    peakBytes: usages.reduce((sum, { peakBytes }) => sum + peakBytes, 0),
  };
}

/** What could not do more. A process of the load generator has one thread, and so at most one core. */
function bottleneckOf(
  server: Usage | null,
  processes: readonly number[],
  seconds: number,
  processors: number,
): Bottleneck {
  if (server === null) return Math.max(...processes) >= busy ? "load" : "unknown";
  const used = server.cpuSeconds / seconds;
  if (Math.max(...processes) >= busy) return "load";
  if (used >= busy) return "server";
  const all = processes.reduce((sum, one) => sum + one, used);
  return all >= busy * processors ? "machine" : "unknown";
}

function slicesOf({ slice }: Window, received: readonly ReceiveResult[]): Slice[] {
  const length = Math.max(0, ...received.map(({ slices }) => slices.length));
  return Array.from({ length }, (_, index) => {
    const parts = received.flatMap(({ slices }) => slices[index] ?? []);
    const latencies = new Latencies();
    for (const { latency } of parts) if (latency !== null) latencies.add(latency);
    return {
      at: index * slice,
      received: parts.reduce((sum, part) => sum + part.received, 0),
      p50: latencies.percentile(50),
      p99: latencies.percentile(99),
      max: latencies.most,
    };
  });
}

function connectionsOf(load: Load, { setups, memory }: Gathered): ConnectionsResult {
  const open = setups.reduce((sum, setup) => sum + setup.open, 0);
  const grown = memory.before === null || memory.after === null
    ? null
    : memory.after.residentBytes - memory.before.residentBytes;
  return {
    wanted: load.subscribers,
    open,
    rate: open / Math.max(...setups.map(({ setupSeconds }) => setupSeconds)),
    setup: merged(setups.map(({ setup }) => setup))!,
    bytesEach: grown === null ? null : grown / open,
  };
}

function multicastOf({ multicast, received }: Gathered): MulticastResult | null {
  const datagrams = addUp(received.flatMap(({ datagrams }) => datagrams ?? []));
  return multicast === null || datagrams === null ? null : { ...multicast, ...datagrams };
}

/** What the system has lost of a group's datagrams, where that is much; what was lost or late on purpose is not. */
export function overflow({ sent, missed, faults }: MulticastResult, receivers: number): string[] {
  const part = (missed - faults.lost - faults.reordered) / ((sent?.datagrams ?? 0) * receivers);
  if (!(part > muchLost)) return [];
  const hint = Deno.build.os === "linux" ? ` (sysctl -w net.core.rmem_default=${largeBuffer})` : "";
  return [
    `${
      percent.text(part)
    } of the datagrams were lost by the system: a receiver's buffer is full when it waits for a processor${hint}`,
  ];
}

/** The result of a run that could not begin: it shows that there was one. */
export function failedRun(
  load: Load,
  target: RunResult["target"],
  { round, size }: { readonly round: number; readonly size: number },
  why: string,
): RunResult {
  const nothing: Usage = { cpuSeconds: 0, peakBytes: 0 };
  return {
    scenario: load.scenario,
    load: load.label,
    target,
    endpoint: "",
    tls: load.tls,
    server: "",
    round,
    verdict: "partial",
    notes: [why],
    publishers: load.publishers,
    subscribers: load.subscribers,
    topics: load.topics,
    size,
    rate: load.rate,
    seconds: 0,
    counts: { sent: 0, expected: 0, received: 0, lost: 0, unrepaired: 0, duplicated: 0, reordered: 0, corrupt: 0 },
    sentRate: 0,
    deliveryRate: 0,
    oneWay: null,
    roundTrip: null,
    sendDelay: null,
    serverBytes: null,
    serverUsage: null,
    senderUsage: nothing,
    receiverUsage: nothing,
    processors: availableParallelism(),
    bottleneck: "unknown",
    slices: [],
    connections: null,
    multicast: null,
  };
}
