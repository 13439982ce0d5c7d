/**
 * Results for programs: one object of JSON, or a row of CSV a run.
 *
 * @module
 */

import type { TargetKind } from "./driver.ts";
import type { ConnectionsResult, Counts, Latency, MulticastResult, RunResult, SentDatagrams, Usage } from "./result.ts";
import { summarize } from "./summary.ts";

/** What was measured with. */
export interface Meta {
  /** The command line, as it was typed. */
  readonly command: string;
  /** When the measurement began. */
  readonly date: Date;
  /** Of `stream`. */
  readonly version: string;
  /** Processors of this machine. */
  readonly processors: number;
  /** The machine and its operating system, in words. */
  readonly system: string;
  /** How the servers were started that the benchmark has started. */
  readonly servers?: readonly StartedServer[];
}

/** A server that the benchmark has started. */
export interface StartedServer {
  readonly target: TargetKind;
  /** As it is typed. */
  readonly commandLine: string;
}

/** All there is, on one line that is one object: `{"version","machine","command","date","servers","runs","comparisons"}`. */
export function toJson(runs: readonly RunResult[], meta: Meta): string {
  const { version, system, processors, command, date, servers = [] } = meta;
  const machine = { system, processors };
  return `${JSON.stringify({ version, machine, command, date, servers, runs, comparisons: summarize(runs) })}\n`;
}

type Cell = string | number | null;
/** A cell for each scalar field: a field that is added to a result is a type error here until it has one. */
type Cells<T, Left extends keyof T = never> = { readonly [Field in Exclude<keyof T, Left>]-?: Cell };

/**
 * A header and a row a run, as RFC 4180 has it. What is nested is flattened, as in `oneWay_p99`; histograms and slices
 * are in the JSON only.
 */
export function toCsv(runs: readonly RunResult[]): string {
  const rows = runs.map(cellsOf);
  if (rows.length === 0) return "";
  const header = Object.keys(rows[0]!);
  return [header, ...rows.map((row) => Object.values(row))].map((row) => `${row.map(quoted).join(",")}\r\n`).join("");
}

function cellsOf(run: RunResult): Record<string, Cell> {
  const scalars: Cells<RunResult, Nested> = {
    scenario: run.scenario,
    load: run.load,
    target: run.target,
    endpoint: run.endpoint,
    tls: Number(run.tls),
    server: run.server,
    round: run.round,
    verdict: run.verdict,
    notes: run.notes.join("; "),
    publishers: run.publishers,
    subscribers: run.subscribers,
    topics: run.topics,
    size: run.size,
    rate: run.rate,
    seconds: run.seconds,
    sentRate: run.sentRate,
    deliveryRate: run.deliveryRate,
    serverBytes: run.serverBytes,
    processors: run.processors,
    bottleneck: run.bottleneck,
  };
  return {
    ...scalars,
    ...under("counts", countCells(run.counts)),
    ...under("oneWay", latencyCells(run.oneWay)),
    ...under("roundTrip", latencyCells(run.roundTrip)),
    ...under("sendDelay", latencyCells(run.sendDelay)),
    ...under("serverUsage", usageCells(run.serverUsage)),
    ...under("senderUsage", usageCells(run.senderUsage)),
    ...under("receiverUsage", usageCells(run.receiverUsage)),
    ...under("connections", connectionCells(run.connections)),
    ...under("connections_setup", latencyCells(run.connections?.setup ?? null)),
    ...under("multicast", multicastCells(run.multicast)),
  };
}

type Nested =
  | "counts"
  | "oneWay"
  | "roundTrip"
  | "sendDelay"
  | "serverUsage"
  | "senderUsage"
  | "receiverUsage"
  | "slices"
  | "connections"
  | "multicast";

function countCells(counts: Counts): Cells<Counts> {
  const { sent, expected, received, lost, unrepaired, duplicated, reordered, corrupt } = counts;
  return { sent, expected, received, lost, unrepaired, duplicated, reordered, corrupt };
}

function latencyCells(latency: Latency | null): Cells<Latency, "histogram"> {
  const { count, min, mean, p50, p90, p99, p999, p9999, max } = latency ?? nothing;
  return { count, min, mean, p50, p90, p99, p999, p9999, max };
}

function usageCells(usage: Usage | null): Cells<Usage> {
  return { cpuSeconds: usage?.cpuSeconds ?? null, peakBytes: usage?.peakBytes ?? null };
}

function connectionCells(connections: ConnectionsResult | null): Cells<ConnectionsResult, "setup"> {
  const { wanted = null, open = null, rate = null, bytesEach = null } = connections ?? {};
  return { wanted, open, rate, bytesEach };
}

function multicastCells(multicast: MulticastResult | null): Record<string, Cell> {
  const { group = null, encrypted = null, missed = null, unrepaired = null, requests = null } = multicast ?? {};
  const { datagrams = null, repaired = null, expired = null, bytes = null } = multicast?.sent ?? {};
  const cells: Cells<MulticastResult, "sent" | "faults"> = {
    group,
    encrypted: encrypted === null ? null : Number(encrypted),
    missed,
    unrepaired,
    requests,
  };
  const sent: Cells<SentDatagrams> = { datagrams, repaired, expired, bytes };
  const { lost = null, reordered = null, duplicated = null } = multicast?.faults ?? {};
  return { ...cells, ...under("sent", sent), ...under("faults", { lost, reordered, duplicated }) };
}

const nothing: Cells<Latency, "histogram"> = {
  count: null,
  min: null,
  mean: null,
  p50: null,
  p90: null,
  p99: null,
  p999: null,
  p9999: null,
  max: null,
};

function under(name: string, cells: object): Record<string, Cell> {
  return Object.fromEntries(Object.entries(cells).map(([field, cell]) => [`${name}_${field}`, cell]));
}

/** What a spreadsheet would take for a formula. No text of ours begins so, but a server may say anything. */
const formula = /^[=+\-@\t\r]/;

function quoted(cell: Cell): string {
  if (cell === null) return "";
  if (typeof cell === "number") return String(cell);
  const text = formula.test(cell) ? `'${cell}` : cell;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
