/**
 * Bars: the middle of the rounds of each target, how far they were apart, and each round.
 *
 * @module
 */

import type { TargetKind } from "./driver.ts";
import type { Quantity } from "./figures.ts";
import { type Content, element, type Markup } from "./html.ts";
import { type Canvas, type Drawing, hit, label, line } from "./report_figure.ts";
import { path } from "./report_marks.ts";
import { linearScale } from "./report_scale.ts";
import type { Spread } from "./summary.ts";
import { isOurs, oursOf } from "./targets.ts";

/** A target's bar. */
export interface Bar {
  readonly target: TargetKind;
  /** What the target is. */
  readonly detail: string;
  /** Of the rounds that count; `null` where there is none. */
  readonly spread: Spread | null;
  /** How ours compares: `4.36×`; empty where it does not. */
  readonly ratio: string;
  readonly rounds: readonly { readonly round: number; readonly value: number; readonly counts: boolean }[];
}

/** Where things are, across and down. */
interface Layout {
  readonly left: number;
  readonly right: number;
  /** Where a row begins and how high it is. */
  readonly top: number;
  readonly row: number;
  /** Where in a row the text, the bar and the dots are. */
  readonly text: number;
  readonly bar: number;
  readonly dots: number;
}

const barHeight = 14;
const wide: Layout = { left: 150, right: 190, top: 26, row: 48, text: 17, bar: 5, dots: 28 };
const narrow: Layout = { left: 6, right: 10, top: 22, row: 64, text: 14, bar: 22, dots: 45 };
/** Where the columns on the right end, from the right edge. */
const valueColumn = 98;
/** Of a text in a narrow column, how many characters are shown. */
const mostDetail = 22;

/** A chart of bars; they begin at 0. */
export function barChart(canvas: Canvas, bars: readonly Bar[], quantity: Quantity): Drawing {
  const layout = canvas.narrow ? narrow : wide;
  const most = Math.max(
    0,
    ...bars.flatMap(({ spread, rounds }) => [spread?.max ?? 0, ...rounds.map(({ value }) => value)]),
  );
  const scale = linearScale(most, quantity, canvas.narrow ? 3 : 5);
  const plotWidth = canvas.width - layout.left - layout.right;
  const x = (value: number) => layout.left + scale.at(value) * plotWidth;
  const bottom = layout.top + bars.length * layout.row;
  const ticks = scale.ticks.map(({ value, text }, index) => {
    const anchor = canvas.narrow && index === 0
      ? "start"
      : canvas.narrow && index === scale.ticks.length - 1
      ? "end"
      : "middle";
    return [
      line(x(value), layout.top, x(value), bottom, value === 0 ? "axis" : "grid"),
      label(x(value), bottom + 16, text, "tick", anchor),
    ];
  });
  const rows = bars.map((bar, index) => row(bar, layout.top + index * layout.row, x, canvas, layout, quantity));
  return { height: bottom + 24, content: [ticks, columnHeads(canvas, bars), rows] };
}

function columnHeads({ width, narrow }: Canvas, bars: readonly Bar[]): Content {
  const compared = bars.some(({ ratio }) => ratio !== "");
  const ours = oursOf(bars);
  if (narrow) return compared ? label(width - 10, 12, `median · ${ours} is`, "head", "end") : null;
  return [
    label(width - valueColumn, 14, "median", "head", "end"),
    compared ? label(width - 4, 14, `${ours} is`, "head", "end") : null,
  ];
}

function row(
  bar: Bar,
  top: number,
  x: (value: number) => number,
  canvas: Canvas,
  at: Layout,
  quantity: Quantity,
): Content {
  const { target, spread, rounds, ratio, detail } = bar;
  const strong = isOurs(target) ? " strong" : "";
  const value = spread === null ? "none counts" : quantity.text(spread.median);
  const barTop = top + at.bar;
  const names = canvas.narrow
    ? [
      label(at.left, top + at.text, target, `name${strong}`),
      label(canvas.width - 10, top + at.text, ratio === "" ? value : `${value} · ${ratio}`, `value${strong}`, "end"),
    ]
    : [
      label(at.left - 12, top + at.text, target, `name${strong}`, "end"),
      label(at.left - 12, top + at.text + 15, shortened(detail), "detail", "end"),
      label(canvas.width - valueColumn, top + at.text, value, `value${strong}`, "end"),
      label(canvas.width - 4, top + at.text, ratio, "value", "end"),
    ];
  const drawn = spread === null ? null : [
    element("rect", {
      class: `bar t-${target}`,
      x: x(0),
      y: barTop,
      width: Math.max(1, x(spread.median) - x(0)),
      height: barHeight,
    }),
    spread.count > 1 ? whisker(x(spread.min), x(spread.max), barTop + barHeight / 2) : null,
  ];
  const told = [
    `${target}: ${value}`,
    ...(spread !== null && spread.count > 1
      ? [`${quantity.range(spread.min, spread.max)} in ${spread.count} rounds`]
      : []),
    ...rounds.map((one) => `round ${one.round}: ${quantity.text(one.value)}${one.counts ? "" : " does not count"}`),
  ];
  return [
    names,
    drawn,
    rounds.map((one) => dot(target, x(one.value), top + at.dots, one.counts)),
    hit(0, top, canvas.width, at.row, told),
  ];
}

function whisker(from: number, to: number, y: number): Markup {
  const cap = 4;
  const lines = path([from, y], [to, y]) + path([from, y - cap], [from, y + cap]) + path([to, y - cap], [to, y + cap]);
  return element("path", { class: "whisker", d: lines });
}

/** A round: a dot, or a cross if it does not count. */
function dot(target: TargetKind, x: number, y: number, counts: boolean): Markup {
  if (counts) return element("circle", { class: `dot t-${target}`, cx: x, cy: y, r: 3 });
  const size = 3.5;
  const cross = path([x - size, y - size], [x + size, y + size]) + path([x - size, y + size], [x + size, y - size]);
  return element("path", { class: "cross", d: cross });
}

function shortened(text: string): string {
  return text.length <= mostDetail ? text : `${text.slice(0, mostDetail - 1)}…`;
}
