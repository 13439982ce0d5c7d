/**
 * How a report looks.
 *
 * @module
 */

/** The style sheet. The colours of the targets are those of Okabe and Ito, darker on white. */
export const style = `
:root {
  color-scheme: light dark;
  --page: #f6f6f3; --card: #fff; --ink: #1b1d20; --soft: #5a5f67; --edge: #e2e2dd; --grid: #ebebe7; --axis: #a9acb0; --more: #0003;
  --stream: #0072b2; --tcp: #a34700; --nats: #b87800; --redis: #b4508d; --mqtt: #00805f; --limit: #5f646b; --bad: #c0392b;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --page: #111316; --card: #191c20; --ink: #e9eaec; --soft: #a4a9b1; --edge: #2b2f35; --grid: #262a2f; --axis: #5d636b; --more: #000a;
    --stream: #56b4e9; --tcp: #e8864a; --nats: #e69f00; --redis: #e28abb; --mqtt: #22b893; --limit: #a0a6ae; --bad: #ff8a7a;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
main, header, footer { max-width: 1080px; margin: 0 auto; padding: 0 24px; }
header { padding-top: 48px; }
.kicker { margin: 0; color: var(--stream); font-weight: 600; letter-spacing: .02em; }
h1 { margin: 4px 0 12px; font-size: clamp(28px, 5vw, 40px); line-height: 1.15; letter-spacing: -.02em; text-wrap: balance; }
h2 { margin: 0; font-size: 24px; line-height: 1.25; letter-spacing: -.01em; }
h2 small { color: var(--soft); font-size: 16px; font-weight: 400; letter-spacing: 0; white-space: nowrap; }
h3 { margin: 0; font-size: 16px; line-height: 1.4; }
h4 { margin: 0 0 2px; font-size: 14px; font-weight: 600; }
p { margin: 0 0 12px; }
a { color: inherit; text-decoration-color: var(--axis); text-underline-offset: 3px; }
.facts { display: grid; grid-template-columns: max-content 1fr; gap: 4px 20px; margin: 20px 0 0; font-size: 15px; }
.facts dt { color: var(--soft); }
.facts dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
code { font: 13.5px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
section { margin: 40px 0 0; padding: 28px 28px 20px; background: var(--card); border: 1px solid var(--edge); border-radius: 12px; }
section > p { max-width: 90ch; }
.how { color: var(--soft); margin: 2px 0 10px; }
.shows { margin: 0 0 6px; font-size: 17px; }
figure { margin: 28px 0 0; padding-top: 24px; border-top: 1px solid var(--edge); }
figcaption p { max-width: 100ch; margin: 0 0 12px; color: var(--soft); font-size: 14px; line-height: 1.45; }
svg.chart { display: block; width: 100%; height: auto; overflow: visible; }
svg.key { width: 13px; height: 13px; vertical-align: -1px; margin-right: 2px; }
svg.chart.narrow { display: none; }
.panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(330px, 1fr)); gap: 20px 32px; }
.panel { min-width: 0; max-width: 520px; }
.t-stream, .t-multicast { --c: var(--stream); } .t-tcp { --c: var(--tcp); } .t-nats { --c: var(--nats); } .t-redis { --c: var(--redis); }
.t-mqtt { --c: var(--mqtt); } .t-limit { --c: var(--limit); }
svg text { fill: var(--ink); font-size: 13px; font-variant-numeric: tabular-nums; }
svg .tick, svg .head, svg .detail { fill: var(--soft); font-size: 12px; }
svg .detail { font-size: 11.5px; }
svg .value, svg .name { font-size: 13.5px; }
svg .strong { font-weight: 700; }
svg .grid { stroke: var(--grid); } svg .axis { stroke: var(--axis); } svg .leader { stroke: var(--axis); stroke-width: .8; }
svg .bar { fill: var(--c); opacity: .82; }
svg .bar.t-limit { fill: color-mix(in srgb, var(--c) 22%, transparent); stroke: var(--c); stroke-dasharray: 3 2; opacity: 1; }
svg .whisker { fill: none; stroke: var(--ink); stroke-width: 1.4; }
svg .dot { fill: var(--c); opacity: .75; }
svg .cross { fill: none; stroke: var(--bad); stroke-width: 1.8; }
svg .band { fill: var(--c); opacity: .14; }
svg .line { fill: none; stroke: var(--c); stroke-width: 2.2; stroke-linejoin: round; stroke-linecap: butt; }
svg .line.second { stroke-width: 1.6; } svg .line.faint { stroke-width: 1; opacity: .28; }
svg .mark { fill: var(--c); stroke: var(--card); stroke-width: 1.2; }
svg .mark.open { fill: none; stroke: var(--c); stroke-width: 2; }
svg .hit { fill: transparent; } svg .hit:hover { fill: var(--ink); fill-opacity: .06; }
.scroll {
  overflow-x: auto; margin: 20px 0 0; outline-offset: 2px;
  background:
    linear-gradient(to right, var(--card) 14px, transparent) left / 28px 100% local no-repeat,
    linear-gradient(to left, var(--card) 14px, transparent) right / 28px 100% local no-repeat,
    linear-gradient(to right, var(--more), transparent) left / 12px 100% scroll no-repeat,
    linear-gradient(to left, var(--more), transparent) right / 12px 100% scroll no-repeat;
}
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums; }
caption { padding: 0 0 6px; text-align: left; color: var(--soft); font-size: 14px; }
th, td { padding: 5px 0 5px 18px; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--grid); }
th:first-child { padding-left: 0; }
th.text, td.text { text-align: left; }
thead th { color: var(--soft); font-weight: 500; white-space: normal; border-bottom-color: var(--edge); vertical-align: bottom; }
tbody th { font-weight: 500; }
tbody th small { color: var(--soft); font-weight: 400; font-size: 13px; }
tr.ours > * { font-weight: 700; }
tr.excluded td { color: var(--bad); }
tr.told > * { border-bottom: 0; padding-bottom: 0; }
td.note { padding: 0 0 6px 19px; color: var(--soft); text-align: left; white-space: normal; }
td.note span { position: sticky; left: 19px; display: block; max-width: min(96ch, calc(100vw - 90px)); }
td.note.why { color: var(--bad); }
.notes { margin: 16px 0 4px; padding: 0 0 0 18px; color: var(--soft); font-size: 14px; line-height: 1.5; }
.notes li { margin: 2px 0; overflow-wrap: anywhere; }
.legend { margin: 4px 0 0; color: var(--soft); font-size: 13px; }
.legend svg { width: 26px; height: 12px; vertical-align: -1px; }
.legend span { display: inline-block; margin-right: 18px; }
.method { display: grid; grid-template-columns: repeat(auto-fill, minmax(300px, 1fr)); gap: 4px 36px; margin: 16px 0 0; }
.method dt { font-weight: 600; font-size: 15px; } .method dd { margin: 2px 0 14px; color: var(--soft); font-size: 14.5px; }
footer { padding-top: 28px; padding-bottom: 56px; color: var(--soft); font-size: 14px; }
.tip {
  position: fixed; z-index: 1; pointer-events: none; padding: 7px 11px; border: 1px solid var(--edge); border-radius: 8px;
  background: var(--card); color: var(--ink); font-size: 13px; line-height: 1.45; font-variant-numeric: tabular-nums;
  box-shadow: 0 4px 18px rgb(0 0 0 / .18);
}
.tip[hidden] { display: none; }
@media screen and (max-width: 760px) {
  svg.chart.wide { display: none; } svg.chart.narrow { display: block; max-width: 520px; }
  main, header, footer { padding-left: 14px; padding-right: 14px; }
  header { padding-top: 28px; }
  section { margin-top: 22px; padding: 20px 14px 14px; border-radius: 10px; }
  .facts { grid-template-columns: 1fr; gap: 0; } .facts dd { margin-bottom: 8px; }
  h2 small { display: block; white-space: normal; }
  th, td { padding-left: 12px; } tbody th small { display: block; white-space: normal; }
}
@media print {
  :root { color-scheme: light; --page: #fff; }
  body { font-size: 11pt; }
  svg.chart.wide { display: block; } svg.chart.narrow, .tip { display: none; }
  header { padding-top: 0; } main, header, footer { max-width: none; padding: 0; }
  section { border: 0; padding: 0; margin-top: 28px; }
  figure, tr, .panel, .method > div { break-inside: avoid; } h2, figcaption { break-after: avoid; }
  .scroll { overflow: visible; background: none; } table { font-size: 8.5pt; } th, td { padding-left: 8px; } tbody th small { display: block; }
}
`;
