/** Any text as a file of users: either it is one, or it is told what is wrong, without the secrets in it. */

import { assert } from "@std/assert";
import fc from "fast-check";
import { Accounts } from "../../../cli/auth/accounts.ts";
import { type AuthFile, parseAuthFile } from "../../../cli/auth/file.ts";
import { tokenHash } from "../../../cli/auth/tokens.ts";

const salt = "SaltSaltSaltSaltSaltSa";
const derived = "HashHashHashHashHashHashHashHashHashHashHas";
const clear = "correct-horse-battery-staple";
const token = tokenHash("a").replace("sha256:", "");

const right = `# Users
[users.alice]
password = "$scrypt$ln=15,r=8,p=1$${salt}$${derived}"
tokens = ["sha256:${token}", 'sha256:${token.split("").reverse().join("")}']
publish = ["ticks/#", "a/+/c"]
subscribe = { allow = ["ticks/#"], deny = ["ticks/secret"] }
limits = { connections = 10, subscriptions = "2k", bytes = "10MB/s", messages = "1000/s", message = "64KiB" }
[users."sensor 1"]
publish = []
[users.bob]
password = """$scrypt$ln=15,r=8,p=1$${salt}$${derived}"""
[anonymous]
subscribe = ["public/#"]
[limits]
user = { connections = 100 }
address = { connections = 50, messages = "10000/s" }
`;

/** What may stand in secrets' places: hashes and, by mistake, secrets themselves. */
const secrets = [salt, derived, clear, token];

function check(text: string): AuthFile {
  const file = parseAuthFile(text, "auth.toml");
  if ("accounts" in file) assert(file.accounts instanceof Accounts);
  else {
    assert(file.faults.length > 0);
    const lines = text.split("\n").length;
    for (const fault of file.faults) {
      const [, line] = /^auth\.toml:(\d+): [^\n]+$/.exec(fault) ?? [];
      assert(line !== undefined, JSON.stringify(fault));
      assert(Number(line) >= 1 && Number(line) <= lines, fault);
    }
  }
  return file;
}

/** What is told of a text, without what was not in a secret's place. */
function assertSilent(text: string): void {
  const file = check(text);
  if (!("faults" in file)) return;
  for (const fault of file.faults) {
    for (const secret of secrets) assert(!fault.includes(secret), fault);
  }
}

Deno.test("the right file is right", () => {
  assert("accounts" in check(right));
  assert("accounts" in check(right.replaceAll("\n", "\r\n")));
});

Deno.test("any text is a file of users, or has faults", () => {
  const pieces = right.split(/(?<=[\s=[\]{},".])|(?=[\s=[\]{},".])/);
  const text = fc.oneof(
    fc.string({ unit: "binary", maxLength: 200 }),
    fc.string({ maxLength: 200 }),
    fc.array(fc.constantFrom(...pieces, "__proto__", "constructor", "1e999", "nan", "0x1F", "'", '"""', "\\u0041"), {
      maxLength: 60,
    }).map((pieces) => pieces.join("")),
  );
  fc.assert(fc.property(text, (text) => void check(text)), { numRuns: 3000 });
});

Deno.test("a right file that was changed is still one, or has faults that tell no secret", () => {
  const change = fc.record({
    at: fc.integer({ min: 0, max: right.length }),
    cut: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 30 })),
    put: fc.oneof(
      fc.constant(""),
      fc.constantFrom(
        "\n",
        '"',
        "'",
        '"""',
        "[",
        "]",
        "{",
        "}",
        "=",
        ",",
        ".",
        "#",
        "\\",
        "\0",
        "users",
        "[users.c]\n",
      ),
      fc.string({ unit: "binary", maxLength: 4 }),
    ),
  });
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), (changes) => {
      let text = right;
      for (const { at, cut, put } of changes) text = text.slice(0, at) + put + text.slice(at + cut);
      assertSilent(text);
    }),
    { numRuns: 5000 },
  );
});

Deno.test("values of any kind in any place are told, and secrets in theirs never", () => {
  const value = fc.constantFrom("1", "-1", "true", "1.5", "inf", "1979-05-27", "[]", "{}", "[[]]", `"${clear}"`);
  const secret = fc.constantFrom(
    `"${clear}"`,
    `["${clear}"]`,
    `[["${clear}"]]`,
    `{ a = "${clear}" }`,
    `"$scrypt$ln=15,r=8,p=1$${salt}$${derived}x$"`,
    `"$scrypt$ln=30,r=8,p=1$${salt}$${derived}"`,
    `["sha256:${token}0"]`,
    `["${token}"]`,
    `["sha256:${token}", "sha256:${token}"]`,
  );
  const keys = ["publish", "subscribe", "limits", "limits.bytes", "subscribe.deny", "limits.connections", "x"];
  const pair = fc.oneof(
    fc.tuple(fc.constantFrom(...keys), value.filter((value) => !value.includes(clear))),
    fc.tuple(fc.constantFrom("password", "tokens"), fc.oneof(secret, value)),
    // A key that is spelt wrong.
    fc.tuple(fc.constantFrom("pasword", "token", "secret"), secret),
  );
  fc.assert(
    fc.property(fc.array(pair, { maxLength: 4 }), fc.constantFrom("users.a", "anonymous", "users"), (pairs, table) => {
      assertSilent(`[${table}]\n${pairs.map(([key, value]) => `${key} = ${value}\n`).join("")}`);
    }),
    { numRuns: 2000 },
  );
});
