/**
 * Lets those in whom the file of users knows.
 *
 * @module
 */

import { type Account, sameRights } from "../../core/account.ts";
import { Attempts, networkOf } from "../../core/attempts.ts";
import type { Answer, Authority, Claim } from "../../core/authority.ts";
import { Code } from "../../core/codes.ts";
import type { Platform } from "../../core/connection.ts";
import type { Accounts } from "./accounts.ts";
import { Passwords } from "./passwords.ts";
import { ClaimPlaces } from "./places.ts";
import { tokenHash } from "./tokens.ts";

/** By what somebody got in: what they must still have when the file has changed. */
type Proof = { readonly kind: "anonymous" | "certificate" } | {
  readonly kind: "token" | "password";
  readonly hash: string;
};

/** An account with that. */
interface Admitted extends Account {
  readonly proof: Proof;
}

/** What an authority tells the operator. */
export interface FailedAttempt {
  readonly address: string;
  /** The name that was given, or that of the certificate; empty where there was none. */
  readonly user: string;
  /** How many failed from that address lately, this one included. */
  readonly attempts: number;
}

/** Knows the users of a file. */
export class FileAuthority implements Authority {
  #accounts: Accounts;
  readonly #platform: Pick<Platform, "now" | "after">;
  readonly #onFailed: (attempt: FailedAttempt) => void;
  readonly #passwords = new Passwords();
  readonly #attempts = new Attempts();
  readonly #places = new ClaimPlaces();

  /** @param onFailed told of each attempt that failed */
  constructor(
    accounts: Accounts,
    platform: Pick<Platform, "now" | "after">,
    onFailed: (attempt: FailedAttempt) => void,
  ) {
    this.#accounts = accounts;
    this.#platform = platform;
    this.#onFailed = onFailed;
  }

  get addressLimits(): Accounts["addressLimits"] {
    return this.#accounts.addressLimits;
  }

  /** The file has changed. Whoever is in is to be looked at {@linkcode again}. */
  replace(accounts: Accounts): void {
    this.#accounts = accounts;
  }

  authenticate(claim: Claim): Answer | Promise<Answer> {
    const { user, secret, certified } = claim;
    if (certified !== null) return this.#certified(claim, certified);
    if (user === "" && secret === "") return this.#anonymous();
    const owner = this.#accounts.withToken(secret);
    // The right token gets in whatever others at its address try: nobody guesses one.
    if (owner !== undefined && (user === "" || user === owner.name)) {
      return admit(owner, { kind: "token", hash: tokenHash(secret) });
    }
    const hash = this.#accounts.passwordOf(user);
    const known = this.#accounts.user(user);
    if (known !== undefined && this.#passwords.remembers(user, secret, hash)) {
      return admit(known, { kind: "password", hash: hash.text });
    }
    return this.#guess(claim);
  }

  again(account: Account): Account | null {
    const { proof } = account as Admitted;
    const found = this.#found(account.name, proof);
    if (found === undefined) return null;
    // Who may do the same as before need not be looked at again.
    return sameRights(found, account) ? account : withProof(found, proof);
  }

  #found(name: string, proof: Proof): Account | undefined {
    if (proof.kind === "anonymous") return this.#accounts.anonymous;
    const user = this.#accounts.user(name);
    if (proof.kind === "token") return user?.tokens.includes(proof.hash) ? user : undefined;
    if (proof.kind === "password") return user?.password?.text === proof.hash ? user : undefined;
    return user;
  }

  #certified(claim: Claim, name: string): Answer | Promise<Answer> {
    const user = this.#accounts.user(name);
    if (user !== undefined) return admit(user, { kind: "certificate" });
    // Nobody guesses a certificate: it takes no place.
    return this.#refuse({ ...claim, user: name }, `${name}, as the certificate says, is not known here`);
  }

  #anonymous(): Answer {
    const { anonymous } = this.#accounts;
    if (anonymous !== undefined) return admit(anonymous, { kind: "anonymous" });
    // A program that has no secret guesses none: it is told at once.
    return rejected(
      Code.authentication,
      "this server wants to know who you are: give --token-file FILE, STREAM_TOKEN, or tls://USER:PASSWORD@HOST",
    );
  }

  /** Looks at what may be a guess, once there is a place for it. */
  async #guess(claim: Claim): Promise<Answer> {
    const taken = this.#places.take(networkOf(claim.address));
    using place = taken instanceof Promise ? await taken : taken;
    if (place === null) {
      return rejected(Code.attempts, "too many failed attempts from this address: try again in a while");
    }
    const { user: name, secret } = claim;
    if (name === "") {
      place.refuse();
      return await this.#refuse(claim, "the token is not known here");
    }
    const user = this.#accounts.user(name);
    const hash = this.#accounts.passwordOf(name);
    const verdict = await this.#passwords.check(name, secret, hash);
    if (verdict === "busy") {
      return rejected(Code.attempts, "too many passwords are being checked: try again in a while");
    }
    if (verdict === "wrong" || user === undefined) {
      place.refuse();
      return await this.#refuse(claim, "the user is not known here, or the password is wrong");
    }
    return admit(user, { kind: "password", hash: hash.text });
  }

  /** Refuses, the later the more was refused before. */
  async #refuse({ address, user }: Claim, why: string): Promise<Answer> {
    const now = this.#platform.now();
    const delay = this.#attempts.failed(address, now);
    this.#onFailed({ address, user, attempts: this.#attempts.countOf(address, now) });
    await new Promise<void>((resolve) => this.#platform.after(delay, resolve));
    return rejected(Code.authentication, why);
  }
}

function admit(account: Account, proof: Proof): Answer {
  return { account: withProof(account, proof) };
}

function withProof({ name, permissions, limits }: Account, proof: Proof): Admitted {
  return { name, permissions, limits, proof };
}

function rejected(code: Code, why: string): Answer {
  return { rejected: { code, why } };
}
