import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { RunResult } from "../../../cli/bench/result.ts";
import { Process } from "../process.ts";
import { stream } from "../program.ts";
import { Forgetful } from "./forgetful.ts";
import { installed, type PeerName } from "./peers.ts";

/** Runs `stream bench` with a server of its own. */
async function bench(...args: string[]): Promise<{ status: number; stderr: string; runs: RunResult[] }> {
  const { status, stdout, stderr } = await stream(["bench", ...args, "--json"]);
  return { status, stderr, runs: stdout === "" ? [] : JSON.parse(stdout).runs };
}

async function serve(): Promise<{ server: Process; endpoint: string } & AsyncDisposable> {
  const server = new Process(["stream", "serve", "-q", "-l", "tcp://127.0.0.1:0"]);
  const endpoint = (await server.stdout.line(/^listening /)).replace("listening ", "");
  return { server, endpoint, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

Deno.test("a fan-out of a number of messages counts every delivery once", async () => {
  const { status, runs, stderr } = await bench("fanout", "-n", "5000", "--subscribers", "3", "--warmup", "0");
  assertEquals(status, 0, stderr);
  const [run] = runs as [RunResult];
  assertEquals(run.verdict, "counts");
  assertEquals([run.publishers, run.subscribers, run.size], [1, 3, 128]);
  assertEquals(run.counts, {
    sent: 5000,
    expected: 15_000,
    received: 15_000,
    lost: 0,
    unrepaired: 0,
    duplicated: 0,
    reordered: 0,
    corrupt: 0,
  });
  assert(run.deliveryRate > 0 && run.serverUsage !== null && run.senderUsage.cpuSeconds > 0);
});

Deno.test("latency is measured one way, and there and back", async () => {
  const { status, runs, stderr } = await bench(
    "latency",
    "--duration",
    "500ms",
    "--warmup",
    "200ms",
    "--rate",
    "400/s",
  );
  assertEquals(status, 0, stderr);
  const [{ oneWay, roundTrip, sendDelay, counts, slices, deliveryRate, seconds }] = runs as [RunResult];
  assertEquals([oneWay?.count, roundTrip?.count], [200, 200]);
  assert(oneWay!.p50 < roundTrip!.p50 && oneWay!.min > 0 && roundTrip!.p99 <= roundTrip!.max);
  assert(sendDelay!.count === 200);
  // 0.7 s at 400/s, there and back.
  assertEquals([counts.sent, counts.received], [280, 560]);
  // What came in the measured time, whenever it was due.
  assertEquals(slices.reduce((sum, { received }) => sum + received, 0), Math.round(deliveryRate * seconds));
});

Deno.test("N to N, topics of their own, lines of a file, every payload compared: nothing is lost", async () => {
  const file = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(file, "a line\n\nanother one, longer\n");
    const args = ["throughput", "--publishers", "4", "--subscribers", "4", "--topics", "2", "-n", "3000"];
    const { status, runs, stderr } = await bench(...args, "--warmup", "0", "--verify", "--from-file", file);
    assertEquals(status, 0, stderr);
    assertStringIncludes(stderr, "24,000 messages compared whole, all as they were sent");
    assertEquals(runs[0]!.counts.received, 24_000);
    assertEquals(runs[0]!.load, "4 to 4, 2 topics, lines of a file");
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("many topics over some connections, and over one", async () => {
  const args = ["topics", "--topics", "500", "--subscribers", "5", "-n", "4000", "--warmup", "0"];
  const { status, runs, stderr } = await bench(...args);
  assertEquals(status, 0, stderr);
  assertEquals(runs.map(({ counts, subscribers }) => [counts.received, subscribers]), [[4000, 5], [4000, 1]]);
});

Deno.test("connections are counted, timed and weighed", async () => {
  const { status, runs, stderr } = await bench("connections", "--subscribers", "50", "-n", "3", "--rate", "50/s");
  assertEquals(status, 0, stderr);
  const { connections, counts } = runs[0]!;
  assertEquals([connections?.wanted, connections?.open, connections?.setup.count], [50, 50, 50]);
  assertEquals(counts.received, 150);
  assert(connections!.rate > 0);
});

Deno.test("bots send at a rate each", async () => {
  const args = ["bots", "--publishers", "10", "--subscribers", "5", "--rate", "20/s", "--duration", "1s"];
  const { status, runs, stderr } = await bench(...args);
  assertEquals(status, 0, stderr);
  assertEquals([runs[0]!.rate, runs[0]!.oneWay?.count], [200, 1000]);
});

Deno.test("a server that runs is measured where it is, and an echo elsewhere answers", async () => {
  await using running = await serve();
  await using echo = new Process(["stream", "bench", "echo", "--target", running.endpoint]);
  await echo.stderr.line(/^answering at /);
  const args = ["latency", "--far-echo", "--target", running.endpoint, "--duration", "300ms", "--warmup", "0"];
  const { status, runs, stderr } = await bench(...args);
  assertEquals(status, 0, stderr);
  const [{ oneWay, roundTrip, endpoint, counts }] = runs as [RunResult];
  assertEquals([oneWay, roundTrip?.count, endpoint], [null, 300, running.endpoint]);
  assertEquals([counts.sent, counts.received], [300, 300]);
  echo.kill("SIGINT");
  assertEquals(await echo.status, 130);
});

Deno.test({
  name: "others that are installed are started, measured in turn and compared, and a page shows it",
  ignore: !["nats-server", "redis-server", "mosquitto"].every((name) => installed(name as PeerName)),
  fn: async () => {
    const directory = await Deno.makeTempDir();
    try {
      const report = `${directory}/report.html`;
      const args = ["fanout", "-n", "2000", "--subscribers", "2", "--warmup", "0", "--rounds", "2"];
      const others = ["--against", "nats,redis,mqtt", "--limit", "--report", report];
      const { status, runs, stderr } = await bench(...args, ...others);
      assertEquals(status, 0, stderr);
      // Another one begins each round.
      assertEquals(runs.map(({ target, round }) => `${target} ${round}`), [
        ...["stream 1", "nats 1", "redis 1", "mqtt 1", "limit 1"],
        ...["nats 2", "redis 2", "mqtt 2", "limit 2", "stream 2"],
      ]);
      for (const { target, verdict, counts, serverUsage } of runs) {
        assertEquals([target, verdict, counts.sent, counts.received], [target, "counts", 2000, 4000]);
        assert(serverUsage !== null && serverUsage.peakBytes > 0);
      }
      assertMatch(stderr, /nats: nats-server \S+, started for each run as: nats-server -a 127\.0\.0\.1/);
      assertMatch(await Deno.readTextFile(report), /^<!doctype html>/i);
      const text = await stream(["bench", ...args, ...others.slice(0, 3)]);
      assertMatch(text.stdout, /stream is/);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
});

Deno.test({
  name: "half of what each can do at most is found out first, and compared at that rate",
  ignore: !installed("redis-server"),
  fn: async () => {
    const args = [
      "latency",
      "--one-way",
      "--rate",
      "10%",
      "--against",
      "redis",
      "--rounds",
      "1",
      "--duration",
      "500ms",
    ];
    const { status, runs, stderr } = await bench(...args);
    assertEquals(status, 0, stderr);
    assertEquals(runs.map(({ target }) => target), ["stream", "redis"]);
    assert(runs.every(({ rate }) => rate === runs[0]!.rate && rate > 1000));
    assertMatch(runs[0]!.load, /10 % of the maximum of redis$/);
  },
});

Deno.test("a run in which messages are lost says how many, does not count, and is 6", async () => {
  // A Redis that forgets every hundredth message.
  await using redis = new Forgetful();
  const { status, runs, stderr } = await bench("throughput", "--target", redis.endpoint, "-n", "1000", "--warmup", "0");
  assertEquals(status, 6, stderr);
  assertEquals([runs[0]!.verdict, runs[0]!.counts.lost, runs[0]!.counts.received], ["lost", 10, 990]);
});

Deno.test("without --json a person reads what it shows", async () => {
  const { status, stdout } = await stream(["bench", "throughput", "-n", "1000", "--warmup", "0"]);
  assertEquals(status, 0);
  assertStringIncludes(stdout, "throughput, 1 to 1, 128 B");
  assertMatch(stdout, /lost +0/);
});

Deno.test("a target that is not there is one clear line, and 3", async () => {
  // Nobody listens on this address of the loopback network.
  const endpoint = "tcp://127.7.7.7:7070";
  const { status, stdout, stderr } = await stream(["bench", "fanout", "--target", endpoint]);
  assertEquals([status, stdout], [3, ""]);
  assertMatch(stderr, new RegExp(`^stream bench: cannot connect to ${endpoint}: connection refused.*\n$`));
});

Deno.test("a target that speaks something else is one clear line, and 3", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const answering = (async () => {
    for await (const connection of listener) {
      await connection.write(new TextEncoder().encode("220 mail.example ESMTP\r\n"));
      connection.close();
    }
  })();
  const port = listener.addr.port;
  for (const endpoint of [`tcp://127.0.0.1:${port}`, `nats://127.0.0.1:${port}`, `redis://127.0.0.1:${port}`]) {
    const { status, stdout, stderr } = await stream(["bench", "throughput", "--target", endpoint]);
    assertEquals([status, stdout], [3, ""], stderr);
    assertMatch(stderr, new RegExp(`^stream bench: cannot connect to ${endpoint}: .*speak.*\n$`));
  }
  listener.close();
  await answering;
});

Deno.test("a target that dies half way leaves a partial result, and 3", async () => {
  await using running = await serve();
  const args = ["bench", "fanout", "--target", running.endpoint, "--duration", "60s", "--warmup", "0", "--csv"];
  await using benchmark = new Process(["stream", ...args]);
  // Once somebody publishes.
  await using watcher = new Process(["stream", "subscribe", "-s", running.endpoint, "-n", "1", "--hex", "bench/#"]);
  await watcher.status;
  running.server.kill("SIGKILL");
  const { status, stdout, stderr } = await benchmark.ran();
  assertEquals(status, 3, stderr);
  assertStringIncludes(stdout, ",partial,");
});

Deno.test("Ctrl-C ends it, and its processes, with 130", async () => {
  await using running = await serve();
  const args = ["bench", "fanout", "--target", running.endpoint, "--duration", "60s"];
  await using benchmark = new Process(["stream", ...args]);
  await using watcher = new Process(["stream", "subscribe", "-s", running.endpoint, "-n", "1", "--hex", "bench/#"]);
  await watcher.status;
  benchmark.kill("SIGINT");
  assertEquals((await benchmark.ran()).status, 130);
});

Deno.test("wrong usage is refused before anything starts", async () => {
  const wrong: [string[], RegExp][] = [
    [["fanuot"], /"fanuot" is not one of .*did you mean fanout/],
    [["--rate", "20Mbit/s"], /is not a rate of messages/],
    [["--rate", "0%"], /is not a part of the maximum/],
    [["--target", "http://x"], /"http:\/\/x" is not a server that can be measured/],
    [["--against", "kafka"], /--against: "kafka" is not one of nats, redis, mqtt/],
    [["--against", "nats", "--target", "nats://127.0.0.1"], /two servers of the kind nats/],
    [["--json", "--csv"], /--json and --csv exclude each other/],
    [["latency", "--size", "8"], /too small for a latency/],
    [["--tls", "--limit"], /--limit and --tls exclude each other/],
    [["--tls", "--target", "tcp://127.0.0.1"], /tcp:\/\/127\.0\.0\.1:7070 is without TLS/],
    [["multicast", "--tls"], /--tls does not go with multicast/],
    [["--ca", "file"], /--ca says whom to trust/],
  ];
  for (const [args, message] of wrong) {
    const { status, stderr } = await stream(["bench", ...args]);
    assertEquals(status, 2, stderr);
    assertMatch(stderr, message);
  }
});
