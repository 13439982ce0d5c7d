import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../../core/errors.ts";
import { planOf } from "../../../cli/bench/plan.ts";
import { type LoadOptions, loadsOf, scenarioNames } from "../../../cli/bench/scenarios.ts";

const reception = { faults: { loss: 0, reorder: 0, duplicate: 0 }, repair: true };
const plain: LoadOptions = { oneWay: false, farEcho: false, fromFile: false, tls: false, reception };
const target = { kind: "stream", endpoint: "tcp://127.0.0.1:1" } as const;
const content = { file: null, seed: 1, verify: false };

function plansOf(name: (typeof scenarioNames)[number], options: Partial<LoadOptions> = {}) {
  return loadsOf(name, { ...plain, ...options }).map((load) => planOf(load, target, content, "r", 128));
}

Deno.test("each scenario has the load that its help says", () => {
  const labels = scenarioNames.map((name) => [name, ...loadsOf(name, plain).map(({ label }) => label)]);
  assertEquals(labels, [
    ["latency", "1 to 1, 128 B, 1,000/s"],
    ["throughput", "1 to 1, 128 B"],
    ["fanout", "1 to 10, 128 B"],
    ["multicast", "1 to 1, 128 B"],
    ["topics", "1 to 100, 10,000 topics, 128 B", "1 to 1, 10,000 topics by one pattern, 128 B"],
    ["connections", "1 to 1,000, 128 B"],
    ["bots", "100 to 100, 128 B, 500/s"],
  ]);
});

Deno.test("every topic has a subscriber, and every publisher and subscriber is in one process", () => {
  const [over, all] = plansOf("topics");
  const connections = over!.receivers.flatMap((job) => job.connections).sort((a, b) => a.first - b.first);
  assertEquals(connections.map(({ first }) => first), Array.from({ length: 100 }, (_, index) => index * 100));
  assertEquals(connections.map(({ end }) => end), Array.from({ length: 100 }, (_, index) => (index + 1) * 100));
  assertEquals(all!.receivers.flatMap((job) => job.connections), [{ first: 0, end: 10_000, pattern: "bench/r/#" }]);
  const [bots] = plansOf("bots");
  assertEquals(
    bots!.senders.flatMap((job) => job.indices).sort((a, b) => a - b),
    Array.from({ length: 100 }, (_, i) => i),
  );
});

Deno.test("publishers that have topics of their own share the subscribers among them", () => {
  const [plan] = plansOf("throughput", { publishers: 4, subscribers: 4, topics: 4 });
  const connections = plan!.receivers.flatMap((job) => job.connections);
  assertEquals(connections.map(({ first, end }) => end - first), [1, 1, 1, 1]);
  assertEquals(new Set(connections.map(({ first }) => first)).size, 4);
});

Deno.test("the echo receives what is sent, and the subscriber what the echo sends", () => {
  const [{ senders, receivers, echoes }] = plansOf("latency") as [ReturnType<typeof planOf>];
  assertEquals(senders.map(({ topics }) => topics), [["bench/r/0"]]);
  assertEquals(echoes.map(({ topics, echo }) => [topics, echo]), [[["bench/r/0"], ["bench/r/back"]]]);
  assertEquals(receivers.map(({ topics, echo }) => [topics, echo]), [[["bench/r/back"], null]]);
  assertEquals(plansOf("latency", { oneWay: true })[0]!.echoes, []);
  const [far] = plansOf("latency", { farEcho: true });
  assertEquals([far!.senders[0]!.topics, far!.receivers[0]!.topics], [["bench/echo/request"], ["bench/echo/reply"]]);
});

Deno.test("only who sends as fast as it goes is kept from running ahead", () => {
  const [fanout] = plansOf("fanout");
  assertEquals(fanout!.senders.map(({ window }) => window), [Math.floor(4 * 1024 * 1024 / (128 + 64))]);
  assertEquals(plansOf("latency")[0]!.senders.map(({ window }) => window), [0]);
  // Not even one message fits, and it still goes on.
  const [large] = loadsOf("fanout", { ...plain, size: 64 * 1024 * 1024 });
  assertEquals(planOf(large!, target, content, "r", 64 * 1024 * 1024).senders[0]!.window, 4);
});

Deno.test("what cannot be is refused, and says what can", () => {
  const refused: [Parameters<typeof loadsOf>[0], Partial<LoadOptions>, string][] = [
    ["latency", { size: 15 }, "--size 15 is too small for a latency to be measured"],
    ["throughput", { size: 7 }, "--size 7 is too small: each message carries a number"],
    ["throughput", { topics: 3 }, "3 topics need as many publishers: each has one topic"],
    ["fanout", { count: 2 ** 32 }, "--count 4294967296 is too large"],
    ["fanout", { farEcho: true }, "--far-echo is for the scenario latency"],
    ["latency", { farEcho: true, subscribers: 2 }, "--far-echo answers one publisher on one topic"],
    ["topics", { topics: 1_000_000 }, "--topics 1000000 is too large"],
    [
      "topics",
      { topics: 16_000, subscribers: 5000 },
      "1 publishers, 16000 topics and 5000 subscribers are too many together",
    ],
  ];
  for (const [name, options, message] of refused) {
    assertThrows(() => loadsOf(name, { ...plain, ...options }), UsageError, message);
  }
});
