/**
 * One run, in detail, as a person reads it in a terminal.
 *
 * @module
 */

import { oneLine } from "../log.ts";
import { sparkline } from "../sparkline.ts";
import { formatBytes, formatCount } from "../units.ts";
import { memory, micros, percent, perSecond } from "./figures.ts";
import { bottleneckText, whyExcluded } from "./findings.ts";
import { grid, wrap } from "./grid.ts";
import {
  cpuPerMillion,
  figureNames,
  figureOf,
  latencyFigures,
  latencyOf,
  metricsOf,
  type Trip,
  tripNames,
  tripsOf,
} from "./metrics.ts";
import type { Latency, RunResult, Usage } from "./result.ts";
import { ratesOverTime } from "./slices.ts";
import { loadText, loadTitle } from "./titles.ts";

const width = 100;
/** Where the second column begins. */
const indent = 16;
/** How many characters wide pictures are. */
const pictureWidth = 60;

/** All that one run has shown. */
export function formatRun(run: RunResult): string {
  const why = whyExcluded(run);
  const lines = [
    loadTitle({ ...run, runs: [run] }),
    "",
    ...field("server", `${oneLine(run.server)} at ${oneLine(run.endpoint)}`),
    ...field("load", loadText(run)),
    ...(why === "" ? [] : field("not counted", why)),
    "",
    ...(run.connections === null ? countLines(run) : connectionLines(run)),
    "",
    ...datagramLines(run),
    ...latencyLines(run),
    ...field("processor", processorText(run)),
    ...field("memory", memoryText(run)),
    ...field("bottleneck", bottleneckText(run.bottleneck, [run])),
    ...overTime(run),
    ...(why === "" ? run.notes.flatMap((note) => field("note", oneLine(note))) : []),
  ];
  return lines.map((line) => `${line}\n`).join("");
}

/** A name, and what is to say under it, in as many lines as it takes. */
function field(name: string, text: string): string[] {
  return wrap(text, width - indent, "").map((line, index) => (index === 0 ? `  ${name}` : "").padEnd(indent) + line);
}

function countLines({ counts, sentRate, deliveryRate, size, multicast }: RunResult): string[] {
  const { sent, received, lost, unrepaired, duplicated, reordered, corrupt } = counts;
  const rows = [
    ["sent", sent, `${perSecond.text(sentRate)}, ${memory.text(sentRate * size)}/s`],
    ["received", received, `${perSecond.text(deliveryRate)}, ${memory.text(deliveryRate * size)}/s`],
    ["lost", lost, ""],
    ...(multicast === null ? [] : [["unrepaired", unrepaired, "reported as gaps"] as const]),
    ["duplicated", duplicated, ""],
    ["reordered", reordered, ""],
    ["corrupt", corrupt, ""],
  ] as const satisfies (readonly [string, number, string])[];
  const lines = grid([
    { heading: "", cells: rows.map(([name]) => `  ${name}`.padEnd(indent - 2)), align: "left" },
    { heading: "", cells: rows.map(([, count]) => formatCount(count)) },
    { heading: "", cells: rows.map(([, , rate]) => rate), align: "left" },
  ]);
  return [...lines.slice(1), `${" ".repeat(indent)}counts are of the whole run, rates without the warm-up`];
}

/** What became of a group's datagrams. */
function datagramLines(run: RunResult): string[] {
  const { multicast, counts } = run;
  if (multicast === null) return [];
  const { group, encrypted, sent, faults, missed, unrepaired, requests } = multicast;
  const { datagramRate = 0, bytesPerMessage = 0, missed: part = 0 } = metricsOf(run);
  const said = sent === null ? ["not known: the server ended without a word"] : [
    `${formatCount(sent.datagrams)} sent`,
    perSecond.text(datagramRate),
    `${(counts.sent / sent.datagrams).toFixed(1)} messages in each`,
    `${memory.text(bytesPerMessage)} a message`,
    `${formatCount(sent.repaired)} sent again`,
    ...(sent.expired === 0 ? [] : [`${formatCount(sent.expired)} could not be`]),
  ];
  const onPurpose = [[faults.lost, "lost"], [faults.reordered, "late"], [faults.duplicated, "doubled"]] as const;
  const injected = onPurpose.filter(([count]) => count > 0).map(([count, what]) => `${formatCount(count)} ${what}`);
  return [
    ...field("group", oneLine(encrypted ? `${group}, encrypted` : group)),
    ...field("datagrams", said.join(", ")),
    ...(injected.length === 0 ? [] : field("on purpose", injected.join(", "))),
    ...field(
      "missed",
      `${formatCount(missed)}, ${percent.text(part)}: ${formatCount(missed - unrepaired)} repaired, ` +
        `${formatCount(unrepaired)} not; ${formatCount(requests)} requests`,
    ),
    "",
  ];
}

function connectionLines({ connections }: RunResult): string[] {
  const { wanted, open, rate, bytesEach } = connections!;
  return [
    ...field("connections", `${formatCount(open)} open of ${formatCount(wanted)} wanted, ${perSecond.text(rate)}`),
    ...field("memory each", bytesEach === null ? "not known" : formatBytes(bytesEach)),
  ];
}

/** A line of figures for each trip, and a picture of it. */
function latencyLines(run: RunResult): string[] {
  const trips = tripsOf([run]).map((trip): [Trip, Latency] => [trip, latencyOf(run, trip)!]);
  if (trips.length === 0) return [];
  const columns = latencyFigures.map((figure) => ({
    heading: figureNames[figure],
    cells: trips.map(([, latency]) => {
      const value = figureOf(latency, figure);
      return value === null ? "-" : micros.text(value);
    }),
  }));
  const names = trips.map(([trip]) => `  ${tripNames[trip]}`.padEnd(indent - 2));
  return [
    ...grid([{ heading: "", cells: names, align: "left" }, ...columns]),
    "",
    ...trips.map(([trip, latency]) => `  ${tripNames[trip]}`.padEnd(indent) + latencyPicture(latency, pictureWidth)),
    `${" ".repeat(indent)}█ a half of the messages  ▓ to 90%  ▒ to 99%  ░ to 99.9%  · the rest; log scale`,
    "",
  ];
}

/**
 * Where the latencies lie between the smallest and the largest, on a logarithmic scale: the darker, the more of them.
 *
 * @param width of the picture, in characters; its ends are written beside it
 */
export function latencyPicture(latency: Latency, width: number): string {
  const { min, p50, p90, p99, p999, max } = latency;
  const place = (value: number) => Math.log(Math.max(1, value)) - Math.log(Math.max(1, min));
  const whole = place(max);
  let bar = "";
  for (const [character, end] of [["█", p50], ["▓", p90], ["▒", p99], ["░", p999], ["·", max]] as const) {
    const until = whole === 0 ? width : Math.round((place(end) / whole) * width);
    bar += character.repeat(Math.max(0, until - bar.length));
  }
  return `${micros.text(min)} ${bar} ${micros.text(max)}`;
}

function processorText(run: RunResult): string {
  const used = ({ cpuSeconds }: Usage) => `${(cpuSeconds / run.seconds).toFixed(2)}`;
  const { serverUsage, senderUsage, receiverUsage, processors } = run;
  const server = serverUsage === null ? "not known of the server" : `server ${used(serverUsage)}`;
  const each = run.connections === null ? cpuPerMillion(run) : null;
  const million = each === null ? "" : `; the server took ${micros.text(each * 1e6)} for a million messages received`;
  const cores = `${processors} core${processors === 1 ? "" : "s"}`;
  return `of ${cores}: ${server}, senders ${used(senderUsage)}, receivers ${used(receiverUsage)}${million}`;
}

function memoryText({ serverUsage, senderUsage, receiverUsage }: RunResult): string {
  const most = (usage: Usage | null) => !usage?.peakBytes ? "not known" : memory.text(usage.peakBytes);
  return `at most: server ${most(serverUsage)}, senders ${most(senderUsage)}, receivers ${most(receiverUsage)}`;
}

/** How steady it was. */
function overTime(run: RunResult): string[] {
  const rates = ratesOverTime(run).map(({ rate }) => rate);
  if (rates.length < 2) return [];
  const shown = thinned(rates, pictureWidth);
  const most = Math.max(...shown);
  return field("over time", `${sparkline(shown, 0, most)}  ${perSecond.range(Math.min(...shown), most)}`);
}

/** At most so many values, each the mean of some that stand together. */
function thinned(values: readonly number[], most: number): number[] {
  const count = Math.min(most, values.length);
  return Array.from({ length: count }, (_, index) => {
    const from = Math.floor((index * values.length) / count);
    const some = values.slice(from, Math.floor(((index + 1) * values.length) / count));
    return some.reduce((sum, value) => sum + value, 0) / some.length;
  });
}
