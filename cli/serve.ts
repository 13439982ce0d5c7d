/**
 * `stream serve`: runs a server.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import { everybody } from "../core/account.ts";
import { Code, codeName } from "../core/codes.ts";
import type { Address } from "../core/datagram_port.ts";
import { UsageError } from "../core/errors.ts";
import { defaultLimits, largestMessage } from "../core/limits.ts";
import { Server, type ServerEvent } from "../core/server.ts";
import { listen } from "../transports/dial.ts";
import { openUdp } from "../transports/udp.ts";
import { platform } from "../transports/platform.ts";
import { parseEndpoint } from "../transports/endpoint.ts";
import { defaultServer, isLoopback, parseServer, requireOpen } from "./endpoints.ts";
import { ExitStatus } from "./exit.ts";
import { defaultGroup, type Group, parseGroup } from "../transports/udp_group.ts";
import { Log, type LogOptions } from "./log.ts";
import { addExamples, choiceOption, logOptions, type Program, repeatedOption, valueOption } from "./program.ts";
import { groupRetain, loopbackRate, networkRate, type ServedGroup, servedGroup, serveGroup } from "./serve_group.ts";
import { type KeySource, ServedKeys } from "./serve_keys.ts";
import { addSecurityOptions, keepSecurity, openSecurity, parseSecurity, type Security } from "./serve_security.ts";
import { fileReason, printText } from "./stdio.ts";
import { formatCount, formatDuration, parseCount, parseDuration, parseSize, spellSize } from "./units.ts";

/** What the server does for a subscriber that retention overtakes. */
export const lagPolicies = ["skip", "disconnect", "wait"] as const;
/** What the server does for a subscriber that retention overtakes. */
export type LagPolicy = (typeof lagPolicies)[number];

/** What the user asked of `stream serve`. Sizes are bytes, durations milliseconds. */
export interface ServeOptions {
  /** The endpoints to listen on, each with its port; never empty. */
  readonly listen: readonly string[];
  /** Whether it may listen beyond loopback without authentication. */
  readonly open: boolean;
  /** Its certificate, and who may come in. */
  readonly security: Security;
  /** How much of each topic is kept at least. */
  readonly retain: number;
  /** How long messages are kept at most; `Infinity` for as long as `retain` allows. */
  readonly retainFor: number;
  /** The memory for all topics together. */
  readonly memory: number;
  /** The largest message: at most half of `retain`. */
  readonly maxMessage: number;
  /** The most connections at once. */
  readonly maxConnections: number;
  /** The policy of subscriptions that ask for none, and of groups; unless given `skip`, and `wait` for groups. */
  readonly lagPolicy: LagPolicy | undefined;
  /** How long publishers are held for a `wait` subscriber that does not move. */
  readonly maxWait: number;
  /** The groups that messages are multicast to. */
  readonly multicast: readonly ServedGroup[];
  /** Where the keys of the groups come from. */
  readonly keys: KeySource;
  /** How long subscribers may take to get the rest at the end. */
  readonly drainTimeout: number;
  /** What is logged. */
  readonly log: LogOptions;
}

const defaultListen = defaultServer;
const defaultDrainTimeout = 10_000;

/** Declares `stream serve`. */
export function declare(command: Command, program: Program): void {
  addExamples(command, [
    ["a server for this machine", "stream serve"],
    ["on a port that is free, which is printed", "stream serve --listen tcp://127.0.0.1:0"],
    [
      "on a network: encrypted, and for those in a file (stream help auth)",
      "stream serve --listen tls://0.0.0.0:7070 --tls-self-signed --auth auth.toml",
    ],
    ["that also multicasts every message, on this machine", "stream serve --multicast"],
    [
      "on a network, encrypted: whoever has the key receives it with stream subscribe --multicast",
      "stream serve --multicast 'mcast://239.255.70.70:7071?interface=eth0' --key-file group.key",
    ],
    [
      "for everybody on the network, keeping ten minutes of each topic",
      [
        "stream serve --listen tcp://0.0.0.0:7070 --open",
        "--retain 64MiB --retain-for 10m",
      ].join(" "),
    ],
  ]);
  const { retain, memory, maxMessage, connections, maxWait } = defaultLimits;
  command
    .usage("[options]")
    .addOption(
      repeatedOption(
        "-l, --listen <url>",
        `where to listen; port 0 picks a free one (default: ${defaultListen})`,
        parseServer,
      ),
    )
    .option("--open", "listen beyond this machine although anybody who gets there may publish and subscribe")
    .addOption(
      valueOption(
        "--retain <size>",
        `how much of each topic is kept (default: ${spellSize(retain)}; ${spellSize(groupRetain)} with --multicast)`,
        parseSize,
      ),
    )
    .addOption(
      valueOption(
        "--retain-for <duration>",
        "how long messages are kept at most (default: as --retain allows)",
        parseDuration,
      ),
    )
    .addOption(
      valueOption("--memory <size>", `memory for all topics together (default: ${spellSize(memory)})`, parseSize),
    )
    .addOption(
      valueOption(
        "--max-message <size>",
        `the largest message, at most half of --retain (default: ${spellSize(maxMessage)})`,
        parseSize,
      ),
    )
    .addOption(
      valueOption(
        "--max-connections <n>",
        `the most connections at once (default: ${formatCount(connections)})`,
        (text) => parseCount(text),
      ),
    )
    .addOption(
      choiceOption(
        "--lag-policy <policy>",
        "for subscribers that retention overtakes: tell them what they missed, disconnect them, or let publishers" +
          " wait; a subscriber may ask for another (default: skip)",
        lagPolicies,
      ),
    )
    .addOption(
      valueOption(
        "--max-wait <duration>",
        `how long publishers wait for a subscriber that does not move (default: ${formatDuration(maxWait)})`,
        parseDuration,
      ),
    )
    .addOption(
      repeatedOption("--multicast [url]", `send every message to a multicast group, once for all receivers`, parseGroup)
        .preset(defaultGroup),
    )
    .option("--key-file <file>", "encrypt what is multicast with the key in that file; stream key makes one")
    .addOption(
      valueOption(
        "--rotate-key <duration>",
        "encrypt what is multicast with a key that changes that often, and is told over tls://",
        parseRotation,
      ),
    )
    .addOption(
      valueOption(
        "--drain-timeout <duration>",
        `how long subscribers may take to get the rest at the end (default: ${formatDuration(defaultDrainTimeout)})`,
        parseDuration,
      ),
    )
    .action((given, self) => {
      const listen = given.listen ?? [defaultListen];
      const options = { ...parse(given, parseSecurity(self, listen)), log: logOptions(self) };
      program.start((signal) => run(options, signal));
    });
  addSecurityOptions(command);
}

/** Below this a new key would be made before the one before has gone. */
const leastRotation = 60_000;

function parseRotation(text: string): number {
  const every = parseDuration(text);
  if (every >= leastRotation) return every;
  throw new UsageError(`${text} is too often: the least is ${formatDuration(leastRotation)}`, "for example: 1h");
}

interface Given {
  readonly listen?: string[] | undefined;
  readonly open?: true | undefined;
  readonly retain?: number | undefined;
  readonly retainFor?: number | undefined;
  readonly memory?: number | undefined;
  readonly maxMessage?: number | undefined;
  readonly maxConnections?: number | undefined;
  readonly lagPolicy?: LagPolicy | undefined;
  readonly maxWait?: number | undefined;
  readonly drainTimeout?: number | undefined;
  readonly multicast?: Group[] | undefined;
  readonly keyFile?: string | undefined;
  readonly rotateKey?: number | undefined;
}

function parse(given: Given, security: Security): Omit<ServeOptions, "log"> {
  const { retain, maxMessage } = parseRetention(given);
  const listen = given.listen ?? [defaultListen];
  const open = given.open ?? false;
  const admission = { open, users: security.auth !== undefined, certificates: security.clientCa !== undefined };
  for (const endpoint of listen) requireOpen(endpoint, admission);
  return {
    listen,
    open,
    security,
    retain,
    retainFor: given.retainFor ?? defaultLimits.retainFor,
    memory: parseMemory(given.memory, retain, maxMessage),
    maxMessage,
    maxConnections: given.maxConnections ?? defaultLimits.connections,
    lagPolicy: given.lagPolicy,
    maxWait: given.maxWait ?? defaultLimits.maxWait,
    drainTimeout: given.drainTimeout ?? defaultDrainTimeout,
    multicast: parseGroups(given, security),
    keys: parseKeys(given, security, listen),
  };
}

/** Groups of a server that knows its users are encrypted, with a key that it tells those who may read them. */
function parseKeys(
  { multicast = [], keyFile, rotateKey }: Given,
  { auth }: Security,
  listen: readonly string[],
): KeySource {
  if (keyFile !== undefined && rotateKey !== undefined) {
    throw new UsageError("--key-file and --rotate-key exclude each other", "a key from a file stays as it is");
  }
  if (keyFile !== undefined) return { kind: "file", path: keyFile };
  if (multicast.length === 0 || auth === undefined && rotateKey === undefined) return { kind: "none" };
  if (!listen.some((endpoint) => endpoint.startsWith("tls:"))) {
    throw new UsageError(
      `${
        auth === undefined ? "--rotate-key" : "--multicast with --auth"
      } tells receivers the key over TLS, and nothing listens with it`,
      "give --listen tls://..., or --key-file for a key that they have already",
    );
  }
  return { kind: "made", every: rotateKey ?? Infinity };
}

/** One session goes to one group: the same group twice would be sent everything twice. */
function parseGroups({ multicast = [], keyFile, rotateKey, open }: Given, { auth }: Security): ServedGroup[] {
  const twice = multicast.find(({ address }, index) => multicast.findIndex((it) => it.address === address) < index);
  if (twice !== undefined) throw new UsageError(`--multicast: mcast://${twice.address} is given twice`);
  const idle = keyFile !== undefined ? "--key-file" : rotateKey !== undefined ? "--rotate-key" : null;
  if (idle !== null && multicast.length === 0) {
    throw new UsageError(`${idle} encrypts what is multicast, and nothing is`, "give --multicast, too");
  }
  const unlisted = multicast.find(({ topics }) => topics.length === 0);
  if (auth !== undefined && unlisted !== undefined) {
    throw new UsageError(
      `--multicast: with --auth, mcast://${unlisted.address} needs a list of what it carries`,
      `for example: mcast://${unlisted.address}?topics=ticks/%23: who may read all of that gets its key`,
    );
  }
  return multicast.map((group) => servedGroup(group, open === true || idle !== null || auth !== undefined));
}

/** The largest message must fit twice in what is kept; what was not given follows what was. */
function parseRetention(given: Given): { retain: number; maxMessage: number } {
  if (given.retain === 0) {
    throw new UsageError("--retain: a topic that keeps nothing delivers nothing", "for example: 8MiB");
  }
  if (given.maxMessage === 0) throw new UsageError("--max-message: 0 bytes leave no message", "for example: 1MiB");
  const usual = given.multicast === undefined ? defaultLimits.retain : groupRetain;
  const retain = given.retain ?? Math.max(usual, 2 * (given.maxMessage ?? 0));
  const maxMessage = given.maxMessage ?? Math.min(defaultLimits.maxMessage, Math.floor(retain / 2));
  if (maxMessage > largestMessage) {
    throw new UsageError(
      `--max-message: ${spellSize(maxMessage)} is too large: the most is ${spellSize(largestMessage)}`,
    );
  }
  if (maxMessage > retain / 2) {
    throw new UsageError(
      `--max-message: ${spellSize(maxMessage)} is more than half of --retain, ${spellSize(retain)}`,
      `give --retain ${spellSize(2 * maxMessage)} or more`,
    );
  }
  return { retain, maxMessage };
}

/** A topic that grows takes memory in several sizes: below this there is no room for even one. */
const leastMemory = 8 * 1024 * 1024;
/** The largest message is in memory as it comes in, while it is held, and in its log; and another one comes. */
const copies = 4;

function parseMemory(given: number | undefined, retain: number, maxMessage: number): number {
  if (given === undefined) return Math.max(defaultLimits.memory, 2 * retain);
  const least = Math.max(leastMemory, copies * maxMessage);
  if (given >= least) return given;
  const why = least > leastMemory ? ` with messages of ${spellSize(maxMessage)}` : "";
  throw new UsageError(`--memory: ${spellSize(given)} is too little: the least${why} is ${spellSize(least)}`);
}

/** Runs a server until the signal; then drains it. */
export async function run(options: ServeOptions, signal: AbortSignal): Promise<ExitStatus> {
  using log = new Log(options.log);
  using keys = await ServedKeys.open(options.keys);
  using listeners = new DisposableStack();
  const { listen: endpoints, lagPolicy, maxConnections: connections, drainTimeout } = options;
  const { retain, retainFor, memory, maxMessage, maxWait } = options;
  const inputMemory = Math.max(Math.ceil(memory / 4), (copies - 1) * maxMessage);
  const hosts = endpoints.map((endpoint) => parseEndpoint(endpoint).host);
  const security = await openSecurity(options.security, hosts, platform, log);
  const { tls, authority } = security;
  // What is delivered by datagrams is not encrypted.
  const secret = authority !== null || tls !== null;
  await using server = new Server({
    platform,
    ...(authority !== null && { authority }),
    limits: { retain, retainFor, memory, inputMemory, maxMessage, maxWait, connections },
    lagPolicy: lagPolicy ?? "skip",
    ...(!secret && { openDatagrams: ({ host, port }: Address) => openUdp(host, port) }),
    datagramRate: ({ host }) => isLoopback(host) ? loopbackRate : networkRate,
    onEvent: (event) => logEvent(event, log),
  });
  const opened = [];
  for (const endpoint of endpoints) {
    const onAcceptError = (error: unknown) =>
      log.warn("cannot accept a connection", { listener: endpoint, why: fileReason(error) });
    const onRejected = (rejected: Parameters<Server["reject"]>[0]) => server.reject(rejected);
    opened.push(listeners.use(await listen(endpoint, { onAcceptError, onRejected, ...(tls !== null && { tls }) })));
  }
  const groups = [];
  for (const group of options.multicast) {
    const wait = (lagPolicy ?? "wait") === "wait";
    groups.push(listeners.use(await serveGroup(server.topics, group, keys.of(group, server), wait, log)));
  }
  const serving = opened.map((listener) => server.serve(listener));
  const ending = new AbortController();
  using _watching = { [Symbol.dispose]: () => ending.abort() };
  const revised = () => {
    server.revise();
    keys.revise();
  };
  await keepSecurity(options.security, security, hosts, revised, log, ending.signal);
  for (const { endpoint } of opened) printText(`listening ${endpoint}\n`);
  await aborted(signal);
  log.info("draining", { connections: server.connections, timeout: formatDuration(drainTimeout) });
  // Publishers are stopped first: what groups say is their last is so.
  await Promise.all([server.drain(drainTimeout), ...groups.map((group) => group.drain(drainTimeout))]);
  await Promise.all(serving);
  return ExitStatus.done;
}

function logEvent(event: ServerEvent, log: Log): void {
  const { kind, peer } = event;
  if (kind === "opened") {
    // Where everybody may do everything there is no user to name.
    const user = event.user === everybody.name ? {} : { user: event.user };
    log.info("session opened", { peer, agent: event.agent, ...user });
  } else if (kind === "closed") {
    const fields = { peer, reason: codeName(event.code), ...(event.why && { why: event.why }) };
    if (event.code === Code.done || event.code === Code.draining) log.info("session closed", fields);
    else log.warn("session closed", fields);
  } else if (kind === "rejected") {
    log.warn("connection rejected", { peer, reason: codeName(event.code), why: event.why });
  } else {
    const { error } = event;
    log.error("internal error: this is a bug, please report it", {
      peer,
      error: error instanceof Error ? `${error.stack}` : `${error}`,
    });
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
