import { assert, assertEquals } from "@std/assert";
import { formatRun, latencyPicture } from "../../../cli/bench/table_run.ts";
import { connectionRuns, latencyOf, runOf } from "./fixtures.ts";

Deno.test("one run in detail", () => {
  const run = runOf({
    rate: 1000,
    oneWay: latencyOf({ min: 10, p50: 10, p90: 100, p99: 100, p999: 1000, p9999: 1000, max: 1000 }),
    slices: [
      { at: 0, received: 1000, p50: 0, p99: 0, max: 0 },
      { at: 5000, received: 2000, p50: 0, p99: 0, max: 0 },
      { at: 9999, received: 1, p50: 0, p99: 0, max: 0 },
    ],
    notes: ["a note"],
  });
  assertEquals(
    formatRun(run),
    `fanout, 1 to 10, 128 B: stream, 10 s

  server        stream 0.1.0 at tcp://127.0.0.1:40001
  load          1 publisher, 10 subscribers, 1 topic, 128 B a message

  sent           31,000,000  2.84 M/s, 347 MiB/s
  received      310,000,000  28.4 M/s, 3.39 GiB/s
  lost                    0
  duplicated              0
  reordered               0
  corrupt                 0
                counts are of the whole run, rates without the warm-up

                  min    p50     p90     p99    p99.9   p99.99      max
  one way       10 µs  10 µs  100 µs  100 µs  1.00 ms  1.00 ms  1.00 ms

  one way       10 µs ${"▓".repeat(30)}${"░".repeat(30)} 1.00 ms
                █ a half of the messages  ▓ to 90%  ▒ to 99%  ░ to 99.9%  · the rest; log scale

  processor     of 4 cores: server 0.61, senders 0.55, receivers 0.98; the server took 21.5 ms for a
                million messages received
  memory        at most: server 88.0 MiB, senders 70.0 MiB, receivers 75.0 MiB
  bottleneck    the load generator was the bottleneck, so the server may be capable of more
                (receivers used 0.98 of a core, the server 0.61, senders 0.55)
  over time     ▄█  200..400/s
  note          a note
`,
  );
});

Deno.test("a run that does not count says so before its figures", () => {
  const text = formatRun(runOf({ verdict: "partial", notes: ["the server ended"], serverUsage: null }));
  assert(text.includes("\n  not counted   it ended early; the server ended\n\n  sent"), text);
  assert(text.includes("server not known"), text);
});

Deno.test("a run of connections tells of them", () => {
  const text = formatRun(connectionRuns(1)[2]!);
  assert(/connections {3}1,000 open of 1,000 wanted, [\d.]+ k\/s\n {2}memory each {3}not known\n/.test(text), text);
  assert(text.includes("  setup "));
});

Deno.test("the picture of a latency is as wide as it was to be, whatever the figures", () => {
  const bar = (figures: Parameters<typeof latencyOf>[0]) =>
    latencyPicture(latencyOf(figures), 20).match(/[█▓▒░·]/g)?.length;
  assertEquals(bar({}), 20);
  assertEquals(bar({ min: 5, p50: 5, p90: 5, p99: 5, p999: 5, max: 5 }), 20);
  assertEquals(bar({ min: 0, p50: 0, p90: 0, p99: 0, p999: 0, max: 1 }), 20);
});
