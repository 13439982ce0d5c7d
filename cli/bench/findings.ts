/**
 * What a reader should know beside the numbers, in sentences: which runs do not count, and what held the others back.
 *
 * @module
 */

import { oneLine } from "../log.ts";
import { formatCount, formatMessages } from "../units.ts";
import { formatCores, micros, perSecond } from "./figures.ts";
import type { Bottleneck, Counts, RunResult } from "./result.ts";
import { type LoadRuns, spreadOf } from "./summary.ts";
import { targetsOf } from "./targets.ts";

/** The least part of the rate that is to be held, for nothing to be said about it. */
const held = 0.99;

/** All there is to say about the runs of a load. */
export function findings(load: LoadRuns): string[] {
  return [
    ...targetsOf(load.runs).flatMap((target) =>
      load.runs.filter((run) => run.target === target && run.verdict !== "counts").map(exclusion)
    ),
    ...bottlenecks(load),
    ...lateness(load),
    ...notesOf(load.runs),
  ];
}

/** `redis, round 3: does not count: 12 messages lost`. */
function exclusion(run: RunResult): string {
  return `${run.target}, round ${run.round}: does not count: ${whyExcluded(run)}`;
}

/** Why a run does not count: `12 messages lost`; nothing for one that does. */
export function whyExcluded(run: RunResult): string {
  const why = reasonOf(run);
  const more = run.notes.map(oneLine).filter((note) => note !== why);
  return why === "" ? "" : [why, ...more].join("; ");
}

function reasonOf({ verdict, counts }: RunResult): string {
  switch (verdict) {
    case "counts":
      return "";
    case "lost":
      return damageOf(counts) || "messages lost";
    case "partial":
      return "it ended early";
    case "late":
      return "the load generator did not hold the rate";
  }
}

/** `12 messages lost, 3 duplicated`; nothing where nothing is wrong. */
export function damageOf({ lost, duplicated, reordered, corrupt }: Counts): string {
  const kinds = [[lost, "lost"], [duplicated, "duplicated"], [reordered, "reordered"], [corrupt, "corrupt"]] as const;
  const present = kinds.filter(([count]) => count > 0);
  return present.map(([count, kind], index) => `${index === 0 ? formatMessages(count) : formatCount(count)} ${kind}`)
    .join(", ");
}

/** What held each target back, where it was to do as much as it could. */
function bottlenecks({ kind, runs }: LoadRuns): string[] {
  if (kind === "latency") return [];
  return targetsOf(runs).flatMap((target) => {
    const counted = runs.filter((run) => run.target === target && run.verdict === "counts");
    const kinds = Map.groupBy(counted, ({ bottleneck }) => bottleneck);
    const [most] = [...kinds].sort(([, a], [, b]) => b.length - a.length);
    if (most === undefined || most[0] === "rate") return [];
    const [bottleneck, those] = most;
    const often = counted.length === 1 ? "" : ` in ${those.length} of ${counted.length} runs`;
    return [`${target}: ${bottleneckText(bottleneck, those, often)}`];
  });
}

/** `the load generator was the bottleneck in 5 of 7 runs, so ...: receivers used 0.98 of a core, ...`. */
export function bottleneckText(bottleneck: Bottleneck, runs: readonly RunResult[], often = ""): string {
  const statements: Readonly<Record<Bottleneck, string>> = {
    server: `the server was the bottleneck${often}`,
    load: `the load generator was the bottleneck${often}, so the server may be capable of more`,
    machine: `all ${runs[0]?.processors} processors of the machine were busy${often}`,
    rate: `nothing held it back${often}: it did what was asked for`,
    unknown: `what held it back is not known${often}`,
  };
  return `${statements[bottleneck]} (${usageText(runs)})`;
}

/** `the server used 0.61 of a core, senders 0.55, receivers 0.98`: the middle of these runs. */
function usageText(runs: readonly RunResult[]): string {
  const cores = (usage: "serverUsage" | "senderUsage" | "receiverUsage") =>
    spreadOf(runs.flatMap((run) => run[usage] === null ? [] : run[usage].cpuSeconds / run.seconds))?.median;
  const server = cores("serverUsage");
  const [senders = 0, receivers = 0] = [cores("senderUsage"), cores("receiverUsage")];
  // A server's threads are one process; whoever is busiest stands first.
  const parts = [
    ["senders", senders],
    ["receivers", receivers],
    ...(server === undefined ? [] : [["the server", server]]),
  ];
  const sorted = (parts as [string, number][]).sort(([, a], [, b]) => b - a);
  const text = sorted.map(([who, used], index) =>
    index === 0 ? `${who} used ${formatCores(used)}` : `${who} ${used.toFixed(2)}`
  ).join(", ");
  return server === undefined ? `${text}; what the server used is not known` : text;
}

/** How late the load generator itself was, and which targets got less than they should have. */
function lateness({ kind, runs }: LoadRuns): string[] {
  const counted = runs.filter(({ verdict, rate }) => verdict === "counts" && rate > 0);
  if (kind !== "latency" || counted.length === 0) return [];
  const delays = targetsOf(counted).flatMap((target) => {
    const delay = spreadOf(counted.flatMap((run) => run.target === target ? run.sendDelay?.p99 ?? [] : []));
    return delay === null ? [] : `${target} ${micros.text(delay.median)}`;
  });
  const slow = counted.filter(({ sentRate, rate }) => sentRate < rate * held).map(({ target, round, sentRate, rate }) =>
    `${target}, round ${round}: sent ${perSecond.text(sentRate)} of ${perSecond.text(rate)}`
  );
  if (delays.length === 0) return slow;
  return [...slow, `the load generator's own delay is part of the latencies; its p99: ${delays.join(", ")}`];
}

/** What is noted on the runs that count: once a target, where sentences differ in nothing but numbers. */
function notesOf(runs: readonly RunResult[]): string[] {
  return targetsOf(runs).flatMap((target) => {
    const counted = runs.filter((run) => run.target === target && run.verdict === "counts");
    const alike = Map.groupBy(
      counted.flatMap((run) => run.notes.map((note) => ({ run, note }))),
      (noted) => noted.note.replace(/[0-9.,]+/g, "#"),
    );
    return [...alike.values()].map((notes) => {
      const same = notes.every(({ note }) => note === notes[0]!.note);
      const often = `${new Set(notes.map(({ run }) => run)).size} of ${counted.length} runs`;
      const where = counted.length === 1 ? "" : same ? ` (${often})` : ` (like this in ${often})`;
      return `${target}: ${oneLine(notes[0]!.note)}${where}`;
    });
  });
}
