/**
 * `--report`: the results as a page that explains itself.
 *
 * @module
 */

import type { Meta } from "./export.ts";
import { formatTimes } from "./figures.ts";
import { findings } from "./findings.ts";
import { type Content, element, html, type Markup } from "./html.ts";
import { chartsOf } from "./report_charts.ts";
import { inlineMarker } from "./report_marks.ts";
import { method } from "./report_notes.ts";
import { page } from "./report_page.ts";
import { comparisonTables, glanceTable, headlines, runsTable } from "./report_tables.ts";
import type { RunResult } from "./result.ts";
import { compare, type Comparison, groupRuns, type LoadRuns } from "./summary.ts";
import { isOurs, oursOf, targetsOf } from "./targets.ts";
import { loadText, measuredText } from "./titles.ts";

interface Part {
  readonly load: LoadRuns;
  readonly comparison: Comparison;
}

/** The page: HTML that needs nothing else, and nothing but a browser. */
export function renderReport(runs: readonly RunResult[], meta: Meta): string {
  const parts = groupRuns(runs).map((load): Part => ({ load, comparison: compare(load) }));
  const title = titleOf(runs, parts);
  const sections = [
    glanceSection(parts),
    parts.map(partSection),
    methodSection(runs, parts),
    runsSection(parts),
  ];
  return page(`stream bench: ${title}`, header(title, runs, meta), sections, html`Made by stream ${meta.version}.`);
}

/** `fanout and latency: stream beside nats and redis`. */
function titleOf(runs: readonly RunResult[], parts: readonly Part[]): string {
  const scenarios = listed([...new Set(parts.map(({ load }) => load.scenario))]);
  const others = targetsOf(runs).filter((target) => !isOurs(target)).map((target) =>
    target === "limit" ? "the limit" : target
  );
  if (!runs.some(({ target }) => isOurs(target))) return `${scenarios}: ${listed(others)}`;
  const ours = oursOf(runs);
  return others.length === 0 ? `${scenarios} of stream` : `${scenarios}: ${ours} beside ${listed(others)}`;
}

/** `a, b and c`. */
function listed(names: readonly string[]): string {
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

function header(title: string, runs: readonly RunResult[], meta: Meta): Content {
  const counted = runs.filter(({ verdict }) => verdict === "counts").length;
  const processors = `${meta.processors} processor${meta.processors === 1 ? "" : "s"}`;
  const facts: [string, Content][] = [
    ["Date", meta.date.toISOString().replace("T", " ").replace(/\.\d+Z$/, " UTC")],
    ["Machine", `${meta.system}, ${processors}`],
    ["Version", `stream ${meta.version}`],
    ["Runs", `${runs.length}, of which ${counted === runs.length ? "all" : counted} count`],
    ["Command", element("code", {}, meta.command)],
    ...targetsOf(runs).map((target): [string, Content] => [target, serverOf(target, runs, meta)]),
  ];
  return html`
    <p class="kicker">stream bench</p>
    <h1>${title}</h1>
    <dl class="facts">${facts.map(([name, value]) =>
      html`
        <dt>${name}</dt>
        <dd>${value}</dd>
      `
    )}</dl>
  `;
}

/** What a target is, and how it was started. */
function serverOf(target: RunResult["target"], runs: readonly RunResult[], { servers = [] }: Meta): Content {
  const names = [...new Set(runs.filter((run) => run.target === target).map(({ server }) => server))].join(", ");
  const lines = new Set(servers.filter((server) => server.target === target).map(({ commandLine }) => commandLine));
  return [inlineMarker(target), ` ${names}`, [...lines].map((line) => html`<br><code>${line}</code>`)];
}

function glanceSection(parts: readonly Part[]): Content {
  if (parts.every(({ comparison }) => comparison.targets.length < 2)) return null;
  return html`<section id="glance">
    <h2>At a glance</h2>
    <p class="how">The median of the rounds that count; in brackets, ours divided by it, the median of the rounds in which both count. Of rates, more than 1 is better for ours; of latencies, less than 1.</p>
    ${glanceTable(parts)}
  </section>`;
}

function partSection({ load, comparison }: Part, index: number): Markup {
  const id = `c${index}`;
  const said = findings(load);
  return html`<section id="${id}">
    <h2>${load.scenario} <small>${load.load}</small></h2>
    <p class="how">${loadText(load.runs[0]!)}; ${measuredText(load.runs)}.</p>
    ${statement({ load, comparison })}
    ${chartsOf(id, comparison, load)}
    ${comparisonTables(comparison, load)}
    ${said.length === 0 ? null : html`<ul class="notes">${said.map((sentence) => html`<li>${sentence}</li>`)}</ul>`}
  </section>`;
}

/** What a load shows, in a sentence a figure: ours, and how it compares. */
function statement({ load, comparison }: Part): Content {
  const own = comparison.targets.find(({ target }) => isOurs(target));
  const told = headlines(comparison, load).filter(({ metric }) => !metric.endsWith("_p50"));
  return told.flatMap(({ says, metric, text }) => {
    const spread = own?.spreads[metric];
    if (spread === undefined) return [];
    const ratios = comparison.targets.flatMap(({ target, ratios }) => {
      const ratio = ratios[metric];
      if (ratio === undefined) return [];
      return [`${formatTimes(ratio.median)}${target === "limit" ? " of the limit" : `× ${target}`}`];
    });
    const compared = ratios.length === 0 ? "" : `, which is ${listed(ratios)}`;
    return html`<p class="shows">${says} <b>${text(spread.median)}</b>${compared}.</p>`;
  });
}

function methodSection(runs: readonly RunResult[], parts: readonly Part[]): Markup {
  const notes = method(runs, new Set(parts.map(({ load }) => load.kind)));
  return html`
    <section id="method">
      <h2>How it was measured</h2>
      <dl class="method">${notes.map(({ name, text }) =>
        html`
          <div>
            <dt>${name}</dt>
            <dd>${text}</dd>
          </div>
        `
      )}</dl>
    </section>
  `;
}

function runsSection(parts: readonly Part[]): Markup {
  return html`<section id="runs">
    <h2>All runs</h2>
    <p class="how">Those that do not count too, and why they do not.</p>
    ${parts.map(({ load }) => runsTable(load))}
  </section>`;
}
