/**
 * Failed attempts to get in, by address: whoever fails again and again is told so ever later.
 *
 * Sockets of one network are one address here, since whoever has an IPv6 network has all of its 2^64 addresses.
 *
 * @module
 */

/** How long the first refusal waits; each next one twice as long, up to the last. Milliseconds. */
const firstDelay = 100;
const lastDelay = 3_200;
/** What failed longer ago is forgotten, in milliseconds. */
const quiet = 60_000;
/** The most addresses that are remembered; the one that failed longest ago is forgotten for another. */
const mostAddresses = 10_000;

interface Failures {
  count: number;
  lastAt: number;
}

/**
 * The failed attempts of all addresses. Times are monotonic milliseconds.
 *
 * @example
 * ```ts
 * import { Attempts } from "../core/attempts.ts";
 * import { assert } from "@std/assert";
 *
 * const attempts = new Attempts();
 * assert(attempts.failed("192.0.2.7", 0) === 100);
 * assert(attempts.failed("192.0.2.7", 10) === 200);
 * assert(attempts.failed("192.0.2.8", 20) === 100);
 * ```
 */
export class Attempts {
  /** How many failed, of all addresses since the beginning. */
  total = 0;
  /** By network; the one that failed longest ago is first. */
  readonly #failures = new Map<string, Failures>();

  /**
   * Counts a failed attempt.
   *
   * @param address an IP address without a port
   * @returns after how many milliseconds the refusal may be told
   */
  failed(address: string, now: number): number {
    this.total++;
    const network = networkOf(address);
    const count = this.#countOf(network, now) + 1;
    this.#failures.delete(network);
    this.#failures.set(network, { count, lastAt: now });
    this.#forget(now);
    return Math.min(lastDelay, firstDelay * 2 ** (count - 1));
  }

  /** How many attempts of an address failed, with less than a minute between them and up to now. */
  countOf(address: string, now: number): number {
    return this.#countOf(networkOf(address), now);
  }

  /** How many addresses are remembered. */
  get size(): number {
    return this.#failures.size;
  }

  #countOf(network: string, now: number): number {
    const failures = this.#failures.get(network);
    return failures === undefined || now - failures.lastAt >= quiet ? 0 : failures.count;
  }

  #forget(now: number): void {
    for (const [network, { lastAt }] of this.#failures) {
      if (this.#failures.size <= mostAddresses && now - lastAt < quiet) return;
      this.#failures.delete(network);
    }
  }
}

/**
 * The network that an address is counted under: an IPv4 address itself, the /64 of an IPv6 address.
 *
 * What is no IP address stands for itself.
 *
 * @example
 * ```ts
 * import { networkOf } from "../core/attempts.ts";
 * import { assert } from "@std/assert";
 *
 * assert(networkOf("2001:db8::1") === networkOf("2001:db8:0:0:ffff::2"));
 * assert(networkOf("::ffff:192.0.2.7") === "192.0.2.7");
 * ```
 */
export function networkOf(address: string): string {
  if (!address.includes(":")) return address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  const [front, back] = address.replace(/%.*$/, "").toLowerCase().split("::") as [string, string | undefined];
  const groups = front === "" ? [] : front.split(":");
  if (back !== undefined) {
    const rest = back === "" ? [] : back.split(":");
    while (groups.length + rest.length < 8) groups.push("0");
    groups.push(...rest);
  }
  return `${groups.slice(0, 4).map((group) => group.replace(/^0+(?=.)/, "")).join(":")}::/64`;
}
