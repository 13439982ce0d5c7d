/**
 * Who is at the other end of a connection, as far as the server must know: its name, what it may do, and how much.
 *
 * @module
 */

import { Permissions } from "./permissions.ts";

/** How much of the server one user may take, over all its connections. `Infinity` where it is not limited. */
export interface AccountLimits {
  /** The most connections at once. */
  readonly connections: number;
  /** The most subscriptions at once. */
  readonly subscriptions: number;
  /** How fast it may publish, in bytes of frames a second. */
  readonly bytesPerSecond: number;
  /** How fast it may publish, in messages a second. */
  readonly messagesPerSecond: number;
  /** The largest message that it may publish, in bytes. */
  readonly maxMessage: number;
}

/** A user. */
export interface Account {
  /** Its name, for the log and for errors. */
  readonly name: string;
  /** What it may do. */
  readonly permissions: Permissions;
  /** How much it may take. */
  readonly limits: AccountLimits;
}

/** The limits of whom nothing limits. */
export const noLimits: AccountLimits = {
  connections: Infinity,
  subscriptions: Infinity,
  bytesPerSecond: Infinity,
  messagesPerSecond: Infinity,
  maxMessage: Infinity,
};

/** Whether two accounts may do the same, and as much. */
export function sameRights(one: Account, other: Account): boolean {
  const [limits, others] = [one.limits, other.limits];
  const same = (Object.keys(limits) as (keyof AccountLimits)[]).every((name) => limits[name] === others[name]);
  return same && one.permissions.equals(other.permissions);
}

/** Everybody, at a server that asks nobody who it is. */
export const everybody: Account = { name: "everybody", permissions: Permissions.all, limits: noLimits };
