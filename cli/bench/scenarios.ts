/**
 * The scenarios: what load each puts on a server.
 *
 * @module
 */

import { UsageError } from "../../core/errors.ts";
import type { Faults } from "../../core/faulty_port.ts";
import { formatBytes, formatCount, formatRate } from "../units.ts";
import { headerSize, leastSize } from "./message.ts";

/** How a multicast group is received. */
export interface Reception {
  /** What goes wrong on the way to each receiver. */
  readonly faults: Faults;
  /** Whether what is lost is asked for. */
  readonly repair: boolean;
}

/** One load: who sends how much to whom. */
export interface Load {
  readonly scenario: ScenarioName;
  /** What it is, for people: `1 to 10, 128 B`. */
  readonly label: string;
  readonly publishers: number;
  readonly subscribers: number;
  readonly topics: number;
  /** Whether each message goes to a random topic, and not to the publisher's own. */
  readonly spread: boolean;
  /** Whether subscribers subscribe to everything by one pattern, and not each to its share of the topics. */
  readonly wildcard: boolean;
  /** Messages a second of all publishers together; 0 for as many as go. */
  readonly rate: number;
  /** The part of a target's own maximum that is to be the rate, instead; 0 for none. */
  readonly share: number;
  /** Which latencies are measured: from publisher to subscriber, there and back, there and back by a far echo, or none. */
  readonly trip: "none" | "one-way" | "round" | "far";
  /** Messages that each publisher sends, or 0 to send for `duration`. */
  readonly count: number;
  /** Milliseconds. */
  readonly duration: number;
  readonly warmup: number;
  /** Bytes of a message; 0 where a file decides it. */
  readonly size: number;
  /** How it is received where it is multicast; `null` where it never is. */
  readonly reception: Reception | null;
  /** Whether all connections are with TLS. */
  readonly tls: boolean;
}

/** What the user may say of a load; what is `undefined` is the scenario's own. */
export interface LoadOptions {
  readonly rate?: number | undefined;
  /** `--rate 50%`: a part of the maximum. */
  readonly share?: number | undefined;
  readonly size?: number | undefined;
  readonly duration?: number | undefined;
  readonly warmup?: number | undefined;
  readonly count?: number | undefined;
  readonly publishers?: number | undefined;
  readonly subscribers?: number | undefined;
  readonly topics?: number | undefined;
  readonly oneWay: boolean;
  readonly farEcho: boolean;
  /** How it is received if it is multicast. */
  readonly reception: Reception;
  /** All connections are with TLS. */
  readonly tls: boolean;
  /** The messages are lines of a file. */
  readonly fromFile: boolean;
}

/** A scenario's name. */
export type ScenarioName = "latency" | "throughput" | "fanout" | "multicast" | "topics" | "connections" | "bots";

/** What a scenario is unless the user says otherwise. */
interface Scenario {
  /** One line for the help. */
  readonly about: string;
  readonly publishers: number;
  readonly subscribers: number;
  readonly topics: number;
  /** Messages a second, of all or (with `each`) of each publisher; 0 for as many as go. */
  readonly rate: number;
  readonly each: boolean;
  readonly count: number;
  readonly seconds: number;
  readonly trip: Load["trip"];
  readonly spread: boolean;
}

const common = { publishers: 1, subscribers: 1, topics: 1, rate: 0, each: false, count: 0, seconds: 5, spread: false };

/** All scenarios, in the order of the help. */
export const scenarios: Readonly<Record<ScenarioName, Scenario>> = {
  latency: {
    ...common,
    about: "how long a message takes, there and back, at a constant rate (1,000/s)",
    rate: 1000,
    seconds: 10,
    trip: "round",
  },
  throughput: { ...common, about: "the most messages a second, 1 to 1 or N to N", trip: "none" },
  fanout: { ...common, about: "the most deliveries a second, 1 to 10 or 1 to M", subscribers: 10, trip: "none" },
  multicast: {
    ...common,
    about: "datagrams of a group, 1 to 1 or 1 to N: what is lost of them, and what is repaired",
    trip: "none",
  },
  topics: {
    ...common,
    about: "10,000 topics: over 100 connections of 100 topics each, and over one that has all",
    subscribers: 100,
    topics: 10_000,
    spread: true,
    trip: "none",
  },
  connections: {
    ...common,
    about: "1,000 connections: how fast they are made, and what memory each takes",
    subscribers: 1000,
    rate: 10,
    count: 10,
    trip: "one-way",
  },
  bots: {
    ...common,
    about: "100 publishers and 100 subscribers in one room, 5 messages a second each",
    publishers: 100,
    subscribers: 100,
    rate: 5,
    each: true,
    seconds: 10,
    trip: "one-way",
  },
};

/** Names of all scenarios. */
export const scenarioNames = Object.keys(scenarios) as ScenarioName[];

/** The most entries of all tables of what comes next, of all connections together: each has one for every source. */
const mostEntries = 64 * 1024 * 1024;
/** The most topics: so many keep their messages within what any server holds for a subscriber. */
const mostTopics = 16_384;
/** The most numbers a source has. */
const mostCount = 2 ** 32 - 1;

/**
 * The loads of a scenario.
 *
 * @throws {UsageError} for what cannot be
 */
export function loadsOf(name: ScenarioName, options: LoadOptions): Load[] {
  const scenario = scenarios[name];
  const publishers = options.publishers ?? scenario.publishers;
  const each = scenario.each ? publishers : 1;
  const rate = options.share === undefined ? (options.rate ?? scenario.rate) * each : 0;
  const base: Load = {
    scenario: name,
    label: "",
    publishers,
    subscribers: options.subscribers ?? scenario.subscribers,
    topics: options.topics ?? scenario.topics,
    spread: scenario.spread,
    wildcard: false,
    rate,
    share: options.share ?? 0,
    trip: tripOf(name, options, rate > 0 || options.share !== undefined),
    count: options.count ?? scenario.count,
    duration: options.duration ?? scenario.seconds * 1000,
    warmup: options.warmup ?? (scenario.count > 0 ? 0 : 1000),
    size: options.fromFile ? 0 : options.size ?? 128,
    reception: name === "multicast" ? options.reception : null,
    tls: options.tls,
  };
  check(base);
  const loads = [base];
  if (name === "topics") loads.push({ ...base, subscribers: 1, wildcard: true });
  return loads.map((load) => ({ ...load, label: labelOf(load) }));
}

function tripOf(name: ScenarioName, options: LoadOptions, paced: boolean): Load["trip"] {
  if (options.farEcho && name !== "latency") throw new UsageError("--far-echo is for the scenario latency");
  if (options.farEcho) return "far";
  if (!paced) return "none";
  const plain = (options.publishers ?? 1) === 1 && (options.subscribers ?? 1) === 1 && (options.topics ?? 1) === 1;
  return name === "latency" && plain && !options.oneWay ? "round" : "one-way";
}

function check(load: Load): void {
  const { publishers, subscribers, topics, spread, trip, size, count } = load;
  if (trip !== "none" && size > 0 && size < headerSize) {
    throw new UsageError(`--size ${size} is too small for a latency to be measured`, `give at least ${headerSize}`);
  }
  if (size > 0 && size < leastSize) {
    throw new UsageError(`--size ${size} is too small: each message carries a number`, `give at least ${leastSize}`);
  }
  if (count >= mostCount) throw new UsageError(`--count ${count} is too large`, `the most is ${mostCount - 1}`);
  if (trip === "far" && (publishers !== 1 || subscribers !== 1 || topics !== 1)) {
    throw new UsageError("--far-echo answers one publisher on one topic");
  }
  if (topics > mostTopics) throw new UsageError(`--topics ${topics} is too large`, `the most is ${mostTopics}`);
  if (!spread && topics > 1 && publishers < topics) {
    throw new UsageError(
      `${topics} topics need as many publishers: each has one topic`,
      `give --publishers ${topics}, or use the scenario topics`,
    );
  }
  const sources = publishers * (spread ? topics : 1);
  if (sources * subscribers > mostEntries) {
    throw new UsageError(
      `${publishers} publishers, ${topics} topics and ${subscribers} subscribers are too many together`,
      `their product may be ${mostEntries} at most`,
    );
  }
}

function labelOf(load: Load): string {
  const { scenario, publishers, subscribers, topics, wildcard, rate, share, size, reception, tls } = load;
  const parts = [`${formatCount(publishers)} to ${formatCount(subscribers)}`];
  if (topics > 1) {
    parts.push(wildcard ? `${formatCount(topics)} topics by one pattern` : `${formatCount(topics)} topics`);
  }
  parts.push(size === 0 ? "lines of a file" : formatBytes(size));
  if (tls) parts.push("TLS");
  if (rate > 0 && scenario !== "connections") parts.push(formatRate({ messages: rate }));
  if (share > 0) parts.push(`${Math.round(share * 100)} % of the maximum`);
  if (reception !== null) {
    const { loss, reorder, duplicate } = reception.faults;
    const faults = [[loss, "lost"], [reorder, "late"], [duplicate, "doubled"]] as const;
    for (const [percent, what] of faults) if (percent > 0) parts.push(`${percent} % ${what}`);
    if (!reception.repair) parts.push("no repair");
  }
  return parts.join(", ");
}
