/**
 * `stream subscribe`: receives messages.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import { UsageError } from "../core/errors.ts";
import { Pattern } from "../core/pattern.ts";
import type { StartPoint } from "../core/subscription.ts";
import type { ExitStatus } from "./exit.ts";
import type { FormatName } from "./format.ts";
import { defaultGroup, type Group, parseGroup } from "../transports/udp_group.ts";
import { type Access, accessOf, addAccessOptions, type GivenServer, parseAccess } from "./access.ts";
import { openLink, untilAborted } from "./link.ts";
import { Log, type LogOptions } from "./log.ts";
import { addExamples, choiceOption, logOptions, onlyOneOf, type Program, refuseUrl, valueOption } from "./program.ts";
import { lagPolicies, type LagPolicy } from "./serve_options.ts";
import { receive } from "./receive.ts";
import { parseStartPoint } from "./start_point.ts";
import { printError } from "./stdio.ts";
import { subscribeUdp } from "./subscribe_udp.ts";
import { subscribeGroup } from "./subscribe_group.ts";
import { parseCount, parseDuration } from "./units.ts";

/** What the user asked of `stream subscribe`. */
export interface SubscribeOptions {
  /** The server, whom to trust, and who to be; with `--repair`, that server. */
  readonly access: Access;
  /** Well-formed patterns, as typed; empty for everything in a group. */
  readonly patterns: readonly string[];
  /** The group to listen to instead, or `null`. */
  readonly group: Group | null;
  /** Whether messages come by datagrams from the server. */
  readonly udp: boolean;
  /** Where its key is. */
  readonly keyFile: string | undefined;
  /** Whether the server is asked for it. */
  readonly keyFromServer: boolean;
  /** Whether what is lost of it is asked for: of its sender, and, with `log`, of the server. */
  readonly repair: boolean | "log";
  /** How messages are written. */
  readonly format: FormatName;
  /** `-v`: whether the topic goes before each message. */
  readonly withTopic: boolean;
  /** Where each topic starts; `--last` is the newest message of each. */
  readonly from: StartPoint;
  /** Leave after that many messages; `Infinity` for never. */
  readonly count: number;
  /** Leave when nothing has come for that many milliseconds; `Infinity` for never. */
  readonly timeout: number;
  /** How many messages must have come when the timeout ends it, for it to be 0 and not 5. */
  readonly expected: number;
  /** The policy to ask for; the server's own without it. */
  readonly lagPolicy: LagPolicy | undefined;
  /** Whether lost messages make the exit status 6. */
  readonly strict: boolean;
  /** Whether a connection that is lost is made again. */
  readonly reconnect: boolean;
  /** What is logged. */
  readonly log: LogOptions;
}

/** Declares `stream subscribe`. */
export function declare(command: Command, program: Program): void {
  addExamples(command, [
    ["what comes from now on", "stream subscribe greetings"],
    ["every sensor's temperature, with the topics", "stream subscribe -v sensors/+/temp"],
    ["everything under ticks that is kept, and then live, as JSON", "stream subscribe --from earliest --json ticks/#"],
    ["one message, within ten seconds", "stream subscribe -n 1 --timeout 10s greetings"],
    ["the last known value of everything (a lone # needs quotes)", "stream subscribe --last -v '#'"],
    ["what a server on this network multicasts", "stream subscribe --multicast -v"],
    [
      "the same, with all that the server has kept of it first",
      "stream subscribe --multicast --repair tcp://127.0.0.1:7070 --from earliest ticks",
    ],
  ]);
  command
    .usage("[options] PATTERN...")
    .argument("[PATTERN...]", "topics; + stands for one level, # as the last for any number")
    .option("--raw", "write the bytes alone, with no newline after a message")
    .option("--json", "write an object a line, with topic, seq, time and payload")
    .option("--hex", "write two digits a byte, a message a line")
    .option("--delimited", "write a length before each message: 32 bits, network byte order")
    .option("-v, --verbose", "write the topic and a tab before each message")
    .addOption(
      valueOption(
        "--from <start>",
        "where to start: latest, earliest, seq:N, last:N, time:ISO, ago:30s (default: latest)",
        parseStartPoint,
      ),
    )
    .option("--last", "the newest message of each topic first, then live")
    .addOption(valueOption("-n, --count <n>", "leave after that many messages", (text) => parseCount(text)))
    .addOption(
      valueOption(
        "--timeout <duration>",
        "leave when nothing has come for that long: with 5 if fewer than --count came",
        parseDuration,
      ),
    )
    .addOption(
      choiceOption("--lag-policy <policy>", "what to ask for when this end is too slow", lagPolicies),
    )
    .option("--strict", "end with 6 if messages were lost")
    .option("--no-reconnect", "end with 3 when the connection is lost")
    .option("--udp", "get messages by UDP from the server, with little delay where packets are lost")
    .option(
      "--multicast",
      "listen to a multicast group: no connection to a server, and without PATTERN everything in it",
    )
    .addOption(valueOption("--group <url>", `the group (default: ${defaultGroup})`, parseGroup))
    .option("--key-file <file>", "the key of the group")
    .addOption(valueOption("--key-from <url>", "get the key of the group from its server, over tls://", parseAccess))
    .addOption(
      valueOption(
        "--repair <url>",
        "get what is lost, and what was before, from the log of the group's server",
        parseAccess,
      ),
    )
    .option("--no-repair", "report what is lost of the group instead of asking for it: for one-way networks")
    .action((patterns, given, self) => {
      for (const pattern of patterns) {
        refuseUrl("PATTERN", pattern, "subscribe");
        new Pattern(pattern);
      }
      if (patterns.length === 0 && given.multicast !== true) {
        throw new UsageError("PATTERN is missing", "usage: stream subscribe [options] PATTERN...");
      }
      const server = self.getOptionValueSource("server") === "cli" ? true : undefined;
      refuseUnused({
        ...given,
        server,
        "key-file": given.keyFile,
        "key-from": given.keyFrom,
        "lag-policy": given.lagPolicy,
      });
      onlyOneOf({
        "--raw": given.raw === true,
        "--json": given.json === true,
        "--hex": given.hex === true,
        "--delimited": given.delimited === true,
      });
      const format = given.raw
        ? "raw"
        : given.json
        ? "json"
        : given.hex
        ? "hex"
        : given.delimited
        ? "delimited"
        : "lines";
      if (given.verbose && (format === "raw" || format === "delimited")) {
        throw new UsageError(`-v and --${format} exclude each other`, "use --json to get topics and payloads apart");
      }
      if (given.last && given.from !== undefined) {
        throw new UsageError("--last and --from exclude each other", "give one of them");
      }
      const options: SubscribeOptions = {
        access: accessOf(self, serverOfGroup(given)),
        patterns,
        group: given.multicast ? given.group ?? parseGroup(defaultGroup) : null,
        udp: given.udp ?? false,
        keyFile: given.keyFile,
        keyFromServer: given.keyFrom !== undefined,
        repair: given.repair instanceof Object ? "log" : given.repair ?? true,
        format,
        withTopic: given.verbose ?? false,
        from: given.from ?? (given.last ? { last: 1 } : "latest"),
        count: given.count ?? Infinity,
        timeout: given.timeout ?? Infinity,
        expected: given.count ?? 1,
        lagPolicy: given.lagPolicy,
        strict: given.strict ?? false,
        reconnect: given.reconnect !== false,
        log: logOptions(self),
      };
      program.start((signal) => run(options, signal));
    });
  addAccessOptions(command);
}

/** The server that a group's receiver talks to, if it does: one, for all that it asks. */
function serverOfGroup(
  given: { repair?: GivenServer | false | undefined; keyFrom?: GivenServer | undefined; keyFile?: string | undefined },
): GivenServer | undefined {
  const { keyFrom, keyFile } = given;
  const repair = given.repair || undefined;
  if (keyFrom !== undefined && keyFile !== undefined) {
    throw new UsageError("--key-file and --key-from exclude each other", "give one of them");
  }
  if (keyFrom !== undefined && !keyFrom.server.startsWith("tls:")) {
    throw new UsageError(`--key-from: ${keyFrom.server} is not encrypted: a key is told over TLS alone`, "use tls://");
  }
  if (repair !== undefined && keyFrom !== undefined && repair.server !== keyFrom.server) {
    throw new UsageError(
      `--repair and --key-from name two servers: ${repair.server} and ${keyFrom.server}`,
      "give one",
    );
  }
  return keyFrom ?? repair;
}

/** Refuses options that mean nothing without a group, or with one. */
function refuseUnused({ multicast, ...given }: Readonly<Record<string, unknown>>): void {
  const refuse = (names: readonly string[], what: string, hint: string) => {
    for (const name of names) if (given[name] !== undefined) throw new UsageError(`--${name} ${what}`, hint);
  };
  if (multicast !== true) {
    refuse(["group", "key-file", "key-from", "repair"], "means nothing without --multicast", "give it, too");
  } else {
    refuse(
      ["server", "lag-policy", "reconnect", "udp"],
      "does not go with --multicast",
      "a group is no connection: leave it out",
    );
    if (given["repair"] instanceof Object) return;
    const hint = "give --repair with the server of the group: tcp://HOST:7070";
    refuse(["from", "last"], "does not go with --multicast: a group has no history", hint);
  }
}

/** Subscribes until the signal, the count or the timeout. */
export async function run(options: SubscribeOptions, signal: AbortSignal): Promise<ExitStatus> {
  using log = new Log(options.log);
  return await (options.group === null
    ? fromServer(options, log, signal)
    : fromGroup(options, options.group, log, signal));
}

async function fromServer(options: SubscribeOptions, log: Log, signal: AbortSignal): Promise<ExitStatus> {
  await using link = await openLink(options, log, signal);
  const { from, lagPolicy, patterns } = options;
  if (options.udp) {
    const source = await subscribeUdp(options, link, log, signal);
    for (const pattern of patterns) sayReady(`subscribed ${pattern}`, options.log, log);
    try {
      return await receive(source, options, signal);
    } finally {
      await source.close();
    }
  }
  const subscription = link.subscribe(patterns, { from, ...(lagPolicy && { lagPolicy }) });
  const { lagPolicy: granted } = await untilAborted(subscription.ready, signal);
  for (const pattern of patterns) sayReady(`subscribed ${pattern}`, options.log, log);
  if (lagPolicy !== undefined && granted !== lagPolicy) {
    log.warn(`the server grants the lag policy ${granted}, not ${lagPolicy}`);
  }
  return await receive(subscription, options, signal);
}

async function fromGroup(options: SubscribeOptions, group: Group, log: Log, signal: AbortSignal): Promise<ExitStatus> {
  const { patterns, repair } = options;
  const say = (from: string) => {
    for (const pattern of patterns.length > 0 ? patterns : ["#"]) {
      sayReady(`subscribed ${pattern}${from}`, options.log, log);
    }
  };
  const { keyFromServer } = options;
  await using connected = repair === "log" || keyFromServer ? await openLink(options, log, signal) : null;
  const link = repair === "log" ? connected : null;
  link?.closed.then((error) => {
    if (error !== null) log.warn("what is lost stays so from now on: --repair has ended", { why: error.message });
  });
  const keyLink = keyFromServer ? connected : null;
  const source = await subscribeGroup({ ...options, group, link, keyLink }, log, ({ text }) => say(` from ${text}`));
  say("");
  try {
    return await receive(source, options, signal);
  } finally {
    await source.close();
  }
}

/** On stderr, so that a script need not sleep. */
function sayReady(line: string, options: LogOptions, log: Log): void {
  if (options.format === "json") log.info(line);
  else if (!options.quiet) printError(line);
}
