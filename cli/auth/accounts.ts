/**
 * The users of a server, as the file has them. Nothing in it changes: a file that is read again makes new ones.
 *
 * @module
 */

import type { Account, AccountLimits } from "../../core/account.ts";
import { type PasswordHash, standInFor } from "./password_hash.ts";
import { tokenHash } from "./tokens.ts";

/** What who shows nothing is called. */
export const anonymousName = "anonymous";

/** What is wrong with the name of a user, as a clause, or `undefined` if nothing is. */
export function userNameFault(name: string): string | undefined {
  const length = new TextEncoder().encode(name).length;
  if (length < 1 || length > 255) return `a name has 1 to 255 bytes, not ${length}`;
  // deno-lint-ignore no-control-regex
  if (/[\u0000-\u001f\u007f-\u009f]/.test(name)) return "a name has no control character in it";
  if (!name.isWellFormed()) return "a name is well-formed Unicode";
  // They would share their limits and what they publish with.
  return name === anonymousName ? `that is what who shows nothing is called: see [${anonymousName}]` : undefined;
}

/** A user with what it is known by. */
export interface User extends Account {
  /** What its password is checked against; without one nobody gets in by a password. */
  readonly password: PasswordHash | undefined;
  /** The hashes of its tokens, as `tokenHash` spells them. */
  readonly tokens: readonly string[];
}

/** Who may come in. */
export class Accounts {
  /** Who shows neither a password nor a token nor a certificate; `undefined` where nobody gets in like that. */
  readonly anonymous: Account | undefined;
  /** What one address may take, all its users together. */
  readonly addressLimits: AccountLimits;
  readonly #users: ReadonlyMap<string, User>;
  readonly #byToken: ReadonlyMap<string, User>;
  readonly #noPassword: PasswordHash;

  /** @param users no two of one name or with one token */
  constructor(users: readonly User[], anonymous: Account | undefined, addressLimits: AccountLimits) {
    this.anonymous = anonymous;
    this.addressLimits = addressLimits;
    this.#users = new Map(users.map((user) => [user.name, user]));
    this.#byToken = new Map(users.flatMap((user) => user.tokens.map((hash) => [hash, user])));
    this.#noPassword = standInFor(users.flatMap(({ password }) => password ?? []));
  }

  /** How many users there are, without the anonymous one. */
  get size(): number {
    return this.#users.size;
  }

  /** The user of that name. */
  user(name: string): User | undefined {
    return this.#users.get(name);
  }

  /** What the password of that user is checked against; what stands for it where there is no such user, or no password. */
  passwordOf(name: string): PasswordHash {
    return this.user(name)?.password ?? this.#noPassword;
  }

  /** The user that has that token. How long it takes tells only of the token's hash, from which nobody gets nearer to one. */
  withToken(token: string): User | undefined {
    return this.#byToken.get(tokenHash(token));
  }
}
