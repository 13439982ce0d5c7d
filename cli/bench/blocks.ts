/**
 * What stands in the tables that compare targets.
 *
 * @module
 */

import { formatCount } from "../units.ts";
import { amount, formatTimes, memory, micros, percent, perSecond, processorTime, type Quantity } from "./figures.ts";
import type { Column } from "./grid.ts";
import { figureNames, type LatencyFigure, type Metric, type Trip, tripNames, tripsOf } from "./metrics.ts";
import type { Comparison, LoadRuns, Spread, TargetSummary } from "./summary.ts";
import { isOurs, oursOf } from "./targets.ts";

/** What stands where there is nothing to tell. */
const none = "-";

/** Columns that stand side by side, a row a target. */
export interface Block {
  /** What they are of, where the load has several blocks. */
  readonly title: string;
  /** What they tell of it, if not its figures. */
  readonly about?: string;
  readonly columns: readonly Column[];
}

/** The figures of a load, a row a target. */
export function blocksOf(comparison: Comparison, load: LoadRuns): Block[] {
  const blocks = loadBlocks(comparison, load);
  return load.runs.some(({ multicast }) => multicast !== null)
    ? [...blocks, datagramBlock(comparison.targets)]
    : blocks;
}

/** What goes over the network, and what of it does not arrive. */
function datagramBlock(targets: readonly TargetSummary[]): Block {
  return {
    title: "network",
    about: "what the server sends",
    columns: [
      medians("messages/s", targets, "sentRate", amount),
      medians("bytes each", targets, "bytesPerMessage", memory),
      medians("datagrams/s", targets, "datagramRate", amount),
      medians("missed", targets, "missed", percent),
      medians("repaired", targets, "repaired", percent),
      column("unrepaired", targets, ({ unrepaired }) => formatCount(unrepaired)),
    ],
  };
}

function loadBlocks(comparison: Comparison, load: LoadRuns): Block[] {
  const { kind, targets } = comparison;
  const runs = column("runs", targets, ({ rounds, runs }) => `${rounds.length} of ${runs}`);
  const lost = column("lost", targets, ({ lost }) => lost < 1e6 ? formatCount(lost) : amount.text(lost));
  switch (kind) {
    case "throughput":
      return [{
        title: "",
        columns: [
          medians("deliveries/s", targets, "deliveryRate", amount),
          ranges("min..max", targets, "deliveryRate", amount),
          ratios(targets, "deliveryRate"),
          medians("CPU/1 M", targets, "cpuPerMillion", processorTime),
          medians("memory", targets, "peakBytes", memory),
          lost,
          runs,
        ],
      }];
    case "latency": {
      const rates = medians("sent/s", targets, "sentRate", amount);
      const trips = tripsOf(load.runs);
      if (trips.length === 0) return [{ title: "", columns: [rates, lost, runs] }];
      return trips.flatMap((trip, index) => tripBlocks(targets, trip, index === 0 ? [rates, lost, runs] : []));
    }
    case "connections":
      return [
        {
          title: "",
          columns: [
            column("open", targets, (summary) => openText(summary, load)),
            medians("opened/s", targets, "connectionRate", perSecond),
            ratios(targets, "connectionRate"),
            medians("setup p50", targets, "setup_p50", micros),
            medians("p99", targets, "setup_p99", micros),
            medians("memory each", targets, "bytesEach", memory),
            runs,
          ],
        },
        ...spreadBlock(targets, "setup"),
        ...tripsOf(load.runs).filter((trip) => trip !== "setup").flatMap((trip) => tripBlocks(targets, trip, [lost])),
      ];
  }
}

/** The figures of a trip, and how they vary. */
function tripBlocks(targets: readonly TargetSummary[], trip: Trip, more: readonly Column[]): Block[] {
  return [{ title: tripNames[trip], columns: [...latencies(targets, trip), ...more] }, ...spreadBlock(targets, trip)];
}

/** The figures of a trip: the middle of the rounds, but the largest of all as the largest. */
function latencies(targets: readonly TargetSummary[], trip: Trip): Column[] {
  const figures = ["p50", "p90", "p99", "p999", "p9999"] as const;
  return [
    ...figures.map((figure) => medians(figureNames[figure], targets, `${trip}_${figure}`, micros)),
    column("max", targets, ({ spreads }) => spreadText(spreads[`${trip}_max`], ({ max }) => micros.text(max))),
  ];
}

/** How the figures of a trip vary from round to round, and how ours compares; nothing where there is no other round. */
function spreadBlock(targets: readonly TargetSummary[], trip: Trip): Block[] {
  const figures = ["p50", "p99"] as const satisfies readonly LatencyFigure[];
  if (targets.every(({ rounds, target }) => rounds.length < 2 && isOurs(target))) return [];
  const columns = figures.flatMap((figure) => [
    ranges(`${figureNames[figure]} min..max`, targets, `${trip}_${figure}`, micros),
    ratios(targets, `${trip}_${figure}`, `${figureNames[figure]}: `),
  ]);
  return [{ title: tripNames[trip], about: "round by round", columns }];
}

function column(heading: string, targets: readonly TargetSummary[], cell: (target: TargetSummary) => string): Column {
  return { heading, cells: targets.map(cell) };
}

function medians(heading: string, targets: readonly TargetSummary[], metric: Metric, quantity: Quantity): Column {
  return column(heading, targets, ({ spreads }) => spreadText(spreads[metric], ({ median }) => quantity.text(median)));
}

/** The least and the most of the rounds; nothing where there is one. */
function ranges(heading: string, targets: readonly TargetSummary[], metric: Metric, quantity: Quantity): Column {
  const several = targets.some(({ spreads }) => (spreads[metric]?.count ?? 0) > 1);
  return column(
    heading,
    targets,
    ({ spreads }) => several ? spreadText(spreads[metric], ({ min, max }) => quantity.range(min, max)) : "",
  );
}

/** How many times theirs ours is. Of the limit it is a part. */
function ratios(targets: readonly TargetSummary[], metric: Metric, of = ""): Column {
  return column(`${of}${oursOf(targets)} is`, targets, ({ target, ratios }) => {
    const ratio = ratios[metric];
    return ratio === undefined ? "" : ratioText(ratio, target === "limit" ? " of it" : "×");
  });
}

/** `4.51× (4.31..4.70)`. */
export function ratioText({ median, min, max, count }: Spread, unit: string): string {
  const range = count < 2 ? "" : ` (${formatTimes(min)}..${formatTimes(max)})`;
  return `${formatTimes(median)}${unit}${range}`;
}

function spreadText(spread: Spread | undefined, text: (spread: Spread) => string): string {
  return spread === undefined ? none : text(spread);
}

/** How many were open; of how many, where they were fewer. */
function openText({ target, spreads }: TargetSummary, { runs }: LoadRuns): string {
  const open = spreads.connectionsOpen;
  if (open === undefined) return none;
  const wanted = runs.find((run) => run.target === target)?.connections?.wanted ?? 0;
  return open.median >= wanted ? formatCount(open.median) : `${formatCount(open.median)} of ${formatCount(wanted)}`;
}
