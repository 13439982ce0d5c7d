import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import type { Account } from "../../../core/account.ts";
import type { Answer, Claim } from "../../../core/authority.ts";
import { codeName } from "../../../core/codes.ts";
import type { Platform } from "../../../core/connection.ts";
import { type FailedAttempt, FileAuthority } from "../../../cli/auth/authority.ts";
import type { Accounts } from "../../../cli/auth/accounts.ts";
import { parseAuthFile } from "../../../cli/auth/file.ts";
import { derive, parsePasswordHash, type PasswordHash } from "../../../cli/auth/password_hash.ts";
import { tokenHash } from "../../../cli/auth/tokens.ts";
import { World } from "../../core/world.ts";

/** The users of a text. */
function accountsOf(text: string): Accounts {
  const file = parseAuthFile(text, "auth.toml");
  if ("faults" in file) throw new Error(file.faults.join("\n"));
  return file.accounts;
}

/** A password's hash that is cheap to check. */
async function cheap(password: string, salt = "A"): Promise<string> {
  const written = (hash: string) => `$scrypt$ln=4,r=8,p=1$${salt.repeat(21)}A$${hash}`;
  const by = parsePasswordHash(written("A".repeat(43))) as PasswordHash;
  return written((await derive(password, by)).toBase64({ omitPadding: true }));
}

const hash = await cheap("hunter2");
const users = `
[users.alice]
password = "${hash}"
tokens = ["${tokenHash("token of alice")}", "${tokenHash("another of alice")}"]
publish = ["a"]
[users.bob]
tokens = ["${tokenHash("token of bob")}"]
[users.sensor]
`;

/** A clock on which every wait is over as soon as it is asked for: it says how long that would have been. */
class Clock {
  #now = 0;

  now(): number {
    return this.#now;
  }

  after(delay: number, callback: () => void): () => void {
    this.pass(delay);
    queueMicrotask(callback);
    return () => {};
  }

  pass(milliseconds: number): void {
    this.#now += milliseconds;
  }
}

/** An authority, and what it told the operator. */
function known<C extends Pick<Platform, "now" | "after">>(clock: C, text = users) {
  const failed: FailedAttempt[] = [];
  const authority = new FileAuthority(accountsOf(text), clock, (attempt) => failed.push(attempt));
  const ask = async (claim: Partial<Claim>): Promise<Answer> =>
    await authority.authenticate({ user: "", secret: "", certified: null, address: "192.0.2.1", ...claim });
  /** What comes of a claim: a name, or a reason; and the milliseconds that it took. */
  const outcome = async (claim: Partial<Claim>): Promise<[told: string, milliseconds: number]> => {
    const begun = clock.now();
    const told = toldOf(await ask(claim));
    return [told, clock.now() - begun];
  };
  /** Who is let in by a claim. */
  const admitted = async (claim: Partial<Claim>): Promise<Account> => {
    const answer = await ask(claim);
    if ("rejected" in answer) throw new Error(answer.rejected.why);
    return answer.account;
  };
  return { clock, failed, authority, ask, outcome, admitted };
}

function toldOf(answer: Answer): string {
  return "account" in answer ? answer.account.name : codeName(answer.rejected.code);
}

const claims: [name: string, claim: Partial<Claim>, told: string][] = [
  ["a token", { secret: "token of alice" }, "alice"],
  ["a second token", { secret: "another of alice" }, "alice"],
  ["a token with its user", { user: "alice", secret: "token of alice" }, "alice"],
  ["a token of somebody else", { user: "bob", secret: "token of alice" }, "authentication"],
  ["a token that nobody has", { secret: "token of mallory" }, "authentication"],
  ["the hash of a token", { secret: tokenHash("token of alice") }, "authentication"],
  ["a password", { user: "alice", secret: "hunter2" }, "alice"],
  ["a wrong password", { user: "alice", secret: "hunter3" }, "authentication"],
  ["a password without its user", { secret: "hunter2" }, "authentication"],
  ["a password of somebody else", { user: "bob", secret: "hunter2" }, "authentication"],
  ["the hash of a password", { user: "alice", secret: hash }, "authentication"],
  ["a user without a secret", { user: "alice" }, "authentication"],
  ["a user that has neither password nor token", { user: "sensor" }, "authentication"],
  ["a user that nobody knows", { user: "mallory", secret: "hunter2" }, "authentication"],
  ["a name that is a property of objects", { user: "__proto__", secret: "hunter2" }, "authentication"],
  ["a certificate", { certified: "sensor" }, "sensor"],
  ["a certificate of a user with a password", { certified: "alice" }, "alice"],
  ["a certificate of nobody", { certified: "mallory" }, "authentication"],
  ["a certificate of nobody with a right token", { certified: "mallory", secret: "token of alice" }, "authentication"],
  ["nothing", {}, "authentication"],
];

for (const [name, claim, told] of claims) {
  Deno.test(`${name}: ${told}`, async () => {
    const { outcome, failed } = known(new Clock());
    const [was, milliseconds] = await outcome(claim);
    assertEquals(was, told);
    // Who shows nothing guesses nothing.
    const guessed = told === "authentication" && name !== "nothing";
    assertEquals([milliseconds, failed.length], guessed ? [100, 1] : [0, 0]);
  });
}

Deno.test("who shows nothing is let in where the file says so, as nobody in particular", async () => {
  const { outcome, failed } = known(new Clock(), `[anonymous]\nsubscribe = ["public/#"]\n${users}`);
  assertEquals(await outcome({}), ["anonymous", 0]);
  assertEquals(await outcome({ secret: "wrong" }), ["authentication", 100]);
  assertEquals(failed.length, 1);
});

Deno.test("what is wrong is told the later the more was wrong before, of an address; and is counted", async () => {
  const { outcome, failed, clock } = known(new Clock());
  const delays = [];
  for (let i = 0; i < 8; i++) delays.push((await outcome({ user: i % 2 ? "" : "alice", secret: `guess ${i}` }))[1]);
  assertEquals(delays, [100, 200, 400, 800, 1_600, 3_200, 3_200, 3_200]);
  assertEquals(await outcome({ secret: "guess", address: "192.0.2.2" }), ["authentication", 100]);
  assertEquals(failed.map(({ attempts }) => attempts), [1, 2, 3, 4, 5, 6, 7, 8, 1]);
  assertEquals(failed[0], { address: "192.0.2.1", user: "alice", attempts: 1 });
  assertEquals(failed[1], { address: "192.0.2.1", user: "", attempts: 2 });
  clock.pass(60_000);
  assertEquals(await outcome({ secret: "guess" }), ["authentication", 100]);
});

Deno.test("what the operator is told has no secret in it", async () => {
  const { outcome, failed } = known(new Clock());
  await outcome({ user: "alice", secret: "a very secret guess" });
  await outcome({ secret: "a very secret guess" });
  assertEquals(JSON.stringify(failed).includes("guess"), false);
});

Deno.test("of one address, eight wait for their answer; the ninth is told so at once, but for a right token", async () => {
  for (const [address, other] of [["192.0.2.1", "192.0.2.2"], ["2001:db8::1", "2001:db8:0:1::1"]] as const) {
    const { ask, outcome, failed, clock } = known(new World());
    const waiting = Array.from({ length: 8 }, (_, i) => ask({ secret: `guess ${i}`, address }));
    // An IPv6 network is one address, since who has one has all of it.
    const neighbour = address.replace("::1", "::ffff");
    assertEquals(await outcome({ secret: "guess", address: neighbour }), ["attempts", 0]);
    assertEquals(await outcome({ user: "alice", secret: "hunter2", address }), ["attempts", 0]);
    assertEquals(await outcome({ secret: "token of alice", address }), ["alice", 0]);
    assertEquals(await outcome({ certified: "sensor", address }), ["sensor", 0]);
    assertEquals(await outcome({ secret: "token of alice", address: other }), ["alice", 0]);
    assertEquals(failed.length, 8, "who is not looked at is not counted");
    await clock.run(3_200);
    assertEquals((await Promise.all(waiting)).map(toldOf), Array(8).fill("authentication"));
    assertEquals((await outcome({ user: "alice", secret: "hunter2", address }))[0], "alice");
  }
});

Deno.test("right passwords of one address get in however many there are at once, of one user and of many", async () => {
  const many = Array.from({ length: 20 }, (_, index) => `[users.u${index}]\npassword = "${hash}"`).join("\n");
  for (const user of [() => "u0", (index: number) => `u${index}`]) {
    const { ask, failed } = known(new World(), many);
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => ask({ user: user(index), secret: "hunter2" })),
    );
    assertEquals(answers.map(toldOf), answers.map((_, index) => user(index)));
    assertEquals(failed, []);
  }
});

Deno.test("of twenty wrong passwords at once eight are looked at; one that was right before gets in meanwhile", async () => {
  const { ask, outcome, failed, clock } = known(new World());
  assertEquals(await outcome({ user: "alice", secret: "hunter2" }), ["alice", 0]);
  const guesses = Array.from({ length: 20 }, (_, index) => ask({ user: "alice", secret: `guess ${index}` }));
  const late = await Promise.all(guesses.slice(8));
  assertEquals(late.map(toldOf), Array(12).fill("attempts"));
  assertEquals(failed.length, 8);
  assertEquals(await outcome({ user: "alice", secret: "hunter2" }), ["alice", 0]);
  await clock.run(3_200);
  assertEquals((await Promise.all(guesses.slice(0, 8))).map(toldOf), Array(8).fill("authentication"));
});

Deno.test("an account is the same one as long as the file is", async () => {
  const { authority, admitted } = known(new Clock());
  const account = await admitted({ secret: "token of alice" });
  assertStrictEquals(authority.again(account), account);
});

/** What each kind of proof is worth when the file has changed. */
const changes: [name: string, claim: Partial<Claim>, text: string, stays: boolean][] = [
  ["a token that is there still", { secret: "token of bob" }, users, true],
  ["a token that is not", { secret: "token of bob" }, users.replace(tokenHash("token of bob"), tokenHash("x")), false],
  [
    "one token of two",
    { secret: "token of alice" },
    users.replace(tokenHash("another of alice"), tokenHash("x")),
    true,
  ],
  ["a token that somebody else has now", { secret: "token of bob" }, users.replace("users.bob", "users.eve"), false],
  ["a password that is the same", { user: "alice", secret: "hunter2" }, users, true],
  ["another password", { user: "alice", secret: "hunter2" }, users.replace(hash, await cheap("hunter3")), false],
  [
    "the same password, salted anew",
    { user: "alice", secret: "hunter2" },
    users.replace(hash, await cheap("hunter2", "B")),
    false,
  ],
  ["a password that is gone", { user: "alice", secret: "hunter2" }, users.replace(/^password.*$/m, ""), false],
  ["a token, where the password changes", { secret: "token of alice" }, users.replace(/^password.*$/m, ""), true],
  ["a certificate whose user is there", { certified: "sensor" }, users, true],
  ["a certificate whose user is gone", { certified: "sensor" }, users.replace("[users.sensor]", ""), false],
  ["a user that is gone", { secret: "token of alice" }, "[users.bob]", false],
  ["nothing, where that is enough still", {}, "[anonymous]", true],
  ["nothing, where that is not enough any more", {}, "[users.bob]", false],
];

for (const [name, claim, text, stays] of changes) {
  Deno.test(`the file has changed: ${name} ${stays ? "stays" : "is thrown out"}`, async () => {
    const { authority, admitted } = known(new Clock(), Object.keys(claim).length > 0 ? users : "[anonymous]");
    const account = await admitted(claim);
    authority.replace(accountsOf(text));
    const again = authority.again(account);
    assertEquals(again?.name, stays ? account.name : undefined);
    if (again === null) return;
    assertStrictEquals(again, account, "who may do the same as before need not be looked at again");
    authority.replace(accountsOf("[users.nobody]"));
    assertEquals(authority.again(again), null, "what it has proved is remembered");
  });
}

Deno.test("the file has changed: permissions and limits are the new ones, of users and of addresses", async () => {
  const { authority, admitted } = known(new Clock());
  const account = await admitted({ user: "alice", secret: "hunter2" });
  assertEquals([account.permissions.mayPublish("a"), account.permissions.mayPublish("b")], [true, false]);
  const limited = 'publish = ["b"]\nlimits = { connections = 3 }';
  authority.replace(
    accountsOf(`${users.replace('publish = ["a"]', limited)}\n[limits]\naddress = { connections = 5 }`),
  );
  const again = authority.again(account)!;
  assertEquals([again.permissions.mayPublish("a"), again.permissions.mayPublish("b")], [false, true]);
  assertEquals([again.limits.connections, authority.addressLimits.connections], [3, 5]);
});

Deno.test("a password that changes while it is checked does not let anybody in", async () => {
  const { authority, ask } = known(new Clock());
  const answer = ask({ user: "alice", secret: "hunter2" });
  authority.replace(accountsOf("[users.bob]"));
  const told = await answer;
  assert("account" in told);
  assertEquals(authority.again(told.account), null);
});
