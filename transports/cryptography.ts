/**
 * The cryptography that core needs, from the runtime.
 *
 * @module
 */

import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomFillSync } from "node:crypto";
import type { Platform } from "../core/connection.ts";

const cipher = "aes-256-gcm";
const tagLength = 16;

/** HMAC, HKDF, AES-256-GCM and random bytes, as {@linkcode Platform} describes them. */
export const cryptography: Pick<Platform, "mac" | "hkdf" | "encrypt" | "decrypt" | "random"> = {
  mac: (key, bytes) => createHmac("sha256", key).update(bytes).digest(),
  hkdf: (key, salt, info, length) => new Uint8Array(hkdfSync("sha256", key, salt, info, length)),
  encrypt(key, nonce, bytes, start, body, end) {
    const encryption = createCipheriv(cipher, key, nonce);
    encryption.setAAD(bytes.subarray(start, body));
    bytes.set(encryption.update(bytes.subarray(body, end)), body);
    encryption.final();
    bytes.set(encryption.getAuthTag(), end);
  },
  decrypt(key, nonce, bytes, start, body, end) {
    const decryption = createDecipheriv(cipher, key, nonce);
    decryption.setAAD(bytes.subarray(start, body));
    decryption.setAuthTag(bytes.subarray(end, end + tagLength));
    const plain = decryption.update(bytes.subarray(body, end));
    try {
      decryption.final();
    } catch {
      // The tag is wrong, and nothing else can be: what it is called differs between runtimes.
      return false;
    }
    bytes.set(plain, body);
    return true;
  },
  random: (into) => void randomFillSync(into),
};
