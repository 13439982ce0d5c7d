/**
 * A process of the load generator: it does one job, as the coordinator says.
 *
 * @module
 */

import { RefusedError } from "../../core/errors.ts";
import { statusOf } from "../failure.ts";
import { now } from "./clock.ts";
import type { Driver } from "./driver.ts";
import { FeedbackSender } from "./feedback.ts";
import type { BodyJob, Job, Order, ReceiveJob, Report, SendJob } from "./job.ts";
import { lineOf, readObjects } from "./lines.ts";
import { type BodySource, Messages } from "./message.ts";
import { Receiving } from "./receiving.ts";
import type { Window } from "./recorder.ts";
import type { Usage } from "./result.ts";
import { Sending } from "./sending.ts";
import { driverOf } from "./drivers/table.ts";
import { ownUsage } from "./usage.ts";

/** How often a receiving process tells how it goes, in milliseconds. */
const liveInterval = 250;

/** Runs `stream bench load`: the job is the first line of stdin. Ends when stdin does. */
export async function load(): Promise<void> {
  const process: { is?: Process } = {};
  await readObjects<Job & Order>(Deno.stdin, (line) => {
    if (process.is !== undefined) process.is.obey(line);
    else process.is = line.role === "send" ? new SendProcess(line) : new ReceiveProcess(line);
  });
  await process.is?.close();
}

function say(report: Report): void {
  const line = lineOf(report);
  for (let written = 0; written < line.length;) written += Deno.stdout.writeSync(line.subarray(written));
}

function fail(error: unknown): void {
  say({ say: "failed", message: messageOf(error), status: statusOf(error) });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What both roles have: they connect, obey, and end with stdin. */
abstract class Process {
  /** What the process had used when the measurement began. */
  #before: Usage | null = null;
  #after: Usage | null = null;
  /** Settles when what it was told last has been done. */
  #ready: Promise<void> = Promise.resolve();
  /** Why the connection was lost. */
  protected lost: unknown = null;

  abstract connect(driver: Driver): Promise<void>;
  abstract start(window: Window): void;
  abstract order(order: Order): void;
  abstract close(): Promise<void>;
  abstract readonly job: Job;

  /** Connects: what it is told before that waits. */
  protected begin(): void {
    const { job } = this;
    const group = job.role === "receive" ? job.group : null;
    this.#ready = driverOf(job.kind, { group, trust: job.trust }).then((driver) => this.connect(driver)).catch(
      (error) => {
        fail(error);
        Deno.exit(0);
      },
    );
  }

  /** Does as it is told. */
  obey(order: Order): void {
    this.#ready = this.#ready.then(() => this.#obey(order));
  }

  #obey(order: Order): void {
    if (order.say === "clock") say({ say: "clock", time: now() });
    else if (order.say === "start") {
      this.#measure(order.window);
      this.start(order.window);
    } else this.order(order);
  }

  /** What the process used while it was measured. */
  protected usage(): Usage {
    const after = this.#after ?? ownUsage();
    return { cpuSeconds: after.cpuSeconds - (this.#before?.cpuSeconds ?? 0), peakBytes: ownUsage().peakBytes };
  }

  protected reason(): string | null {
    return this.lost === null ? null : messageOf(this.lost);
  }

  #measure({ from, until }: Window): void {
    setTimeout(() => this.#before = ownUsage(), Math.max(0, from - now()));
    setTimeout(() => this.#after = ownUsage(), Math.min(2 ** 31 - 1, Math.max(0, until - now())));
  }
}

class SendProcess extends Process {
  readonly job: SendJob;
  #sending: Sending | null = null;

  constructor(job: SendJob) {
    super();
    this.job = job;
    this.begin();
  }

  async connect(driver: Driver): Promise<void> {
    const sending = this.#sending = new Sending(this.job, new Messages(await bodyOf(this.job.body)));
    await sending.open(driver);
    say({ say: "sending", port: sending.listen() });
  }

  start(window: Window): void {
    this.#run(window).catch(fail);
  }

  order(_order: Order): void {}

  async close(): Promise<void> {
    await this.#sending?.close();
  }

  async #run(window: Window): Promise<void> {
    const sending = this.#sending!;
    try {
      await Promise.race([sending.run(window), sending.lost]);
    } catch (error) {
      this.lost = error;
      sending.stop();
    }
    const { totals, measured, held, delay } = sending.sent;
    const usage = this.usage();
    say({
      say: "sent",
      result: {
        totals: [...totals],
        measured,
        held,
        delay: delay.summary(),
        usage,
        lost: this.reason(),
      },
    });
  }
}

class ReceiveProcess extends Process {
  readonly job: ReceiveJob;
  #receiving: Receiving | null = null;
  readonly #feedback = new FeedbackSender();
  #live: ReturnType<typeof setInterval> | undefined;

  constructor(job: ReceiveJob) {
    super();
    this.job = job;
    this.begin();
  }

  async connect(driver: Driver): Promise<void> {
    const verify = this.job.verify ? new Messages(await bodyOf(this.job.body)) : null;
    const receiving = this.#receiving = new Receiving(this.job, verify);
    receiving.onProgress = (received) => this.#feedback.tell(received);
    const began = now();
    await receiving.connect(driver).catch((error) => {
      // That a server takes no more connections is what some want to know.
      if (receiving.open === 0 || !(error instanceof RefusedError)) throw error;
    });
    say({
      say: "ready",
      setup: receiving.setup.summary(),
      setupSeconds: (now() - began) / 1000,
      open: receiving.open,
    });
    receiving.lost.catch((error) => this.lost ??= error);
  }

  start(window: Window): void {
    this.#receiving!.start(window);
    this.#live = setInterval(() => say({ say: "live", ...this.#receiving!.recorder.interval() }), liveInterval);
  }

  order(order: Order): void {
    if (order.say === "feedback") this.#feedback.connect(order.ports).then(() => say({ say: "linked" }), fail);
    else if (order.say === "sent") this.#complete(Uint32Array.from(order.totals)).catch(fail);
  }

  async close(): Promise<void> {
    clearInterval(this.#live);
    this.#feedback[Symbol.dispose]();
    await this.#receiving?.close();
  }

  async #complete(totals: Uint32Array): Promise<void> {
    const receiving = this.#receiving!;
    const usage = this.usage();
    // Who has lost its connection waits for nothing.
    if (this.lost === null) await Promise.race([receiving.complete(totals), receiving.lost]).catch(() => {});
    clearInterval(this.#live);
    const result = receiving.result(totals);
    say({ say: "received", result: { ...result, usage, lost: this.reason() } });
  }
}

/** Reads what messages are made of. */
async function bodyOf(body: BodyJob): Promise<BodySource> {
  if (body.kind === "random") return body;
  return { kind: "lines", lines: splitLines(await Deno.readFile(body.path)) };
}

/** The lines of a file, without their ends; an empty line is a message with no body. */
export function splitLines(bytes: Uint8Array): Uint8Array[] {
  const lines: Uint8Array[] = [];
  let start = 0;
  while (start < bytes.length) {
    const end = bytes.indexOf(0x0a, start);
    lines.push(bytes.subarray(start, end < 0 ? bytes.length : end));
    if (end < 0) break;
    start = end + 1;
  }
  return lines;
}
