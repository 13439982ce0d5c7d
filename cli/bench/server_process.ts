/**
 * A server as a process: it is ready when it says so, it never waits for somebody to read what it says, and it is gone
 * when it is disposed of.
 *
 * @module
 */

import { Failure } from "../exit.ts";
import { fileReason } from "../stdio.ts";
import type { CommandLine } from "./self.ts";

/** How to start a server and know that it is ready. */
export interface ServerCommand extends CommandLine {
  /** What it is called in errors. */
  readonly name: string;
  /** The line that it prints, on stdout or stderr, when it can be connected to. */
  readonly ready: RegExp;
  /** Its environment: these variables, and those of this program where `inherit` says so. */
  readonly env: Readonly<Record<string, string>>;
  readonly inherit: boolean;
  /** Whether its stdin is kept open as long as this program lives. */
  readonly watchesStdin: boolean;
  /** How long it may take to be ready, in milliseconds; 10 s without it. */
  readonly patience?: number;
  /** How long it may take to end when it is asked to, in milliseconds; 3 s without it. Then it is killed. */
  readonly grace?: number;
}

/** How long a server may take to be ready, and to end when it is asked to, in milliseconds. */
const usualPatience = 10_000;
const usualGrace = 3_000;
/** How many lines are kept of what it says, and how many characters of each. */
const keptLines = 20;
const keptCharacters = 400;

/** A server that runs, or ran. */
export class ServerProcess implements AsyncDisposable {
  readonly pid: number;
  /** Resolves with its exit status when it has ended and all that it said was read; 128 and the signal that ended it. */
  readonly ended: Promise<number>;
  readonly #child: Deno.ChildProcess;
  readonly #words: string[] = [];
  readonly #ready = Promise.withResolvers<RegExpExecArray>();
  #exited = false;
  #stopping: Promise<void> | null = null;
  readonly #grace: number;

  private constructor(child: Deno.ChildProcess, { ready, grace = usualGrace }: ServerCommand) {
    this.#child = child;
    this.#grace = grace;
    this.pid = child.pid;
    const outputs = [this.#listen(child.stdout, ready), this.#listen(child.stderr, ready)];
    this.ended = child.status.then(async ({ code }) => {
      this.#exited = true;
      await Promise.all(outputs);
      return code;
    });
  }

  /**
   * Starts a server and waits until it is ready.
   *
   * @returns the server, and what its line matched
   * @throws {Failure} when it cannot be run, ends before, or is not ready in time, with its last words; it is gone then
   * @throws the signal's reason when it aborts
   */
  static async start(command: ServerCommand, signal?: AbortSignal): Promise<[ServerProcess, RegExpExecArray]> {
    signal?.throwIfAborted();
    const process = new ServerProcess(spawn(command), command);
    const aborted = Promise.withResolvers<never>();
    const abort = () => aborted.reject(signal!.reason);
    signal?.addEventListener("abort", abort, { once: true });
    const limit = command.patience ?? usualPatience;
    const late = Promise.withResolvers<string>();
    const timer = setTimeout(() => late.resolve(`it was not ready within ${limit / 1000} s`), limit);
    try {
      const early = process.ended.then((code) => `it ended with status ${code}`);
      const outcome = await Promise.race([process.#ready.promise, early, late.promise, aborted.promise]);
      if (typeof outcome !== "string") return [process, outcome];
      await process[Symbol.asyncDispose]();
      const said = process.lastWords === "" ? ", and said nothing" : `:\n${process.lastWords}`;
      throw new Failure(`cannot start ${command.name}: ${outcome}${said}`);
    } catch (error) {
      await process[Symbol.asyncDispose]();
      throw error;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    }
  }

  /** The last lines that it said, at most 20. */
  get lastWords(): string {
    return this.#words.join("\n");
  }

  /** Ends it: asks it to, and kills it when that takes too long. Does nothing more the second time. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#stopping ??= this.#stop();
  }

  async #stop(): Promise<void> {
    this.#kill("SIGTERM");
    const timer = setTimeout(() => this.#kill("SIGKILL"), this.#grace);
    await this.ended;
    clearTimeout(timer);
    try {
      await this.#child.stdin.close();
    } catch {
      // It was not kept open, or nobody reads it any more.
    }
  }

  #kill(signal: Deno.Signal): void {
    if (this.#exited) return;
    try {
      this.#child.kill(signal);
    } catch {
      // It has ended, and that was not told yet.
    }
  }

  /** Reads an output to its end. */
  async #listen(output: ReadableStream<Uint8Array<ArrayBuffer>>, ready: RegExp): Promise<void> {
    let rest = "";
    for await (const text of output.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split(/\r?\n/);
      // A line without an end is cut, too.
      rest = lines.pop()!.slice(0, keptCharacters);
      for (const line of lines) this.#heard(line, ready);
    }
    if (rest !== "") this.#heard(rest, ready);
  }

  #heard(line: string, ready: RegExp): void {
    this.#words.push(line.slice(0, keptCharacters));
    if (this.#words.length > keptLines) this.#words.shift();
    const match = ready.exec(line);
    if (match !== null) this.#ready.resolve(match);
  }
}

function spawn({ name, command, args, env, inherit, watchesStdin }: ServerCommand): Deno.ChildProcess {
  try {
    return new Deno.Command(command, {
      args,
      env: { ...env },
      clearEnv: !inherit,
      stdin: watchesStdin ? "piped" : "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  } catch (error) {
    const why = error instanceof Deno.errors.NotCapable ? "this program may not run others" : fileReason(error);
    throw new Failure(`cannot start ${name}: ${why}`, undefined, error);
  }
}
