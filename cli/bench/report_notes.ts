/**
 * How it was measured, for those who doubt it.
 *
 * @module
 */

import type { RunResult } from "./result.ts";
import type { LoadKind } from "./summary.ts";

/** What is true of these runs, in paragraphs of a heading and a text. */
export function method(runs: readonly RunResult[], kinds: ReadonlySet<LoadKind>): { name: string; text: string }[] {
  const has = (target: RunResult["target"]) => runs.some((run) => run.target === target);
  const rounds = Math.max(0, ...runs.map(({ round }) => round));
  const latency = runs.some(({ oneWay, roundTrip }) => oneWay !== null || roundTrip !== null);
  const local = runs.every(({ endpoint }) => isLocal(endpoint));
  const notes: (readonly [boolean, string, string])[] = [
    [
      true,
      "One machine",
      local
        ? "The load generator runs on this machine, and so do the servers. They share its processors: where the load generator was the bottleneck, a server may be capable of more than is shown."
        : "The load generator runs on this machine, and some of the servers elsewhere: the network between them is part of the figures.",
    ],
    [
      runs.some(({ tls }) => tls),
      "TLS",
      "All connections are with TLS, to every server alike. Each chooses the cipher itself, of those that the load generator offers; which one that was is said when the server is started.",
    ],
    [
      rounds > 1,
      "Rounds",
      "In each round every target is measured once, one after the other, and ours is compared with another target round by round: what disturbs the machine for a while disturbs all of them. Figures are the median of the rounds that count; the least and the most are shown beside it.",
    ],
    [
      true,
      "What counts",
      "Each message carries its number. A run in which one is lost, duplicated, out of order or corrupt does not count, for any target, and neither does one that ended early or whose load generator did not hold the rate. They are all listed below.",
    ],
    [
      kinds.has("latency"),
      "Open loop",
      "At a rate, each message has a time at which it is to be sent, whatever has become of those before it. Latency counts from that time, not from when it was sent, so a server that stalls is charged for all that waited: there is no coordinated omission. The load generator's own delay is part of the latency too.",
    ],
    [
      kinds.has("throughput"),
      "As many as go",
      "Without a rate, publishers send as fast as they are let, but are never more than a fixed amount ahead of the slowest subscriber, so that servers which drop what they cannot deliver can be measured at all. It is the same for every target.",
    ],
    [
      latency,
      "One clock",
      "All processes of the load generator run on one machine and read the same clock; a latency one way is the difference of two of its readings.",
    ],
    [
      runs.some(({ connections }) => connections === null),
      "Warm-up",
      "What is sent in the warm-up is in no rate and no latency. Its messages are counted all the same: none of them may be lost either.",
    ],
    [
      latency,
      "Percentiles",
      "Latencies are recorded in HdrHistograms of three digits. A percentile for which too few values were recorded is not shown.",
    ],
    [
      has("limit"),
      "The limit",
      "A program that copies bytes from one socket to the others, and knows nothing of messages: what the machine, its network stack and the load generator can do at most. It is no contestant.",
    ],
    [
      has("multicast"),
      "Multicast",
      "Receivers of the group have no connection: what is lost of its datagrams, on purpose or by the system, they ask for, and it is sent again. Messages that could not be repaired are reported to the receivers as gaps, and counted here; a run in which one is missing without a word does not count. As many messages as go means as many as the group's rate lets through: the sender waits for no receiver.",
    ],
    [
      has("nats") || has("redis") || has("mqtt"),
      "Others",
      "They are spoken to in their own protocol on plain sockets, not through a client library that could be the slower part. Ours is measured through the library that its users have.",
    ],
  ];
  return notes.filter(([is]) => is).map(([, name, text]) => ({ name, text }));
}

function isLocal(endpoint: string): boolean {
  const host = URL.parse(endpoint)?.hostname ?? "";
  return host === "localhost" || host === "[::1]" || host.startsWith("127.");
}
