import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Meta } from "../../../cli/bench/export.ts";
import { renderReport } from "../../../cli/bench/report.ts";
import { browser, render } from "./browser.ts";
import {
  allRuns,
  connectionRuns,
  fanoutRuns,
  latencyOf,
  latencyRuns,
  multicastRuns,
  runOf,
  singleRun,
} from "./fixtures.ts";

const meta: Meta = {
  command: "stream bench fanout --against nats,redis",
  date: new Date("2026-11-21T14:00:00Z"),
  version: "0.1.0",
  processors: 4,
  system: "Linux 6.1 on x86_64",
  servers: [{ target: "nats", commandLine: "nats-server -p 40002" }],
};

const whole = renderReport(allRuns(), meta);

/** The texts of a page, without its style and its script. */
function textOf(page: string): string {
  return page.replace(/<(style|script)>.*?<\/\1>/gs, "").replace(/<[^>]*>/g, " ").replace(/\s+/g, " ");
}

Deno.test("a report says what was measured, with what, and what came out", () => {
  const text = textOf(whole);
  for (
    const part of [
      "fanout, latency and connections: stream beside nats, redis, mqtt and the limit",
      "2026-11-21 14:00:00 UTC",
      "Linux 6.1 on x86_64, 4 processors",
      "stream bench fanout --against nats,redis",
      "nats-server -p 40002",
      "62, of which 58 count",
      "redis, round 3: does not count: 12 messages lost",
      "does not count: it ended early; the connection was lost: Connection reset by peer (os error 104)",
      "the load generator was the bottleneck in 5 of 7 runs",
      "there is no coordinated omission",
      "It is no contestant.",
    ]
  ) {
    assert(text.includes(part), part);
  }
  assert(!/NaN|Infinity|undefined|null|\[object/.test(text));
});

Deno.test("a report of multicast compares it with connections, and says what goes over the network", () => {
  const text = textOf(renderReport(multicastRuns(), meta));
  for (
    const part of ["multicast: multicast beside tcp", "bytes each", "unrepaired", "the sender waits for no receiver"]
  ) {
    assert(text.includes(part), part);
  }
  assert(!/NaN|Infinity|undefined|null|\[object/.test(text));
});

Deno.test("a report needs nothing but itself", () => {
  assertEquals(whole.match(/\b(?:src|srcset|data|action|poster)=/g), null);
  assertEquals(whole.match(/url\(|@import|https?:|<link|<img|<iframe|xlink/g), null);
  for (const [, target] of whole.matchAll(/href="([^"]*)"/g)) assert(target!.startsWith("#"), target);
  assert(whole.includes("default-src &#39;none&#39;"));
});

Deno.test("every part that is pointed to is there, once", () => {
  const ids = [...whole.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id!);
  assertEquals(new Set(ids).size, ids.length);
  const pointers = [...whole.matchAll(/(?:aria-labelledby|aria-describedby)="([^"]*)"|href="#([^"]*)"/g)];
  for (const [, by, href] of pointers) assert(ids.includes(by ?? href!), by ?? href);
});

Deno.test("every drawing has a title and a description, and every load its tables", () => {
  const drawings = whole.match(/<svg class="chart/g)!.length;
  assert(drawings > 20, `${drawings}`);
  assertEquals(whole.match(/<title id="[^"]*">[^<]/g)!.length, drawings);
  assertEquals(whole.match(/<desc id="[^"]*">[^<]/g)!.length, drawings);
  assert(whole.match(/<table>/g)!.length >= 12);
});

Deno.test("what servers and users say stays text", () => {
  const evil = `<img src=x onerror="alert(1)">'&</style></script>`;
  const foreign = allRuns().map((run) => ({
    ...run,
    scenario: evil + run.scenario,
    load: evil,
    server: evil,
    endpoint: evil,
    notes: [evil],
  }));
  const started = [{ target: "nats" as const, commandLine: evil }];
  const page = renderReport(foreign, { ...meta, command: evil, system: evil, version: evil, servers: started });
  assertEquals(page.match(/<img|onerror="/g), null);
  assertEquals(page.match(/<\/?(script|style)>/g)!.length, 4);
  const tags = (page: string) => [...new Set(page.match(/<[a-z0-9]+/g))].sort();
  assertEquals(tags(page), tags(whole));
});

Deno.test("a report can be made of anything", () => {
  const odd = fc.record({
    target: fc.constantFrom("stream" as const, "nats" as const, "limit" as const),
    verdict: fc.constantFrom("counts" as const, "lost" as const, "partial" as const, "late" as const),
    rate: fc.constantFrom(0, 1000),
    deliveryRate: fc.constantFrom(0, 1, 1e9),
    round: fc.integer({ min: 1, max: 3 }),
    seconds: fc.constantFrom(0.001, 10),
    oneWay: fc.constantFrom(null, latencyOf(), latencyOf({ count: 1 }), latencyOf({ min: 0, p50: 0, p90: 0, p99: 0 })),
    slices: fc.constantFrom([], [{ at: 0, received: 0, p50: 0, p99: 0, max: 0 }], [
      { at: 0, received: 5, p50: 1, p99: 2, max: 3 },
      { at: 10, received: 0, p50: 0, p99: 0, max: 0 },
      { at: 20, received: 5, p50: 1, p99: 1, max: 1 },
    ]),
    connections: fc.constantFrom(null, connectionRuns(1)[0]!.connections),
    serverUsage: fc.constantFrom(null, { cpuSeconds: 0, peakBytes: 0 }),
  });
  fc.assert(
    fc.property(fc.array(odd, { maxLength: 6 }), (runs) => {
      const page = renderReport(runs.map((run) => runOf(run)), meta);
      assert(!/NaN|Infinity|undefined/.test(page.replace(/<script>.*<\/script>/s, "")));
    }),
    { numRuns: 50 },
  );
});

Deno.test({
  name: "a browser shows it, and has nothing to complain about",
  ignore: browser === null,
  async fn() {
    const { dom, complaints } = await render(whole, 1200);
    assertEquals(complaints, []);
    // The script has run: names of drawings are told by attribute, and a place for what is pointed at is there.
    const drawings = whole.match(/<svg class="chart/g)!.length;
    assertEquals(dom.match(/<svg class="chart[^>]*aria-label="[^"]/g)!.length, drawings);
    assert(dom.includes('<div class="tip" hidden=""></div>'));
    for (const id of ["glance", "c0", "c1", "c2", "method", "runs"]) assert(dom.includes(`<section id="${id}">`), id);
  },
});

/** Finds texts of drawings that lie on each other or outside, and what makes the page wider than the window. */
const measure = `
const wrong = [];
const shown = [...document.querySelectorAll("svg.chart")].filter((svg) => svg.checkVisibility());
for (const svg of shown) {
  const frame = svg.getBoundingClientRect();
  const texts = [...svg.querySelectorAll("text")].map((text) => [text.textContent, text.getBoundingClientRect()]);
  texts.forEach(([a, one], index) => {
    if (one.left < frame.left - 2 || one.right > frame.right + 12 || one.bottom > frame.bottom + 2) wrong.push(a + " is outside");
    for (const [b, other] of texts.slice(index + 1)) {
      const wide = Math.min(one.right, other.right) - Math.max(one.left, other.left);
      const high = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
      if (wide > 1 && high > 3) wrong.push(a + " is on " + b);
    }
  });
}
if (document.documentElement.scrollWidth > innerWidth) wrong.push("the page is too wide");
document.title = JSON.stringify({ shown: shown.length, wrong });
`;

for (const width of [1200, 500]) {
  Deno.test({
    name: `in a window of ${width} pixels no text lies on another`,
    ignore: browser === null,
    async fn() {
      const runs = [...fanoutRuns(2), ...latencyRuns(2, 2000), ...connectionRuns(1), singleRun()];
      const page = renderReport(runs, meta).replace(/<meta http-equiv[^>]*>/, "");
      const { dom } = await render(page.replace("</body>", () => `<script>${measure}</script></body>`), width);
      const { shown, wrong } = JSON.parse(/<title>(.*?)<\/title>/.exec(dom)![1]!.replaceAll("&amp;", "&"));
      assertEquals(wrong, []);
      assert(shown > 15, `${shown}`);
    },
  });
}
