/**
 * The seal of datagrams that are encrypted: AES-256-GCM, with the header authenticated.
 *
 * Every session has a key of its own, made from the group's (HKDF, RFC 5869) with its id as the salt and its role as the info:
 * so a counter that begins anew with each session never repeats a nonce, and what a receiver has sent is never taken for
 * what a sender has.
 *
 * @module
 */

import { encodeText, hex, idLength, idStandsAt } from "./bytes.ts";
import type { Platform } from "./connection.ts";
import { checksumSeal, DatagramFlag, datagramHeader, inDatagram, type Seal } from "./datagram.ts";
import { GroupKeys } from "./group_keys.ts";

/** Who sends: the sender of a group, or a receiver that asks for something. */
export type GroupRole = "sender" | "receiver";

/** Bytes of a group's key. */
export const groupKeyLength = 32;
const tagLength = 16;
const nonceLength = 12;
/** The most sessions whose keys are remembered: making one takes longer than opening a datagram. */
const mostKeys = 128;

/** The keys of one role's sessions. */
class SessionKeys {
  readonly #platform: Pick<Platform, "hkdf">;
  readonly #groupKey: Uint8Array;
  readonly #info: Uint8Array;
  readonly #keys = new Map<string, Uint8Array>();
  /** The session that was asked for last, and its key. */
  readonly #last = new Uint8Array(idLength);
  #lastKey: Uint8Array | null = null;

  constructor(platform: Pick<Platform, "hkdf">, groupKey: Uint8Array, role: GroupRole) {
    this.#platform = platform;
    this.#groupKey = groupKey;
    this.#info = encodeText(`stream group ${role}`);
  }

  /** The key of the session whose id stands at `at`. */
  of(bytes: Uint8Array, at: number): Uint8Array {
    const last = this.#last;
    if (this.#lastKey !== null && idStandsAt(last, bytes, at)) return this.#lastKey;
    last.set(bytes.subarray(at, at + last.length));
    const name = hex(last);
    let key = this.#keys.get(name);
    if (key === undefined) {
      if (this.#keys.size >= mostKeys) this.#keys.delete(this.#keys.keys().next().value!);
      key = this.#platform.hkdf(this.#groupKey, last, this.#info, groupKeyLength);
      this.#keys.set(name, key);
    }
    return this.#lastKey = key;
  }
}

/** The keys of both roles' sessions, under one key of the group. */
interface RoleKeys {
  readonly own: SessionKeys;
  readonly other: SessionKeys;
}

/** Those under each key of a group that is valid. */
class KeysByGroupKey {
  readonly #platform: Pick<Platform, "hkdf">;
  readonly #role: GroupRole;
  readonly #byKey = new Map<Uint8Array, RoleKeys>();

  constructor(platform: Pick<Platform, "hkdf">, role: GroupRole) {
    this.#platform = platform;
    this.#role = role;
  }

  of(key: Uint8Array, { all }: GroupKeys): RoleKeys {
    let keys = this.#byKey.get(key);
    if (keys === undefined) {
      for (const known of this.#byKey.keys()) if (!all.includes(known)) this.#byKey.delete(known);
      const of = (role: GroupRole) => new SessionKeys(this.#platform, key, role);
      keys = { own: of(this.#role), other: of(this.#role === "sender" ? "receiver" : "sender") };
      this.#byKey.set(key, keys);
    }
    return keys;
  }
}

/**
 * Encrypts what one role sends, and decrypts what the other one does.
 *
 * A receiver seals with the key that its sender was last heard with: it may have another one already, which the sender does
 * not use yet.
 *
 * @param key that all who are in the group have: 32 bytes, or keys of that length that change
 * @param role of who uses this seal
 */
export function encryptedSeal(
  platform: Pick<Platform, "hkdf" | "encrypt" | "decrypt">,
  key: Uint8Array | GroupKeys,
  role: GroupRole,
): Seal {
  const keys = key instanceof GroupKeys ? key : new GroupKeys([key]);
  const byGroupKey = new KeysByGroupKey(platform, role);
  const nonce = new Uint8Array(nonceLength);
  const nonceOf = (bytes: Uint8Array, start: number) => {
    nonce.set(bytes.subarray(start + inDatagram.counter, start + inDatagram.counter + 8), nonceLength - 8);
    return nonce;
  };
  const opens = (groupKey: Uint8Array, bytes: Uint8Array, start: number, end: number) => {
    const key = byGroupKey.of(groupKey, keys).other.of(bytes, start + inDatagram.session);
    const body = start + bytes[start + inDatagram.header]!;
    return platform.decrypt(key, nonceOf(bytes, start), bytes, start, body, end - tagLength);
  };
  return {
    length: tagLength,
    flag: DatagramFlag.encrypted,
    close(bytes, _view, start, end) {
      const key = byGroupKey.of(keys.sealing, keys).own.of(bytes, start + inDatagram.session);
      platform.encrypt(key, nonceOf(bytes, start), bytes, start, start + datagramHeader, end);
    },
    open(bytes, _view, start, end) {
      const { sealing, all } = keys;
      if (opens(sealing, bytes, start, end)) return true;
      const other = all.find((key) => key !== sealing && opens(key, bytes, start, end));
      if (other !== undefined && role === "receiver") keys.use(other);
      return other !== undefined;
    },
  };
}

/**
 * What protects a group's datagrams.
 *
 * @param key 32 bytes, or keys of that length that change; `null` for a checksum alone
 */
export function sealOf(
  platform: Pick<Platform, "crc32" | "hkdf" | "encrypt" | "decrypt">,
  key: Uint8Array | GroupKeys | null,
  role: GroupRole,
): Seal {
  return key === null ? checksumSeal(platform) : encryptedSeal(platform, key, role);
}
