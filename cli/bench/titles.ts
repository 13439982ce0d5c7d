/**
 * Loads and runs in words.
 *
 * @module
 */

import { oneLine } from "../log.ts";
import { formatBytes, formatCount } from "../units.ts";
import type { RunResult } from "./result.ts";
import { type LoadRuns, spreadOf } from "./summary.ts";
import { targetsOf } from "./targets.ts";

/** `fanout, 1 to 10, 128 B: 7 rounds of 10 s, as many messages as go`. */
export function loadTitle({ scenario, load, runs }: Pick<LoadRuns, "scenario" | "load" | "runs">): string {
  const targets = targetsOf(runs);
  const who = targets.length === 1 ? `${targets[0]}, ` : "";
  return `${oneLine(scenario)}, ${oneLine(load)}: ${who}${measuredText(runs)}`;
}

/** `7 rounds of 10 s, as many messages as go`. */
export function measuredText(runs: readonly RunResult[]): string {
  const rounds = new Set(runs.map(({ round }) => round)).size;
  const seconds = spreadOf(runs.map(({ seconds }) => seconds))?.median ?? 0;
  const long = `${Number(seconds.toFixed(1))} s`;
  const times = rounds === 1 ? long : `${rounds} rounds of ${long}`;
  return [times, ...rateText(runs)].join(", ");
}

/** A rate is told by the load's own name. */
function rateText(runs: readonly RunResult[]): string[] {
  return runs.every(({ rate, connections }) => rate === 0 && connections === null) ? ["as many messages as go"] : [];
}

/** `1 publisher, 10 subscribers, 1 topic, 128 B a message`. */
export function loadText({ publishers, subscribers, topics, size, connections }: RunResult): string {
  const parts = [[publishers, "publisher"], [subscribers, "subscriber"], [topics, "topic"]] as const;
  const named = parts.filter(([count]) => count > 0).map(([count, name]) =>
    `${formatCount(count)} ${name}${count === 1 ? "" : "s"}`
  );
  return [...named, ...(connections === null ? [`${formatBytes(size)} a message`] : [])].join(", ");
}
