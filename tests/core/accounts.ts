/** A server that asks who somebody is, and an authority whose users and answers are the test's. */

import type { Account, AccountLimits } from "../../core/account.ts";
import { noLimits } from "../../core/account.ts";
import type { Answer, Authority, Claim } from "../../core/authority.ts";
import { Code } from "../../core/codes.ts";
import type { Connection } from "../../core/connection.ts";
import { hello, preamble } from "../../core/control.ts";
import { Pattern } from "../../core/pattern.ts";
import { Permissions } from "../../core/permissions.ts";
import type { ServerOptions } from "../../core/server.ts";
import { addressOf, controlFrame, idOf, Peer, TestServer, type World } from "./world.ts";

/** What a user may do, as texts; a `!` before a pattern denies it. */
export interface Grants {
  readonly publish?: readonly string[];
  readonly subscribe?: readonly string[];
  readonly limits?: Partial<AccountLimits>;
}

/** A user; who is granted nothing in particular may publish and read everything. */
export function accountOf(name: string, { publish = ["#"], subscribe = ["#"], limits = {} }: Grants = {}): Account {
  return { name, permissions: new Permissions(rules(publish), rules(subscribe)), limits: { ...noLimits, ...limits } };
}

function rules(texts: readonly string[]) {
  const patterns = (denied: boolean) =>
    texts.filter((text) => text.startsWith("!") === denied).map((text) => new Pattern(text.replace("!", "")));
  return { allow: patterns(false), deny: patterns(true) };
}

/** Knows users by their names. It can be made to take its time. */
export class TestAuthority implements Authority {
  addressLimits: AccountLimits = noLimits;
  readonly accounts = new Map<string, Account>();
  /** What was claimed, in order. */
  readonly claims: Claim[] = [];
  /** Comes before each answer; `null` where answers come at once. */
  gate: Promise<void> | null = null;

  authenticate(claim: Claim): Answer | Promise<Answer> {
    this.claims.push(claim);
    return this.gate === null ? this.#answer(claim) : this.gate.then(() => this.#answer(claim));
  }

  again({ name }: Account): Account | null {
    return this.accounts.get(name) ?? null;
  }

  #answer({ user, certified }: Claim): Answer {
    const account = this.accounts.get(certified ?? user);
    return account ? { account } : { rejected: { code: Code.authentication, why: `${user} is not known here` } };
  }
}

/** A server with such an authority. */
export class AuthorityServer extends TestServer {
  readonly authority: TestAuthority;

  constructor(
    users: Readonly<Record<string, Grants>> = {},
    options: Omit<Partial<ServerOptions>, "platform" | "authority"> = {},
    world?: World,
    authority: TestAuthority = new TestAuthority(),
  ) {
    super({ ...options, authority }, world);
    this.authority = authority;
    for (const [name, grants] of Object.entries(users)) this.grant(name, grants);
  }

  /** From now on a user may do this, and only this; {@linkcode Server.revise} is the test's to call. */
  grant(name: string, grants: Grants): void {
    this.authority.accounts.set(name, accountOf(name, grants));
  }

  /** Grants, and has the server look again at everybody. */
  regrant(name: string, grants: Grants): void {
    this.grant(name, grants);
    this.server.revise();
  }

  /** A peer that has said who it is, with what more it sends at once. */
  async claims(user: string, { id = nextId++, secret = "", from = home } = {}, ...more: Uint8Array[]): Promise<Peer> {
    const peer = this.connectFrom(from);
    await peer.send(preamble, helloFrame(user, id, secret), ...more);
    return peer;
  }

  /** A peer from an address that has not said anything. */
  connectFrom(host: string = home, shown: Pick<Connection, "user" | "rejected"> = {}): Peer {
    const peer = new Peer(`${host}:50000`);
    this.server.accept({ ...peer.connection, ...shown, remote: addressOf(host, 50_000) });
    return peer;
  }

  /** A user that was let in, past its WELCOME. */
  async user(user: string, how: { readonly id?: number; readonly from?: string } = {}): Promise<Peer> {
    const peer = await this.claims(user, how);
    const names = peer.names();
    if (names.join() !== "WELCOME") throw new Error(`${user} was not let in: ${names}`);
    return peer;
  }
}

let nextId = 1;
/** Where everybody comes from unless a test says otherwise. */
const home = "192.0.2.9";

/** What says who somebody is. */
export function helloFrame(user: string, id: number, secret = ""): Uint8Array {
  return controlFrame(hello, { features: 0, session: idOf(id), agent: "test", user, secret });
}
