/**
 * Divides a load among the processes of the load generator.
 *
 * @module
 */

import { availableParallelism } from "node:os";
import type { TargetKind } from "./driver.ts";
import type { BenchGroup } from "./group.ts";
import type { BodyJob, GroupJob, ReceiveJob, SendJob } from "./job.ts";
import { headerSize } from "./message.ts";
import type { Load } from "./scenarios.ts";
import type { BenchTrust } from "./tls.ts";

/** What messages are, and by which seed. */
export interface Content {
  /** A file whose lines are sent; random bytes without it. */
  readonly file: string | null;
  readonly seed: number;
  readonly verify: boolean;
}

/** The jobs of a run. */
export interface Plan {
  readonly senders: readonly SendJob[];
  readonly receivers: readonly ReceiveJob[];
  /** Those that send back what they receive. */
  readonly echoes: readonly ReceiveJob[];
}

/** What a run is against. */
export interface PlanTarget {
  readonly kind: TargetKind;
  readonly endpoint: string;
  readonly trust?: BenchTrust | null;
  readonly group?: BenchGroup | null;
}

/**
 * How much may be on its way to all subscribers together, in bytes, when publishers send as fast as they can: divided among
 * the subscribers it is how far publishers may be ahead of the slowest of them, within the bounds below it. Enough to keep
 * everybody busy (of 2.5 to 40 MiB the most was the fastest for every target), and little enough that servers which drop what
 * they cannot deliver (Redis: 8 MiB a subscriber for a minute, 32 MiB at once) can be measured at all. The same for every target.
 */
const onTheWay = 40 * 1024 * 1024;
const leastAhead = 1024 * 1024;
const mostAhead = 4 * 1024 * 1024;
/** The most where each message goes to one of them, on one of many topics: some of a topic may then go together. */
const mostAheadSpread = 24 * 1024 * 1024;
/** What a message takes besides its bytes, about: the least that is counted of the window for one. */
const overhead = 64;
/** In how many steps the receivers tell how far they are, in a window. */
const steps = 4;

/** The topics on which `stream bench echo` answers. */
export const farTopics = { request: "bench/echo/request", reply: "bench/echo/reply" } as const;

/**
 * The jobs of a load.
 *
 * @param run a short name that no other run on the same server has
 * @param size bytes of a message, or their mean
 */
export function planOf(
  load: Load,
  target: PlanTarget,
  content: Content,
  run: string,
  size: number,
): Plan {
  const { publishers, topics, spread, rate, trip } = load;
  const body: BodyJob = content.file === null
    ? { kind: "random", size: load.size, seed: content.seed }
    : { kind: "file", path: content.file };
  const names = Array.from({ length: topics }, (_, index) => `bench/${run}/${index}`);
  const common = {
    kind: target.kind,
    endpoint: target.endpoint,
    trust: target.trust ?? null,
    topics: trip === "far" ? [farTopics.request] : names,
    publishers,
    spread,
    body,
    seed: content.seed,
  };
  const ahead = spread
    ? Math.min(onTheWay, mostAheadSpread * load.subscribers)
    : Math.min(mostAhead, Math.max(leastAhead, onTheWay / load.subscribers));
  // A group's sender waits for no receiver: what each gets of the rate that it keeps is what is measured.
  const group = target.group ?? null;
  const most = rate > 0 || group !== null
    ? 0
    : Math.max(steps, Math.floor(ahead / publishers / (Math.max(size, headerSize) + overhead)));
  const processors = availableParallelism();
  // The messages of one that spreads over topics are counted together.
  const senders = deal(publishers, spread ? 1 : Math.ceil(processors / 2)).map((indices): SendJob => ({
    ...common,
    role: "send",
    indices,
    rate,
    count: load.count,
    window: most,
    receivers: Math.min(load.subscribers, processors),
  }));
  const receivers = deal(load.subscribers, processors).map((indices, process): ReceiveJob => ({
    ...common,
    role: "receive",
    connections: indices.map((index) => subscriptionOf(load, index, run)),
    timing: trip !== "none",
    verify: content.verify,
    progress: most === 0 ? 0 : Math.max(1, Math.floor(most / steps)),
    echo: null,
    group: group === null ? null : groupJob(load, group, content.seed + (process << 16)),
  }));
  if (trip !== "round" && trip !== "far") return { senders, receivers, echoes: [] };
  const back = trip === "far" ? farTopics.reply : `bench/${run}/back`;
  return {
    senders,
    receivers: receivers.map((job) => ({ ...job, topics: [back] })),
    echoes: trip === "far" ? [] : receivers.map((job) => ({ ...job, echo: [back] })),
  };
}

function groupJob({ reception }: Load, { endpoint, key }: BenchGroup, seed: number): GroupJob {
  return { ...reception!, endpoint, key, seed };
}

/** Deals the numbers from 0 out to so many hands, or fewer. */
function deal(count: number, hands: number): number[][] {
  const dealt = Array.from({ length: Math.min(count, hands) }, (): number[] => []);
  for (let index = 0; index < count; index++) dealt[index % dealt.length]!.push(index);
  return dealt;
}

/** What a subscriber subscribes to: its share of the topics, or where there are fewer topics than subscribers, one. */
function subscriptionOf(
  { topics, subscribers, wildcard }: Load,
  index: number,
  run: string,
): ReceiveJob["connections"][0] {
  if (wildcard) return { first: 0, end: topics, pattern: `bench/${run}/#` };
  if (topics < subscribers) return { first: index % topics, end: index % topics + 1, pattern: null };
  return {
    first: Math.floor(index * topics / subscribers),
    end: Math.floor((index + 1) * topics / subscribers),
    pattern: null,
  };
}
