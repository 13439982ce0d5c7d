/**
 * The file of users (`--auth`), in TOML: who may come in, what each may do, and how much.
 *
 * ```toml
 * [users.alice]
 * password = "$scrypt$ln=15,r=8,p=1$..."   # stream passwd
 * tokens = ["sha256:..."]                  # stream passwd --token
 * publish = ["ticks/#"]                    # patterns; what is not allowed is denied
 * subscribe = { allow = ["ticks/#"], deny = ["ticks/secret"] }
 * limits = { connections = 10, subscriptions = 100, bytes = "10MB/s", messages = "1000/s", message = "64KiB" }
 *
 * [users."sensor 1"]                       # neither password nor token: known by its certificate
 * publish = ["sensors/1/#"]
 *
 * [anonymous]                              # who shows nothing, all of them together; without it they do not get in
 * subscribe = ["public/#"]
 *
 * [limits]
 * user = { connections = 100 }             # of each user, where its own limits say nothing else
 * address = { connections = 50, messages = "10000/s" }
 * ```
 *
 * @module
 */

import { type Account, type AccountLimits, noLimits } from "../../core/account.ts";
import { UsageError } from "../../core/errors.ts";
import { Pattern } from "../../core/pattern.ts";
import { Permissions, type Rules } from "../../core/permissions.ts";
import { readBytes } from "../stdio.ts";
import { parseCount, parseRate, parseSize } from "../units.ts";
import { Accounts, anonymousName, type User, userNameFault } from "./accounts.ts";
import { Entry, type Fault, pathText } from "./entry.ts";
import { parsePasswordHash, type PasswordHash } from "./password_hash.ts";
import { linesOf, parseToml } from "./toml.ts";
import { parseTokenHash } from "./tokens.ts";

/** The users of a file, or all that is wrong with it: `auth.toml:12: users.alice.publish[1]: ...`. Never both. */
export type AuthFile = { readonly accounts: Accounts } | { readonly faults: readonly [string, ...string[]] };

/**
 * Reads the file of users.
 *
 * @throws {Failure} when it cannot be read at all
 */
export async function readAuthFile(path: string): Promise<AuthFile> {
  const bytes = await readBytes(path, "the users");
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return { faults: [`${path}: it is not UTF-8`] };
  }
  return parseAuthFile(text, path);
}

/**
 * Reads the text of a file of users. What is wrong is told without the passwords and tokens in it.
 *
 * @param name of the file, for the faults
 *
 * @example
 * ```ts
 * import { parseAuthFile } from "./file.ts";
 * import { assert, assertEquals } from "@std/assert";
 *
 * const file = parseAuthFile('[users.alice]\nsubscribe = ["ticks/#"]', "auth.toml");
 * assert("accounts" in file && file.accounts.user("alice")?.permissions.mayRead("ticks/ALON"));
 * assertEquals(parseAuthFile('[users.alice]\nsubscribe = ["a/#/b"]', "auth.toml"), {
 *   faults: ['auth.toml:2: users.alice.subscribe[0]: the pattern "a/#/b" is not valid: # stands alone, as the last level'],
 * });
 * ```
 */
export function parseAuthFile(text: string, name: string): AuthFile {
  const toml = parseToml(text);
  if ("fault" in toml) return { faults: [`${name}:${toml.line}: ${toml.fault}`] };
  const faults: Fault[] = [];
  const accounts = readAccounts(new Entry(toml.table, faults));
  if (faults.length === 0) return { accounts };
  const lineOf = linesOf(text);
  const told = faults
    .map((fault) => ({ ...fault, line: lineOf(fault.path) }))
    .sort((one, other) => one.line - other.line)
    .map(({ line, path, text }) => [`${name}:${line}`, ...(path.length > 0 ? [pathText(path)] : []), text].join(": "));
  return { faults: told as [string, ...string[]] };
}

/** What is to be said where others than the owner may read a file with secrets, or `undefined`. POSIX alone tells. */
export async function exposure(path: string): Promise<string | undefined> {
  const { mode } = await Deno.stat(path);
  if (Deno.build.os === "windows" || mode === null || (mode & 0o077) === 0) return undefined;
  return `${path} has hashes of secrets in it and others may read it (mode ${
    (mode & 0o777).toString(8)
  }): chmod 600 it`;
}

function readAccounts(root: Entry): Accounts {
  const { users, anonymous, limits } = root.table(["users", "anonymous", "limits"]);
  const { user: userLimits, address } = limits?.table(["user", "address"]) ?? {};
  const every = { ...noLimits, ...readLimits(userLimits) };
  const known = (users?.entries() ?? []).map(([name, entry]) => readUser(name, entry, every));
  // An editor that empties a file before it writes it must not throw everybody out in between.
  if (anonymous === undefined && known.length === 0) {
    root.fault("nobody gets in: it has no [users.NAME] and no [anonymous]");
  }
  return new Accounts(
    withoutTwins(known),
    anonymous && readAccount(anonymousName, anonymous.table(["publish", "subscribe", "limits"]), every),
    { ...noLimits, ...readLimits(address) },
  );
}

/** A user, and where its tokens stand. */
interface ReadUser {
  readonly user: User;
  readonly tokens: readonly { readonly hash: string; readonly entry: Entry }[];
}

function readUser(name: string, entry: Entry, every: AccountLimits): ReadUser {
  const fault = userNameFault(name);
  if (fault !== undefined) entry.fault(fault);
  const table = entry.table(["password", "tokens", "publish", "subscribe", "limits"]);
  const tokens = (table.tokens?.elements() ?? []).flatMap((entry) => {
    const text = entry.text();
    if (text === undefined) return [];
    const hash = parseTokenHash(text);
    if (hash !== undefined) return [{ hash, entry }];
    entry.fault("it is not the hash of a token: give sha256: and what this prints: printf %s TOKEN | sha256sum");
    return [];
  });
  const user = {
    ...readAccount(name, table, every),
    password: table.password && readPassword(table.password),
    tokens: tokens.map(({ hash }) => hash),
  };
  return { user, tokens };
}

/** What a user and whoever has no name have in common. */
function readAccount(
  name: string,
  table: { readonly publish?: Entry; readonly subscribe?: Entry; readonly limits?: Entry },
  every: AccountLimits,
): Account {
  return {
    name,
    permissions: new Permissions(readRules(table.publish), readRules(table.subscribe)),
    limits: { ...every, ...readLimits(table.limits) },
  };
}

/** The users, once it is sure that each token is one user's. */
function withoutTwins(users: readonly ReadUser[]): User[] {
  const first = new Map<string, Entry>();
  for (const { hash, entry } of users.flatMap(({ tokens }) => tokens)) {
    const twin = first.get(hash);
    if (twin === undefined) first.set(hash, entry);
    else entry.fault(`the same token is ${pathText(twin.path)}`);
  }
  return users.map(({ user }) => user);
}

function readPassword(entry: Entry): PasswordHash | undefined {
  const text = entry.text();
  if (text === undefined) return undefined;
  const hash = parsePasswordHash(text);
  return typeof hash === "string" ? entry.fault(hash) : hash;
}

const nothing: Rules = { allow: [], deny: [] };

/** Patterns in an array are those that are allowed. */
function readRules(entry: Entry | undefined): Rules {
  if (entry === undefined) return nothing;
  if (entry.isArray) return { allow: readPatterns(entry), deny: [] };
  if (!entry.isTable) {
    entry.fault("it has to be an array of patterns, or { allow = [...], deny = [...] }");
    return nothing;
  }
  const { allow, deny } = entry.table(["allow", "deny"]);
  return { allow: readPatterns(allow), deny: readPatterns(deny) };
}

function readPatterns(entry: Entry | undefined): Pattern[] {
  return (entry?.elements() ?? []).flatMap((element) => {
    const text = element.text();
    try {
      return text === undefined ? [] : [new Pattern(text)];
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      element.fault(error.message);
      return [];
    }
  });
}

/** The limits that are given. */
function readLimits(entry: Entry | undefined): Partial<AccountLimits> {
  const table = entry?.table(["connections", "subscriptions", "bytes", "messages", "message"]) ?? {};
  const limits = {
    connections: table.connections?.parse(parseCount),
    subscriptions: table.subscriptions?.parse(parseCount),
    bytesPerSecond: table.bytes?.parse(parseBytesPerSecond),
    messagesPerSecond: table.messages?.parse(parseMessagesPerSecond),
    maxMessage: table.message?.parse(parseMaxMessage),
  };
  return Object.fromEntries(Object.entries(limits).filter(([, limit]) => limit !== undefined));
}

function parseBytesPerSecond(text: string): number {
  const rate = parseRate(text);
  if ("bytes" in rate) return rate.bytes;
  throw new UsageError(`"${text}" is a rate of messages`, "give bytes over time, such as 10MB/s");
}

function parseMessagesPerSecond(text: string): number {
  const rate = parseRate(text);
  if ("messages" in rate) return rate.messages;
  throw new UsageError(`"${text}" is a rate of bytes`, "give messages over time, such as 1000/s");
}

function parseMaxMessage(text: string): number {
  const size = parseSize(text);
  if (size > 0) return size;
  throw new UsageError("0 bytes leave no message", "for example: 64KiB");
}
