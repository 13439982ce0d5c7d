/**
 * Charts over the time of a run: how much came, and how late.
 *
 * @module
 */

import type { TargetKind } from "./driver.ts";
import { micros, perSecond } from "./figures.ts";
import { html, type Markup } from "./html.ts";
import { type Canvas, figure, panelFigure } from "./report_figure.ts";
import { type Line, type LineChart, lineChart } from "./report_lines.ts";
import { inlineMarker } from "./report_marks.ts";
import { type LatencyScale, latencyScale, linearScale, type Scale } from "./report_scale.ts";
import type { RunResult, Slice } from "./result.ts";
import { ratesOverTime } from "./slices.ts";
import { type LoadRuns, spreadOf } from "./summary.ts";
import { targetsOf } from "./targets.ts";

const seconds = { tick: (value: number) => `${Number(value.toPrecision(6))} s` };

interface Chosen {
  readonly target: TargetKind;
  /** The round in the middle. */
  readonly run: RunResult;
  /** The other rounds that count. */
  readonly others: readonly RunResult[];
}

/** For each target, the round that is nearest to the middle of all that count. */
function chosen(runs: readonly RunResult[], of: (run: RunResult) => number): Chosen[] {
  return targetsOf(runs).flatMap((target) => {
    const counted = runs.filter((run) => run.target === target && run.verdict === "counts" && run.slices.length > 1);
    const middle = spreadOf(counted.map(of))?.median;
    if (middle === undefined) return [];
    const run = counted.reduce((best, run) => Math.abs(of(run) - middle) < Math.abs(of(best) - middle) ? run : best);
    return [{ target, run, others: counted.filter((other) => other !== run) }];
  });
}

/** How much came over time; `null` where there is nothing to show. */
export function rateFigure(id: string, { runs }: LoadRuns): Markup | null {
  const targets = chosen(runs, ({ deliveryRate }) => deliveryRate);
  if (targets.length === 0) return null;
  const all = targets.flatMap(({ run, others }) => [run, ...others]);
  const most = Math.max(...all.flatMap((run) => ratesOverTime(run).map(({ rate }) => rate)));
  const duration = Math.max(...all.map((run) => run.seconds));
  const pointsOf = (run: RunResult) =>
    ratesOverTime(run).map(({ from, until, rate }) => ({ x: (from + until) / 2000, y: rate }));
  const lines = targets.flatMap(({ target, run, others }): Line[] => [
    ...others.map((other): Line => ({ target, name: "", style: "faint", points: pointsOf(other) })),
    { target, name: target, style: "main", points: pointsOf(run) },
  ]);
  const rounds = targets.map(({ target, run }) => `${target} ${run.round}`).join(", ");
  const caption = {
    title: "Deliveries a second, over time",
    how: all.length > targets.length
      ? `Strong: the round with the median rate (${rounds}). Faint: the other rounds that count.`
      : "",
    shows: targets.map(({ target, run }) => `${target}: ${rangeText(ratesOverTime(run).map(({ rate }) => rate))}`).join(
      ". ",
    ),
  };
  return figure(id, caption, (canvas) =>
    lineChart(canvas, {
      x: timeScale(duration, canvas.narrow),
      y: linearScale(most, perSecond),
      yTitle: "messages a second",
      xTitle: "time since the warm-up",
      bands: [],
      lines: lines.sort((a, b) => Number(a.style === "main") - Number(b.style === "main")),
      hits: hitsOver(duration, (at) =>
        targets.flatMap(({ target, run }) => {
          const near = ratesOverTime(run).findLast((part) => part.from <= at * 1000);
          return near === undefined ? [] : [`${target} ${perSecond.text(near.rate)}`];
        })),
      marks: Array.from({ length: 5 }, (_, index) => (duration * (index + 0.5)) / 5),
      markNames: true,
    }));
}

/** How late messages came over time, a panel a target; `null` where there is nothing to show. */
export function latencyFigure(id: string, { runs }: LoadRuns): Markup | null {
  const timed = runs.filter(({ slices }) => slices.some(({ max }) => max > 0));
  const targets = chosen(timed, (run) => (run.roundTrip ?? run.oneWay)?.p99 ?? 0);
  if (targets.length === 0) return null;
  const trip = targets.some(({ run }) => run.roundTrip !== null) ? "round trip" : "one way";
  const y = latencyScale(targets.flatMap(({ run }) => run.slices.flatMap(({ p50, max }) => [p50, max])), micros);
  const duration = Math.max(...targets.map(({ run }) => run.seconds));
  const title = `Latency over time, ${trip}`;
  const how = "The shade reaches from p50 to p99; dots are the largest of each slice.";
  const panels = targets.map(({ target, run }) => ({
    heading: html`${inlineMarker(target)} ${target}, round ${run.round}`,
    title: `${title}: ${target}`,
    shows: `p50 ${rangeOf(run, "p50")}, p99 ${rangeOf(run, "p99")}, largest ${rangeOf(run, "max")}`,
    draw: (canvas: Canvas) => lineChart(canvas, latencyChart(target, run, duration, y, canvas.narrow)),
  }));
  const [single, ...more] = panels;
  if (more.length === 0) return figure(id, { title, how, shows: single!.shows }, single!.draw);
  return panelFigure(
    id,
    { title, how: `${how} Of each target the round with the median p99, all on one scale.` },
    panels,
  );
}

function latencyChart(
  target: TargetKind,
  run: RunResult,
  duration: number,
  y: LatencyScale,
  narrow: boolean,
): LineChart {
  return {
    x: timeScale(duration, narrow),
    y,
    yTitle: y.log ? "log scale" : "",
    xTitle: "",
    bands: [{ target, points: bandOf(run) }],
    lines: [
      { target, name: "", style: "dots", points: pointsOf(run, "max") },
      { target, name: "p99", style: "second", points: pointsOf(run, "p99") },
      { target, name: "p50", style: "second", points: pointsOf(run, "p50") },
    ],
    hits: hitsOver(duration, (at) => {
      const slice = run.slices.findLast((slice) => slice.at <= at * 1000);
      if (slice === undefined || slice.max === 0) return [];
      return (["p50", "p99", "max"] as const).map((figure) => `${figure} ${micros.text(slice[figure])}`);
    }),
    marks: [],
    markNames: false,
  };
}

/** A figure of the slices; where none was measured, the line is interrupted. */
function pointsOf({ slices }: RunResult, figure: keyof Pick<Slice, "p50" | "p99" | "max">) {
  return slices.map((slice) => ({ x: slice.at / 1000, y: slice.max > 0 ? slice[figure] : null }));
}

function bandOf({ slices }: RunResult) {
  return slices.filter(({ max }) => max > 0).map(({ at, p50, p99 }) => ({ x: at / 1000, low: p50, high: p99 }));
}

function rangeOf({ slices }: RunResult, figure: keyof Pick<Slice, "p50" | "p99" | "max">): string {
  const values = slices.filter(({ max }) => max > 0).map((slice) => slice[figure]);
  return micros.range(Math.min(...values), Math.max(...values));
}

function rangeText(rates: readonly number[]): string {
  return perSecond.range(Math.min(...rates), Math.max(...rates));
}

/** Seconds from 0 to the end of the longest run. */
function timeScale(duration: number, narrow: boolean): Scale {
  const { ticks } = linearScale(duration, seconds, narrow ? 4 : 8);
  return { at: (value) => value / duration, ticks: ticks.filter(({ value }) => value <= duration * 1.001) };
}

/** What is told along the time. */
function hitsOver(duration: number, at: (seconds: number) => string[]) {
  const count = 50;
  return Array.from({ length: count }, (_, index) => {
    const [from, to] = [(index * duration) / count, ((index + 1) * duration) / count];
    const middle = (from + to) / 2;
    return { from, to, lines: [`at ${middle.toFixed(1)} s`, ...at(middle)] };
  });
}
