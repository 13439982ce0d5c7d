/**
 * The tables of a report.
 *
 * @module
 */

import { formatCount } from "../units.ts";
import { blocksOf } from "./blocks.ts";
import type { TargetKind } from "./driver.ts";
import { formatTimes, memory, micros, perSecond, processorTime } from "./figures.ts";
import { whyExcluded } from "./findings.ts";
import type { Column } from "./grid.ts";
import { type Content, element, html, type Markup } from "./html.ts";
import { cpuPerMillion, latencyOf, type Metric, type Trip, tripNames, tripsOf } from "./metrics.ts";
import { inlineMarker } from "./report_marks.ts";
import type { Bottleneck, RunResult } from "./result.ts";
import type { Comparison, LoadRuns, TargetSummary } from "./summary.ts";
import { inOrder, isOurs, oursOf } from "./targets.ts";

/** A row of a table: what it is about, and whether it is to stand back. */
interface Row {
  readonly head: Content;
  readonly style: string;
  /** What is told under it, over all columns. */
  readonly note?: string;
}

/** The figures that compare the targets, as in the terminal. */
export function comparisonTables(comparison: Comparison, load: LoadRuns): Markup[] {
  const rows = comparison.targets.map(({ target }) => rowOf(target, isOurs(target) ? "ours" : ""));
  return blocksOf(comparison, load).map(({ title, about, columns }) =>
    table([title, about].filter(Boolean).join(", "), "target", rows, columns)
  );
}

/** All runs, those that do not count too, and why they do not. */
export function runsTable({ scenario, load, kind, runs }: LoadRuns): Markup {
  const sorted = runs.toSorted((a, b) => inOrder(a.target, b.target) || a.round - b.round);
  const rows = sorted.map((run): Row => ({
    ...rowOf(run.target, run.verdict === "counts" ? "" : "excluded"),
    note: run.verdict === "counts" ? run.notes.join("; ") : `does not count: ${whyExcluded(run)}`,
  }));
  const column = (heading: string, cell: (run: RunResult) => string, align: Column["align"] = "right"): Column => ({
    heading,
    cells: sorted.map(cell),
    align,
  });
  const damage = (heading: "lost" | "duplicated" | "reordered" | "corrupt") =>
    column(heading, ({ counts }) => formatCount(counts[heading]));
  const trips = tripsOf(runs).filter((trip) => kind === "latency" || trip === "setup");
  const figures = kind === "throughput"
    ? [column("deliveries", ({ deliveryRate }) => perSecond.text(deliveryRate))]
    : kind === "latency"
    ? [column("sent", ({ sentRate }) => perSecond.text(sentRate)), ...trips.flatMap(tripColumns)]
    : [
      column("open", ({ connections }) => formatCount(connections?.open ?? 0)),
      column("opened", ({ connections }) => perSecond.text(connections?.rate ?? 0)),
      ...trips.flatMap(tripColumns),
    ];
  function tripColumns(trip: Trip): Column[] {
    const of = (run: RunResult, figure: "p50" | "p99" | "max") => micros.text(latencyOf(run, trip)?.[figure] ?? 0);
    return (["p50", "p99", "max"] as const).map((figure) =>
      column(`${tripNames[trip]} ${figure}`, (run) => of(run, figure))
    );
  }
  return table(`${scenario}, ${load}`, "target", rows, [
    column("round", ({ round }) => String(round)),
    ...figures,
    damage("lost"),
    damage("duplicated"),
    damage("reordered"),
    damage("corrupt"),
    column("CPU/1 M", (run) => kind === "throughput" ? optional(cpuPerMillion(run), processorTime.text) : ""),
    column("memory", ({ serverUsage }) => optional(serverUsage?.peakBytes || null, memory.text)),
    column("held back by", ({ bottleneck }) => kind === "throughput" ? bottlenecks[bottleneck] : "", "left"),
  ]);
}

const bottlenecks: Readonly<Record<Bottleneck, string>> = {
  server: "the server",
  load: "the load generator",
  machine: "the machine",
  rate: "nothing",
  unknown: "not known",
};

/** All comparisons in short: our figure, and how it compares with each target. */
export function glanceTable(
  comparisons: readonly { readonly comparison: Comparison; readonly load: LoadRuns }[],
): Markup {
  const lines = comparisons.flatMap(({ comparison, load }, index) =>
    headlines(comparison, load).map((headline) => ({ comparison, index, ...headline }))
  );
  const targets = [...new Set(comparisons.flatMap(({ comparison }) => comparison.targets.map(({ target }) => target)))];
  const rows = lines.map(({ comparison: { scenario, load }, index }) => ({
    head: html`<a href="#c${index}">${scenario}</a> <small>${load}</small>`,
    style: "",
  }));
  const columns = targets.toSorted(inOrder).map((target): Column => ({
    heading: target,
    cells: lines.map(({ comparison, metric, text }) => {
      const summary = comparison.targets.find((summary) => summary.target === target);
      return summary === undefined ? "" : glance(summary, metric, text);
    }),
  }));
  const what: Column = { heading: "median of", cells: lines.map(({ name }) => name), align: "left" };
  return table("", "scenario", rows, [what, ...columns]);
}

interface Headline {
  readonly name: string;
  readonly metric: Metric;
  readonly text: (value: number) => string;
  /** The beginning of a sentence that the value ends. */
  readonly says: string;
}

/** The figures that tell the most of a load. */
export function headlines({ kind }: Pick<Comparison, "kind">, { runs }: Pick<LoadRuns, "runs">): Headline[] {
  const ours = oursOf(runs);
  switch (kind) {
    case "throughput":
      return [{ name: "deliveries", metric: "deliveryRate", text: perSecond.text, says: `${ours} delivers` }];
    case "latency":
      return tripsOf(runs).flatMap((trip) =>
        (["p50", "p99"] as const).map((figure) => {
          const name = `${tripNames[trip]} ${figure}`;
          return { name, metric: `${trip}_${figure}` as const, text: micros.text, says: `${ours}'s ${name} is` };
        })
      );
    case "connections":
      return [{ name: "connections", metric: "connectionRate", text: perSecond.text, says: `${ours} opens` }];
  }
}

function glance(
  { spreads, ratios, runs, rounds }: TargetSummary,
  metric: Metric,
  text: (value: number) => string,
): string {
  const spread = spreads[metric];
  if (spread === undefined) return rounds.length > 0 ? "-" : runs === 1 ? "does not count" : `none of ${runs} counts`;
  const ratio = ratios[metric];
  return ratio === undefined ? text(spread.median) : `${text(spread.median)} (${formatTimes(ratio.median)}×)`;
}

function optional(value: number | null, text: (value: number) => string): string {
  return value === null ? "-" : text(value);
}

function rowOf(target: TargetKind, style: string): Row {
  return { head: [inlineMarker(target), ` ${target}`], style };
}

/** A table whose first column says what a row is about. Columns whose cells are all empty are left out. */
function table(title: string, first: string, rows: readonly Row[], columns: readonly Column[]): Markup {
  const shown = columns.filter(({ cells }) => cells.some((cell) => cell !== ""));
  const side = ({ align }: Column) => align === "left" ? "text" : null;
  const header = [
    element("th", { scope: "col", class: "text" }, first),
    shown.map((column) => element("th", { scope: "col", class: side(column) }, column.heading)),
  ];
  const body = rows.map(({ head, style, note = "" }, row) => {
    const cells = shown.map((column) => element("td", { class: side(column) }, column.cells[row]!));
    const told = note === "" ? style : `${style} told`;
    const line = element(
      "tr",
      { class: told.trim() || null },
      element("th", { scope: "row", class: "text" }, head),
      cells,
    );
    if (note === "") return line;
    const cell = { class: style === "excluded" ? "note why" : "note", colspan: shown.length + 1 };
    return [line, element("tr", {}, element("td", cell, element("span", {}, note)))];
  });
  return element(
    "div",
    // What is wider than the screen is moved with the keyboard too.
    { class: "scroll", tabindex: "0", role: "region", "aria-label": title || "table" },
    element(
      "table",
      {},
      title === "" ? null : element("caption", {}, title),
      html`
        <thead>
          <tr>${header}</tr>
        </thead>
      `,
      element("tbody", {}, body),
    ),
  );
}
