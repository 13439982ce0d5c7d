/**
 * `stream bench`: measures latency and throughput, of our server and of others.
 *
 * @module
 */

import { Argument, type Command } from "@commander-js/extra-typings";
import { UsageError } from "../core/errors.ts";
import type { TargetKind } from "./bench/driver.ts";
import { type GroupOptions, groupOptions, receptionOf } from "./bench/group_options.ts";
import type { ScenarioName } from "./bench/scenarios.ts";
import { type LoadOptions, loadsOf, scenarioNames, scenarios } from "./bench/scenarios.ts";
import { type NamedTarget, parseTarget, tlsOf } from "./bench/target_options.ts";
import type { BenchTls } from "./bench/tls.ts";
import { withoutSecrets } from "./bench/drivers/address.ts";
import { targetSchemes } from "./bench/drivers/table.ts";
import { defaultServer } from "./endpoints.ts";
import type { ExitStatus } from "./exit.ts";
import type { LogOptions } from "./log.ts";
import {
  addExamples,
  logOptions,
  onlyOneOf,
  parseChoice,
  type Program,
  repeatedOption,
  valueOption,
} from "./program.ts";
import { parseCount, parseDuration, parsePercent, parseRate, parseSize } from "./units.ts";

/** What the user asked of `stream bench`. */
export interface BenchOptions {
  /** In the order in which they are run. */
  readonly scenarios: readonly ScenarioName[];
  readonly load: LoadOptions;
  /** Servers that run already, as typed, with their kinds. Empty for ours. */
  readonly targets: readonly NamedTarget[];
  /** Servers that are started and compared with. */
  readonly against: readonly TargetKind[];
  /** Whether the byte copier is measured too. */
  readonly limit: boolean;
  /** What is asked of TLS; `null` without it. */
  readonly tls: BenchTls | null;
  /** The group of the scenario `multicast`; `null` for the other scenarios. */
  readonly group: GroupOptions | null;
  /** How many times each is run; `undefined` for 1, or 7 when several are compared. */
  readonly rounds: number | undefined;
  readonly file: string | null;
  readonly seed: number;
  readonly verify: boolean;
  readonly output: "text" | "json" | "csv";
  /** Where a page is written; `null` for nowhere. */
  readonly report: string | null;
  /** The command as it was typed, for reports. */
  readonly commandLine: string;
  readonly log: LogOptions;
}

/** What runs when no scenario is named. */
const tour: readonly ScenarioName[] = ["latency", "throughput", "fanout"];
/** Servers that `--against` can start. */
const peers = ["nats", "redis", "mqtt", "tcp"] as const;
/** What a process of the load generator is started as: not for users. */
const hidden = ["load", "copier"];

/** Declares `stream bench`. */
export function declare(command: Command, program: Program): void {
  command.addHelpText("after", scenarioHelp());
  addExamples(command, [
    ["how fast is it on this machine?", "stream bench"],
    [
      "one publisher, a hundred subscribers, beside others that are installed",
      "stream bench fanout --subscribers 100 --against nats,redis,mqtt",
    ],
    ["the same with TLS", "stream bench fanout --tls --size 1KiB --against nats"],
    [
      "the latency of a server at 20,000 messages a second",
      "stream bench latency --target tcp://localhost:7070 --rate 20000/s",
    ],
    ["real messages, and a page to look at", "stream bench fanout --from-file ticks.jsonl --report report.html"],
    [
      "one percent lost: what does it cost to repair that, and what would connections cost?",
      "stream bench multicast --subscribers 4 --loss 1% --against tcp",
    ],
    ["half of what each server can do at most", "stream bench latency --one-way --rate 50% --against nats,redis"],
  ]);
  command
    .usage("[options] [SCENARIO]")
    // Not commander's own choices: the error would not say what is near.
    .addArgument(
      Object.assign(new Argument("[SCENARIO]", `what is measured (default: ${tour.join(", ")})`), {
        argChoices: [...scenarioNames, "echo"],
      }),
    )
    .addOption(
      repeatedOption(
        "-t, --target <url>",
        `a server that is running: ${targetSchemes.join("://, ")}:// (env: STREAM_SERVER)`,
        parseTarget,
      ),
    )
    .addOption(valueOption("--against <kinds>", `start these servers, and compare: ${peers.join(",")}`, parseKinds))
    .option("--limit", "compare with a copier of bytes, which is the most that goes")
    .option("--tls", "all servers and connections with TLS")
    .option("--ca <file>", "whom to trust at a --target with TLS, instead of whom the system trusts")
    .addOption(
      valueOption(
        "--rounds <n>",
        "run each that many times (default: 1; 7 when comparing)",
        (text) => parseCount(text),
      ),
    )
    .addOption(
      valueOption(
        "--rate <rate>",
        "messages a second of all publishers (bots: of each), or 50% of the maximum",
        parseBenchRate,
      ),
    )
    .addOption(valueOption("--size <size>", "bytes of a message (default: 128)", parseSize))
    .addOption(valueOption("--duration <time>", "how long is measured", parseDuration))
    .addOption(valueOption("--warmup <time>", "how long is sent before (default: 1s)", parseDuration))
    .addOption(
      valueOption("-n, --count <n>", "messages of each publisher, instead of a duration", (text) => parseCount(text)),
    )
    .addOption(valueOption("--publishers <n>", "how many send, each on a connection", (text) => parseCount(text)))
    .addOption(valueOption("--subscribers <n>", "how many receive, each on a connection", (text) => parseCount(text)))
    .addOption(valueOption("--topics <n>", "how many topics", (text) => parseCount(text)))
    .option("--from-file <file>", "each line of a file is a message, after a header of 16 bytes")
    .addOption(valueOption("--seed <n>", "random numbers begin with it (default: 1)", (text) => parseCount(text, 0)))
    .option("--verify", "before measuring, a run in which every message is compared whole")
    .option("--one-way", "latency: without the way back")
    .option("--far-echo", "latency: `stream bench echo` on another machine answers")
    .option("--group <url>", "multicast: where to, and how: mcast://239.255.70.70?rate=1Gbit/s")
    .option("--encrypt", "multicast: with a key")
    .addOption(valueOption("--loss <percent>", "multicast: each receiver loses that much on purpose", parsePercent))
    .addOption(valueOption("--reorder <percent>", "multicast: that much comes late to each receiver", parsePercent))
    .addOption(valueOption("--duplicate <percent>", "multicast: that much comes twice to each receiver", parsePercent))
    .option("--no-repair", "multicast: report what is lost instead of asking for it")
    .option("--json", "write everything as a JSON object")
    .option("--csv", "write a line a run")
    .option("--report <file>", "write a page with pictures")
    .action((name, given, self) => {
      const role = self.args[0];
      if (role !== undefined && hidden.includes(role)) {
        program.start(async (signal) => (await import("./bench/roles.ts")).play(role, signal));
        return;
      }
      onlyOneOf({ "--json": given.json === true, "--csv": given.csv === true });
      onlyOneOf({ "--duration": given.duration !== undefined, "--count": given.count !== undefined });
      onlyOneOf({ "--size": given.size !== undefined, "--from-file": given.fromFile !== undefined });
      if (name === "echo") {
        const target = [...(given.target ?? targetOfEnvironment()), parseTarget(defaultServer)][0]!;
        const tls = tlsOf([target], given);
        program.start(async (signal) => (await import("./bench/echo.ts")).echo(target, tls, signal));
        return;
      }
      const group = groupOptions(name === "multicast", given);
      const targets = group === null ? given.target ?? targetOfEnvironment() : [];
      const tls = tlsOf(targets, given);
      onlyOneOf({ "--limit": given.limit === true, "--tls": tls !== null });
      const load: LoadOptions = {
        ...given.rate,
        size: given.size,
        duration: given.duration,
        warmup: given.warmup,
        count: given.count,
        publishers: given.publishers,
        subscribers: given.subscribers,
        topics: given.topics,
        oneWay: given.oneWay === true,
        farEcho: given.farEcho === true,
        reception: receptionOf(given),
        tls: tls !== null,
        fromFile: given.fromFile !== undefined,
      };
      const chosen = name === undefined ? tour : [parseChoice(name, scenarioNames)];
      for (const scenario of chosen) loadsOf(scenario, load);
      const options: BenchOptions = {
        scenarios: chosen,
        load,
        targets: distinct(targets, given.against ?? []),
        group,
        against: given.against ?? [],
        limit: given.limit === true,
        tls,
        rounds: given.rounds,
        file: given.fromFile ?? null,
        seed: given.seed ?? 1,
        verify: given.verify === true,
        output: given.json ? "json" : given.csv ? "csv" : "text",
        report: given.report ?? null,
        commandLine: withoutSecrets(["stream", "bench", ...Deno.args.slice(Deno.args.indexOf("bench") + 1)].join(" ")),
        log: logOptions(self),
      };
      program.start((signal) => run(options, signal));
    });
}

/** Measures. */
export async function run(options: BenchOptions, signal: AbortSignal): Promise<ExitStatus> {
  const { measure } = await import("./bench/measure.ts");
  return await measure(options, signal);
}

function scenarioHelp(): string {
  const rows: (readonly [string, string])[] = scenarioNames.map((name) => [name, scenarios[name].about]);
  rows.push(["echo", "answers `latency --far-echo` from another machine; two machines have two clocks, so that"]);
  rows.push(["", "between them only a round trip can be measured"]);
  const width = Math.max(...rows.map(([name]) => name.length));
  return `\nScenarios:\n${rows.map(([name, about]) => `  ${name.padEnd(width)}  ${about}`).join("\n")}`;
}

/** The server that `STREAM_SERVER` names, where `--target` names none. */
function targetOfEnvironment(): BenchOptions["targets"] {
  const server = Deno.env.get("STREAM_SERVER") ?? "";
  return server === "" ? [] : [parseTarget(server)];
}

function parseKinds(text: string): TargetKind[] {
  return [...new Set(text.split(",").map((kind) => parseChoice(kind.trim(), peers)))];
}

function parseBenchRate(text: string): { rate?: number; share?: number } {
  const [, percent] = /^(\d+(?:\.\d+)?) ?%$/.exec(text) ?? [];
  if (percent !== undefined) {
    const share = Number(percent) / 100;
    if (share > 0 && share <= 1) return { share };
    throw new UsageError(`"${text}" is not a part of the maximum`, "give more than 0% and at most 100%");
  }
  const rate = parseRate(text);
  if ("messages" in rate) return { rate: rate.messages };
  throw new UsageError(`"${text}" is not a rate of messages`, "give messages a second, such as 1000/s, or 50%");
}

/** Results are told apart by the kind of server: there can be one of each. */
function distinct(targets: BenchOptions["targets"], against: readonly TargetKind[]): BenchOptions["targets"] {
  const kinds = [...targets.map(({ kind }) => kind), ...against];
  const twice = kinds.find((kind, index) => kinds.indexOf(kind) !== index);
  if (twice === undefined) return targets;
  throw new UsageError(`two servers of the kind ${twice} cannot be compared in one go`, "measure one after the other");
}
