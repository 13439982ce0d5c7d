/**
 * The multicast group of the scenario `multicast`.
 *
 * @module
 */

import { hex } from "../../core/bytes.ts";
import { groupKeyLength } from "../../core/encrypted_seal.ts";
import { platform } from "../../transports/platform.ts";
import type { GroupOptions } from "./group_options.ts";
import type { SentDatagrams } from "./result.ts";

/** A group that our server multicasts to. */
export interface BenchGroup {
  /** `mcast://239.255.1.2:41234?interface=127.0.0.1`. */
  readonly endpoint: string;
  /** In hexadecimal; `null` without encryption. */
  readonly key: string | null;
}

/** A group whose server was started to be measured. */
export interface MeasuredGroup extends BenchGroup {
  /** Ends the server. Gives what it said it has sent, or `null` where it said nothing. */
  sent(): Promise<SentDatagrams | null>;
}

/** A group on loopback that nobody else uses, most likely, and its id tells it from others. */
export function freeGroup(): string {
  const [a, b, c] = crypto.getRandomValues(new Uint16Array(3));
  // Below the ports that systems give to who asks for any: one of a row may be somebody's.
  return `mcast://239.255.${a! & 255}.${b! & 255}:${20_000 + c! % 12_000}?interface=127.0.0.1`;
}

/** The group that was asked for, with a key of its own if it is to be encrypted. */
export function benchGroup(asked: GroupOptions | null): BenchGroup | null {
  if (asked === null) return null;
  const key = new Uint8Array(groupKeyLength);
  platform.random(key);
  return { endpoint: asked.endpoint ?? freeGroup(), key: asked.encrypt ? hex(key) : null };
}

/** What a server has said of a group when it ended, or `null` where it has not. */
export function sentIn(words: string): SentDatagrams | null {
  const line = words.split("\n").findLast((line) => line.includes("multicast ended "));
  if (line === undefined) return null;
  const fields = new Map(Array.from(line.matchAll(/(\w+)=(\d+)/g), ([, name, value]) => [name, Number(value)]));
  const [datagrams, repaired, expired, bytes] = ["datagrams", "repaired", "expired", "bytes"].map((name) =>
    fields.get(name) ?? 0
  );
  return { datagrams: datagrams!, repaired: repaired!, expired: expired!, bytes: bytes! };
}
