import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { noLimits } from "../../../core/account.ts";
import { Pattern } from "../../../core/pattern.ts";
import type { Accounts } from "../../../cli/auth/accounts.ts";
import { exposure, parseAuthFile, readAuthFile } from "../../../cli/auth/file.ts";
import { tokenHash } from "../../../cli/auth/tokens.ts";
import { Failure } from "../../../cli/exit.ts";

const passwordHash = `$scrypt$ln=15,r=8,p=1$${"A".repeat(22)}$${"B".repeat(43)}`;

function accounts(text: string): Accounts {
  const file = parseAuthFile(text, "auth.toml");
  assert("accounts" in file, "faults" in file ? file.faults.join("\n") : "");
  return file.accounts;
}

function faults(text: string): readonly string[] {
  const file = parseAuthFile(text, "auth.toml");
  assert("faults" in file);
  return file.faults;
}

const example = `
[users.alice]
password = "${passwordHash}"
tokens = ["${tokenHash("one")}", "${tokenHash("two").toUpperCase().replace("SHA", "sha")}"]
publish = ["ticks/#"]
subscribe = { allow = ["ticks/#", "news"], deny = ["ticks/secret"] }
limits = { connections = 10, subscriptions = "2k", bytes = "8Mbit/s", messages = "1000/s", message = "64KiB" }

[users."sensor 1"]
publish = ["sensors/1/#"]
limits = { message = 512 }

[anonymous]
subscribe = ["public/#"]

[limits]
user = { connections = 100, messages = "60/m" }
address = { connections = 50 }
`;

Deno.test("a file of users says who may come in, and what each may do", () => {
  const read = accounts(example);
  assertEquals(read.size, 2);

  const alice = read.user("alice")!;
  assertEquals(alice.name, "alice");
  assertEquals(alice.password?.text, passwordHash);
  assert(alice.permissions.mayPublish("ticks/a") && !alice.permissions.mayPublish("news"));
  assert(alice.permissions.mayRead("ticks/a") && alice.permissions.mayRead("news"));
  assert(!alice.permissions.mayRead("ticks/secret"));

  const sensor = read.user("sensor 1")!;
  assertEquals([sensor.password, sensor.tokens], [undefined, []]);
  assert(sensor.permissions.mayPublish("sensors/1/a"));
  assert(!sensor.permissions.mayReadSome(new Pattern("#")));

  assertEquals(read.anonymous?.name, "anonymous");
  assert(read.anonymous?.permissions.mayRead("public") && !read.anonymous.permissions.mayPublish("public"));
  assertEquals(read.user("anonymous"), undefined);
  assertEquals(read.user("constructor"), undefined);
});

Deno.test("users are found by their tokens, as they are and not by what is in the file", () => {
  const read = accounts(example);
  assertEquals(read.withToken("one")?.name, "alice");
  assertEquals(read.withToken("two")?.name, "alice");
  for (const token of ["", "three", tokenHash("one")]) assertEquals(read.withToken(token), undefined);
});

Deno.test("limits are a user's own, or else those of each user, or else none", () => {
  const read = accounts(example);
  assertEquals(read.user("alice")!.limits, {
    connections: 10,
    subscriptions: 2000,
    bytesPerSecond: 1e6,
    messagesPerSecond: 1000,
    maxMessage: 65_536,
  });
  const every = { ...noLimits, connections: 100, messagesPerSecond: 1 };
  assertEquals(read.user("sensor 1")!.limits, { ...every, maxMessage: 512 });
  assertEquals(read.anonymous!.limits, every);
  assertEquals(read.addressLimits, { ...noLimits, connections: 50 });
  assertEquals(accounts("[users.a]").addressLimits, noLimits);
});

Deno.test("for who has no password there is a hash as expensive as the most expensive in the file", () => {
  const standIn = (...parameters: string[]) => {
    const read = accounts(
      `[users.without]\n${
        parameters.map((by, index) => `[users.u${index}]\npassword = "${passwordHash.replace("ln=15,r=8,p=1", by)}"`)
          .join("\n")
      }`,
    );
    for (const index of parameters.keys()) {
      assertEquals(read.passwordOf(`u${index}`), read.user(`u${index}`)!.password!);
    }
    const hash = read.passwordOf("without");
    assertEquals(read.passwordOf("nobody"), hash);
    assertEquals(hash.text, "");
    return `ln=${hash.logCost},r=${hash.blockSize},p=${hash.parallelization}`;
  };
  assertEquals(standIn(), "ln=15,r=8,p=1");
  assertEquals(standIn("ln=10,r=8,p=1"), "ln=10,r=8,p=1");
  assertEquals(standIn("ln=15,r=8,p=1", "ln=17,r=8,p=1", "ln=16,r=8,p=1"), "ln=17,r=8,p=1");
  assertEquals(standIn("ln=15,r=8,p=1", "ln=12,r=8,p=16", "ln=15,r=4,p=3"), "ln=12,r=8,p=16");
  assertEquals(standIn("ln=15,r=8,p=1", "ln=14,r=8,p=1", "ln=15,r=4,p=3"), "ln=15,r=4,p=3");
});

Deno.test("without anonymous nobody is", () => {
  assertEquals(accounts("[users.alice]").anonymous, undefined);
  assertEquals(accounts("anonymous = {}").size, 0);
});

Deno.test("what is wrong is told with file, line and key", () => {
  const table: [text: string, fault: string][] = [
    ["\n[users", "2: incomplete key-value: cannot find end of key"],
    ["# empty", "1: nobody gets in: it has no [users.NAME] and no [anonymous]"],
    ["users = {}", "1: nobody gets in: it has no [users.NAME] and no [anonymous]"],
    ["users = 1\n[anonymous]", "1: users: it has to be a table"],
    ["[users]\nalice = 1", "2: users.alice: it has to be a table"],
    ["[anonymous]\n[users.a]\n[user.b]", "3: user: there is no such key: did you mean users?"],
    ["[anonymous]\npassword = ''", "2: anonymous.password: there is no such key: give publish, subscribe, limits"],
    [
      "[users.a]\n\npasword = 'hunter2'",
      "3: users.a.pasword: there is no such key: did you mean password?",
    ],
    [
      "[users.a]\npassword = 'hunter2'",
      "2: users.a.password: it is not the hash of a password: stream passwd makes one",
    ],
    ["[users.a]\npassword = 1", '2: users.a.password: it has to be a string, in "quotes"'],
    ["[users.a]\ntokens = 'hunter2'", "2: users.a.tokens: it has to be an array, in [brackets]"],
    [
      `[users.a]\ntokens = [\n'${tokenHash("x")}',\n'hunter2']`,
      "4: users.a.tokens[1]: it is not the hash of a token: " +
      "give sha256: and what this prints: printf %s TOKEN | sha256sum",
    ],
    [
      `[users.a]\ntokens = ['${tokenHash("x")}']\n[users."b c"]\ntokens = ['${tokenHash("x").toUpperCase()}']`,
      '4: users."b c".tokens[0]: the same token is users.a.tokens[0]',
    ].map((text) => text.replace("SHA256:", "sha256:")) as [string, string],
    [
      "[users.a]\npublish = 'x'",
      "2: users.a.publish: it has to be an array of patterns, or { allow = [...], deny = [...] }",
    ],
    [
      '[users.a]\npublish = [\n"x",\n"a/#/b"\n]',
      '4: users.a.publish[1]: the pattern "a/#/b" is not valid: # stands alone, as the last level',
    ],
    [
      "[users.a.subscribe]\nallow = ['x']\ndeny = ['a', '']",
      '3: users.a.subscribe.deny[1]: the pattern "" is not valid: it is empty',
    ],
    ["[users.a]\nsubscribe.alow = []", "2: users.a.subscribe.alow: there is no such key: did you mean allow?"],
    ["[users.a]\nsubscribe = [1]", '2: users.a.subscribe[0]: it has to be a string, in "quotes"'],
    [
      "[users.a]\nlimits = { connection = 1 }",
      "2: users.a.limits.connection: there is no such key: did you mean connections?",
    ],
    [
      "[users.a]\nlimits.connections = 0",
      '2: users.a.limits.connections: "0" is too small a count: the least is 1',
    ],
    [
      "[users.a]\nlimits.bytes = '10/s'",
      '2: users.a.limits.bytes: "10/s" is a rate of messages: give bytes over time, such as 10MB/s',
    ],
    [
      "[anonymous]\nlimits.messages = '10MB/s'",
      '2: anonymous.limits.messages: "10MB/s" is a rate of bytes: give messages over time, such as 1000/s',
    ],
    [
      "[anonymous]\n[limits.address]\nmessages = 10",
      '3: limits.address.messages: "10" is not a rate: it has no time: write 10/s',
    ],
    ["[anonymous]\n[limits.user]\nmessage = true", '3: limits.user.message: it has to be a string, in "quotes"'],
    [
      "[users.a]\nlimits.message = 0",
      "2: users.a.limits.message: 0 bytes leave no message: for example: 64KiB",
    ],
    [
      "[anonymous]\n[limits.user]\nmessage = '0.4B'",
      "3: limits.user.message: 0 bytes leave no message: for example: 64KiB",
    ],
    [`users."" = {}`, '1: users."": a name has 1 to 255 bytes, not 0'],
    [`users."${"é".repeat(128)}" = {}`, "a name has 1 to 255 bytes, not 256"],
    [`users."a\\nb" = {}`, '1: users."a\\nb": a name has no control character in it'],
    ["[anonymous]\n[users.anonymous]", "2: users.anonymous: that is what who shows nothing is called: see [anonymous]"],
  ];
  for (const [text, fault] of table) {
    const [first, ...more] = faults(text);
    assertEquals(more, [], text);
    if (/^\d/.test(fault)) assertEquals(first, `auth.toml:${fault}`);
    else assert(first!.endsWith(fault), first);
    assert(!first!.includes("hunter2"), first);
  }
});

Deno.test("all that is wrong is told at once, in the order of the lines", () => {
  assertEquals(
    faults("[users.a]\nsubscribe = ['+a']\npublish = ['#a']\ntoken = 1\n[limits]\nadress = {}").map((fault) =>
      fault.split(": ", 2).join(" ")
    ),
    [
      "auth.toml:2 users.a.subscribe[0]",
      "auth.toml:3 users.a.publish[0]",
      "auth.toml:4 users.a.token",
      "auth.toml:6 limits.adress",
    ],
  );
});

Deno.test("names with any characters, and those of the runtime, are only names", () => {
  for (const name of ["__proto__", "constructor", "toString", "a.b", "ä/ö", "a@b.org"]) {
    assertEquals(accounts(`[users.${JSON.stringify(name)}]\npublish = ["a"]`).user(name)?.name, name);
  }
});

Deno.test("a file is read from disk, and what cannot be read is told", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const path = `${directory}/auth.toml`;
    const missing = await assertRejects(() => readAuthFile(path), Failure);
    assertEquals(missing.message, `cannot read the users "${path}": no such file`);
    await Deno.writeTextFile(path, example);
    const file = await readAuthFile(path);
    assert("accounts" in file && file.accounts.size === 2);
    await Deno.writeFile(path, new Uint8Array([0x61, 0xff]));
    assertEquals(await readAuthFile(path), { faults: [`${path}: it is not UTF-8`] });
    await Deno.writeTextFile(path, "[users.a]\nx = 1");
    const wrong = await readAuthFile(path);
    assert("faults" in wrong && wrong.faults[0].startsWith(`${path}:2: users.a.x: `));
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test({
  name: "a file that others may read is warned about",
  ignore: Deno.build.os === "windows",
  async fn() {
    const path = await Deno.makeTempFile();
    try {
      for (const mode of [0o600, 0o400, 0o700]) {
        await Deno.chmod(path, mode);
        assertEquals(await exposure(path), undefined);
      }
      for (const mode of [0o644, 0o640, 0o606, 0o610]) {
        await Deno.chmod(path, mode);
        assertMatch((await exposure(path))!, new RegExp(`others may read it \\(mode ${mode.toString(8)}\\)`));
      }
    } finally {
      await Deno.remove(path);
    }
  },
});
