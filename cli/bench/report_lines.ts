/**
 * Charts of lines: a target's line is named where it ends.
 *
 * @module
 */

import type { TargetKind } from "./driver.ts";
import { type Content, element, type Markup } from "./html.ts";
import { type Canvas, type Drawing, hit, label, line } from "./report_figure.ts";
import { dashOf, marker, path } from "./report_marks.ts";
import type { Scale } from "./report_scale.ts";
import { isOurs } from "./targets.ts";

/** A point of a line; without `y` the line is interrupted. */
export interface Point {
  readonly x: number;
  readonly y: number | null;
}

/** A line. */
export interface Line {
  readonly target: TargetKind;
  readonly points: readonly Point[];
  /** `main` is dashed as its target is; `second` and `faint` stand back; `dots` has no line. */
  readonly style: "main" | "second" | "faint" | "dots";
  /** What is written where it ends; nothing if empty. */
  readonly name: string;
}

/** What lies between two lines. */
export interface Band {
  readonly target: TargetKind;
  readonly points: readonly { readonly x: number; readonly low: number; readonly high: number }[];
}

/** A chart of lines. */
export interface LineChart {
  readonly x: Scale;
  readonly y: Scale;
  /** What the axis upwards is. */
  readonly yTitle: string;
  readonly xTitle: string;
  readonly bands: readonly Band[];
  readonly lines: readonly Line[];
  /** What is told when the chart is pointed at, from one x to the next. */
  readonly hits: readonly { readonly from: number; readonly to: number; readonly lines: readonly string[] }[];
  /** Where lines have the marker of their target. */
  readonly marks: readonly number[];
  /** Whether names have the marker of their target. */
  readonly markNames: boolean;
}

/** The plot's edges. */
interface Plot {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

const top = 26;
const axisHeight = 40;
/** How far the names of lines are apart at least. */
const nameHeight = 16;

/** Draws it. */
export function lineChart(canvas: Canvas, chart: LineChart): Drawing {
  const height = canvas.narrow ? 250 : 340;
  const left = 10 + 7 * Math.max(...chart.y.ticks.map(({ text }) => text.length));
  const longest = Math.max(0, ...chart.lines.map(({ name }) => name.length));
  const right = canvas.width - 14 - (longest > 0 ? 7.9 * longest + (chart.markNames ? 12 : 0) : 0);
  const plot: Plot = { left, right, top, bottom: height - axisHeight };
  const x = (value: number) => plot.left + chart.x.at(value) * (plot.right - plot.left);
  const y = (value: number) => plot.bottom - chart.y.at(value) * (plot.bottom - plot.top);
  return {
    height,
    content: [
      axes(canvas, chart, plot, x, y),
      chart.bands.map((band) => bandOf(band, x, y)),
      chart.lines.map((line) => drawn(line, chart.marks, x, y)),
      names(chart, plot, y),
      chart.hits.map(({ from, to, lines }) => hit(x(from), plot.top, x(to) - x(from), plot.bottom - plot.top, lines)),
    ],
  };
}

type Place = (value: number) => number;

function axes({ narrow }: Canvas, chart: LineChart, plot: Plot, x: Place, y: Place): Content {
  const rows = chart.y.ticks.map(({ value, text }) => [
    line(plot.left, y(value), plot.right, y(value), "grid"),
    label(plot.left - 6, y(value) + 4, text, "tick", "end"),
  ]);
  // The last ticks of a narrow chart would run into each other: those that stand too close to the next are not written.
  const room = narrow ? 34 : 44;
  let free = Infinity;
  const columns = chart.x.ticks.toReversed().map(({ value, text }) => {
    const written = x(value) <= free;
    if (written) free = x(value) - Math.max(room, text.length * 7);
    return [
      line(x(value), plot.top, x(value), plot.bottom + 4, "grid"),
      written ? label(x(value), plot.bottom + 18, text, "tick", "middle") : null,
    ];
  });
  return [
    rows,
    columns,
    line(plot.left, plot.bottom, plot.right, plot.bottom, "axis"),
    label(0, 12, chart.yTitle, "head"),
    label(plot.right, plot.bottom + 34, chart.xTitle, "head", "end"),
  ];
}

function bandOf({ target, points }: Band, x: Place, y: Place): Markup | null {
  if (points.length < 2) return null;
  const upper = points.map((point) => [x(point.x), y(point.high)] as const);
  const lower = points.map((point) => [x(point.x), y(point.low)] as const).reverse();
  return element("path", { class: `band t-${target}`, d: `${path(...upper, ...lower)}Z` });
}

function drawn({ target, points, style }: Line, marks: readonly number[], x: Place, y: Place): Content {
  const known = points.flatMap((point) => point.y === null ? [] : [[x(point.x), y(point.y)] as const]);
  if (style === "dots") {
    return known.map(([cx, cy]) => element("circle", { class: `dot t-${target}`, cx, cy, r: 1.8 }));
  }
  const d = parts(points).map((part) => path(...part.map((point) => [x(point.x), y(point.y!)] as const))).join("");
  const dash = style === "main" ? dashOf(target) : "none";
  const markers = style === "main"
    ? marksOn(points, marks).map((point) => marker(target, x(point.x), y(point.y!), 4))
    : [];
  return [element("path", { class: `line ${style} t-${target}`, d, "stroke-dasharray": dash }), markers];
}

/** The stretches of a line that are not interrupted. */
function parts(points: readonly Point[]): Point[][] {
  const stretches: Point[][] = [[]];
  for (const point of points) {
    if (point.y === null) stretches.push([]);
    else stretches.at(-1)!.push(point);
  }
  return stretches.filter((stretch) => stretch.length > 0);
}

/** The points next to where markers are to be, if there are any near. */
function marksOn(points: readonly Point[], marks: readonly number[]): Point[] {
  const known = points.filter(({ y }) => y !== null);
  const last = known.at(-1);
  if (last === undefined) return [];
  return marks.filter((mark) => mark <= last.x + 1e-6).map((mark) =>
    known.reduce((near, point) => Math.abs(point.x - mark) < Math.abs(near.x - mark) ? point : near)
  );
}

/** The names of the lines at their ends, moved apart where they would run into each other. */
function names({ lines, markNames }: LineChart, plot: Plot, y: Place): Content {
  const named = lines.flatMap((line) => {
    const end = line.points.findLast((point) => point.y !== null);
    return line.name === "" || end === undefined ? [] : [{ line, at: y(end.y!) }];
  }).sort((a, b) => a.at - b.at);
  const places = apart(named.map(({ at }) => at), nameHeight, plot.top - 4, plot.bottom + 4);
  return named.map(({ line: { target, name }, at }, index) => {
    const place = places[index]!;
    const left = plot.right + 8;
    return [
      Math.abs(place - at) > 3 ? line(plot.right + 1, at, left - 1, place, "leader") : null,
      markNames ? marker(target, left + 5, place, 4) : null,
      label(left + (markNames ? 14 : 0), place + 4, name, `name${markNames && isOurs(target) ? " strong" : ""}`),
    ];
  });
}

/**
 * Places as near as can be to the wanted ones, which are sorted, and so far apart, from `least` to `most`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { apart } from "./report_lines.ts";
 *
 * assertEquals(apart([10, 11, 50], 16, 0, 100), [2.5, 18.5, 50]);
 * ```
 */
export function apart(wanted: readonly number[], distance: number, least: number, most: number): number[] {
  // Groups that touch move together, to the middle of where their members want to be.
  const groups: { members: number[]; begin: number }[] = [];
  const settle = (members: number[]) => {
    const mean = members.reduce((sum, place, index) => sum + place - index * distance, 0) / members.length;
    const room = Math.max(least, most - (members.length - 1) * distance);
    return Math.min(room, Math.max(least, mean));
  };
  for (const place of wanted) {
    let group = { members: [place], begin: settle([place]) };
    for (;;) {
      const before = groups.at(-1);
      if (before === undefined || before.begin + before.members.length * distance <= group.begin) break;
      groups.pop();
      const members = [...before.members, ...group.members];
      group = { members, begin: settle(members) };
    }
    groups.push(group);
  }
  return groups.flatMap(({ members, begin }) => members.map((_, index) => begin + index * distance));
}
