/**
 * Results such as runs give, made up: the same ones each time.
 *
 * @module
 */

import type { TargetKind } from "../../../cli/bench/driver.ts";
import { Latencies } from "../../../cli/bench/latencies.ts";
import type { Latency, RunResult, Slice } from "../../../cli/bench/result.ts";

/** A result in which everything has a plain value, but for what is given. */
export function runOf(given: Partial<RunResult> = {}): RunResult {
  return {
    scenario: "fanout",
    load: "1 to 10, 128 B",
    target: "stream",
    endpoint: "tcp://127.0.0.1:40001",
    tls: false,
    server: "stream 0.1.0",
    round: 1,
    verdict: "counts",
    notes: [],
    publishers: 1,
    subscribers: 10,
    topics: 1,
    size: 128,
    rate: 0,
    seconds: 10,
    counts: {
      sent: 31_000_000,
      expected: 310_000_000,
      received: 310_000_000,
      lost: 0,
      unrepaired: 0,
      duplicated: 0,
      reordered: 0,
      corrupt: 0,
    },
    sentRate: 2_840_000,
    deliveryRate: 28_400_000,
    oneWay: null,
    roundTrip: null,
    sendDelay: null,
    serverBytes: 41_000_000_000,
    serverUsage: { cpuSeconds: 6.1, peakBytes: 88 * 2 ** 20 },
    senderUsage: { cpuSeconds: 5.5, peakBytes: 70 * 2 ** 20 },
    receiverUsage: { cpuSeconds: 9.8, peakBytes: 75 * 2 ** 20 },
    processors: 4,
    bottleneck: "load",
    slices: [],
    connections: null,
    multicast: null,
    ...given,
  };
}

/** A latency whose figures are given, and whose histogram is none. */
export function latencyOf(given: Partial<Latency> = {}): Latency {
  return {
    count: 100_000,
    min: 41,
    mean: 65,
    p50: 61,
    p90: 70,
    p99: 83,
    p999: 120,
    p9999: 250,
    max: 1234,
    histogram: "",
    ...given,
  };
}

/** Servers as they name themselves. */
const servers: Readonly<Record<TargetKind, { readonly server: string; readonly endpoint: string }>> = {
  stream: { server: "stream 0.1.0", endpoint: "tcp://127.0.0.1:40001" },
  multicast: { server: "stream 0.1.0", endpoint: "tcp://127.0.0.1:40006" },
  tcp: { server: "stream 0.1.0", endpoint: "tcp://127.0.0.1:40007" },
  nats: { server: "nats-server 2.9.10", endpoint: "nats://127.0.0.1:40002" },
  redis: { server: "redis-server 7.0.15", endpoint: "redis://127.0.0.1:40003" },
  mqtt: { server: "mosquitto 2.0.11", endpoint: "mqtt://127.0.0.1:40004" },
  limit: { server: "byte copier", endpoint: "tcp://127.0.0.1:40005" },
};

/** What a fan-out can be compared with. */
const everyTarget = ["stream", "nats", "redis", "mqtt", "limit"] as const satisfies readonly TargetKind[];

/** Rounds of a multicast group to four, beside connections; some datagrams are lost, and in the second round three for good. */
export function multicastRuns(rounds = 3): RunResult[] {
  return inRounds(rounds, ["multicast", "tcp"], (target, round) => {
    const sent = 5_000_000 + 100_000 * round;
    const unrepaired = target === "multicast" && round === 2 ? 60 : 0;
    const datagrams = sent / 20;
    return runOf({
      ...servers[target],
      target,
      round,
      scenario: "multicast",
      load: "1 to 4, 64 B, 1 % lost",
      subscribers: 4,
      size: 64,
      sentRate: sent / 10,
      deliveryRate: 4 * sent / 10,
      counts: { ...runOf().counts, sent, expected: 4 * sent, received: 4 * sent - unrepaired, unrepaired },
      serverBytes: (target === "multicast" ? 70 : 264) * sent,
      multicast: target === "tcp" ? null : {
        group: "mcast://239.255.1.2:40008?interface=127.0.0.1",
        encrypted: false,
        sent: { datagrams, repaired: datagrams / 25, expired: unrepaired / 20, bytes: 70 * sent },
        faults: { lost: datagrams / 25, reordered: 0, duplicated: 0 },
        missed: datagrams / 25,
        unrepaired: unrepaired / 20,
        requests: 1_000,
      },
    });
  });
}

/** Seven rounds of a fan-out against all targets; redis has lost messages twice, and nats ended early once. */
export function fanoutRuns(rounds = 7): RunResult[] {
  const rates: Readonly<Record<(typeof everyTarget)[number], number>> = {
    stream: 28.4e6,
    nats: 6.3e6,
    redis: 7.4e6,
    mqtt: 0.26e6,
    limit: 43e6,
  };
  const random = randomOf(1);
  return inRounds(rounds, everyTarget, (target, round) => {
    const deliveryRate = rates[target] * (0.93 + 0.14 * random());
    const { lost, partial } = faultOf(target, round);
    const expected = Math.round(deliveryRate * 11);
    return runOf({
      ...servers[target],
      target,
      round,
      verdict: lost > 0 ? "lost" : partial ? "partial" : "counts",
      notes: partial ? ["the connection was lost: Connection reset by peer (os error 104)"] : [],
      deliveryRate,
      sentRate: deliveryRate / 10,
      counts: { ...runOf().counts, sent: Math.round(expected / 10), expected, received: expected - lost, lost },
      serverUsage: {
        cpuSeconds: (target === "stream" ? 6.1 : target === "limit" ? 5.2 : 9.9) * (0.98 + 0.02 * random()),
        peakBytes: (target === "stream" ? 88 : target === "limit" ? 2.3 : 24) * 2 ** 20 * (1 + 0.05 * random()),
      },
      bottleneck: target === "stream" ? (round > 5 ? "unknown" : "load") : target === "limit" ? "load" : "server",
      slices: slicesOf(10, random, (at) => deliveryRate * (target === "nats" && at === 42 ? 0.3 : 1)),
    });
  });
}

function faultOf(target: TargetKind, round: number): { lost: number; partial: boolean } {
  const lost = target === "redis" ? (round === 3 ? 12 : round === 6 ? 18_204 : 0) : 0;
  return { lost, partial: target === "nats" && round === 5 };
}

/** Some rounds of both trips at a rate; one of redis is late. */
export function latencyRuns(rounds = 3, recorded = 20_000): RunResult[] {
  const middles: Readonly<Record<(typeof everyTarget)[number], number>> = {
    stream: 30,
    nats: 40,
    redis: 36,
    mqtt: 95,
    limit: 24,
  };
  const random = randomOf(2);
  return inRounds(rounds, everyTarget, (target, round) => {
    const middle = middles[target];
    const tail = target === "mqtt" ? 0.55 : target === "nats" ? 0.32 : 0.22;
    const late = target === "redis" && round === 2;
    return runOf({
      ...servers[target],
      target,
      round,
      scenario: "latency",
      load: "1 to 1, 128 B, 10,000/s",
      subscribers: 1,
      rate: 10_000,
      verdict: late ? "late" : "counts",
      notes: late ? ["the load generator sent 9731/s of 10000/s"] : [],
      sentRate: late ? 9731 : 10_000,
      deliveryRate: late ? 9731 : 10_000,
      counts: { ...runOf().counts, sent: 110_000, expected: 110_000, received: 110_000 },
      oneWay: recordedOf(recorded, () => longTailed(random, middle, tail)),
      roundTrip: recordedOf(recorded, () => longTailed(random, middle * 2.05, tail)),
      sendDelay: latencyOf({ p99: 9 }),
      serverUsage: { cpuSeconds: 0.7, peakBytes: 60 * 2 ** 20 },
      senderUsage: { cpuSeconds: 1.6, peakBytes: 70 * 2 ** 20 },
      receiverUsage: { cpuSeconds: 1.2, peakBytes: 75 * 2 ** 20 },
      bottleneck: "rate",
      slices: slicesOf(10, random, () => 10_000).map((slice) => {
        const values = Array.from({ length: 200 }, () => longTailed(random, middle * 2.05, tail)).sort((a, b) => a - b);
        return {
          ...slice,
          p50: Math.round(values[100]!),
          p99: Math.round(values[198]!),
          max: Math.round(values[199]!),
        };
      }),
    });
  });
}

/** Three rounds of many connections. */
export function connectionRuns(rounds = 3): RunResult[] {
  const random = randomOf(3);
  return inRounds(rounds, ["stream", "nats", "redis", "mqtt"], (target, round) => {
    const setup = recordedOf(1000, () => longTailed(random, target === "stream" ? 900 : 1300, 0.5));
    return runOf({
      ...servers[target],
      target,
      round,
      scenario: "connections",
      load: "1 to 1,000, 128 B",
      subscribers: 1000,
      rate: 10,
      seconds: 1,
      deliveryRate: 10_000,
      sentRate: 10,
      oneWay: recordedOf(10_000, () => longTailed(random, target === "stream" ? 2900 : 4300, 0.4)),
      counts: { ...runOf().counts, sent: 10, expected: 10_000, received: 10_000 },
      bottleneck: "rate",
      connections: {
        wanted: 1000,
        open: target === "mqtt" ? 1000 - round : 1000,
        rate: (target === "stream" ? 9_200 : 6_100) * (0.95 + 0.1 * random()),
        setup: setup!,
        bytesEach: target === "redis" ? null : (target === "stream" ? 21_000 : 33_000) * (0.95 + 0.1 * random()),
      },
    });
  });
}

/** One run that stands alone. */
export function singleRun(): RunResult {
  const random = randomOf(4);
  const oneWay = recordedOf(50_000, () => longTailed(random, 30, 0.25));
  const roundTrip = recordedOf(50_000, () => longTailed(random, 61, 0.25));
  const { slices } = latencyRuns(1, 10)[0]!;
  return runOf({
    scenario: "latency",
    load: "1 to 1, 128 B, 1,000/s",
    subscribers: 1,
    rate: 1000,
    oneWay,
    roundTrip,
    slices,
  });
}

/** Everything that a report can show, but for multicast: that is not measured with anything else. */
export function allRuns(): RunResult[] {
  return [...fanoutRuns(), ...latencyRuns(), ...connectionRuns()];
}

function inRounds<Target extends TargetKind>(
  rounds: number,
  targets: readonly Target[],
  run: (target: Target, round: number) => RunResult,
): RunResult[] {
  const numbers = Array.from({ length: rounds }, (_, index) => index + 1);
  return numbers.flatMap((round) => targets.map((target) => run(target, round)));
}

function slicesOf(seconds: number, random: () => number, rateAt: (index: number) => number): Slice[] {
  const count = 100;
  return Array.from({ length: count }, (_, index) => {
    const received = Math.round((rateAt(index) * (0.96 + 0.08 * random()) * seconds) / count);
    return { at: (index * seconds * 1000) / count, received, p50: 0, p99: 0, max: 0 };
  });
}

function recordedOf(count: number, next: () => number): Latency | null {
  const latencies = new Latencies();
  for (let index = 0; index < count; index++) latencies.record(next() / 1000);
  return latencies.summary();
}

/** Mostly around the middle; now and then much more. */
function longTailed(random: () => number, middle: number, tail: number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const pause = random() < 0.002 ? -Math.log(1 - random()) * middle * 12 : 0;
  return middle * 0.75 + middle * 0.25 * Math.exp(normal * tail * 2) + pause;
}

/** Numbers from 0 to below 1 that are the same each time (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
