/**
 * The drivers, by the kind of server that they speak to; and the kinds, by the scheme of their endpoints.
 *
 * @module
 */

import type { Driver, TargetKind } from "../driver.ts";
import type { GroupJob } from "../job.ts";

const stream = async () => (await import("./stream.ts")).streamDriver;

/** Loads a kind's driver: only the one that a process needs. */
const drivers: Readonly<Record<TargetKind, (group: GroupJob | null) => Promise<Driver>>> = {
  stream,
  tcp: stream,
  multicast: async (group) => (await import("./multicast.ts")).multicastDriver(group),
  nats: async () => (await import("./nats.ts")).natsDriver,
  redis: async () => (await import("./redis.ts")).redisDriver,
  mqtt: async () => (await import("./mqtt.ts")).mqttDriver,
  limit: async () => (await import("./limit.ts")).limitDriver,
};

/** The driver of a kind of server. @param group what a process receives from, where that is a group */
export function driverOf(kind: TargetKind, group: GroupJob | null = null): Promise<Driver> {
  return drivers[kind](group);
}

/** The kind of server that a scheme stands for, and the port where none is given. */
const schemes: Readonly<Record<string, readonly [kind: TargetKind, port: number]>> = {
  tcp: ["stream", 7070],
  nats: ["nats", 4222],
  redis: ["redis", 6379],
  mqtt: ["mqtt", 1883],
};

/** Schemes that a target may have. */
export const targetSchemes: readonly string[] = Object.keys(schemes);

/** The kind of server at an endpoint, by its scheme, and its port; `null` for a scheme that stands for none. */
export function schemeOf(endpoint: string): { kind: TargetKind; port: number } | null {
  const known = schemes[/^([a-z]+):\/\//.exec(endpoint)?.[1] ?? ""];
  return known === undefined ? null : { kind: known[0], port: known[1] };
}
