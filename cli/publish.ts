/**
 * `stream publish`: sends messages.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import type { CompressionOptions } from "../core/compression.ts";
import { UsageError } from "../core/errors.ts";
import { isReserved, topicFault } from "../core/pattern.ts";
import type { Publisher } from "../core/publisher.ts";
import { formatCompression, parseCompression } from "./compression.ts";
import type { Cut } from "./cut.ts";
import { type ExitStatus, Failure } from "./exit.ts";
import { type Access, accessOf, addAccessOptions } from "./access.ts";
import { Feed } from "./feed.ts";
import { lossOf, openLink, untilAborted } from "./link.ts";
import { Log, type LogOptions, processSurroundings } from "./log.ts";
import { addExamples, logOptions, onlyOneOf, type Program, refuseUrl, repeatedOption, valueOption } from "./program.ts";
import { terminalProgress } from "./progress.ts";
import { isTerminal, printError } from "./stdio.ts";
import { parseCount, parseRate, parseSize } from "./units.ts";

/** Messages that a file, or stdin, is cut into. */
export interface InputSource {
  readonly kind: "input";
  /** The file's path, or `-` for stdin. */
  readonly path: string;
  readonly cut: Cut;
}

/** Where the messages come from. */
export type Source =
  /** `-m`: the messages themselves. */
  | { readonly kind: "texts"; readonly texts: readonly string[] }
  | InputSource;

/** Where the messages go. */
export type Destination =
  | { readonly kind: "topic"; readonly topic: string }
  /** To the topic that a field of each JSON message names, after a prefix. */
  | { readonly kind: "field"; readonly field: string; readonly prefix: string };

/** What the user asked of `stream publish`. */
export interface PublishOptions {
  /** The server, whom to trust, and who to be. */
  readonly access: Access;
  /** Where the messages go. */
  readonly destination: Destination;
  /** Where they come from. */
  readonly source: Source;
  /** How many messages are sent at most, over all repetitions; `Infinity` for all. */
  readonly count: number;
  /** Messages a second at most; `Infinity` for as fast as it goes. */
  readonly rate: number;
  /** How many times the source is sent, from 1. */
  readonly repeat: number;
  /** Whether to wait until the server has everything. */
  readonly acknowledge: boolean;
  /** Whether a connection that is lost is made again. */
  readonly reconnect: boolean;
  /** How frames are compressed; not at all without it. */
  readonly compress?: CompressionOptions;
  /** What is logged. */
  readonly log: LogOptions;
}

/** How long an interrupted publisher waits for what is not acknowledged, in milliseconds. */
const farewell = 250;

/** Declares `stream publish`. */
export function declare(command: Command, program: Program): void {
  addExamples(command, [
    ["one message", `stream publish greetings -m "hello"`],
    ["each line of a program's output, as it comes", "vmstat 1 | stream publish machines/one"],
    ["a file, one message a line, a thousand a second", "stream publish ticks ticks.txt --rate 1000/s"],
    [
      "JSON lines, each to the topic that its symbol names",
      [
        "stream publish --topic-from symbol --topic-prefix ticks/",
        "ticks.jsonl",
      ].join(" "),
    ],
    ["much data over a slow link, compressed where that helps", "journalctl -f | stream publish logs --compress auto"],
    [
      "to a server that is encrypted and asks who you are",
      "stream publish -s tls://example.com:7070 --token-file token ticks -m 12.1",
    ],
    ["a file as one message", "stream publish images/latest picture.png --whole"],
  ]);
  command
    .usage("[options] TOPIC [FILE]")
    .argument("[TOPIC]", "where the messages go; left out with --topic-from")
    .argument("[FILE]", "where they come from; stdin without it, or for -")
    .addOption(repeatedOption("-m, --message <text>", "a message to send, instead of an input", String))
    .option("--lines", "each line is a message, without its LF (the default)")
    .option("--raw", "bytes as they come")
    .addOption(valueOption("--chunk <size>", "pieces of that many bytes", parseSize))
    .option("--whole", "all the input is one message")
    .option("--delimited", "a length before each message: 32 bits, network byte order")
    .addOption(valueOption("-n, --count <n>", "end after that many messages", (text) => parseCount(text)))
    .addOption(valueOption("--rate <rate>", "messages a second at most, such as 1000/s", parseMessageRate))
    .addOption(valueOption("--repeat <n>", "send all of it that many times", (text) => parseCount(text)))
    .option("--topic-from <field>", "take each message's topic from that field of its JSON")
    .option("--topic-prefix <text>", "goes before the topic that --topic-from finds")
    .addOption(
      valueOption("--compress <codec>", "zstd, deflate or auto, with a level if wanted: zstd:3", parseCompression),
    )
    .option("--no-ack", "do not wait until the server has every message")
    .option("--no-reconnect", "end with 3 when the connection is lost")
    .action((first, second, given, self) => {
      const destination = parseDestination(first, given);
      const path = destination.kind === "topic" ? second : first;
      if (destination.kind === "field" && second !== undefined) {
        throw new UsageError(
          `too many arguments: "${second}"`,
          "with --topic-from there is no TOPIC: stream publish --topic-from FIELD [FILE]",
        );
      }
      const source = parseSource(path, given);
      const repeat = given.repeat ?? 1;
      if (repeat > 1 && source.kind === "input" && source.path === "-") {
        throw new UsageError("--repeat: stdin can be read only once", "give a FILE, or -m TEXT");
      }
      const cut = source.kind === "input" ? source.cut.by : "lines";
      if (destination.kind === "field" && (cut === "raw" || cut === "chunk")) {
        throw new UsageError(`--topic-from needs whole messages, which --${cut} does not give`, "give --lines");
      }
      const options: PublishOptions = {
        access: accessOf(self),
        destination,
        source,
        count: given.count ?? Infinity,
        rate: given.rate ?? Infinity,
        repeat,
        // The options are declared while the parser is at work, which then gives them no defaults.
        acknowledge: given.ack !== false,
        reconnect: given.reconnect !== false,
        ...(given.compress && { compress: given.compress }),
        log: logOptions(self),
      };
      program.start((signal) => run(options, signal));
    });
  addAccessOptions(command);
}

function parseDestination(
  topic: string | undefined,
  given: { readonly topicFrom?: string | undefined; readonly topicPrefix?: string | undefined },
): Destination {
  if (given.topicFrom !== undefined) {
    return { kind: "field", field: given.topicFrom, prefix: given.topicPrefix ?? "" };
  }
  if (given.topicPrefix !== undefined) {
    throw new UsageError("--topic-prefix goes with --topic-from", "write the whole TOPIC instead");
  }
  if (topic === undefined) throw new UsageError("TOPIC is missing", "usage: stream publish [options] TOPIC [FILE]");
  refuseUrl("TOPIC", topic, "publish");
  const fault = topicFault(topic);
  if (fault !== null) {
    throw new UsageError(
      `the topic ${JSON.stringify(topic)} is not valid: ${fault}`,
      "for example: sensors/kitchen/temp",
    );
  }
  if (isReserved(topic)) {
    throw new UsageError(`the topic "${topic}" is the server's own: names that begin with $ are`);
  }
  return { kind: "topic", topic };
}

interface GivenSource {
  readonly message?: string[] | undefined;
  readonly lines?: true | undefined;
  readonly raw?: true | undefined;
  readonly chunk?: number | undefined;
  readonly whole?: true | undefined;
  readonly delimited?: true | undefined;
}

function parseSource(path: string | undefined, given: GivenSource): Source {
  const cuts = {
    "--lines": given.lines === true,
    "--raw": given.raw === true,
    "--chunk": given.chunk !== undefined,
    "--whole": given.whole === true,
    "--delimited": given.delimited === true,
  };
  onlyOneOf(cuts);
  if (given.message !== undefined) {
    if (path !== undefined) throw new UsageError(`-m and the file "${path}" exclude each other`, "give one of them");
    onlyOneOf({ "-m": true, ...cuts });
    return { kind: "texts", texts: given.message };
  }
  if (given.chunk === 0) throw new UsageError("--chunk: pieces of 0 bytes never end", "for example: 4KiB");
  const by = given.raw ? "raw" : given.whole ? "whole" : given.delimited ? "delimited" : "lines";
  const cut: Cut = given.chunk === undefined ? { by } : { by: "chunk", size: given.chunk };
  return { kind: "input", path: path ?? "-", cut };
}

function parseMessageRate(text: string): number {
  const rate = parseRate(text);
  if ("messages" in rate) return rate.messages;
  throw new UsageError(`"${text}" is a rate of bytes`, "give messages over time, such as 1000/s");
}

/** What is said to somebody at a terminal, who may have expected something else. */
function typedHint(cut: Cut): string {
  const end = Deno.build.os === "windows" ? "Ctrl-Z and Enter end it" : "Ctrl-D ends it";
  return cut.by === "lines"
    ? `reading from the terminal: each line is a message, ${end} (-m TEXT sends a text)`
    : `reading from the terminal: ${end}`;
}

/** For how long a lost connection is tried again, in milliseconds. */
const giveUpAfter = 60_000;

/** Publishes until the source ends. */
export async function run(options: PublishOptions, signal: AbortSignal): Promise<ExitStatus> {
  const typed = options.source.kind === "input" && options.source.path === "-" && isTerminal("stdin");
  // A progress line would be written over what is being typed.
  using progress = terminalProgress(options.log.quiet || typed);
  using log = new Log(
    options.log,
    processSurroundings((line) => {
      progress?.clear();
      printError(line);
    }),
  );
  // Once it is open, the link is not told of the signal, which would give its messages up: they have a moment left.
  const opening = new AbortController();
  const interrupt = () => opening.abort(signal.reason);
  signal.addEventListener("abort", interrupt, { once: true });
  await using link = await openLink({ ...options, giveUpAfter }, log, opening.signal);
  signal.removeEventListener("abort", interrupt);
  const feed = new Feed(link.publisher, options, log, progress);
  if (typed && !options.log.quiet) printError(typedHint(options.source.cut));
  try {
    try {
      await feed.run(AbortSignal.any([signal, lossOf(link)]));
    } catch (error) {
      // An input that breaks off does not undo what came before.
      if (error instanceof Failure) await untilAborted(link.publisher.flush(), signal);
      throw error;
    }
    await untilAborted(link.publisher.flush(), signal);
  } catch (error) {
    const unacknowledged = signal.aborted && options.acknowledge ? await pendingSoon(link.publisher) : 0;
    if (unacknowledged > 0) {
      log.warn("interrupted: not every message is acknowledged", { unacknowledged });
    }
    throw error;
  }
  const { compressed } = link.publisher;
  if (progress !== null && compressed !== null) {
    progress.clear();
    printError(`compressed ${formatCompression(compressed)}`);
  }
  return feed.status;
}

/** How many messages the server has not acknowledged even after a moment: an acknowledgement comes a little after its message. */
async function pendingSoon(publisher: Publisher): Promise<number> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const moment = new Promise<void>((resolve) => timer = setTimeout(resolve, farewell));
  await Promise.race([publisher.flush().catch(() => {}), moment]);
  clearTimeout(timer);
  return publisher.pending;
}
