/**
 * Checking passwords, in a time that tells nothing of who exists, and without letting strangers keep the machine busy.
 *
 * @module
 */

import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { derive, type PasswordHash, spelt } from "./password_hash.ts";

/** The most that are checked at once: each takes a core, and up to 128 MiB. */
const mostAtOnce = 2;
/** The most that wait for their turn. */
const longestLine = 64;
/** The most users whose right password is remembered. */
const mostRemembered = 10_000;

/** What a check comes to; `busy` where too many others wait already, which says nothing of the password. */
export type Verdict = "right" | "wrong" | "busy";

/**
 * Checks passwords. What was right once is remembered under a key that this process alone has, so that thousands of
 * connections that are made again cost a hash each and not a tenth of a second.
 *
 * @example
 * ```ts
 * import { hashPassword, standInFor } from "./password_hash.ts";
 * import { Passwords } from "./passwords.ts";
 * import { assert } from "@std/assert";
 *
 * const passwords = new Passwords();
 * const hash = await hashPassword("hunter2");
 * assert(await passwords.check("alice", "hunter2", hash) === "right");
 * assert(await passwords.check("mallory", "hunter2", standInFor([hash])) === "wrong");
 * ```
 */
export class Passwords {
  readonly #derive: typeof derive;
  readonly #key = randomBytes(32);
  /** By user: what its right password and its hash give under the key. The one that was longest not asked for is first. */
  readonly #right = new Map<string, Uint8Array>();
  /** The checks that run or wait, by user and mark: equal ones are one. */
  readonly #checks = new Map<string, Promise<Verdict>>();
  #running = 0;
  readonly #line: (() => void)[] = [];

  /** @param deriveKey scrypt; a test's own */
  constructor(deriveKey: typeof derive = derive) {
    this.#derive = deriveKey;
  }

  /**
   * Checks what somebody gives as the password of a user.
   *
   * @param hash the user's; for who does not exist or has none what stands for it, which no password is right for
   */
  check(user: string, password: string, hash: PasswordHash): Promise<Verdict> {
    const mark = this.#mark(password, hash);
    if (this.#remembered(user, mark)) return Promise.resolve("right");
    const key = `${user}\0${mark.toHex()}`;
    const running = this.#checks.get(key);
    if (running !== undefined) return running;
    const check = this.#derived(user, password, hash, mark).finally(() => this.#checks.delete(key));
    this.#checks.set(key, check);
    return check;
  }

  /** Whether that password was right before: what a check would say at once. */
  remembers(user: string, password: string, hash: PasswordHash): boolean {
    return this.#remembered(user, this.#mark(password, hash));
  }

  async #derived(user: string, password: string, hash: PasswordHash, mark: Uint8Array): Promise<Verdict> {
    if (!await this.#turn()) return "busy";
    try {
      const right = timingSafeEqual(await this.#derive(password, hash), hash.hash);
      if (!right || hash.text === "") return "wrong";
      this.#remember(user, mark);
      return "right";
    } finally {
      // Who waits takes over the turn, before anybody else can come.
      const next = this.#line.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }

  /** Takes a turn, or waits for one; `false` where too many wait. */
  async #turn(): Promise<boolean> {
    if (this.#running < mostAtOnce) this.#running++;
    else if (this.#line.length >= longestLine) return false;
    else await new Promise<void>((resolve) => this.#line.push(resolve));
    return true;
  }

  /** A password without itself. It is another one once the user has another hash. */
  #mark(password: string, hash: PasswordHash): Uint8Array {
    return new Uint8Array(createHmac("sha256", this.#key).update(`${hash.text}\0${spelt(password)}`).digest());
  }

  #remembered(user: string, mark: Uint8Array): boolean {
    const right = this.#right.get(user);
    if (right === undefined || !timingSafeEqual(right, mark)) return false;
    this.#remember(user, mark);
    return true;
  }

  #remember(user: string, mark: Uint8Array): void {
    this.#right.delete(user);
    this.#right.set(user, mark);
    if (this.#right.size > mostRemembered) this.#right.delete(this.#right.keys().next().value!);
  }
}
