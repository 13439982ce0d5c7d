/**
 * Joining: whether the group can be joined on each interface, and what is sent there is heard.
 *
 * @module
 */

import { isLoopbackInterface, type NetworkInterface } from "../../transports/interfaces.ts";
import type { Group } from "../../transports/udp_group.ts";
import { type Check, listed } from "./check.ts";
import {
  isLimit,
  loosenReversePath,
  mend,
  openFirewall,
  showInterface,
  showInterfaces,
  type System,
} from "./commands.ts";
import { type Probe, probe } from "./probe.ts";
import { readNumber, type SystemFiles } from "./system_files.ts";

/** What came of joining on one interface. */
export interface Joined extends Probe {
  readonly interface: NetworkInterface;
}

/** What limits it, as far as the system tells. */
export interface JoiningLimits {
  /** How many groups a socket may join, or `null` where that is not told. */
  readonly memberships: number | null;
  /** The interfaces on which what comes another way than an answer would go is dropped: the reverse path filter. */
  readonly strict: readonly string[];
}

/** Tries each of the interfaces, at the same time. */
export function tryJoining({ host }: Group, interfaces: readonly NetworkInterface[]): Promise<Joined[]> {
  return Promise.all(interfaces.map(async (one) => ({ interface: one, ...await probe(host, one, [one]) })));
}

/** Reads what limits joining on these interfaces. */
export async function readJoiningLimits(
  files: SystemFiles,
  interfaces: readonly NetworkInterface[],
): Promise<JoiningLimits> {
  const folder = "/proc/sys/net/ipv4";
  const filter = (name: string) => readNumber(files, `${folder}/conf/${name}/rp_filter`);
  const all = await filter("all");
  const own = await Promise.all(interfaces.map(({ name }) => filter(name)));
  // The larger one counts: 0 is off, 1 strict, 2 loose.
  const strict = interfaces.filter((_, index) => Math.max(all ?? 0, own[index] ?? 0) === 1).map(({ name }) => name);
  return {
    memberships: await readNumber(files, `${folder}/igmp_max_memberships`),
    strict,
  };
}

/**
 * Judges what came of it.
 *
 * @param tried each interface that matters: where the group's URL names one, that alone
 */
export function checkJoining(
  group: Group,
  tried: readonly Joined[],
  limits: JoiningLimits,
  system: System,
): Check {
  const heard = tried.filter((one) => one.failure === null && one.heard !== null);
  const deaf = tried.filter((one) => one.failure === null && one.heard === null);
  const failed = tried.filter(({ failure }) => failure !== null);
  const parts = [
    heard.length > 0
      ? `${group.host} is joined and heard on ${named(heard)}`
      : `${group.host} is heard on no interface`,
    ...(deaf.length > 0 ? [`joined and not heard on ${named(deaf)}: is it down, or does a firewall drop it?`] : []),
  ];
  for (const [failure, ones] of Map.groupBy(failed, ({ failure }) => failure)) parts.push(`${named(ones)}: ${failure}`);
  const advice = deaf.flatMap((one) => showInterface(one.interface.name, system));
  if (deaf.length > 0) advice.push(...openFirewall(group.host, system));
  const limited = failed.some(({ failure }) => isLimit(failure!));
  if (limited && limits.memberships !== null) parts.push(`a socket may join ${limits.memberships} groups`);
  advice.push(...new Set(failed.flatMap((one) => mend(one.failure!, one.interface.name, system))));
  if (tried.length === 0) advice.push(...showInterfaces(system));

  const networks = tried.filter((one) => !isLoopbackInterface(one.interface));
  const strict = networks.filter((one) => limits.strict.includes(one.interface.name));
  if (strict.length > 0 && networks.length > 1) {
    parts.push(
      `on ${named(strict)} the kernel drops what comes from a sender whom it would answer another way (rp_filter is 1)`,
    );
    advice.push(...loosenReversePath);
  }
  // Without the interface that was named, or loopback, which is taken when none is, nothing works.
  const needed = (one: Joined) => group.interface !== null || isLoopbackInterface(one.interface);
  const wrong = heard.length === 0 || [...deaf, ...failed].some(needed);
  const state = wrong ? "wrong" : advice.length > 0 ? "warning" : "ok";
  return { name: "joining", state, finding: parts.join("; "), advice };
}

function named(ones: readonly Joined[]): string {
  return listed(ones.map((one) => one.interface.name));
}
