/**
 * What went through one end, as checksums: so that ends which hold nothing in common can be compared.
 *
 * @module
 */

import { crc32 } from "node:zlib";

/** A topic, how many messages it had, and the CRC-32 of their payloads one after the other. */
export type Entry = readonly [topic: string, count: number, crc: number];

/**
 * A count and a running CRC-32 a topic. A payload that is changed, lost, doubled or out of order within its topic gives
 * another CRC.
 */
export class Ledger {
  readonly #topics = new Map<string, { count: number; crc: number }>();

  /** Takes down one message. */
  add(topic: string, payload: Uint8Array): void {
    let entry = this.#topics.get(topic);
    if (entry === undefined) this.#topics.set(topic, entry = { count: 0, crc: 0 });
    entry.count++;
    entry.crc = crc32(payload, entry.crc);
  }

  /** All topics, by name. */
  entries(): Entry[] {
    return [...this.#topics].map(([topic, { count, crc }]): Entry => [topic, count, crc])
      .sort(([a], [b]) => (a < b ? -1 : 1));
  }
}

/** One checksum of a whole ledger, as eight digits. */
export function digest(entries: readonly Entry[]): string {
  return crc32(JSON.stringify(entries)).toString(16).padStart(8, "0");
}

/** Where two ledgers differ, a line a topic. */
export function differences(sent: readonly Entry[], received: readonly Entry[]): string[] {
  const lines: string[] = [];
  const left = new Map(received.map(([topic, count, crc]) => [topic, { count, crc }]));
  for (const [topic, count, crc] of sent) {
    const got = left.get(topic);
    left.delete(topic);
    if (got === undefined) lines.push(`${topic}: sent ${count}, received none`);
    else if (got.count !== count) lines.push(`${topic}: sent ${count}, received ${got.count}`);
    else if (got.crc !== crc) lines.push(`${topic}: ${count} sent and received, and they are not the same`);
  }
  for (const [topic, { count }] of left) lines.push(`${topic}: sent none, received ${count}`);
  return lines;
}
