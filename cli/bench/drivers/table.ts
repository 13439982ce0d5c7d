/**
 * The drivers, by the kind of server that they speak to; and the kinds, by the scheme of their endpoints.
 *
 * @module
 */

import type { Driver, TargetKind } from "../driver.ts";
import type { GroupJob } from "../job.ts";
import type { BenchTrust } from "../tls.ts";

/** What a driver is made for. */
export interface DriverOptions {
  /** What a process receives from, where that is a group. */
  readonly group?: GroupJob | null;
  /** Whom connections trust, where they are with TLS. */
  readonly trust?: BenchTrust | null;
}

const stream = async ({ trust = null }: DriverOptions) => (await import("./stream.ts")).streamDriver(trust);

/** Loads a kind's driver: only the one that a process needs. */
const drivers: Readonly<Record<TargetKind, (options: DriverOptions) => Promise<Driver>>> = {
  stream,
  tcp: stream,
  multicast: async ({ group = null }) => (await import("./multicast.ts")).multicastDriver(group),
  nats: async ({ trust }) => (await import("./nats.ts")).natsDriver(trust),
  redis: async ({ trust }) => (await import("./redis.ts")).redisDriver(trust),
  mqtt: async ({ trust }) => (await import("./mqtt.ts")).mqttDriver(trust),
  limit: async () => (await import("./limit.ts")).limitDriver,
};

/** The driver of a kind of server. */
export function driverOf(kind: TargetKind, options: DriverOptions = {}): Promise<Driver> {
  return drivers[kind](options);
}

/** The kind of server that a scheme stands for, and the port where none is given. */
const schemes: Readonly<Record<string, readonly [kind: TargetKind, port: number]>> = {
  tcp: ["stream", 7070],
  tls: ["stream", 7070],
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
