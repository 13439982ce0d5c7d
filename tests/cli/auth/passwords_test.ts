import { assert, assertEquals } from "@std/assert";
import {
  derive,
  hashPassword,
  parsePasswordHash,
  type PasswordHash,
  standInFor,
} from "../../../cli/auth/password_hash.ts";
import { Passwords } from "../../../cli/auth/passwords.ts";

/** A hash that is cheap to check. */
async function cheap(password: string, salt = "AAAAAAAAAAAAAAAAAAAAAA"): Promise<PasswordHash> {
  const written = (hash: string) => parsePasswordHash(`$scrypt$ln=4,r=8,p=1$${salt}$${hash}`) as PasswordHash;
  return written((await derive(password, written("A".repeat(43)))).toBase64({ omitPadding: true }));
}

/** For who has no password. */
const standIn = standInFor([]);

/** Passwords, and with which parameters scrypt was asked for. */
function counted() {
  const asked: Omit<PasswordHash, "text">[] = [];
  const passwords = new Passwords((password, by) => {
    asked.push(by);
    return derive(password, { ...by, logCost: 4 });
  });
  return { passwords, asked };
}

Deno.test("the right password is right, any other is wrong", async () => {
  const passwords = new Passwords();
  const hash = await hashPassword("hunter2");
  assertEquals(await passwords.check("alice", "hunter2", hash), "right");
  assertEquals(await passwords.check("alice", "hunter2", hash), "right");
  assertEquals(await passwords.check("alice", "hunter", hash), "wrong");
  assertEquals(await passwords.check("alice", "", hash), "wrong");
  assertEquals(await passwords.check("bob", "hunter2", await hashPassword("hunter3")), "wrong");
});

Deno.test("for who does not exist the same work is done, each time", async () => {
  const { passwords, asked } = counted();
  for (let i = 0; i < 3; i++) assertEquals(await passwords.check("nobody", "hunter2", standIn), "wrong");
  assertEquals(asked.map(({ logCost, blockSize, parallelization }) => [logCost, blockSize, parallelization]), [
    [15, 8, 1],
    [15, 8, 1],
    [15, 8, 1],
  ]);
});

Deno.test("equal checks at once are one, also for who does not exist", async () => {
  const { passwords, asked } = counted();
  for (const [hash, verdict] of [[await cheap("hunter2"), "right"], [standIn, "wrong"]] as const) {
    asked.length = 0;
    const verdicts = await Promise.all([1, 2, 3].map(() => passwords.check("alice", "hunter2", hash)));
    assertEquals([verdicts, asked.length], [[verdict, verdict, verdict], 1]);
  }
});

Deno.test("who has no password has no right one, whatever scrypt gives", async () => {
  const passwords = new Passwords((_, by) => Promise.resolve(by.hash));
  for (let i = 0; i < 2; i++) assertEquals(await passwords.check("nobody", "hunter2", standIn), "wrong");
});

Deno.test("what was right is remembered, what was wrong is not", async () => {
  const { passwords, asked } = counted();
  const hash = await cheap("hunter2");
  for (let i = 0; i < 100; i++) assertEquals(await passwords.check("alice", "hunter2", hash), "right");
  assertEquals(asked.length, 1);
  for (let i = 0; i < 3; i++) assertEquals(await passwords.check("alice", "hunter3", hash), "wrong");
  assertEquals(asked.length, 4);
  assertEquals(await passwords.check("alice", "hunter2", hash), "right");
  assertEquals(asked.length, 4);
});

Deno.test("what was right is forgotten when the user has another hash, or none", async () => {
  const { passwords, asked } = counted();
  assertEquals(await passwords.check("alice", "hunter2", await cheap("hunter2")), "right");
  assertEquals(await passwords.check("alice", "hunter2", standIn), "wrong");
  assertEquals(await passwords.check("alice", "hunter2", await cheap("hunter3")), "wrong");
  assertEquals(await passwords.check("alice", "hunter2", await cheap("hunter2", "B".repeat(22))), "right");
  assertEquals(asked.length, 4);
});

Deno.test("one user's password opens no other's account", async () => {
  const { passwords, asked } = counted();
  assertEquals(await passwords.check("alice", "hunter2", await cheap("hunter2")), "right");
  assertEquals(await passwords.check("bob", "hunter2", await cheap("hunter3")), "wrong");
  assertEquals(asked.length, 2);
});

Deno.test("the ten thousand users that were asked for last are remembered", async () => {
  const { passwords, asked } = counted();
  const hash = await cheap("hunter2");
  const check = (user: number) => passwords.check(`user ${user}`, "hunter2", hash);
  for (let user = 0; user < 10_000; user++) await check(user);
  await check(0);
  assertEquals(asked.length, 10_000);
  await check(10_000);
  await check(0);
  assertEquals(asked.length, 10_001);
  await check(1);
  assertEquals(asked.length, 10_002);
});

/** Passwords whose checks, all of them right, end when the test says so of the password. */
function held() {
  const started: string[] = [];
  const gates = new Map<string, PromiseWithResolvers<void>>();
  const gate = (password: string) => {
    if (!gates.has(password)) gates.set(password, Promise.withResolvers());
    return gates.get(password)!;
  };
  const passwords = new Passwords(async (password, by) => {
    started.push(password);
    await gate(password).promise;
    return by.hash;
  });
  return { passwords, started, end: (password: string) => gate(password).resolve() };
}

Deno.test("two are checked at once, 64 wait in order, and to the rest the server is busy", async () => {
  const { passwords, started, end } = held();
  const hash = await cheap("hunter2");
  const verdicts = Array.from({ length: 66 }, (_, index) => passwords.check(`user ${index}`, `${index}`, hash));
  assertEquals(await passwords.check("late", "66", hash), "busy");
  assertEquals(await passwords.check("nobody", "67", standIn), "busy");
  assertEquals(started, ["0", "1"]);
  for (const [index, verdict] of verdicts.entries()) {
    end(`${index}`);
    assertEquals(await verdict, "right");
    assert(started.length <= index + 3, `${started.length} were started when ${index + 1} had ended`);
  }
  assertEquals(started, verdicts.map((_, index) => `${index}`));
});

Deno.test("whoever comes when one ends does not push in", async () => {
  const { passwords, started, end } = held();
  const hash = await cheap("hunter2");
  const check = (password: string) => passwords.check(password, password, hash);
  const verdicts = ["a", "b", "c"].map(check);
  end("a");
  // One comes at each step of what happens then.
  const late = Array.from({ length: 20 }, (_, index) => `late ${index}`);
  for (const password of late) {
    verdicts.push(check(password));
    await Promise.resolve();
  }
  assertEquals(await verdicts[0], "right");
  assertEquals(started, ["a", "b", "c"]);
  for (const password of ["b", "c", ...late]) end(password);
  assertEquals(await Promise.all(verdicts), verdicts.map(() => "right"));
  assertEquals(started, ["a", "b", "c", ...late]);
});

Deno.test("one check that fails is none that stays", async () => {
  let failures = 3;
  const passwords = new Passwords((_, by) =>
    failures-- > 0 ? Promise.reject(new Error("no")) : Promise.resolve(by.hash)
  );
  const hash = await cheap("hunter2");
  for (let i = 0; i < 3; i++) assertEquals(await passwords.check("alice", "x", hash).catch(() => "failed"), "failed");
  assertEquals(await passwords.check("alice", "x", hash), "right");
});
