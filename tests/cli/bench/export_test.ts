import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { type Meta, toCsv, toJson } from "../../../cli/bench/export.ts";
import { summarize } from "../../../cli/bench/summary.ts";
import { connectionRuns, fanoutRuns, latencyOf, latencyRuns, runOf } from "./fixtures.ts";

const meta: Meta = {
  command: "stream bench fanout",
  date: new Date(0),
  version: "0.1.0",
  processors: 4,
  system: "Linux",
  servers: [{ target: "nats", commandLine: "nats-server -p 4222" }],
};

/** Rows of CSV, as RFC 4180 has it. */
function parse(csv: string): string[][] {
  const rows: string[][] = [];
  const cell = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/gy;
  let row: string[] = [];
  for (let match = cell.exec(csv); match !== null; match = cell.exec(csv)) {
    row.push(match[1]?.replaceAll('""', '"') ?? match[2]!);
    if (match[3] === "\r\n") rows.push(row), row = [];
  }
  return rows;
}

Deno.test("the JSON is one object on one line: what was run, with what, and how it compares", () => {
  const runs = [...fanoutRuns(2), ...latencyRuns(1, 100)];
  const text = toJson(runs, meta);
  assertEquals(text.indexOf("\n"), text.length - 1);
  const { comparisons, runs: read, ...rest } = JSON.parse(text);
  assertEquals(rest, {
    version: "0.1.0",
    machine: { system: "Linux", processors: 4 },
    command: "stream bench fanout",
    date: "1970-01-01T00:00:00.000Z",
    servers: [{ target: "nats", commandLine: "nats-server -p 4222" }],
  });
  assertEquals(read, runs);
  assertEquals(comparisons, JSON.parse(JSON.stringify(summarize(runs))));
});

Deno.test("the CSV has a header and a row a run, all of one width", () => {
  const [header, ...rows] = parse(toCsv([runOf(), ...latencyRuns(1, 100), ...connectionRuns(1)]));
  assertEquals(rows.length, 10);
  assertEquals(new Set(rows.map(({ length }) => length)), new Set([header!.length]));
  assertEquals(new Set(header).size, header!.length);
  for (
    const name of [
      "scenario",
      "counts_lost",
      "oneWay_p99",
      "roundTrip_p9999",
      "sendDelay_max",
      "serverUsage_cpuSeconds",
      "connections_bytesEach",
      "connections_setup_p50",
    ]
  ) {
    assert(header!.includes(name), name);
  }
  assertEquals(toCsv([]), "");
});

Deno.test("a cell is what the run says, and empty where it says nothing", () => {
  const [header, row] = parse(toCsv([runOf({ oneWay: latencyOf(), notes: ["a", "b"] })]));
  const cell = (name: string) => row![header!.indexOf(name)];
  assertEquals(["oneWay_p999", "roundTrip_p50", "notes", "deliveryRate"].map(cell), ["120", "", "a; b", "28400000"]);
});

Deno.test("any text comes back out of the CSV, but none as a formula", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (server) => {
    const [header, row] = parse(toCsv([runOf({ server })]));
    const read = row![header!.indexOf("server")]!;
    assertEquals(read, /^[=+\-@\t\r]/.test(server) ? `'${server}` : server);
  }));
  const csv = toCsv([runOf({ server: 'a "b", c', load: "=1+1", notes: ["x\r\ny"] })]);
  assert(csv.includes(',"a ""b"", c",'), csv);
  assert(csv.includes(",'=1+1,"), csv);
  assert(csv.includes(',"x\r\ny",'), csv);
});
