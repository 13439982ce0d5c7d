/**
 * The figures of a run that are compared.
 *
 * @module
 */

import type { Latency, RunResult } from "./result.ts";

/** The figures of a latency, from the least to the largest. */
export const latencyFigures = ["min", "p50", "p90", "p99", "p999", "p9999", "max"] as const;
/** A figure of a latency. */
export type LatencyFigure = (typeof latencyFigures)[number];
/** The way that a latency is of: to the subscriber; there and back; until a connection is set up. */
export type Trip = "oneWay" | "roundTrip" | "setup";
/** A figure of a run. Rates are a second; latencies in microseconds. */
export type Metric =
  | "deliveryRate"
  | "sentRate"
  /** Seconds of the server's processor time for a million messages received. */
  | "cpuPerMillion"
  /** The most memory that the server had resident, in bytes. */
  | "peakBytes"
  /** Bytes that the server sent to all subscribers together, for each message that was published. */
  | "bytesPerMessage"
  /** New datagrams a second; and of those that receivers were to get, which part was missing, and which was repaired. */
  | "datagramRate"
  | "missed"
  | "repaired"
  | "connectionRate"
  | "connectionsOpen"
  | "bytesEach"
  | `${Trip}_${LatencyFigure}`;
/** Those figures that a run has. */
export type Metrics = Readonly<Partial<Record<Metric, number>>>;

/** How people write a figure of a latency. */
export const figureNames: Readonly<Record<LatencyFigure, string>> = {
  min: "min",
  p50: "p50",
  p90: "p90",
  p99: "p99",
  p999: "p99.9",
  p9999: "p99.99",
  max: "max",
};

/** How people write a trip. */
export const tripNames: Readonly<Record<Trip, string>> = {
  oneWay: "one way",
  roundTrip: "round trip",
  setup: "setup",
};

/** The part of all values that lies beyond a figure; 1 where one value is enough to tell it. */
const beyond: Readonly<Record<LatencyFigure, number>> = {
  min: 1,
  p50: 1,
  p90: 0.1,
  p99: 0.01,
  p999: 0.001,
  p9999: 0.0001,
  max: 1,
};

/** The latency of a trip; `null` where it was not measured. */
export function latencyOf(run: RunResult, trip: Trip): Latency | null {
  return trip === "setup" ? run.connections?.setup ?? null : run[trip];
}

/** The trips that some of these runs have measured. */
export function tripsOf(runs: readonly RunResult[]): Trip[] {
  return (["setup", "oneWay", "roundTrip"] as const).filter((trip) =>
    runs.some((run) => (latencyOf(run, trip)?.count ?? 0) > 0)
  );
}

/** A figure of a latency, or `null` where too few were recorded for it: the 99.99th percentile of a hundred is the largest. */
export function figureOf(latency: Latency, figure: LatencyFigure): number | null {
  // 10,000 × 0.0001 is a little less than 1 in floating point.
  return latency.count * beyond[figure] > 1 - 1e-9 ? latency[figure] : null;
}

/** Seconds of the server's processor time for a million messages received, or `null` where that cannot be told. */
export function cpuPerMillion({ serverUsage, deliveryRate, seconds }: RunResult): number | null {
  const millions = (deliveryRate * seconds) / 1e6;
  return serverUsage === null || millions === 0 ? null : serverUsage.cpuSeconds / millions;
}

/** What of a group's datagrams can be compared; nothing where its server did not say what it has sent. */
function datagramMetrics({ multicast, counts, sentRate, subscribers }: RunResult): Metrics {
  if (!multicast?.sent || counts.sent === 0) return {};
  const { sent: { datagrams }, missed, unrepaired } = multicast;
  const due = datagrams * subscribers;
  return {
    datagramRate: datagrams / counts.sent * sentRate,
    missed: missed / due,
    repaired: (missed - unrepaired) / due,
  };
}

/** The figures of a run. */
export function metricsOf(run: RunResult): Metrics {
  const metrics: Partial<Record<Metric, number>> = {};
  const set = (metric: Metric, value: number | null | undefined) => {
    if (value !== null && value !== undefined) metrics[metric] = value;
  };
  if (run.connections === null) {
    set("deliveryRate", run.deliveryRate);
    set("sentRate", run.sentRate);
    set("cpuPerMillion", cpuPerMillion(run));
    set(
      "bytesPerMessage",
      run.serverBytes === null || run.counts.sent === 0 ? null : run.serverBytes / run.counts.sent,
    );
    Object.assign(metrics, datagramMetrics(run));
  } else {
    set("connectionRate", run.connections.rate);
    set("connectionsOpen", run.connections.open);
    set("bytesEach", run.connections.bytesEach);
  }
  // A memory of 0 is one that is not known.
  set("peakBytes", run.serverUsage?.peakBytes || null);
  for (const trip of tripsOf([run])) {
    for (const figure of latencyFigures) set(`${trip}_${figure}`, figureOf(latencyOf(run, trip)!, figure));
  }
  return metrics;
}
