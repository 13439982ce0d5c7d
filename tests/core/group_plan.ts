/** What happens in one simulation of a multicast group, all drawn from its seed. */

import { KiB, MiB, Random } from "./fixtures.ts";
import { calm, type Weather } from "./group_network.ts";

/** What may happen besides traffic. `at`, `for` and `until` are milliseconds. */
export type Incident =
  /** Nothing reaches a receiver, or all of them; or nothing that they ask for reaches a sender. */
  | { readonly kind: "cut"; readonly who: number | "all"; readonly requests: boolean; readonly for: number }
  /** A receiver, or all senders, do nothing for a while; what comes meanwhile waits, as far as there is room. */
  | { readonly kind: "pause"; readonly who: number | "senders"; readonly for: number }
  /** Another receiver. */
  | { readonly kind: "join" }
  /** A receiver goes, and perhaps another begins at once where it was. */
  | { readonly kind: "leave"; readonly who: number; readonly anew: boolean }
  /** A sender goes without a word, or ends; perhaps another follows, on the same topics or on new ones. */
  | { readonly kind: "end"; readonly who: number; readonly finish: boolean; readonly next: "same" | "new" | "none" }
  /** Topics that were not there. */
  | { readonly kind: "topics"; readonly count: number };

/** How a receiver is. */
export interface ReceiverPlan {
  readonly span: number;
  readonly wait: number;
  readonly patience: number;
  readonly repair: boolean;
  /** By how much its clock is behind; microseconds. */
  readonly skew: number;
  /** Whether it wants every second topic alone. */
  readonly choosy: boolean;
}

export interface Plan {
  readonly receivers: readonly ReceiverPlan[];
  readonly senders: number;
  readonly weather: Weather;
  readonly key: Uint8Array | null;
  readonly largest: number;
  readonly rate: number;
  readonly wait: boolean;
  readonly retain: number;
  /** Milliseconds that messages are kept. */
  readonly retainFor: number;
  readonly topics: number;
  /** Bytes of the largest message; most are far smaller. */
  readonly message: number;
  /** Milliseconds between frames, at most. */
  readonly pause: number;
  /** Bytes that are published, and for how long, at most. */
  readonly bytes: number;
  readonly milliseconds: number;
  /** Of a hundred datagrams so many come with something that is none of the group's. */
  readonly noise: number;
  readonly incidents: readonly { readonly at: number; readonly incident: Incident }[];
}

/** Draws how a receiver is. */
export function drawReceiver(random: Random): ReceiverPlan {
  return {
    span: random.pick([64, 256, 1024, 4096]),
    wait: random.pick([1, 20, 20, 50]),
    patience: random.pick([200, 2000, 5000, 5000]),
    repair: random.chance(0.85),
    skew: random.chance(0.1) ? random.pick([-3_600_000_000, 20_000_000, 86_400_000_000]) : 0,
    choosy: random.chance(0.1),
  };
}

/** Draws a plan. Most have few receivers; the more there are, the less is published. */
export function drawPlan(seed: number): Plan {
  const random = new Random(seed);
  const few = random.below(100);
  const count = few < 75 ? random.between(1, 4) : few < 93 ? random.between(5, 12) : random.between(13, 50);
  const milliseconds = random.pick([200, 500, 1000, 3000]);
  const incidents = Array.from({ length: random.pick([0, 0, 1, 1, 2, 4]) }, () => ({
    at: random.below(milliseconds),
    incident: drawIncident(random, count),
  }));
  const retain = random.pick([16 * KiB, 64 * KiB, 256 * KiB, 8 * MiB, 8 * MiB]);
  return {
    receivers: Array.from({ length: count }, () => drawReceiver(random)),
    senders: random.chance(0.1) ? 2 : 1,
    weather: random.chance(0.15) ? calm : {
      loss: random.pick([0, 1, 5, 10, 20, 30]),
      doubled: random.pick([0, 0, 5, 30]),
      jitter: random.pick([0, 1, 5, 50]),
    },
    key: random.chance(0.25) ? random.bytes(32) : null,
    largest: random.pick([600, 1400, 1400, 8000]),
    rate: random.pick([200_000, 1_000_000, 12_500_000, 12_500_000, Infinity]),
    wait: random.chance(0.5),
    retain,
    retainFor: random.chance(0.1) ? random.pick([100, 1000]) : Infinity,
    topics: random.pick([1, 3, 3, 10, 60, 200]),
    message: Math.min(retain / 2, random.pick([80, 80, 6000, 64 * KiB])),
    pause: random.pick([2, 10, 100]),
    bytes: Math.ceil(random.pick([0.3, 1, 2]) * MiB / (count + 2)),
    milliseconds,
    noise: random.pick([0, 0, 1, 20]),
    incidents,
  };
}

function drawIncident(random: Random, receivers: number): Incident {
  const who = random.below(receivers);
  switch (random.below(7)) {
    case 0:
    case 1:
      return {
        kind: "cut",
        who: random.chance(0.3) ? "all" : who,
        requests: random.chance(0.2),
        for: random.pick([20, 200, 1000, 4000, random.chance(0.2) ? 33_000 : 100]),
      };
    case 2:
      return { kind: "pause", who: random.chance(0.3) ? "senders" : who, for: random.pick([20, 200, 1000]) };
    case 3:
      return { kind: "join" };
    case 4:
      return { kind: "leave", who, anew: random.chance(0.7) };
    case 5:
      return { kind: "topics", count: random.pick([1, 10, 100]) };
    default:
      return {
        kind: "end",
        who: random.below(2),
        finish: random.chance(0.4),
        next: random.pick(["same", "new", "none"]),
      };
  }
}
