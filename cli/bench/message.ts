/**
 * The messages that the load generator sends: a header by which each is known, and a body.
 *
 * ```text
 *  0 u32 source: which publisher, and which topic where it has several
 *  4 u32 count: the number of the message from that source, from 0
 *  8 f64 due: when it was to be sent, in milliseconds from the run's origin; left out of messages under 16 bytes
 * 16     body, which only `source` and `count` decide
 * ```
 *
 * Little-endian. Source and count together are the eight bytes by which losses, doubles and disorder are found.
 *
 * @module
 */

/** The least bytes of a message: source and count. */
export const leastSize = 8;
/** Bytes of the whole header: what a message needs for a latency to be measured. */
export const headerSize = 16;

/** Offsets of the fields. */
export const field = { source: 0, count: 4, due: 8 } as const;

/** The most different bodies, and the most bytes that they take together unless one alone has more. */
const mostBodies = 256;
const mostBytes = 4 * 1024 * 1024;

/** Where messages come from: so many seeded random bytes, or the lines of a file. */
export type BodySource =
  | { readonly kind: "random"; readonly size: number; readonly seed: number }
  | { readonly kind: "lines"; readonly lines: readonly Uint8Array[] };

/** Makes messages, and recognises them. Two of them that are made from the same source make the same. */
export class Messages {
  /** Bytes of a message, or their mean. */
  readonly size: number;
  readonly #messages: readonly Uint8Array[];
  readonly #views: readonly DataView[];

  constructor(from: BodySource) {
    this.#messages = from.kind === "random" ? randomMessages(from.size, from.seed) : from.lines.map(withHeader);
    this.#views = this.#messages.map((message) => new DataView(message.buffer));
    this.size = this.#messages.reduce((sum, message) => sum + message.length, 0) / this.#messages.length;
  }

  /** The message `count` of `source`. Valid until the next call. */
  make(source: number, count: number, due: number): Uint8Array {
    const index = (source + count) % this.#messages.length;
    const view = this.#views[index]!;
    view.setUint32(field.source, source, true);
    view.setUint32(field.count, count, true);
    if (view.byteLength >= headerSize) view.setFloat64(field.due, due, true);
    return this.#messages[index]!;
  }

  /** Whether a message is the one that `source` sent as number `count`, byte for byte; `due` aside. */
  matches(bytes: Uint8Array, start: number, end: number, source: number, count: number): boolean {
    const message = this.#messages[(source + count) % this.#messages.length]!;
    if (end - start !== message.length) return false;
    for (let i = headerSize; i < message.length; i++) if (bytes[start + i] !== message[i]) return false;
    return true;
  }
}

function randomMessages(size: number, seed: number): Uint8Array[] {
  const count = Math.min(mostBodies, Math.max(1, Math.floor(mostBytes / size)));
  const random = mulberry32(seed);
  return Array.from({ length: count }, () => {
    const message = new Uint8Array(size);
    for (let i = leastSize; i < size; i++) message[i] = random() * 256;
    return message;
  });
}

function withHeader(line: Uint8Array): Uint8Array {
  const message = new Uint8Array(headerSize + line.length);
  message.set(line, headerSize);
  return message;
}

/**
 * Random numbers from a seed, at least 0 and less than 1: the generator Mulberry32 of Tommy Ettinger.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { mulberry32 } from "./message.ts";
 *
 * assertEquals(mulberry32(7)(), mulberry32(7)());
 * ```
 */
export function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
