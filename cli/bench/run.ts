/**
 * One run: one load against one target, once.
 *
 * @module
 */

import { availableParallelism } from "node:os";
import { now } from "./clock.ts";
import type { TargetKind } from "./driver.ts";
import type { MeasuredGroup } from "./group.ts";
import { LoadProcess } from "./load_process.ts";
import type { Job, ReceiveResult, Report } from "./job.ts";
import { type Content, type Plan, planOf } from "./plan.ts";
import type { Window } from "./recorder.ts";
import type { RunResult, Usage } from "./result.ts";
import { type Gathered, resultOf } from "./run_result.ts";
import type { Load } from "./scenarios.ts";
import type { BenchTrust } from "./tls.ts";
import { type ProcessUsage, usageOf } from "./usage.ts";

/** What is measured. */
export interface Target {
  readonly kind: TargetKind;
  /** With the user and the password, if there are any: results are without. */
  readonly endpoint: string;
  /** Whom connections to it trust; `null` without TLS. */
  readonly trust: BenchTrust | null;
  /** What it is: `nats-server 2.9.10`. */
  readonly server: string;
  /** Its process; `null` where it is not on this machine, or not known. */
  readonly pid: number | null;
  /** The group that it multicasts to; `null` where connections are measured. */
  readonly group: MeasuredGroup | null;
}

/** How a run goes, while it does. */
export interface RunProgress {
  readonly phase: "connecting" | "warm-up" | "measuring" | "draining";
  /** How much of the phase is over, 0 to 1. */
  readonly done: number;
  /** Messages received a second, and latencies of the last while in microseconds. */
  readonly deliveryRate: number;
  readonly p50: number;
  readonly p99: number;
}

/** What a run needs besides its load and its target. */
export interface RunOptions {
  readonly content: Content;
  /** Bytes of a message, or their mean. */
  readonly size: number;
  readonly round: number;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: RunProgress) => void;
}

/** From the order to start until the first message, in milliseconds: every process has heard of it by then. */
const lead = 100;
/** The end of a run whose messages are counted, not timed: a day, in milliseconds. */
const endless = 24 * 3_600_000;
/** In how many slices a run is cut, and how long one is at least, in milliseconds. */
const slices = 120;
const leastSlice = 100;

/**
 * Puts a load on a target and measures.
 *
 * @throws {Failure} when a connection cannot be made, or is refused; one that is lost later makes the result partial
 */
export async function runOnce(load: Load, target: Target, options: RunOptions): Promise<RunResult> {
  const { content, size, signal } = options;
  const name = Math.floor(Math.random() * 36 ** 4).toString(36).padStart(4, "0");
  const plan = planOf(load, target, content, name, size);
  await using processes = new AsyncDisposableStack();
  const start = (job: Job) => processes.use(new LoadProcess(job));
  const run = new Run(load, target, options.onProgress, plan, start);
  const { promise: interrupted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.throwIfAborted();
  signal.addEventListener("abort", abort, { once: true });
  try {
    const gathered = await Promise.race([run.measure(), interrupted]);
    if (target.group === null) return resultOf(load, target, options, { ...gathered, multicast: null });
    // Nobody is connected any more when the server says its last.
    await processes.disposeAsync();
    const { endpoint: group, key } = target.group;
    const multicast = { group, encrypted: key !== null, sent: await target.group.sent() };
    return resultOf(load, target, options, { ...gathered, multicast });
  } finally {
    signal.removeEventListener("abort", abort);
    run.stop();
  }
}

class Run {
  readonly #load: Load;
  readonly #target: Target;
  readonly #onProgress: RunOptions["onProgress"];
  readonly #senders: LoadProcess[];
  readonly #receivers: LoadProcess[];
  readonly #echoes: LoadProcess[];
  readonly #timers: ReturnType<typeof setTimeout>[] = [];

  constructor(
    load: Load,
    target: Target,
    onProgress: RunOptions["onProgress"],
    plan: Plan,
    start: (job: Job) => LoadProcess,
  ) {
    this.#load = load;
    this.#target = target;
    this.#onProgress = onProgress;
    this.#receivers = plan.receivers.map(start);
    this.#echoes = plan.echoes.map(start);
    this.#senders = plan.senders.map(start);
  }

  /** Nothing is sampled or told any more. */
  stop(): void {
    for (const timer of this.#timers) clearTimeout(timer);
  }

  async measure(): Promise<Omit<Gathered, "multicast">> {
    const unloaded = await this.#usage();
    const ready = await Promise.all([...this.#receivers, ...this.#echoes].map((process) => process.next("ready")));
    const ports = await all(this.#senders, async (process) => (await process.next("sending")).port);
    if (ports.some((port) => port > 0)) {
      for (const process of this.#receivers) process.say({ say: "feedback", ports });
      await all(this.#receivers, (process) => process.next("linked"));
    }
    for (const process of this.#all) await process.checkClock();
    const loaded = await this.#usage();
    const window = this.#window();
    const usage = this.#watch(window);
    for (const process of this.#all) process.say({ say: "start", window });

    const sent = await all(this.#senders, async (process) => (await process.next("sent")).result);
    const totals = addUp(sent.map((result) => result.totals));
    const finished = async (process: LoadProcess): Promise<ReceiveResult> => {
      process.say({ say: "sent", totals });
      return (await process.next("received")).result;
    };
    const echoed = await all(this.#echoes, finished);
    const received = await all(this.#receivers, finished);
    return {
      window,
      setups: ready,
      memory: { before: unloaded, after: loaded },
      sent,
      echoed,
      received,
      server: await usage(),
      processors: availableParallelism(),
    };
  }

  get #all(): LoadProcess[] {
    return [...this.#receivers, ...this.#echoes, ...this.#senders];
  }

  async #usage(): Promise<ProcessUsage | null> {
    return this.#target.pid === null ? null : await usageOf(this.#target.pid);
  }

  #window(): Window {
    const { warmup, duration, count, publishers, rate } = this.#load;
    const origin = now() + lead;
    const from = origin + warmup;
    const measured = count === 0 ? duration : rate > 0 ? count * publishers * 1000 / rate : endless;
    const slice = Math.max(leastSlice, (measured === endless ? 0 : measured) / slices);
    return { origin, from, until: from + measured, slice };
  }

  /** Samples the server and tells of progress; returns what asks for the server's usage of the measured time. */
  #watch(window: Window): () => Promise<Usage | null> {
    let before: Promise<ProcessUsage | null> = Promise.resolve(null);
    let after: Promise<ProcessUsage | null> | null = null;
    this.#at(window.from, () => before = this.#usage());
    if (window.until - window.from < endless) this.#at(window.until, () => after = this.#usage());
    for (const process of this.#all) process.onReport = (report) => this.#heard(process, report, window);
    return async () => {
      const [first, last] = [await before, await (after ?? this.#usage())];
      if (first === null || last === null) return null;
      return { cpuSeconds: last.cpuSeconds - first.cpuSeconds, peakBytes: last.peakBytes };
    };
  }

  #at(time: number, callback: () => void): void {
    this.#timers.push(setTimeout(callback, Math.max(0, time - now())));
  }

  readonly #live = new Map<LoadProcess, { received: number; p50: number; p99: number }>();
  #lastLive = 0;

  #heard(process: LoadProcess, report: Report, window: Window): void {
    if (report.say === "live" && this.#receivers.includes(process)) {
      this.#live.set(process, report);
      if (this.#live.size === this.#receivers.length) this.#tell(window);
    }
  }

  #tell(window: Window): void {
    const time = now();
    const seconds = (time - (this.#lastLive || window.origin)) / 1000;
    this.#lastLive = time;
    const told = [...this.#live.values()];
    this.#live.clear();
    const phase = time < window.from ? "warm-up" : time < window.until ? "measuring" : "draining";
    const [begin, end] = phase === "warm-up" ? [window.origin, window.from] : [window.from, window.until];
    this.#onProgress({
      phase,
      done: Math.max(0, Math.min(1, (time - begin) / (end - begin))),
      deliveryRate: told.reduce((sum, { received }) => sum + received, 0) / seconds,
      p50: Math.max(...told.map(({ p50 }) => p50)),
      p99: Math.max(...told.map(({ p99 }) => p99)),
    });
  }
}

function all<T>(processes: readonly LoadProcess[], ask: (process: LoadProcess) => Promise<T>): Promise<T[]> {
  return Promise.all(processes.map(ask));
}

function addUp(totals: readonly (readonly number[])[]): number[] {
  return totals[0]!.map((_, source) => totals.reduce((sum, of) => sum + of[source]!, 0));
}
