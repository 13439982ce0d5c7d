import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { formatTables } from "../../../cli/bench/table.ts";
import { allRuns, connectionRuns, latencyOf, latencyRuns, multicastRuns, runOf, singleRun } from "./fixtures.ts";

const plain = { bold: false };
const { counts } = runOf();

/** Three rounds of two targets and the limit; redis lost messages in the second. */
const compared = [1, 2, 3].flatMap((round) => [
  runOf({ round, deliveryRate: 28e6 + round * 1e5 }),
  runOf({
    round,
    target: "redis",
    server: "redis-server 7.0.15",
    deliveryRate: 7e6,
    serverUsage: { cpuSeconds: 9.8, peakBytes: 24 * 2 ** 20 },
    bottleneck: "server",
    ...(round === 2 ? { verdict: "lost", counts: { ...counts, lost: 12 } } : {}),
  }),
  runOf({
    round,
    target: "limit",
    server: "byte copier",
    deliveryRate: 43e6,
    serverUsage: null,
    bottleneck: "unknown",
  }),
]);

Deno.test("a table of throughput", () => {
  assertEquals(
    formatTables(compared, plain),
    `fanout, 1 to 10, 128 B: 3 rounds of 10 s, as many messages as go

            deliveries/s      min..max                stream is  CPU/1 M    memory  lost    runs
stream            28.2 M  28.1..28.3 M                           21.6 ms  88.0 MiB     0  3 of 3
redis             7.00 M  7.00..7.00 M       4.03× (4.01..4.04)   140 ms  24.0 MiB    12  2 of 3
limit             43.0 M  43.0..43.0 M  0.66 of it (0.65..0.66)        -         -     0  3 of 3

redis, round 2: does not count: 12 messages lost
stream: the load generator was the bottleneck in 3 of 3 runs, so the server may be capable of more
  (receivers used 0.98 of a core, the server 0.61, senders 0.55)
redis: the server was the bottleneck in 2 of 2 runs (receivers used 0.98 of a core, the server 0.98,
  senders 0.55)
limit: what held it back is not known in 3 of 3 runs (receivers used 0.98 of a core, senders 0.55;
  what the server used is not known)

Figures are the median of the rounds that count, a max the largest of all; a..b is least..most.
"stream is" divides ours by theirs round by round, and gives the median of that.
CPU/1 M is the server's processor time for a million messages received.
The limit copies bytes, and knows nothing of messages.
stream is stream 0.1.0; redis is redis-server 7.0.15; limit is byte copier.
`,
  );
});

Deno.test("a table of latency, with one round", () => {
  const at = {
    scenario: "latency",
    load: "1 to 1, 128 B, 1,000/s",
    rate: 1000,
    sentRate: 1000,
    sendDelay: latencyOf(),
  };
  const runs = [
    runOf({ ...at, roundTrip: latencyOf() }),
    runOf({
      ...at,
      roundTrip: latencyOf({ p50: 80, p99: 160, count: 9999 }),
      target: "nats",
      server: "nats-server 2.9.10",
    }),
  ];
  assertEquals(
    formatTables(runs, plain),
    `latency, 1 to 1, 128 B, 1,000/s: 10 s

round trip    p50    p90     p99   p99.9  p99.99      max  sent/s  lost    runs
stream      61 µs  70 µs   83 µs  120 µs  250 µs  1.23 ms  1.00 k     0  1 of 1
nats        80 µs  70 µs  160 µs  120 µs       -  1.23 ms  1.00 k     0  1 of 1

round trip  p50: stream is  p99: stream is
stream
nats                 0.76×           0.52×

the load generator's own delay is part of the latencies; its p99: stream 83 µs, nats 83 µs

Latencies count from when a message was to be sent, not from when it was; below 1×, ours are
  shorter.
stream is stream 0.1.0; nats is nats-server 2.9.10.
`,
  );
});

Deno.test("connections are told with how many of those wanted were open", () => {
  const text = formatTables(connectionRuns(), plain);
  for (const part of ["998 of 1,000", "memory each", "setup p50", "one way"]) assert(text.includes(part), part);
});

Deno.test("a table of multicast says what goes over the network, beside connections", () => {
  assertStringIncludes(
    formatTables(multicastRuns(), plain),
    `multicast, 1 to 4, 64 B, 1 % lost: 3 rounds of 10 s, as many messages as go

            deliveries/s      min..max        multicast is  CPU/1 M    memory  lost    runs
multicast         2.08 M  2.04..2.12 M                       293 ms  88.0 MiB     0  3 of 3
tcp               2.08 M  2.04..2.12 M  1.00× (1.00..1.00)   293 ms  88.0 MiB     0  3 of 3

network     messages/s  bytes each  datagrams/s  missed  repaired  unrepaired
multicast        520 k        70 B       26.0 k  1.00 %    1.00 %          60
tcp              520 k       264 B            -       -         -           0
`,
  );
  const text = formatTables([{ ...multicastRuns()[2]!, rate: 1000, oneWay: latencyOf() }], plain);
  assertStringIncludes(
    text,
    `  lost                   0
  unrepaired            60  reported as gaps
`,
  );
  assertStringIncludes(
    text,
    `  group         mcast://239.255.1.2:40008?interface=127.0.0.1
  datagrams     260,000 sent, 26.0 k/s, 20.0 messages in each, 70 B a message, 10,400 sent again, 3
                could not be
  on purpose    10,400 lost
  missed        10,400, 1.00 %: 10,397 repaired, 3 not; 1,000 requests
`,
  );
});

Deno.test("a run that stands alone is told in detail, without a legend", () => {
  const text = formatTables([singleRun()], plain);
  assert(text.startsWith("latency, 1 to 1, 128 B, 1,000/s: stream, 10 s\n"), text);
  assert(text.includes("bottleneck"));
  assert(!text.includes("stream is"));
});

Deno.test("no line is wider than 100 columns, ends in spaces or tells of what is not a number", () => {
  const large = { ...counts, lost: 1_234_567_890 };
  const wide = [
    ...allRuns(),
    ...multicastRuns(),
    singleRun(),
    ...latencyRuns(2, 50),
    runOf({ round: 8, verdict: "lost", counts: large }),
  ];
  for (const line of formatTables(wide, plain).split("\n")) {
    assert(line.length <= 100, `${line.length}: ${line}`);
    assertEquals(line, line.trimEnd());
    assert(!/NaN|Infinity|undefined|null/.test(line), line);
  }
});

Deno.test("our rows are bold where they may be, and nothing else is", () => {
  const text = formatTables(compared, { bold: true });
  // deno-lint-ignore no-control-regex
  assertEquals(text.match(/\x1b\[1m.*/g)!.map((line) => line.slice(4, 10)), ["stream"]);
  // deno-lint-ignore no-control-regex
  assertEquals(text.replace(/\x1b\[[01]m/g, ""), formatTables(compared, plain));
});

Deno.test("a target none of whose runs counts has no figures; without ours there is nothing to compare", () => {
  const runs = compared.map((run) => run.target === "redis" ? { ...run, verdict: "partial" as const } : run);
  assert(/^redis +- +- +- +- +12 +0 of 3$/m.test(formatTables(runs, plain)), formatTables(runs, plain));
  const others = compared.filter(({ target }) => target !== "stream");
  assert(!formatTables(others, plain).split("\n")[2]!.includes("stream is"));
  assertEquals(formatTables([], plain), "");
});

Deno.test("a server cannot drive the terminal", () => {
  const text = formatTables(
    compared.map((run) => ({ ...run, server: "\x1b[2J", load: "\x1b[2J", notes: ["\x1b[2J\n"] })),
    plain,
  );
  assert(!text.includes("\x1b"), text);
});
