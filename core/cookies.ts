/**
 * Proofs that whoever asks gets what is sent to its address: without one, a request with a forged address would turn what
 * answers it against somebody else.
 *
 * A cookie is made from the address and a secret, so that nothing is kept for who asks (RFC 7873 does the same).
 *
 * @module
 */

import { encodeText, hex } from "./bytes.ts";
import type { Platform } from "./connection.ts";

/** A cookie is good for one to two of these, in milliseconds. */
const lifetime = 600_000;
const cookieLength = 16;

/** Makes and checks the cookies of one session. */
export class Cookies {
  readonly #platform: Pick<Platform, "mac">;
  readonly #secret = new Uint8Array(32);

  constructor(platform: Pick<Platform, "mac" | "random">) {
    this.#platform = platform;
    platform.random(this.#secret);
  }

  /** The cookie of an address, in hexadecimal. `now` in monotonic milliseconds. */
  of(address: string, now: number): string {
    return this.#of(address, Math.floor(now / lifetime));
  }

  /** Whether an address has this cookie from here, and not from long ago. */
  valid(cookie: string, address: string, now: number): boolean {
    const age = Math.floor(now / lifetime);
    return cookie === this.#of(address, age) || cookie === this.#of(address, age - 1);
  }

  #of(address: string, age: number): string {
    return hex(this.#platform.mac(this.#secret, encodeText(`${age} ${address}`)).subarray(0, cookieLength));
  }
}
