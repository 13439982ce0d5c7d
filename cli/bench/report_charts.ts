/**
 * Which charts a load has.
 *
 * @module
 */

import { memory, perSecond, processorTime, type Quantity } from "./figures.ts";
import { type Content, element, html, type Markup } from "./html.ts";
import { type Metric, metricsOf, tripsOf } from "./metrics.ts";
import { type Bar, barChart } from "./report_bars.ts";
import { figure, panelFigure } from "./report_figure.ts";
import { percentileFigure } from "./report_percentiles.ts";
import { latencyFigure, rateFigure } from "./report_time.ts";
import type { Comparison, LoadRuns, TargetSummary } from "./summary.ts";
import { formatTimes } from "./figures.ts";

/** The charts of a load, the most telling first. `id` begins the names of all that is in them. */
export function chartsOf(id: string, comparison: Comparison, load: LoadRuns): Content {
  const latencies = tripsOf(load.runs).map((trip) => percentileFigure(`${id}-${trip}`, load, trip));
  switch (comparison.kind) {
    case "throughput":
      return [
        barFigure(`${id}-rate`, comparison, load, {
          title: "Deliveries a second",
          how: "Messages received by all subscribers together. Higher is better.",
          metric: "deliveryRate",
          quantity: perSecond,
        }),
        smallBars(`${id}-cost`, comparison, load),
        rateFigure(`${id}-time`, load),
        latencies,
      ];
    case "latency":
      return [latencies, latencyFigure(`${id}-time`, load)];
    case "connections":
      return [
        barFigure(`${id}-rate`, comparison, load, {
          title: "Connections a second",
          how: "Until the server has confirmed the subscription of each. Higher is better.",
          metric: "connectionRate",
          quantity: perSecond,
        }),
        smallBars(`${id}-cost`, comparison, load),
        latencies,
      ];
  }
}

interface BarCaption {
  readonly title: string;
  readonly how: string;
  readonly metric: Metric;
  readonly quantity: Quantity;
}

function barFigure(id: string, comparison: Comparison, load: LoadRuns, caption: BarCaption): Markup {
  const { title, metric, quantity } = caption;
  const bars = barsOf(comparison, load, metric);
  const shows = showsOf(bars, quantity);
  const several = bars.some(({ rounds }) => rounds.length > 1 || rounds.some(({ counts }) => !counts));
  const drawn = figure(id, { title, how: caption.how, shows }, (canvas) => barChart(canvas, bars, quantity));
  return several ? html`${drawn}${legend(bars)}` : drawn;
}

/** What the server needed, side by side; what is not known of any target is left out. */
function smallBars(id: string, comparison: Comparison, load: LoadRuns): Markup | null {
  const captions: BarCaption[] = [
    {
      title: "Server: processor time for a million messages",
      how: "",
      metric: "cpuPerMillion",
      quantity: processorTime,
    },
    { title: "Server: memory, at most", how: "", metric: "peakBytes", quantity: memory },
    { title: "Server: memory for each connection", how: "", metric: "bytesEach", quantity: memory },
  ];
  const known = captions.filter(({ metric }) => comparison.targets.some(({ spreads }) => spreads[metric] !== undefined))
    .filter(({ metric }) => comparison.kind !== "connections" || metric === "bytesEach");
  if (known.length === 0) return null;
  const caption = { title: "What it takes", how: "Lower is better." };
  return panelFigure(
    id,
    caption,
    known.map(({ title, metric, quantity }) => {
      const bars = barsOf(comparison, load, metric).filter(({ rounds }) => rounds.length > 0);
      const draw = (canvas: Parameters<typeof barChart>[0]) => barChart(canvas, bars, quantity);
      return { heading: title, title, shows: showsOf(bars, quantity), draw };
    }),
  );
}

function barsOf({ targets }: Comparison, { runs }: LoadRuns, metric: Metric): Bar[] {
  return targets.map(({ target, servers, spreads, ratios }) => ({
    target,
    detail: servers.join(", "),
    spread: spreads[metric] ?? null,
    ratio: ratioOf({ target, ratios }, metric),
    rounds: runs.filter((run) => run.target === target).flatMap((run) => {
      const value = metricsOf(run)[metric];
      return value === undefined ? [] : [{ round: run.round, value, counts: run.verdict === "counts" }];
    }),
  }));
}

function ratioOf({ target, ratios }: Pick<TargetSummary, "target" | "ratios">, metric: Metric): string {
  const ratio = ratios[metric];
  return ratio === undefined ? "" : `${formatTimes(ratio.median)}${target === "limit" ? " of it" : "×"}`;
}

function showsOf(bars: readonly Bar[], quantity: Quantity): string {
  return bars.map(({ target, spread, ratio }) =>
    `${target}: ${spread === null ? "none counts" : quantity.text(spread.median)}${
      ratio === "" ? "" : `, ours is ${ratio}`
    }`
  ).join("; ");
}

/** What the marks of a bar mean. */
function legend(bars: readonly Bar[]): Markup {
  const key = (content: Content, text: string) =>
    html`<span>${element("svg", { viewBox: "0 0 26 12", "aria-hidden": "true" }, content)} ${text}</span>`;
  const excluded = bars.some(({ rounds }) => rounds.some(({ counts }) => !counts));
  return html`<p class="legend">${[
    key(element("rect", { class: "bar t-stream", x: 1, y: 1, width: 24, height: 10 }), "median"),
    key(element("path", { class: "whisker", d: "M3 6H23M3 2V10M23 2V10" }), "least to most"),
    key(element("circle", { class: "dot t-stream", cx: 13, cy: 6, r: 3 }), "a round"),
    excluded
      ? key(element("path", { class: "cross", d: "M9.5 2.5L16.5 9.5M9.5 9.5L16.5 2.5" }), "a round that does not count")
      : null,
  ]}</p>`;
}
