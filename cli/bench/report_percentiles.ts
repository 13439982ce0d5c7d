/**
 * The percentile curves of a load: one line a target, the middle of its rounds.
 *
 * @module
 */

import { decodeFromCompressedBase64 } from "hdr-histogram-js";
import { micros } from "./figures.ts";
import type { Markup } from "./html.ts";
import { latencyFigures, latencyOf, type Trip, tripNames } from "./metrics.ts";
import { figure } from "./report_figure.ts";
import { type Band, type Line, lineChart } from "./report_lines.ts";
import { latencyScale, nines, percentileScale } from "./report_scale.ts";
import type { Latency } from "./result.ts";
import { type LoadRuns, type Spread, spreadOf } from "./summary.ts";
import { targetsOf } from "./targets.ts";

/** How many points a curve has for each nine. */
const steps = 25;
/** As far as curves go, in nines: 99.99 %. */
const furthest = 4;
/** Where curves have markers, and the text equivalent its figures. */
const marked = [50, 90, 99, 99.9, 99.99] as const;

interface Curve {
  readonly target: LoadRuns["runs"][number]["target"];
  /** The rounds at each place that all of them reach, in nines. */
  readonly places: readonly { readonly x: number; readonly spread: Spread }[];
}

/** The figure; `null` where nothing that counts has measured that trip. */
export function percentileFigure(id: string, { runs }: LoadRuns, trip: Trip): Markup | null {
  const curves = targetsOf(runs).flatMap((target): Curve[] => {
    const latencies = runs.flatMap((run) =>
      run.target === target && run.verdict === "counts" ? latencyOf(run, trip) ?? [] : []
    );
    const places = curveOf(latencies);
    return places.length < 2 ? [] : [{ target, places }];
  });
  if (curves.length === 0) return null;
  const values = curves.flatMap(({ places }) => places.flatMap(({ spread }) => [spread.min, spread.max]));
  const y = latencyScale(values, micros);
  const reached = Math.max(...curves.map(({ places }) => places.at(-1)!.x));
  const several = curves.some(({ places }) => places.some(({ spread }) => spread.count > 1));
  const caption = {
    title: `Latency by percentile, ${tripNames[trip]}`,
    how:
      `Lower is better. Each step to the right on the axis is ten times rarer${
        y.log ? "; latency on a log scale" : ""
      }.` +
      (several
        ? " Lines are the median of the rounds, and the shade around them is from the best round to the worst."
        : ""),
    shows: curves.map(({ target, places }) => `${target}: ${figuresOf(places)}`).join(". "),
  };
  return figure(id, caption, (canvas) =>
    lineChart(canvas, {
      x: percentileScale(reached),
      y,
      yTitle: `latency, ${tripNames[trip]}${y.log ? ", log scale" : ""}`,
      xTitle: "percentile",
      bands: curves.map(bandOf).filter((band) => band !== null),
      lines: curves.map(lineOf),
      hits: hitsOf(curves, reached),
      marks: marked.map(nines),
      markNames: true,
    }));
}

/** The spread of several latencies at each place that all have enough values for. */
export function curveOf(latencies: readonly Latency[]): { readonly x: number; readonly spread: Spread }[] {
  const measured = latencies.filter(({ count }) => count > 0);
  const reach = Math.min(furthest, ...measured.map(({ count }) => Math.log10(count)));
  const lookups = measured.map(lookupOf);
  if (lookups.length === 0) return [];
  const even = Array.from({ length: Math.floor(reach * steps) + 1 }, (_, index) => index / steps);
  const places = [...even, ...marked.map(nines).filter((x) => x <= reach + 1e-9)].sort((a, b) => a - b)
    // 90 % is one nine, up to the last digit.
    .filter((x, index, all) => index === 0 || x - all[index - 1]! > 1e-6);
  return places.flatMap((x) => {
    const spread = spreadOf(lookups.flatMap((lookup) => lookup(100 * (1 - 10 ** -x)) ?? []));
    return spread === null ? [] : [{ x, spread }];
  });
}

/** The latency at a percentile: of the whole distribution, or of the figures of the result where that cannot be read. */
function lookupOf(latency: Latency): (percentile: number) => number | null {
  try {
    const histogram = decodeFromCompressedBase64(latency.histogram, 32, false);
    if (histogram.totalCount === 0) throw new RangeError("nothing is recorded");
    // Less than is shown, and enough for 99.9 not to be taken for a little more than it is.
    return (percentile) =>
      percentile <= 0 ? latency.min : histogram.getValueAtPercentile(Number(percentile.toFixed(6)));
  } catch {
    const known = [
      [0, latency.min],
      ...marked.map((percentile, index) => [percentile, latency[latencyFigures[index + 1]!]]),
    ];
    return (percentile) => known.find(([place]) => Math.abs(place! - percentile) < 1e-6)?.[1] ?? null;
  }
}

function lineOf({ target, places }: Curve): Line {
  return { target, name: target, style: "main", points: places.map(({ x, spread }) => ({ x, y: spread.median })) };
}

function bandOf({ target, places }: Curve): Band | null {
  if (places.every(({ spread }) => spread.count < 2)) return null;
  return { target, points: places.map(({ x, spread }) => ({ x, low: spread.min, high: spread.max })) };
}

function figuresOf(places: Curve["places"]): string {
  return marked.flatMap((percentile) => {
    const place = places.find(({ x }) => Math.abs(x - nines(percentile)) < 1e-6);
    return place === undefined ? [] : `${percentile}% ${micros.text(place.spread.median)}`;
  }).join(", ");
}

/** What is told along the curves. */
function hitsOf(curves: readonly Curve[], reached: number): { from: number; to: number; lines: string[] }[] {
  const count = 48;
  const width = reached / count;
  return Array.from({ length: reached > 0 ? count : 0 }, (_, index) => {
    const middle = (index + 0.5) * width;
    const lines = curves.flatMap(({ target, places }) => {
      if (places.at(-1)!.x < middle - width) return [];
      const near = places.reduce((best, place) =>
        Math.abs(place.x - middle) < Math.abs(best.x - middle) ? place : best
      );
      return [`${target} ${micros.text(near.spread.median)}`];
    });
    return { from: index * width, to: (index + 1) * width, lines: [percentText(middle), ...lines] };
  });
}

/** A percentile, with as many digits as tell it from 100. */
export function percentText(place: number): string {
  return `${(100 * (1 - 10 ** -place)).toFixed(place < 0.95 ? 0 : Math.floor(place))}%`;
}
