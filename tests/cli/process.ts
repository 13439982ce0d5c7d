/**
 * Runs the program in the background, as scripts do: what it prints is waited for, never time.
 *
 * @module
 */

import { denoRun, type Ran } from "./program.ts";

const root = new URL("../../", import.meta.url);

/** Until then a test is over; a process that is not is killed, so that what waits for it fails instead of hanging. */
const longestRun = 120_000;

/** One output of a process, gathered as it comes. */
export class Output {
  /** Settles when the process has closed it. */
  readonly ended: Promise<void>;
  readonly #what: string;
  readonly #keep: boolean;
  readonly #chunks: Uint8Array[] = [];
  readonly #decoder = new TextDecoder();
  #length = 0;
  #text = "";
  #closed = false;
  #changed: (() => void)[] = [];
  readonly #hold = Promise.withResolvers<void>();

  /**
   * @param sink takes each chunk instead of keeping it
   * @param held whether nothing is read until {@linkcode release}, so that the process has to stop writing
   */
  constructor(what: string, from: ReadableStream<Uint8Array>, sink?: (chunk: Uint8Array) => void, held = false) {
    this.#what = what;
    this.#keep = sink === undefined;
    if (!held) this.#hold.resolve();
    this.ended = this.#gather(from, sink);
  }

  /** Begins to read an output that was held. */
  release(): void {
    this.#hold.resolve();
  }

  /** How many bytes have come. */
  get length(): number {
    return this.#length;
  }

  /** All that has come, unless a sink took it. */
  get bytes(): Uint8Array {
    const all = new Uint8Array(this.#length);
    let at = 0;
    for (const chunk of this.#chunks) {
      all.set(chunk, at);
      at += chunk.length;
    }
    return all;
  }

  /** All that has come, as text. */
  get text(): string {
    return this.#text;
  }

  /** The complete lines that have come. */
  get lines(): string[] {
    return this.#text.split("\n").slice(0, -1);
  }

  /** Waits for the `which`th line (from 1) that matches, and returns it. Rejects when the output ends without it. */
  line(pattern: RegExp, which = 1): Promise<string> {
    const find = () => this.lines.filter((line) => pattern.test(line))[which - 1];
    return this.until(find, `a line like ${pattern}`);
  }

  /** Waits until so many bytes have come. */
  async past(length: number): Promise<void> {
    await this.until(() => this.#length >= length ? true : undefined, `${length} bytes`);
  }

  /** Waits until `find` finds something; it is asked whenever something came. */
  async until<T>(find: () => T | undefined, what: string): Promise<T> {
    for (;;) {
      const found = find();
      if (found !== undefined) return found;
      if (this.#closed) {
        throw new Error(`${this.#what} ended after ${this.#length} bytes without ${what}:\n${this.#text.slice(-2000)}`);
      }
      await new Promise<void>((resolve) => this.#changed.push(resolve));
    }
  }

  async #gather(from: ReadableStream<Uint8Array>, sink?: (chunk: Uint8Array) => void): Promise<void> {
    try {
      await this.#hold.promise;
      for await (const chunk of from) {
        this.#length += chunk.length;
        if (sink) sink(chunk);
        else this.#chunks.push(chunk);
        if (this.#keep) this.#text += this.#decoder.decode(chunk, { stream: true });
        this.#wake();
      }
    } finally {
      this.#closed = true;
      this.#wake();
    }
  }

  #wake(): void {
    for (const changed of this.#changed.splice(0)) changed();
  }
}

/** How a process is run. */
export interface ProcessOptions {
  readonly env?: Record<string, string>;
  /** Takes what comes on stdout, instead of keeping it. */
  readonly sink?: (chunk: Uint8Array) => void;
  /** Whether stdout is not read until it is released. */
  readonly held?: boolean;
  /** What stdin is; without it, nothing. `pipe` is written to with {@linkcode Process.write}. */
  readonly stdin?: "pipe" | Uint8Array | string;
  /** Milliseconds after which it is killed. */
  readonly limit?: number;
  /** What runs it, with its arguments; the system itself unless given. */
  readonly within?: readonly string[];
}

/** A run of the program. Disposing of it kills it if it still runs. */
export class Process implements AsyncDisposable {
  readonly stdout: Output;
  readonly stderr: Output;
  /** What it exited with; 128 and the number of the signal that killed it. */
  readonly status: Promise<number>;
  readonly #child: Deno.ChildProcess;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>> | undefined;
  readonly #feeding: Promise<void> = Promise.resolve();
  readonly #guard: ReturnType<typeof setTimeout>;
  #exited = false;

  /** @param command the program and its arguments; `stream` is what is tested */
  constructor([command, ...args]: readonly string[], options: ProcessOptions = {}) {
    const { env = {}, sink, held, stdin, limit = longestRun, within = [] } = options;
    const program = command === "stream" ? [Deno.execPath(), ...denoRun, "cli/main.ts"] : [command!];
    const [first, ...rest] = [...within, ...program, ...args];
    this.#child = new Deno.Command(first!, {
      args: rest,
      cwd: root,
      env: { NO_COLOR: "1", STREAM_SERVER: "", STREAM_TOKEN: "", ...env },
      stdin: stdin === undefined ? "null" : "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const what = `of \`${[command, ...args].join(" ")}\``;
    this.stdout = new Output(`stdout ${what}`, this.#child.stdout, sink, held);
    this.stderr = new Output(`stderr ${what}`, this.#child.stderr);
    this.status = this.#child.status.then(({ code }) => {
      this.#exited = true;
      return code;
    });
    this.#guard = setTimeout(() => this.kill("SIGKILL"), limit);
    if (stdin === undefined) return;
    this.#stdin = this.#child.stdin.getWriter();
    if (stdin !== "pipe") {
      this.#feeding = this.#feed(typeof stdin === "string" ? new TextEncoder().encode(stdin) : stdin);
    }
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Writes to stdin. Rejects when the process reads no more. */
  async write(bytes: Uint8Array | string): Promise<void> {
    await this.#stdin!.write(
      typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes as Uint8Array<ArrayBuffer>,
    );
  }

  /** Ends stdin. */
  async end(): Promise<void> {
    await this.#stdin?.close();
  }

  /** Sends a signal, unless it has exited. */
  kill(signal: Deno.Signal): void {
    if (!this.#exited) this.#child.kill(signal);
  }

  /** Waits for its end. */
  async ran(): Promise<Ran> {
    const status = await this.status;
    await Promise.all([this.stdout.ended, this.stderr.ended]);
    return { status, stdout: this.stdout.text, stderr: this.stderr.text };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill("SIGKILL");
    clearTimeout(this.#guard);
    this.stdout.release();
    await this.ran();
    await this.#feeding;
    // It is closed already where everything was fed.
    await this.#stdin?.abort().catch(() => {});
  }

  async #feed(bytes: Uint8Array): Promise<void> {
    try {
      for (let at = 0; at < bytes.length; at += 65_536) await this.write(bytes.subarray(at, at + 65_536));
      await this.end();
    } catch {
      // It reads no more: it has exited, or been killed.
    }
  }
}

/** A server that listens on a free port of loopback. */
export class ServerProcess extends Process {
  /** Where it listens; set by {@linkcode startServer}. */
  endpoint = "";

  /** Runs a command against this server. */
  start(args: readonly string[], options: ProcessOptions = {}): Process {
    return new Process(["stream", ...args], {
      ...options,
      env: { STREAM_SERVER: this.endpoint, ...options.env },
    });
  }

  /** Runs a command against this server to its end. */
  async run(args: readonly string[], options: ProcessOptions = {}): Promise<Ran> {
    await using process = this.start(args, options);
    return await process.ran();
  }

  /** Runs `subscribe` until it says that it has subscribed. */
  async subscriber(args: readonly string[], options: ProcessOptions = {}): Promise<Process> {
    const subscriber = this.start(["subscribe", ...args], options);
    try {
      await subscriber.stderr.line(/^subscribed /);
      return subscriber;
    } catch (error) {
      await subscriber[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The topics that it holds, by name. */
  async topics(pattern = "#"): Promise<Map<string, ListedTopic>> {
    const { status, stdout, stderr } = await this.run(["topics", "--json", pattern]);
    if (status !== 0) throw new Error(`stream topics: ${stderr}`);
    const listed = stdout.split("\n").slice(0, -1).map((line) => JSON.parse(line) as ListedTopic);
    return new Map(listed.map((topic) => [topic.topic, topic]));
  }

  /** The payloads of all that it keeps of a topic, as one-byte-a-character strings. */
  async payloads(topic: string): Promise<string[]> {
    const messages = (await this.topics(topic)).get(topic)?.messages ?? 0;
    if (messages === 0) return [];
    await using subscriber = this.start(["subscribe", "--from", "earliest", "--delimited", "-n", `${messages}`, topic]);
    const { status, stderr } = await subscriber.ran();
    if (status !== 0) throw new Error(`stream subscribe: ${stderr}`);
    return split(subscriber.stdout.bytes);
  }
}

/** What `topics --json` says of one. */
export interface ListedTopic {
  readonly topic: string;
  readonly first: number;
  readonly next: number;
  readonly messages: number;
  readonly bytes: number;
  readonly time: string;
}

/** Runs `serve`, on a free port unless `--listen` is among the arguments, until it listens. */
export async function startServer(args: readonly string[] = [], options: ProcessOptions = {}): Promise<ServerProcess> {
  const listen = args.includes("--listen") ? [] : ["--listen", "tcp://127.0.0.1:0"];
  const server = new ServerProcess(["stream", "serve", ...listen, ...args], options);
  try {
    server.endpoint = (await server.stdout.line(/^listening /)).replace("listening ", "");
    return server;
  } catch (error) {
    const said = server.stderr.text;
    await server[Symbol.asyncDispose]();
    throw new Error(`stream serve: ${said}`, { cause: error });
  }
}

/** Messages as `--delimited` writes and reads them, each a string of one byte a character. */
export function split(bytes: Uint8Array): string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const messages: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = at + 4 + view.getUint32(at);
    if (end > bytes.length) throw new Error(`the output ends inside message ${messages.length + 1}`);
    messages.push(binary(bytes.subarray(at + 4, end)));
    at = end;
  }
  return messages;
}

/** The inverse of {@linkcode split}. */
export function join(messages: readonly string[]): Uint8Array {
  const parts = messages.flatMap((message) => {
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, message.length);
    return [length, unbinary(message)];
  });
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Bytes as a string of one character each. */
export function binary(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

/** The inverse of {@linkcode binary}. */
export function unbinary(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** A figure of a process from the system, in bytes: `VmRSS`, `VmHWM` (its highest). Linux alone has them. */
export async function memoryOf(process: Process, name: "VmRSS" | "VmHWM"): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${process.pid}/status`);
  return 1024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)![1]);
}
