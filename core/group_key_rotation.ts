/**
 * Changes the key of a multicast group without a break: receivers have the new one before it is used, and the sender takes what
 * they ask for under the old one for a while.
 *
 * @module
 */

import type { Platform } from "./connection.ts";
import { groupKeyLength } from "./encrypted_seal.ts";
import type { GroupKeys } from "./group_keys.ts";

/** How long a new key is known before it is used, in milliseconds: it has to reach every receiver. */
export const keyLead = 5_000;
/** How long an old key is valid once it is not used any more, in milliseconds. */
export const keyOverlap = 30_000;

/** What a rotation needs of the platform. */
export type RotationPlatform = Pick<Platform, "random" | "after">;

/** Makes the key of a group. */
export function newGroupKey(platform: Pick<Platform, "random">): Uint8Array {
  const key = new Uint8Array(groupKeyLength);
  platform.random(key);
  return key;
}

/** Changes one group's key, now and then or when it is told to. */
export class GroupKeyRotation implements Disposable {
  readonly #platform: RotationPlatform;
  readonly #keys: GroupKeys;
  readonly #tell: () => void;
  readonly #every: number;
  #cancelStep: (() => void) | null = null;
  #cancelNext: () => void = () => {};
  /** Whether another one was asked for while one was under way. */
  #again = false;

  /**
   * @param keys of the sender
   * @param every how often it changes, in milliseconds; `Infinity` for only when it is told to
   * @param tell called when receivers are to be told {@linkcode GroupKeys.all} again
   */
  constructor(platform: RotationPlatform, keys: GroupKeys, every: number, tell: () => void) {
    this.#platform = platform;
    this.#keys = keys;
    this.#every = every;
    this.#tell = tell;
    this.#schedule();
  }

  /** Changes it. While a change is under way the next one waits for its end. */
  rotate(): void {
    if (this.#cancelStep !== null) {
      this.#again = true;
      return;
    }
    this.#schedule();
    const old = this.#keys.sealing;
    const key = newGroupKey(this.#platform);
    this.#keys.replace([old, key]);
    this.#tell();
    this.#cancelStep = this.#platform.after(keyLead, () => {
      this.#keys.use(key);
      this.#cancelStep = this.#platform.after(keyOverlap, () => this.#done(key));
    });
  }

  /** Changes nothing any more. */
  [Symbol.dispose](): void {
    this.#cancelNext();
    this.#cancelStep?.();
  }

  #done(key: Uint8Array): void {
    this.#cancelStep = null;
    this.#keys.replace([key]);
    this.#tell();
    if (!this.#again) return;
    this.#again = false;
    this.rotate();
  }

  #schedule(): void {
    this.#cancelNext();
    if (this.#every < Infinity) this.#cancelNext = this.#platform.after(this.#every, () => this.rotate());
  }
}
