/**
 * The demo as lines of text.
 *
 * @module
 */

import { range, sparkline } from "../cli/sparkline.ts";
import { formatCount } from "../cli/units.ts";
import { digest } from "./ledger.ts";
import type { Receiver, Scene, Track } from "./scene.ts";
import { reportEvery } from "./report.ts";

/** How text is made to stand out; without colours, not at all. */
export interface Style {
  bold(text: string): string;
  dim(text: string): string;
  green(text: string): string;
  red(text: string): string;
  cyan(text: string): string;
  yellow(text: string): string;
}

/** Colours for a terminal, or none. */
export function styleFor(color: boolean): Style {
  const paint = (code: number) => (text: string) => color && text !== "" ? `\x1b[${code}m${text}\x1b[0m` : text;
  return { bold: paint(1), dim: paint(2), green: paint(32), red: paint(31), cyan: paint(36), yellow: paint(33) };
}

/** The widths of what stands in columns. */
const nameWidth = 11;
const numberWidth = 10;
const latencyWidths = [14, 9] as const;
/** How many ends agree, in words. */
const words: Readonly<Record<number, string>> = { 3: "three", 4: "four" };
/** How many bars show a rate, the latency and a price. */
const rateBars = 22;
const latencyBars = 38;
const priceBars = 35;
/** The most lines of what is wrong. */
const mostFaults = 8;

/**
 * The picture: who has sent and received how much, how fast, and what of.
 *
 * @param rows how many symbols are shown at most
 */
export function picture(scene: Scene, style: Style, rows = 8): string[] {
  const { seconds } = scene;
  const time = `${Math.min(scene.elapsed, seconds).toFixed(1)} of ${seconds.toFixed(1)} s`;
  return [
    ` ${style.bold("stream demo")}${time.padStart(66)}`,
    style.dim(` five processes over ${scene.endpoint} and a multicast group`),
    "",
    style.dim(row("", ["messages", "a second"], "".padEnd(rateBars)) + latencies("latency p50", "p99")),
    trackLine("publisher", scene.publisher, scene, style),
    receiverLine("live", scene.live, scene, style),
    receiverLine("late", scene.late, scene, style),
    style.dim(lateNote(scene)),
    ...(scene.multicast === null ? [] : [receiverLine("multicast", scene.multicast, scene, style)]),
    style.dim(multicastNote(scene)),
    "",
    latencyLine(scene.live, scene, style),
    "",
    ...quoteLines(scene, style, rows),
  ];
}

/** What came out: the checksums, whether they agree, and what was measured and how. */
export function verdict(scene: Scene, style: Style): string[] {
  const { sent, live, late, multicast } = scene;
  const faults = scene.faults ?? ["nothing was compared"];
  const ends: [name: string, entries: Scene["sent"]][] = [["publisher", sent], ["live", live.entries]];
  ends.push(["late", late.entries]);
  if (multicast !== null) ends.push(["multicast", multicast.entries]);
  const expected = digest(sent ?? []);
  const lines = ends.map(([name, entries]) => {
    const messages = (entries ?? []).reduce((sum, [, count]) => sum + count, 0);
    const sum = digest(entries ?? []);
    const mark = name === "publisher" ? "" : sum === expected ? style.green("  ✓ the same") : style.red("  ✗ differs");
    return row(style.bold(name.padEnd(nameWidth)), [messages, entries?.length ?? 0].map(formatCount), sum) + mark;
  });
  return [
    style.dim(row("", ["messages", "topics"], "checksum")),
    ...lines,
    "",
    ...faults.slice(0, mostFaults).map((fault) => ` ${style.red(`✗ ${fault}`)}`),
    ...(faults.length > mostFaults ? [` ${style.red(`✗ and ${faults.length - mostFaults} more`)}`] : []),
    faults.length === 0
      ? ` ${style.green("✓")} every topic has the same count and the same CRC-32 at all ${words[ends.length]}`
      : ` ${style.red("✗ the ends do not agree")}`,
    "",
    ...[
      "checksum   of every topic's count and CRC-32 over its payloads in order, which",
      "           the publisher and each subscriber have added up by themselves",
      "latency    from the stamp in each tick, set just before it is given to the",
      "           library, until the subscriber's own code has it: one machine, one",
      "           clock, every tick; for late, every tick published once it was level",
      "market     generated: invented symbols, random walks, a bell after one second",
    ].map((line) => style.dim(` ${line}`)),
  ];
}

/** One line about a second, where there is no terminal to draw on. */
export function secondLine(scene: Scene): string {
  const ends = [`published ${formatCount(scene.publisher.rate)}/s`];
  for (const name of ["live", "late", "multicast"] as const) {
    const receiver = scene[name];
    if (receiver === null) continue;
    const { joined, track, latency } = receiver;
    const told = latency?.count ? `, p50 ${formatLatency(latency.p50)}, p99 ${formatLatency(latency.p99)}` : "";
    ends.push(
      joined ? `${name} ${formatCount(track.rate)}/s${told}` : `${name} joins at ${scene.joinAt.toFixed(1)} s`,
    );
  }
  return `${scene.elapsed.toFixed(0).padStart(3)} s  ${ends.join("   ")}`;
}

/** `87 µs`, `1.3 ms`, `12 ms`, `1.2 s`, of microseconds. */
export function formatLatency(microseconds: number): string {
  if (microseconds < 1_000) return `${Math.round(microseconds)} µs`;
  const milliseconds = microseconds / 1_000;
  if (milliseconds < 9.95) return `${milliseconds.toFixed(1)} ms`;
  return milliseconds < 999.5 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1_000).toFixed(1)} s`;
}

function row(name: string, numbers: readonly string[], rest: string): string {
  return ` ${name.padEnd(nameWidth)}${numbers.map((text) => text.padStart(numberWidth)).join("")}  ${rest}`;
}

function latencies(p50: string, p99: string): string {
  return p50.padStart(latencyWidths[0]) + p99.padStart(latencyWidths[1]);
}

function trackLine(name: string, track: Track, scene: Scene, style: Style): string {
  const most = Math.max(...ratesOf(scene.publisher, scene).filter(Number.isFinite), 1);
  const bars = sparkline(ratesOf(track, scene), 0, most);
  const numbers = [track.messages, track.rate].map(formatCount);
  return row(style.bold(name.padEnd(nameWidth)), numbers, style.cyan(bars));
}

function receiverLine(name: string, { track, joined, latency }: Receiver, scene: Scene, style: Style): string {
  if (!joined) return style.dim(row(name, ["-", "-"], ""));
  const told = latency?.count ? [formatLatency(latency.p50), formatLatency(latency.p99)] as const : ["-", "-"] as const;
  return trackLine(name, track, scene, style) + latencies(...told);
}

function lateNote({ late, joinAt }: Scene): string {
  const indent = " ".repeat(nameWidth + 4);
  const how = `at ${joinAt.toFixed(1)} s, --from earliest`;
  if (!late.joined) return `${indent}joins ${how}`;
  if (late.caughtUp === null) return `${indent}joined ${how}`;
  const { messages, milliseconds } = late.caughtUp;
  return `${indent}joined ${how}: ${formatCount(messages)} kept ones in ${formatLatency(milliseconds * 1_000)}`;
}

/** Below the line of who listens to the group: what the network did to it. */
function multicastNote({ multicast }: Scene): string {
  const indent = " ".repeat(nameWidth + 4);
  if (multicast === null) return `${indent}no multicast is heard on this machine: see \`stream doctor\``;
  if (multicast.network === null) return `${indent}connected to nobody, and loses datagrams on purpose`;
  const { datagrams, lost } = multicast.network;
  return `${indent}of ${formatCount(datagrams)} datagrams ${formatCount(lost)} lost on purpose, and sent again`;
}

function latencyLine({ latencies }: Receiver, { seconds }: Scene, style: Style): string {
  const bins = Array.from({ length: latencyBars }, (_, i) => {
    const from = (i * seconds) / latencyBars;
    const to = ((i + 1) * seconds) / latencyBars;
    const some = latencies.filter(({ at }) => at >= from && at < to).map(({ p99 }) => p99);
    return some.length === 0 ? NaN : Math.max(...some);
  });
  const [least, most] = range(bins);
  const told = Number.isFinite(most) ? `${formatLatency(least)} to ${formatLatency(most)}` : "";
  const bars = style.yellow(sparkline(bins, 0, most));
  return ` ${style.bold("latency".padEnd(nameWidth))}${style.dim("live, p99")}  ${bars}  ${told}`;
}

function quoteLines({ busiest, seconds }: Scene, style: Style, rows: number): string[] {
  if (rows <= 0) return [];
  const samples = (seconds * 1_000) / reportEvery;
  const lines = Array.from({ length: rows }, (_, at) => {
    const quote = busiest[at];
    if (quote === undefined) return "";
    const { symbol, last, ticks, prices } = quote;
    const first = prices[0] ?? last;
    const change = (100 * (last - first)) / first;
    const paint = change < 0 ? style.red : style.green;
    const changeText = paint(`${change < 0 ? "" : "+"}${change.toFixed(2)}%`.padStart(numberWidth));
    const bins = Array.from({ length: priceBars }, (_, i) => prices[Math.floor((i * samples) / priceBars)] ?? NaN);
    const bars = paint(sparkline(bins, ...range(bins)));
    return row(style.bold(symbol.padEnd(nameWidth)), [last.toFixed(2), changeText, formatCount(ticks)], bars);
  });
  return [style.dim(row("busiest", ["last", "change", "ticks"], "price")), ...lines];
}

function ratesOf(track: Track, { seconds }: Scene): number[] {
  return Array.from(
    { length: rateBars },
    (_, i) => track.rateBetween((i * seconds) / rateBars, ((i + 1) * seconds) / rateBars),
  );
}
