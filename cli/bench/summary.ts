/**
 * What several runs say together: the middle and the spread of each figure, and how ours compares, round by round.
 *
 * @module
 */

import type { TargetKind } from "./driver.ts";
import { type Metric, type Metrics, metricsOf } from "./metrics.ts";
import type { RunResult, Verdict } from "./result.ts";
import { isOurs, oursOf, targetsOf } from "./targets.ts";

/** The middle of some values, and the least and the most of them. */
export interface Spread {
  /** Of an even count, the mean of the two in the middle. */
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** How many values there were. */
  readonly count: number;
}

/** The spreads of those figures that were measured. */
export type Spreads = Readonly<Partial<Record<Metric, Spread>>>;

/** A run that does not count. */
export interface Excluded {
  readonly round: number;
  readonly verdict: Exclude<Verdict, "counts">;
  readonly notes: readonly string[];
}

/** What the runs of one target say. */
export interface TargetSummary {
  readonly target: TargetKind;
  /** What the servers said they were: one, unless it was changed between the rounds. */
  readonly servers: readonly string[];
  /** How many runs there were. */
  readonly runs: number;
  /** The rounds that count, and what follows is of. */
  readonly rounds: readonly number[];
  readonly excluded: readonly Excluded[];
  /** Messages lost in all runs, those that do not count included. */
  readonly lost: number;
  /** Messages of all runs that a group's receivers did not get, and said so. */
  readonly unrepaired: number;
  readonly spreads: Spreads;
  /** Ours divided by this target's, for each round in which both count. Empty for ours. */
  readonly ratios: Spreads;
}

/** What a scenario's load is about: as many messages as go, how late they come at a rate, or connections. */
export type LoadKind = "throughput" | "latency" | "connections";

/** The runs of one load of one scenario. */
export interface LoadRuns {
  readonly scenario: string;
  readonly load: string;
  readonly kind: LoadKind;
  readonly runs: readonly RunResult[];
}

/** The targets under one load of one scenario. */
export interface Comparison {
  readonly scenario: string;
  readonly load: string;
  readonly kind: LoadKind;
  /** Ours first, the limit last. */
  readonly targets: readonly TargetSummary[];
}

/** The middle and the ends of some values; `null` of none. What is not finite is left out. */
export function spreadOf(values: Iterable<number>): Spread | null {
  const sorted = [...values].filter(Number.isFinite).sort((a, b) => a - b);
  if (sorted.length === 0) return null;
  const low = sorted[(sorted.length - 1) >> 1]!;
  const high = sorted[sorted.length >> 1]!;
  // Two large values could add up to infinity; and of equal ones the mean must be the same.
  const median = low === high ? low : low / 2 + high / 2;
  return { median, min: sorted[0]!, max: sorted.at(-1)!, count: sorted.length };
}

/** The runs by scenario and load, in the order in which they came first. */
export function groupRuns(runs: readonly RunResult[]): LoadRuns[] {
  const groups = Map.groupBy(runs, ({ scenario, load }) => JSON.stringify([scenario, load]));
  return [...groups.values()].map((runs) => {
    const { scenario, load } = runs[0]!;
    return { scenario, load, kind: kindOf(runs), runs };
  });
}

/** What a load is about. */
export function kindOf(runs: readonly RunResult[]): LoadKind {
  if (runs.some(({ connections }) => connections !== null)) return "connections";
  return runs.some(({ rate }) => rate > 0) ? "latency" : "throughput";
}

/** What the runs say, a comparison for each scenario and load. */
export function summarize(runs: readonly RunResult[]): Comparison[] {
  return groupRuns(runs).map(compare);
}

/** What the runs of one load say. */
export function compare({ scenario, load, kind, runs }: LoadRuns): Comparison {
  const counted = runs.filter(({ verdict }) => verdict === "counts");
  const oursByRound = metricsByRound(counted, oursOf(runs));
  const targets = targetsOf(runs).map((target): TargetSummary => {
    const all = runs.filter((run) => run.target === target);
    const byRound = metricsByRound(counted, target);
    const pairs = isOurs(target) ? [] : pairsOf(oursByRound, byRound);
    return {
      target,
      servers: [...new Set(all.map(({ server }) => server))],
      runs: all.length,
      rounds: [...byRound.keys()],
      excluded: all.flatMap(({ round, verdict, notes }) => verdict === "counts" ? [] : [{ round, verdict, notes }]),
      lost: all.reduce((sum, { counts }) => sum + counts.lost, 0),
      unrepaired: all.reduce((sum, { counts }) => sum + counts.unrepaired, 0),
      spreads: spreadsOf([...byRound.values()]),
      ratios: spreadsOf(pairs),
    };
  });
  return { scenario, load, kind, targets };
}

function metricsByRound(counted: readonly RunResult[], target: TargetKind): Map<number, Metrics> {
  const runs = counted.filter((run) => run.target === target).sort((a, b) => a.round - b.round);
  return new Map(runs.map((run) => [run.round, metricsOf(run)]));
}

/** Ours divided by theirs, for each round that both have. */
function pairsOf(ours: ReadonlyMap<number, Metrics>, theirs: ReadonlyMap<number, Metrics>): Metrics[] {
  return [...ours].flatMap(([round, our]) => {
    const their = theirs.get(round);
    if (their === undefined) return [];
    const ratios: Partial<Record<Metric, number>> = {};
    for (const metric of Object.keys(our) as Metric[]) {
      const other = their[metric];
      if (other !== undefined) ratios[metric] = our[metric]! / other;
    }
    return [ratios];
  });
}

function spreadsOf(rounds: readonly Metrics[]): Spreads {
  const spreads: Partial<Record<Metric, Spread>> = {};
  for (const metric of new Set(rounds.flatMap((round) => Object.keys(round) as Metric[]))) {
    const spread = spreadOf(rounds.flatMap((round) => round[metric] ?? []));
    if (spread !== null) spreads[metric] = spread;
  }
  return spreads;
}
