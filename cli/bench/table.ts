/**
 * Results as a person reads them in a terminal.
 *
 * @module
 */

import { oneLine } from "../log.ts";
import { blocksOf } from "./blocks.ts";
import { findings } from "./findings.ts";
import { type Column, grid, wrap } from "./grid.ts";
import type { RunResult } from "./result.ts";
import { compare, type Comparison, groupRuns, type LoadRuns } from "./summary.ts";
import { formatRun } from "./table_run.ts";
import { isOurs, oursOf } from "./targets.ts";
import { loadTitle } from "./titles.ts";

export { formatRun };

/** How wide a table may be. */
const width = 100;

/**
 * A table for each scenario and load, and what is to know about it; a run that stands alone is told in detail.
 *
 * @param bold whether our rows may stand out: on a terminal, without `NO_COLOR`
 */
export function formatTables(runs: readonly RunResult[], { bold }: { readonly bold: boolean }): string {
  const loads = groupRuns(runs);
  const parts = loads.map((load) => load.runs.length === 1 ? formatRun(load.runs[0]!) : tableOf(load, bold));
  const compared = loads.filter(({ runs }) => runs.length > 1);
  if (compared.length > 0) parts.push(legend(compared));
  return parts.join("\n");
}

function tableOf(load: LoadRuns, bold: boolean): string {
  const comparison = compare(load);
  const sentences = findings(load).flatMap((sentence) => wrap(sentence, width));
  const blocks = blocksOf(comparison, load).map((columns) => {
    const row = bold ? comparison.targets.findIndex(({ target }) => isOurs(target)) : -1;
    return grid([targetColumn(comparison, columns.title), ...columns.columns], row);
  });
  const shown = sentences.length === 0 ? blocks : [...blocks, sentences];
  return [loadTitle(load), ...shown.flatMap((lines) => ["", ...lines])].map((line) => `${line}\n`).join("");
}

function targetColumn({ targets }: Comparison, title: string): Column {
  // Headings of one width keep the blocks of a table in line.
  return { heading: title.padEnd("round trip".length), cells: targets.map(({ target }) => target), align: "left" };
}

/** How to read the tables, and what the targets are. */
function legend(loads: readonly LoadRuns[]): string {
  const runs = loads.flatMap(({ runs }) => runs);
  const kinds = new Set(loads.map(({ kind }) => kind));
  const several = runs.some(({ round }) => round > 1);
  const sentences = [
    ...(several
      ? ["Figures are the median of the rounds that count, a max the largest of all; a..b is least..most."]
      : []),
    ...(several ? [`"${oursOf(runs)} is" divides ours by theirs round by round, and gives the median of that.`] : []),
    ...(kinds.has("throughput") ? ["CPU/1 M is the server's processor time for a million messages received."] : []),
    ...(kinds.has("latency")
      ? ["Latencies count from when a message was to be sent, not from when it was; below 1×, ours are shorter."]
      : []),
    ...(runs.some(({ target }) => target === "limit")
      ? ["The limit copies bytes, and knows nothing of messages."]
      : []),
  ];
  const servers = groupRuns(runs).flatMap((load) => compare(load).targets);
  const named = Map.groupBy(servers, ({ target }) => target);
  const names = [...named].map(([target, summaries]) =>
    `${target} is ${[...new Set(summaries.flatMap(({ servers }) => servers))].map(oneLine).join(", ")}`
  );
  return [...sentences, `${names.join("; ")}.`].flatMap((line) => wrap(line, width)).map((line) => `${line}\n`).join(
    "",
  );
}
