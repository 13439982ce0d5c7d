/**
 * Does what the user asked of `stream bench`: measures, shows how it goes, and prints what came of it.
 *
 * @module
 */

import { availableParallelism } from "node:os";
import { TransportError } from "../../core/errors.ts";
import type { BenchOptions } from "../bench.ts";
import { ExitStatus, Failure } from "../exit.ts";
import { statusOf } from "../failure.ts";
import { Log, wantsColor } from "../log.ts";
import { fileReason, isTerminal, printText } from "../stdio.ts";
import { formatCount } from "../units.ts";
import { version } from "../version.ts";
import { contendersOf } from "./contenders.ts";
import { type Meta, toCsv, toJson } from "./export.ts";
import { whyExcluded } from "./findings.ts";
import { benchGroup } from "./group.ts";
import { terminalLive } from "./live.ts";
import { splitLines } from "./load.ts";
import { type BodySource, Messages } from "./message.ts";
import type { RunResult } from "./result.ts";
import { failedRun } from "./run_result.ts";
import { Rounds } from "./rounds.ts";
import { loadsOf } from "./scenarios.ts";
import { congestionControl, congestionHint, systemText } from "./system.ts";
import { formatRun, formatTables } from "./table.ts";
import { BenchCertificate, readTrust } from "./tls.ts";

/** How often each is run when several are compared: the least that a median is worth something of. */
const comparedRounds = 7;

/** Runs the benchmark. */
export async function measure(options: BenchOptions, signal: AbortSignal): Promise<ExitStatus> {
  using log = new Log(options.log);
  const size = new Messages(await bodyOf(options)).size;
  const congestion = await congestionControl();
  await using certificate = options.tls === null ? null : await BenchCertificate.make();
  const tls = certificate && { certificate, trust: await readTrust(options.tls!.ca) };
  const contenders = await contendersOf({ ...options, group: benchGroup(options.group) }, tls, log, signal);
  const rounds = options.rounds ?? (contenders.length > 1 ? comparedRounds : 1);
  using live = terminalLive(options.log.quiet || options.log.format === "json");
  const results: RunResult[] = [];
  const date = new Date();
  let status: ExitStatus = ExitStatus.done;
  const say = (text: string) => {
    live?.clear();
    log.info(text);
  };

  const comparison = new Rounds({
    loads: options.scenarios.flatMap((scenario) => loadsOf(scenario, options.load)),
    contenders,
    rounds,
    content: { file: options.file, seed: options.seed, verify: false },
    size,
    signal,
    onBegin: (kind, round, load) => live?.begin(kind, round, rounds, load.label),
    onProgress: ({ phase, done, ...sample }) => {
      live?.phase(phase, phase === "draining" ? null : done);
      live?.sample(sample);
    },
    onResult: (result) => {
      if (result.round > 0) results.push(result);
      else if (options.verify) say(verified(result));
      if (status === ExitStatus.done) status = statusOfRun(result);
      if (contenders.length > 1 && result.verdict !== "counts") {
        say(`${result.target}, round ${result.round}: does not count: ${whyExcluded(result)}`);
      }
    },
    onFailure: (kind, error, load, round) => {
      if (contenders.length === 1 || !isExpected(error)) throw error;
      live?.clear();
      log.error(`${kind}: ${error.message}`);
      status = statusOf(error);
      if (round > 0) results.push(failedRun(load, kind, { round, size }, error.message));
    },
  });
  try {
    if (options.verify) await comparison.verify();
    await comparison.run();
  } finally {
    live?.clear();
    // What was measured before something failed, or somebody pressed Ctrl-C, is still worth reading.
    const servers = contenders.flatMap(({ kind, commandLine }) =>
      commandLine === null ? [] : [{ target: kind, commandLine }]
    );
    const hint = results.length > 0 ? congestionHint(congestion) : null;
    if (hint !== null) say(hint);
    if (results.length > 0) await show(options, results, metaOf(options, date, systemText(congestion), servers));
  }
  return status;
}

function metaOf(
  { commandLine }: BenchOptions,
  date: Date,
  system: string,
  servers: NonNullable<Meta["servers"]>,
): Meta {
  return {
    command: commandLine,
    date,
    version,
    processors: availableParallelism(),
    system,
    servers,
  };
}

async function show(options: BenchOptions, results: readonly RunResult[], meta: Meta): Promise<void> {
  if (options.output === "json") printText(toJson(results, meta));
  else if (options.output === "csv") printText(toCsv(results));
  else if (results.every(({ target, round }) => round === 1 && target === results[0]!.target)) {
    printText(results.map(formatRun).join("\n"));
  } else {
    printText(formatTables(results, { bold: wantsColor(isTerminal("stdout"), Deno.env.get("NO_COLOR")) }));
  }
  if (options.report === null) return;
  const { renderReport } = await import("./report.ts");
  await Deno.writeTextFile(options.report, renderReport(results, meta)).catch((error) => {
    throw new Failure(`cannot write ${options.report}: ${fileReason(error)}`);
  });
}

function verified(result: RunResult): string {
  const { target, counts, verdict } = result;
  if (verdict !== "counts") return `${target}: compared whole: ${whyExcluded(result)}`;
  return `${target}: ${formatCount(counts.received)} messages compared whole, all as they were sent`;
}

/** What a run that does not count makes of the exit status. */
function statusOfRun({ verdict }: RunResult): ExitStatus {
  if (verdict === "lost") return ExitStatus.lost;
  if (verdict === "partial") return ExitStatus.unconnected;
  return verdict === "late" ? ExitStatus.failed : ExitStatus.done;
}

function isExpected(error: unknown): error is Failure | TransportError {
  return error instanceof Failure || error instanceof TransportError;
}

/** What messages are made of, to know how large they are. */
async function bodyOf({ file, load, seed }: BenchOptions): Promise<BodySource> {
  if (file === null) return { kind: "random", size: load.size ?? 128, seed };
  let bytes: Uint8Array;
  try {
    bytes = await Deno.readFile(file);
  } catch (error) {
    throw new Failure(`cannot read ${file}: ${fileReason(error)}`);
  }
  const lines = splitLines(bytes);
  if (lines.length === 0) throw new Failure(`cannot take messages from ${file}: it is empty`);
  return { kind: "lines", lines };
}
