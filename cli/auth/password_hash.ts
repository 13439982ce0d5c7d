/**
 * Hashes of passwords, as they stand in the file of users: scrypt (RFC 7914) in the PHC string format,
 * `$scrypt$ln=15,r=8,p=1$SALT$HASH`, with salt and hash in base64 without padding.
 *
 * @module
 */

import { randomBytes, scrypt } from "node:crypto";

/** What a password is checked against. */
export interface PasswordHash {
  /** As it stands in the file; empty where it stands for the hash of who has none. */
  readonly text: string;
  /** The logarithm to the base 2 of N, the cost in time and memory. */
  readonly logCost: number;
  /** `r`, the size of a block. */
  readonly blockSize: number;
  /** `p`, how often it is done. */
  readonly parallelization: number;
  /** What makes equal passwords different hashes. */
  readonly salt: Uint8Array;
  /** What scrypt gives. */
  readonly hash: Uint8Array;
}

/** What one verification may take: N and r decide on the memory. */
const mostMemory = 128 * 1024 * 1024;
const mostParallelization = 16;

const usual = { logCost: 15, blockSize: 8, parallelization: 1 };

/**
 * Reads the hash of a password.
 *
 * @returns the hash; or what is wrong with it, as a clause that quotes nothing of it
 */
export function parsePasswordHash(text: string): PasswordHash | string {
  const form = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,4}),p=(\d{1,4})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/;
  const [, ln, r, p, ...encoded] = form.exec(text) ?? [];
  // One letter of base64 over is not even a byte.
  if (ln === undefined || r === undefined || p === undefined || encoded.some((part) => part.length % 4 === 1)) {
    return "it is not the hash of a password: stream passwd makes one";
  }
  const [salt, hash] = encoded.map((part) => Uint8Array.fromBase64(part)) as [Uint8Array, Uint8Array];
  const [logCost, blockSize, parallelization] = [Number(ln), Number(r), Number(p)];
  if (logCost < 1 || blockSize < 1 || parallelization < 1) return "ln, r and p are at least 1";
  if (memoryOf(logCost, blockSize) > mostMemory) {
    return `ln=${logCost},r=${blockSize} takes more than 128 MiB to check: stream passwd makes one that takes 32`;
  }
  if (parallelization > mostParallelization) return `p is ${parallelization}, the most is ${mostParallelization}`;
  if (salt.length < 8 || salt.length > 64) return "the salt has to have 8 to 64 bytes";
  if (hash.length < 16 || hash.length > 64) return "the hash has to have 16 to 64 bytes";
  return { text, logCost, blockSize, parallelization, salt, hash };
}

/**
 * Stands for the hash of who has none, so that work is done for them too. No password is known to give it.
 *
 * @param hashes of those who have one: it takes as much work as the most expensive, that time does not tell who exists
 */
export function standInFor(hashes: readonly PasswordHash[]): PasswordHash {
  const [{ logCost, blockSize, parallelization } = usual] = hashes.toSorted((one, other) =>
    workOf(other) - workOf(one)
  );
  return { text: "", logCost, blockSize, parallelization, salt: random(16), hash: random(32) };
}

/** Hashes a password with a new salt. It takes about a tenth of a second, not on the main thread. */
export async function hashPassword(password: string): Promise<PasswordHash> {
  const salt = random(16);
  const hash = await derive(password, { ...usual, salt, hash: new Uint8Array(32) });
  const { logCost, blockSize, parallelization } = usual;
  const text = `$scrypt$ln=${logCost},r=${blockSize},p=${parallelization}$${base64(salt)}$${base64(hash)}`;
  return { text, ...usual, salt, hash };
}

/** What scrypt makes of a password with a hash's parameters and salt: as many bytes as the hash has. */
export function derive(password: string, by: Omit<PasswordHash, "text">): Promise<Uint8Array> {
  const options = {
    N: 2 ** by.logCost,
    r: by.blockSize,
    p: by.parallelization,
    // What OpenSSL counts is a little more than the table.
    maxmem: 2 * memoryOf(by.logCost, by.blockSize) + 2 ** 20,
  };
  return new Promise((resolve, reject) => {
    scrypt(spelt(password), by.salt, by.hash.length, options, (error, key) => {
      if (error) reject(error);
      else resolve(new Uint8Array(key));
    });
  });
}

/** A password as it is hashed. What looks the same on two keyboards may be other code points (RFC 8265, section 4.2). */
export function spelt(password: string): string {
  return password.normalize("NFC");
}

function memoryOf(logCost: number, blockSize: number): number {
  return 128 * blockSize * 2 ** logCost;
}

function workOf({ logCost, blockSize, parallelization }: PasswordHash): number {
  return 2 ** logCost * blockSize * parallelization;
}

function random(length: number): Uint8Array {
  return new Uint8Array(randomBytes(length));
}

function base64(bytes: Uint8Array): string {
  return bytes.toBase64({ omitPadding: true });
}
