/**
 * The self-test: some thousand messages through a group of its own, from this process to itself.
 *
 * @module
 */

import { TransportError } from "../../core/errors.ts";
import type { NetworkInterface } from "../../transports/interfaces.ts";
import { platform } from "../../transports/platform.ts";
import type { Group } from "../../transports/udp_group.ts";
import { formatCount, formatMessages } from "../units.ts";
import type { Check } from "./check.ts";
import { mend, openFirewall, showInterface, type System } from "./commands.ts";
import { type Loop, openLoop } from "./loop.ts";

/** How a self-test is made. */
export interface SelfTestOptions {
  /** Whose TTL, below 2, and largest datagram are taken; its address is not. */
  readonly group: Group;
  /** Where it goes. */
  readonly by: NetworkInterface;
  /** Bytes a second that the group is sent to, at most. */
  readonly rate: number;
  /** 32 bytes, or `null` for no encryption. */
  readonly key: Uint8Array | null;
}

/** What came of it. */
export interface SelfTest {
  /** Why it could not be made, or what the system would not send, or `null`. */
  readonly failure: string | null;
  /** The address that it took for its group. */
  readonly host: string;
  /** The interface that it went over. */
  readonly by: string;
  /** Messages that were published, that came, and that were given up. */
  readonly published: number;
  readonly came: number;
  readonly lost: number;
  /** Datagrams of new messages, and how many a second when many went at once. */
  readonly datagrams: number;
  readonly speed: number;
  /** Datagrams that were asked for again, and sent. */
  readonly repaired: number;
  /** Milliseconds from publisher to subscriber of a message alone: the median. */
  readonly delay: number;
}

/** Messages that are published one by one, and at once, and bytes of each. */
const single = 20;
const together = 5_000;
const size = 500;
/** Bytes a second that a process can send and receive at the same time. */
const gentle = 12_500_000;
/** Milliseconds after which what has not come will not. */
const patience = 4_000;
const topic = "doctor";

/** Makes it. */
export async function runSelfTest(options: SelfTestOptions): Promise<SelfTest> {
  const { group, by, key } = options;
  const rate = Math.min(options.rate, gentle);
  const host = ownHost(group.host);
  try {
    const ttl = Math.min(1, group.ttl);
    await using loop = await openLoop({ host, by, ttl, largest: group.largest, rate, key });
    // At a low rate, what goes in a second.
    const many = Math.min(together, Math.max(single, Math.floor(rate / size)));
    const delay = await sendSingle(loop);
    const speed = delay === null ? 0 : await sendTogether(loop, many);
    const { arrivals, counts, failure } = loop;
    return {
      failure,
      host,
      by: by.name,
      published: delay === null ? arrivals.came + 1 : single + many,
      came: arrivals.came,
      lost: arrivals.lost,
      datagrams: counts.sent,
      speed,
      repaired: counts.repaired,
      delay: delay ?? 0,
    };
  } catch (error) {
    if (!(error instanceof TransportError)) throw error;
    const nothing = { published: 0, came: 0, lost: 0, datagrams: 0, speed: 0, repaired: 0, delay: 0 };
    return { failure: error.message, host, by: by.name, ...nothing };
  }
}

/** Publishes one after the other came. Returns the median of their delays, or `null` when one did not come. */
async function sendSingle({ publisher, arrivals }: Loop): Promise<number | null> {
  const delays: number[] = [];
  for (let number = 1; number <= single; number++) {
    const start = platform.now();
    const came = arrivals.until(number, patience).then(() => delays.push(platform.now() - start));
    await Promise.all([publisher.publish(topic, new Uint8Array(size)), came]);
    if (arrivals.came < number) return null;
  }
  return delays.sort((a, b) => a - b)[single / 2]!;
}

/** Publishes so many without waiting. Returns how many datagrams went a second, until all had come. */
async function sendTogether({ publisher, arrivals, counts }: Loop, many: number): Promise<number> {
  const before = counts.sent;
  const start = platform.now();
  const message = new Uint8Array(size);
  for (let number = 0; number < many; number++) if (!publisher.send(topic, message)) await publisher.ready();
  await arrivals.until(single + many, patience);
  return (counts.sent - before) / (platform.now() - start) * 1000;
}

/** A random address, so that nobody is disturbed: of 239.255.0.0/16, or of the scope of an IPv6 group. */
function ownHost(host: string): string {
  const random = new Uint16Array(2);
  platform.random(new Uint8Array(random.buffer));
  const [first = 0, second = 0] = random;
  if (host.includes(":")) return `${host.split(":")[0]}::${first.toString(16)}:${second.toString(16)}`;
  return `239.255.${first & 255}.${second & 255}`;
}

/** Judges what came of it. */
export function checkSelfTest(test: SelfTest, system: System): Check {
  const { failure, host, by, published, came, lost, datagrams, speed, repaired, delay } = test;
  const found = (state: Check["state"], finding: string, advice: readonly string[] = []): Check => {
    return { name: "self-test", state, finding, advice };
  };
  const where = `over ${by}, on ${host}`;
  if (published === 0) return found("wrong", `cannot be made ${where}: ${failure}`, mend(failure ?? "", by, system));
  if (came < published || lost > 0) {
    const why = failure === null ? "" : ` (${failure})`;
    return found(
      "wrong",
      `${where}: ${formatCount(came)} of ${formatMessages(published)} came${why}`,
      [...showInterface(by, system), ...openFirewall(host.includes(":") ? "ff00::/8" : "224.0.0.0/4", system)],
    );
  }
  const again = repaired === 0 ? "none was lost" : `${formatCount(repaired)} were lost and sent again`;
  return found(
    "ok",
    `${where}: all of ${formatMessages(published)} came, in ${formatCount(datagrams)} datagrams` +
      ` (${formatCount(speed)}/s), of which ${again}; a message alone takes ${delay.toFixed(2)} ms`,
  );
}
