/**
 * A process that the demo starts: its lines, and its end, which must not come by itself.
 *
 * @module
 */

import { type Instruction, lines } from "./report.ts";

/** How much of what it says on stderr is kept for the error, in characters. */
const mostSaid = 2_000;
/** How long it may take to end when it is asked to, in milliseconds. */
const patience = 3_000;

/** The demo cannot go on. Its message is for the user. */
export class DemoError extends Error {
  override readonly name = "DemoError";
}

/** A process of the demo. */
export class Process implements AsyncDisposable {
  /** For people: `publisher`. */
  readonly name: string;
  /** Rejects with a {@linkcode DemoError} when it ends although nobody asked it to. */
  readonly died: Promise<never>;
  readonly #child: Deno.ChildProcess;
  readonly #instructions: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #ended: Promise<Deno.CommandStatus>;
  #expected = false;
  #said = "";

  /**
   * Starts it.
   *
   * @param args what deno is to run
   * @param onLine told of every line it writes on stdout
   */
  constructor(name: string, args: readonly string[], cwd: URL, onLine: (line: string) => void) {
    this.name = name;
    const child = this.#child = new Deno.Command(Deno.execPath(), {
      args: [...args],
      cwd,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#instructions = child.stdin.getWriter();
    this.#ended = this.#run(onLine);
    this.died = this.#ended.then(({ code, signal }) => {
      if (this.#expected) return new Promise<never>(() => {});
      const said = this.#said.trim();
      throw new DemoError(`the ${name} ended with ${signal ?? code}${said && `:\n${said}`}`);
    });
    // It is raced against where it matters.
    this.died.catch(() => {});
  }

  /** Tells it something. */
  tell(instruction: Instruction): void {
    // That it is gone is told by `died`.
    this.#instructions.write(new TextEncoder().encode(`${JSON.stringify(instruction)}\n`)).catch(() => {});
  }

  /** Its end is as it should be. */
  expectEnd(): void {
    this.#expected = true;
  }

  /** Ends it, however it is; returns its exit status. */
  async end(signal: Deno.Signal = "SIGTERM"): Promise<number> {
    this.#expected = true;
    this.kill(signal);
    const timer = setTimeout(() => this.kill("SIGKILL"), patience);
    const { code } = await this.#ended;
    clearTimeout(timer);
    return code;
  }

  /** Sends it a signal, if it is there. */
  kill(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
    } catch {
      // It has ended already.
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end("SIGKILL");
  }

  async #run(onLine: (line: string) => void): Promise<Deno.CommandStatus> {
    const { stdout, stderr, status } = this.#child;
    await Promise.all([
      (async () => {
        for await (const line of lines(stdout)) onLine(line);
      })(),
      (async () => {
        for await (const line of lines(stderr)) this.#said = `${this.#said}${line}\n`.slice(-mostSaid);
      })(),
    ]);
    const ended = await status;
    await this.#instructions.close().catch(() => {});
    return ended;
  }
}
