/**
 * Standard input and output, and files that are read as input.
 *
 * @module
 */

import { Failure } from "./exit.ts";

/** Nobody reads stdout any more, as in `| head`: the program ends quietly, with 0. Only `main.ts` catches it. */
export class OutputClosed extends Error {
  override readonly name = "OutputClosed";
}

/** What bytes are written to: `Deno.stdout`, or a test's. */
export interface ByteSink {
  /** Writes some of `bytes`, at least one; resolves with how many. */
  write(bytes: Uint8Array): Promise<number>;
}

/** What bytes are read from: `Deno.stdin`, an open file, or a test's. */
export interface ByteSource {
  /** Reads some bytes into `into`; resolves with how many, or `null` at the end. */
  read(into: Uint8Array): Promise<number | null>;
}

/**
 * Writes all of `bytes`, which must not change before it resolves.
 *
 * @param name what is written to, for the error
 * @throws {OutputClosed} when nobody reads what is written
 * @throws {Failure} when it cannot be written: the disk is full
 */
export async function writeAll(bytes: Uint8Array, to: ByteSink = Deno.stdout, name = "stdout"): Promise<void> {
  let written = 0;
  while (written < bytes.length) {
    try {
      written += await to.write(written === 0 ? bytes : bytes.subarray(written));
    } catch (error) {
      if (error instanceof Deno.errors.BrokenPipe) throw new OutputClosed();
      throw new Failure(`cannot write to ${name}: ${fileReason(error)}`, undefined, error);
    }
  }
}

/** Writes a text to stdout, before the program goes on: help, `listening ...`. Throws as {@linkcode writeAll} does. */
export function printText(text: string): void {
  const bytes = new TextEncoder().encode(text);
  let written = 0;
  try {
    while (written < bytes.length) written += Deno.stdout.writeSync(bytes.subarray(written));
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) throw new OutputClosed();
    throw new Failure(`cannot write to stdout: ${fileReason(error)}`, undefined, error);
  }
}

/** Writes a line to stderr. That nobody reads it, or it is closed, is no reason to fail. */
export function printError(line: string): void {
  const bytes = new TextEncoder().encode(`${line}\n`);
  let written = 0;
  try {
    while (written < bytes.length) written += Deno.stderr.writeSync(bytes.subarray(written));
  } catch {
    // There is no third place to say it.
  }
}

/** Whether people look at it, and not a file or a pipe. */
export function isTerminal(stream: "stdin" | "stdout" | "stderr"): boolean {
  return Deno[stream].isTerminal();
}

/** An input that is open: bytes in chunks, once. */
export interface Input extends Disposable {
  /** For people: `stdin`, or the file's path. */
  readonly name: string;
  /**
   * The bytes, in chunks of at least one, all lent from one buffer: each is valid until the next is asked for.
   *
   * @throws {Failure} when reading fails
   */
  chunks(signal?: AbortSignal): AsyncIterableIterator<Uint8Array>;
}

const chunkSize = 128 * 1024;

/**
 * Opens a FILE, or stdin for `-` and for none.
 *
 * @throws {Failure} when there is no such file, or it cannot be opened
 *
 * @example
 * ```ts ignore
 * using input = await openInput("ticks.txt");
 * for await (const chunk of input.chunks(signal)) splitter.push(chunk);
 * ```
 */
export async function openInput(path = "-", size: number = chunkSize): Promise<Input> {
  // Stdin stays open: the program has only one.
  if (path === "-") {
    return {
      name: "stdin",
      chunks: (signal) => readChunks(Deno.stdin, "stdin", size, signal),
      [Symbol.dispose]() {},
    };
  }
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path);
  } catch (error) {
    throw new Failure(`cannot read ${path}: ${fileReason(error)}`, undefined, error);
  }
  return {
    name: path,
    chunks: (signal) => readChunks(file, path, size, signal),
    [Symbol.dispose]: () => file.close(),
  };
}

/**
 * Reads to the end, into one buffer of `size` bytes.
 *
 * An abort ends it with the signal's reason at once; the read that is pending then is left to itself, because a terminal
 * or a pipe cannot be told to stop.
 *
 * @throws {Failure} when reading fails
 */
export async function* readChunks(
  from: ByteSource,
  name: string,
  size: number = chunkSize,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  const buffer = new Uint8Array(size);
  // One listener for all reads, or a long input would leave one behind for every chunk.
  let refuse: ((reason: unknown) => void) | undefined;
  const onAbort = () => refuse?.(signal?.reason);
  signal?.addEventListener("abort", onAbort);
  try {
    for (;;) {
      signal?.throwIfAborted();
      let count: number | null;
      try {
        count = await new Promise<number | null>((resolve, reject) => {
          refuse = reject;
          from.read(buffer).then(resolve, reject);
        });
      } catch (error) {
        signal?.throwIfAborted();
        throw new Failure(`cannot read ${name}: ${fileReason(error)}`, undefined, error);
      }
      if (count === null) return;
      if (count > 0) yield buffer.subarray(0, count);
    }
  } finally {
    signal?.removeEventListener("abort", onAbort);
  }
}

/**
 * Reads a small file of text that an option names.
 *
 * @param what its name, for the error: `--ca`
 * @throws {Failure} when it cannot be read
 */
export function readText(path: string, what: string): Promise<string> {
  return reading(path, what, Deno.readTextFile);
}

/**
 * Reads a file whole, as bytes.
 *
 * @param what it is, for the error: `the key`
 * @throws {Failure} when it cannot be read
 */
export function readBytes(path: string, what: string): Promise<Uint8Array> {
  return reading(path, what, Deno.readFile);
}

async function reading<T>(path: string, what: string, read: (path: string) => Promise<T>): Promise<T> {
  try {
    return await read(path);
  } catch (error) {
    throw new Failure(`cannot read ${what} ${JSON.stringify(path)}: ${fileReason(error)}`);
  }
}

/** Why a file operation failed, in the words of the field instead of the runtime's. */
export function fileReason(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "no such file";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  if (error instanceof Deno.errors.IsADirectory) return "it is a directory";
  if (error instanceof Deno.errors.NotADirectory) return "a part of the path is not a directory";
  if (error instanceof Deno.errors.AlreadyExists) return "it exists already";
  if (!(error instanceof Error)) return String(error);
  // "Is a directory (os error 21): read 'x'" -> "is a directory"
  const words = /^(.*?) \(os error \d+\)/.exec(error.message)?.[1] ?? error.message.split("\n")[0] ?? "";
  return words.charAt(0).toLowerCase() + words.slice(1);
}
