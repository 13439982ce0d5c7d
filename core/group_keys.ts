/**
 * The keys of a multicast group that are valid at the same time: one that datagrams are sealed with, and others that open them.
 *
 * @module
 */

/** The keys of one group, at one end. Each is 32 bytes, and the same array for as long as it is valid. */
export class GroupKeys {
  #all: readonly Uint8Array[];
  #sealing: Uint8Array;

  /** @param keys the newest last; at least one */
  constructor(keys: readonly Uint8Array[]) {
    this.#all = keys;
    this.#sealing = keys.at(-1)!;
  }

  /** Those that open, the newest last. */
  get all(): readonly Uint8Array[] {
    return this.#all;
  }

  /** The one that seals. */
  get sealing(): Uint8Array {
    return this.#sealing;
  }

  /** These open from now on, and no others; what seals goes on if it is one of them. */
  replace(keys: readonly Uint8Array[]): void {
    this.#all = keys.map((key) => this.#all.find((known) => known.every((byte, index) => byte === key[index])) ?? key);
    if (!this.#all.includes(this.#sealing)) this.#sealing = this.#all.at(-1)!;
  }

  /** This one seals from now on: it is one of those that open. */
  use(key: Uint8Array): void {
    this.#sealing = key;
  }
}
