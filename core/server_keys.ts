/**
 * The keys of multicast groups that a session has asked for: KEYS and what follows from it.
 *
 * @module
 */

import type { Account } from "./account.ts";
import type { BodyReader } from "./body_reader.ts";
import { hex } from "./bytes.ts";
import { Code, codeText } from "./codes.ts";
import type { Rejection } from "./connection.ts";
import * as frames from "./control.ts";
import { FrameType } from "./frame.ts";
import type { FrameWriter } from "./frame_writer.ts";
import type { GroupKeys } from "./group_keys.ts";
import type { Pattern } from "./pattern.ts";

/** The most groups whose keys one session is told. */
const mostGroups = 16;

/** A group that a server sends to, encrypted. */
export interface KeyedGroup {
  /** What it carries. */
  readonly patterns: readonly Pattern[];
  /** Its sender's keys. */
  readonly keys: GroupKeys;
}

/** What the keys of a session need of it. */
export interface KeysSession {
  /** Whose session it is. */
  readonly account: Account;
  /** Where answers go. */
  readonly control: FrameWriter;
}

/** The keys that one session is told, for as long as it lasts. */
export class ServerKeys {
  readonly #session: KeysSession;
  readonly #groups: ReadonlyMap<string, KeyedGroup>;
  readonly #encrypted: boolean;
  /** Groups that were asked for and are told, by request. */
  readonly #asked = new Map<number, string>();

  /** @param encrypted whether nobody on the way can read what is told */
  constructor(session: KeysSession, groups: ReadonlyMap<string, KeyedGroup>, encrypted: boolean) {
    this.#session = session;
    this.#groups = groups;
    this.#encrypted = encrypted;
  }

  /** KEYS. */
  ask(body: BodyReader): void {
    const { request, group } = frames.keys.read(body);
    if (this.#asked.size >= mostGroups && !this.#asked.has(request)) {
      this.#fail(request, { code: Code.requests, why: `more than ${mostGroups} groups` });
    } else this.#answer(request, group);
  }

  /** The keys of a group have changed. */
  changed(group: string): void {
    for (const [request, asked] of [...this.#asked]) if (asked === group) this.#answer(request, group);
  }

  /** What the user may do has changed: keys of groups that may not be read any more are not told again. */
  revise(): void {
    for (const [request, group] of [...this.#asked]) {
      const refusal = this.#refusal(group);
      if (refusal !== null) this.#fail(request, refusal);
    }
  }

  #answer(request: number, group: string): void {
    const refusal = this.#refusal(group);
    if (refusal !== null) {
      this.#fail(request, refusal);
      return;
    }
    this.#asked.set(request, group);
    const keys = this.#groups.get(group)!.keys.all.map((key) => ({
      upper: hex(key.subarray(0, 16)),
      lower: hex(key.subarray(16)),
    }));
    frames.key.write(this.#session.control, { request, keys });
  }

  #refusal(group: string): Rejection | null {
    if (!this.#encrypted) {
      return { code: Code.forbidden, why: "the key of a group is told over TLS alone: connect with tls://" };
    }
    const found = this.#groups.get(group);
    if (found === undefined) return { code: Code.group, why: codeText(Code.group) };
    const { name, permissions } = this.#session.account;
    if (permissions.mayReadAll(found.patterns)) return null;
    const carried = found.patterns.map(({ text }) => text).join(" ");
    return { code: Code.forbidden, why: `${name} may not read all that mcast://${group} carries: ${carried}` };
  }

  #fail(request: number, { code, why }: Rejection): void {
    this.#asked.delete(request);
    frames.failed.write(this.#session.control, { request, kind: FrameType.keys, code, why });
  }
}
