/**
 * Who says who somebody is: what a server asks before it lets anybody in.
 *
 * @module
 */

import type { Account, AccountLimits } from "./account.ts";
import { everybody, noLimits } from "./account.ts";
import type { Rejection } from "./connection.ts";

/** What somebody shows of themselves. */
export interface Claim {
  /** The name that is given; empty where none is. */
  readonly user: string;
  /** The password of that user, or a token; empty where neither is given. Never to be logged. */
  readonly secret: string;
  /** The user that the connection has proved to be, by its certificate; `null` where it was not asked. */
  readonly certified: string | null;
  /** Where the connection comes from, without a port. */
  readonly address: string;
}

/** What comes of it: somebody, or why not. */
export type Answer = { readonly account: Account } | { readonly rejected: Rejection };

/** Knows the users of a server. */
export interface Authority {
  /** What one address may take, all its users together. */
  readonly addressLimits: AccountLimits;
  /** Says who somebody is; what takes time, or shall take time, is a promise. */
  authenticate(claim: Claim): Answer | Promise<Answer>;
  /** The account of somebody who is in already, as it is now; `null` where they may not be in any more. */
  again(account: Account): Account | null;
}

/** Of a server that asks nobody. */
export const openToEverybody: Authority = {
  addressLimits: noLimits,
  authenticate: ({ certified }) => ({ account: certified === null ? everybody : { ...everybody, name: certified } }),
  again: (account) => account,
};
