/**
 * A process of the load generator, as the coordinator sees it.
 *
 * @module
 */

import { type ExitStatus, Failure } from "../exit.ts";
import { now } from "./clock.ts";
import type { Job, Order, Report } from "./job.ts";
import { lineOf, readObjects, sourceOf } from "./lines.ts";
import { selfCommand, selfEnvironment } from "./self.ts";

/** How often the clocks are compared, and by how much they may differ, in milliseconds. */
const clockChecks = 5;
const mostDifference = 0.1;

type Saying = Report["say"];
type Said<S extends Saying> = Extract<Report, { say: S }>;

/** Does one job. */
export class LoadProcess implements AsyncDisposable {
  /** Told of everything that is not waited for. */
  onReport: (report: Report) => void = () => {};
  readonly job: Job;
  readonly #child: Deno.ChildProcess;
  readonly #orders: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #said: Report[] = [];
  #waiting: { say: Saying; resolve: (report: Report) => void; reject: (error: unknown) => void } | null = null;
  #failure: Failure | null = null;
  #disposed = false;
  readonly #over: Promise<void>;

  constructor(job: Job) {
    this.job = job;
    const { command, args } = selfCommand(["bench", "load"], {
      readFiles: job.body.kind === "file",
      interfaces: job.kind === "multicast",
    });
    this.#child = new Deno.Command(command, {
      args,
      env: selfEnvironment,
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#orders = this.#child.stdin.getWriter();
    this.#tell(job);
    this.#over = this.#listen();
  }

  /** Gives an order. A process that is gone has said why, or is asked for something and then fails. */
  say(order: Order): void {
    this.#tell(order);
  }

  /** Waits for a report. Rejects with a `Failure` when the process cannot go on. */
  next<S extends Saying>(say: S): Promise<Said<S>> {
    const index = this.#said.findIndex((report) => report.say === say);
    if (index >= 0) return Promise.resolve(this.#said.splice(index, 1)[0] as Said<S>);
    if (this.#failure !== null) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#waiting = { say, resolve: resolve as (report: Report) => void, reject };
    });
  }

  /** Compares the clocks: what this process says must be between asking and hearing. */
  async checkClock(): Promise<void> {
    for (let check = 0; check < clockChecks; check++) {
      const asked = now();
      this.say({ say: "clock" });
      const { time } = await this.next("clock");
      if (time >= asked - mostDifference && time <= now() + mostDifference) continue;
      throw new Failure(
        "cannot measure: the clocks of two processes differ, as when the clock is set in between: try again",
      );
    }
  }

  /** Ends it: it closes its connections, or is killed. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    this.#orders.close().catch(() => {});
    const kill = setTimeout(() => this.#kill(), 3_000);
    await this.#child.status;
    await this.#over;
    clearTimeout(kill);
  }

  #kill(): void {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended meanwhile.
    }
  }

  #tell(what: unknown): void {
    this.#orders.write(lineOf(what)).catch(() => {});
  }

  async #listen(): Promise<void> {
    await readObjects<Report>(sourceOf(this.#child.stdout), (report) => this.#take(report));
    const { code } = await this.#child.status;
    if (!this.#disposed) this.#fail(new Failure(`a process of the load generator ended with status ${code}`));
  }

  #take(report: Report): void {
    if (report.say === "failed") {
      this.#fail(new Failure(report.message, report.status as ExitStatus));
    } else if (this.#waiting?.say === report.say) {
      const { resolve } = this.#waiting;
      this.#waiting = null;
      resolve(report);
    } else if (report.say === "live") this.onReport(report);
    else this.#said.push(report);
  }

  #fail(failure: Failure): void {
    this.#failure ??= failure;
    this.#waiting?.reject(this.#failure);
    this.#waiting = null;
  }
}
