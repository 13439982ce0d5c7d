/**
 * The keys of a multicast group, as its server tells them over a link: asked for anew on each connection.
 *
 * @module
 */

import { unhex } from "./bytes.ts";
import type { ClientSession, ValuesOf } from "./client_session.ts";
import type { Code } from "./codes.ts";
import * as frames from "./control.ts";
import { RefusedError, TransportError } from "./errors.ts";
import { GroupKeys } from "./group_keys.ts";

/** What it needs of its link. */
export interface KeyLink {
  readonly endpoint: string;
}

/** The keys of one group, kept as they are on the server. Made by a link. */
export class GroupKeyRequest {
  /** Its number in its link. */
  readonly id: number;
  /** Resolves with the keys, which change when the server changes them; rejects when it does not tell them. */
  readonly ready: Promise<GroupKeys>;
  readonly #link: KeyLink;
  readonly #group: string;
  readonly #ready = Promise.withResolvers<GroupKeys>();
  readonly #onFail: (error: Error) => void;
  #keys: GroupKeys | null = null;

  /**
   * @internal
   * @param onFail told when there will be no other keys: the user may not have them any more, or the link is lost for good
   */
  constructor(link: KeyLink, id: number, group: string, onFail: (error: Error) => void) {
    this.#link = link;
    this.id = id;
    this.#group = group;
    this.#onFail = onFail;
    this.ready = this.#ready.promise;
    this.ready.catch(() => {});
  }

  /**
   * The link is up.
   *
   * @internal
   */
  connected(session: ClientSession): void {
    session.send(frames.keys, { request: this.id, group: this.#group });
  }

  /**
   * KEY.
   *
   * @internal
   */
  told({ keys }: ValuesOf<typeof frames.key>): void {
    if (keys.length === 0) return;
    const told = keys.map(({ upper, lower }) => unhex(upper + lower));
    if (this.#keys === null) this.#ready.resolve(this.#keys = new GroupKeys(told));
    else this.#keys.replace(told);
  }

  /**
   * KEYS failed.
   *
   * @internal
   */
  failed(code: Code, why: string): void {
    this.fail(new RefusedError(`get the key of mcast://${this.#group}`, code, why));
  }

  /**
   * Nothing will come any more.
   *
   * @internal
   */
  fail(error: Error | null): void {
    const { endpoint } = this.#link;
    this.#ready.reject(error ?? new TransportError("get a group's key", endpoint, "the link was closed"));
    if (error !== null && this.#keys !== null) this.#onFail(error);
  }
}
