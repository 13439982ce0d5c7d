/**
 * Tokens, which programs show instead of a name and a password; kept as their SHA-256.
 *
 * A token is random, so its hash needs neither salt nor cost: nobody can try all of them.
 *
 * @module
 */

import { createHash, randomBytes } from "node:crypto";

/** Makes a token of 256 random bits, in URL-safe base64. */
export function newToken(): string {
  return new Uint8Array(randomBytes(32)).toBase64({ alphabet: "base64url", omitPadding: true });
}

/**
 * The hash of a token as it stands in the file of users: `sha256:` and 64 hexadecimal digits.
 *
 * @example
 * ```ts
 * import { tokenHash } from "./tokens.ts";
 * import { assert } from "@std/assert";
 *
 * assert(tokenHash("abc") === "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
 * ```
 */
export function tokenHash(token: string): string {
  return `sha256:${createHash("sha256").update(token).digest("hex")}`;
}

/**
 * Reads the hash of a token.
 *
 * @returns the hash as {@linkcode tokenHash} spells it, or `undefined` if it is none
 */
export function parseTokenHash(text: string): string | undefined {
  return /^sha256:[0-9a-f]{64}$/i.test(text) ? text.toLowerCase() : undefined;
}
