/**
 * The keys of the groups that `stream serve` sends to: one from a file, or keys that it makes, changes, and tells over TLS.
 *
 * @module
 */

import { GroupKeyRotation, newGroupKey } from "../core/group_key_rotation.ts";
import { GroupKeys } from "../core/group_keys.ts";
import type { Server } from "../core/server.ts";
import { platform } from "../transports/platform.ts";
import { readKey } from "./key_file.ts";
import { patternsOf, type ServedGroup } from "./serve_group.ts";

/** Where the keys of groups come from. */
export type KeySource =
  | { readonly kind: "none" }
  | { readonly kind: "file"; readonly path: string }
  /** Made by the server, and changed so often, in milliseconds; `Infinity` for only when the users change. */
  | { readonly kind: "made"; readonly every: number };

/** The keys of all groups of a server. */
export class ServedKeys implements Disposable {
  readonly #source: KeySource;
  readonly #file: Uint8Array | null;
  readonly #rotations: GroupKeyRotation[] = [];

  private constructor(source: KeySource, file: Uint8Array | null) {
    this.#source = source;
    this.#file = file;
  }

  /**
   * Reads the file of the key, where there is one.
   *
   * @throws {Failure} when it cannot be read
   * @throws {UsageError} when what is in it is no key
   */
  static async open(source: KeySource): Promise<ServedKeys> {
    return new ServedKeys(source, source.kind === "file" ? await readKey(source.path) : null);
  }

  /** The keys of a group, which the server tells from now on; `null` where it is not encrypted. */
  of(group: ServedGroup, server: Server): GroupKeys | null {
    const source = this.#source;
    if (source.kind === "none") return null;
    const keys = new GroupKeys([this.#file ?? newGroupKey(platform)]);
    const tell = server.offerKeys(group.address, { patterns: patternsOf(group), keys });
    if (source.kind === "made") this.#rotations.push(new GroupKeyRotation(platform, keys, source.every, tell));
    return keys;
  }

  /** Who may read has changed: what was told to those who may not any more is soon of no use. */
  revise(): void {
    for (const rotation of this.#rotations) rotation.rotate();
  }

  /** Changes no key any more. */
  [Symbol.dispose](): void {
    for (const rotation of this.#rotations) rotation[Symbol.dispose]();
  }
}
