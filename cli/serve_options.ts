/**
 * What may be asked of `stream serve`: its options, and what is wrong with them together.
 *
 * @module
 */

import { UsageError } from "../core/errors.ts";
import { defaultLimits, largestMessage } from "../core/limits.ts";
import type { Group } from "../transports/udp_group.ts";
import { defaultServer, requireOpen } from "./endpoints.ts";
import type { LogOptions } from "./log.ts";
import { groupRetain, type ServedGroup, servedGroup } from "./serve_group.ts";
import type { KeySource } from "./serve_keys.ts";
import type { Security } from "./serve_security.ts";
import { formatDuration, parseDuration, spellSize } from "./units.ts";

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

/** Where it listens, and how long it drains, unless it is said. */
export const defaultListen = defaultServer;
export const defaultDrainTimeout = 10_000;

/** Below this a new key would be made before the one before has gone. */
const leastRotation = 60_000;

/** Reads how often a key changes. */
export function parseRotation(text: string): number {
  const every = parseDuration(text);
  if (every >= leastRotation) return every;
  throw new UsageError(`${text} is too often: the least is ${formatDuration(leastRotation)}`, "for example: 1h");
}

/** The values of the options that `serve` declares. */
export interface GivenServe {
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

/** What was asked for. Throws a `UsageError` where that cannot be. */
export function parseServe(given: GivenServe, security: Security): Omit<ServeOptions, "log"> {
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
  { multicast = [], keyFile, rotateKey }: GivenServe,
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
function parseGroups({ multicast = [], keyFile, rotateKey, open }: GivenServe, { auth }: Security): ServedGroup[] {
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
function parseRetention(given: GivenServe): { retain: number; maxMessage: number } {
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
export const copies = 4;

function parseMemory(given: number | undefined, retain: number, maxMessage: number): number {
  if (given === undefined) return Math.max(defaultLimits.memory, 2 * retain);
  const least = Math.max(leastMemory, copies * maxMessage);
  if (given >= least) return given;
  const why = least > leastMemory ? ` with messages of ${spellSize(maxMessage)}` : "";
  throw new UsageError(`--memory: ${spellSize(given)} is too little: the least${why} is ${spellSize(least)}`);
}
