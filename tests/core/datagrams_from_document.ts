/**
 * The datagrams of docs/PROTOCOL.md, for the sender and the receiver of the tests that were written from it alone.
 *
 * They are the proof that the document suffices, so nothing of `core/` may be imported here.
 */

import { createCipheriv, createDecipheriv, hkdfSync } from "node:crypto";
import { crc32, pack, utf8 } from "./from_document.ts";

/** Flags. */
export const [numbered, repair, fragment, encrypted] = [1, 2, 4, 8] as const;

type Role = "sender" | "receiver";

/** A datagram that was opened: its body is what is between the header and the seal. */
export interface Datagram {
  readonly flags: number;
  readonly session: Uint8Array;
  readonly counter: number;
  readonly number: number;
  readonly body: Uint8Array;
}

/** Makes the datagrams of one session, and opens those of the other role. */
export class Session {
  /** 16 bytes. */
  readonly id: Uint8Array;
  readonly #role: Role;
  readonly #group: number;
  readonly #key: Uint8Array | null;
  #counter = 0;

  constructor(id: Uint8Array, role: Role, group: number, key: Uint8Array | null) {
    this.id = id;
    this.#role = role;
    this.#group = group;
    this.#key = key;
  }

  /** Returns the whole datagram. */
  make(flags: number, number: number, body: Uint8Array): Uint8Array {
    const first = [[1, 0xd5], [1, 1], [1, 40], [1, this.#key ? flags | encrypted : flags]] as [number, number][];
    const header = pack(...first, [4, this.#group], this.id, [8, ++this.#counter], [8, number]);
    if (this.#key === null) return pack(header, body, [4, crc32(pack(header, body))]);
    const cipher = createCipheriv("aes-256-gcm", this.#keyOf(this.id, this.#role), nonce(this.#counter));
    cipher.setAAD(header);
    return pack(header, cipher.update(body), cipher.final(), cipher.getAuthTag());
  }

  /** Returns `null` for a datagram with a fault. */
  open(bytes: Uint8Array): Datagram | null {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const seal = this.#key ? 16 : 4;
    if (bytes.length < 40 || bytes[0] !== 0xd5 || view.getUint32(4, true) !== this.#group || bytes[1] !== 1) {
      return null;
    }
    const flags = bytes[3]!;
    if ((flags & encrypted) !== 0 !== (this.#key !== null)) return null;
    if (bytes[2]! < 40 || bytes[2]! + seal > bytes.length) return null;
    const header = bytes.slice(0, bytes[2]);
    let body: Uint8Array = bytes.slice(header.length, bytes.length - seal);
    const session = header.slice(8, 24);
    const [counter, number] = [24, 32].map((at) => Number(view.getBigUint64(at, true))) as [number, number];
    if (this.#key === null) {
      if (crc32(bytes.slice(0, -4)) !== view.getUint32(bytes.length - 4, true)) return null;
    } else {
      const other = this.#role === "sender" ? "receiver" : "sender";
      const decipher = createDecipheriv("aes-256-gcm", this.#keyOf(session, other), nonce(counter));
      decipher.setAAD(header);
      decipher.setAuthTag(bytes.slice(-16));
      try {
        body = pack(decipher.update(body), decipher.final());
      } catch {
        return null;
      }
    }
    return { flags, session, counter, number, body };
  }

  #keyOf(session: Uint8Array, role: Role): Uint8Array {
    return new Uint8Array(hkdfSync("sha256", this.#key!, session, utf8.encode(`stream group ${role}`), 32));
  }
}

function nonce(counter: number): Uint8Array {
  return pack([4, 0], [8, counter]);
}
