import { assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { Command } from "@commander-js/extra-typings";
import fc from "fast-check";
import type { Credentials } from "../../core/client_session.ts";
import { UsageError } from "../../core/errors.ts";
import { type Access, accessOf, addAccessOptions, openAccess, parseAccess } from "../../cli/access.ts";
import { Failure } from "../../cli/exit.ts";
import { Log } from "../../cli/log.ts";
import { refuseUrl } from "../../cli/program.ts";

/** What the options say. */
function given(...args: string[]): Access {
  const command = new Command().exitOverride();
  addAccessOptions(command);
  return accessOf(command.parse(args, { from: "user" }));
}

/** Opens what the options say: what comes of it, and what was warned of. */
async function opened(args: readonly string[], token?: string) {
  const warnings: string[] = [];
  const write = (line: string) => void warnings.push(line);
  const around = { write, now: () => 0, color: false, later: () => () => {} };
  using log = new Log({ level: "debug", format: "text", quiet: false }, around);
  const access = await openAccess(given(...args), log, (name) => name === "STREAM_TOKEN" ? token : undefined);
  return { ...access, warnings: warnings.join("\n") };
}

/** A file of a test's own. */
async function file(text: string): Promise<{ readonly path: string } & Disposable> {
  const path = await Deno.makeTempFile();
  await Deno.writeTextFile(path, text);
  return { path, [Symbol.dispose]: () => Deno.removeSync(path) };
}

const urls: [url: string, server: string, credentials: Credentials | null][] = [
  ["tls://example.com", "tls://example.com:7070", null],
  ["tls://token@example.com:1", "tls://example.com:1", { secret: "token" }],
  ["tls://alice:hunter2@example.com", "tls://example.com:7070", { user: "alice", secret: "hunter2" }],
  ["tls://a%20b:p%40%2F%3a%23%C3%A9@[::1]:5", "tls://[::1]:5", { user: "a b", secret: "p@/:#é" }],
  ["tls://alice:a:b@h", "tls://h:7070", { user: "alice", secret: "a:b" }],
  ["tls://alice:a@b@h", "tls://h:7070", { user: "alice", secret: "a@b" }],
  ["tls://alice:@h", "tls://h:7070", { user: "alice" }],
];

for (const [url, server, credentials] of urls) {
  Deno.test(`${url} is ${server} as ${JSON.stringify(credentials)}`, () => {
    assertEquals(parseAccess(url), { server, credentials });
  });
}

/** Secrets whose every part would be recognised, with what a URL has a meaning for between the parts. */
const secrets = fc.array(fc.constantFrom("/", "?", "#", "@", ":", "%", "%zz", "//", "[", " ", "\n", "&", "=", "%00"), {
  maxLength: 4,
}).map((signs) => ["s3cret-0", ...signs.flatMap((sign, index) => [sign, `s3cret-${index + 1}`])].join(""));

Deno.test("whatever a secret is, and whatever is wrong with its URL: nothing of it is told, nor goes with the server", () => {
  const scheme = fc.constantFrom("tls://", "tcp://", "tsl://", "http://", "udp://", "", "tls:/", "tls:", "://");
  const user = fc.constantFrom("", "alice:", ":", "al%ice:");
  const rest = fc.constantFrom("h", "h:1", "h:99999", "h/topic", "h?x=1", "h#x", "", "[::1", "h h", "h:s");
  fc.assert(
    fc.property(scheme, user, secrets, rest, (scheme, user, secret, rest) => {
      const url = `${scheme}${user}${secret}@${rest}`;
      const tell = (error: unknown) => {
        if (!(error instanceof UsageError)) throw error;
        return `${error.message}: ${error.hint}`;
      };
      let told: string;
      try {
        told = parseAccess(url).server;
      } catch (error) {
        told = tell(error);
      }
      try {
        refuseUrl("TOPIC", url, "publish");
      } catch (error) {
        told += tell(error);
      }
      return !told.includes("s3cret");
    }),
    { numRuns: 5_000, seed: 1 },
  );
});

Deno.test("a secret with something in it that has a meaning in a URL: the error says how it is written", () => {
  for (
    const url of ["tls://alice:pa/ss@h", "tls://alice:pa?ss@h", "tls://alice:pa#ss@h", "alice:pass@h", "tls://%@h"]
  ) {
    const { hint } = assertThrows(() => parseAccess(url), UsageError);
    assertMatch(hint!, /%2F is \//);
  }
});

Deno.test("without anything the server is this machine's, and nobody is anybody", async () => {
  assertEquals(given(), {
    server: "tcp://127.0.0.1:7070",
    credentials: null,
    exposed: false,
    tokenFile: undefined,
    ca: undefined,
    pin: undefined,
    insecure: false,
    client: null,
  });
  assertEquals(await opened([]), { server: "tcp://127.0.0.1:7070", trust: {}, credentials: {}, warnings: "" });
});

Deno.test("who to be: the URL goes first, then --token-file, then STREAM_TOKEN", async () => {
  using token = await file("  token of the file\n");
  const credentials = async (token: string | undefined, ...args: string[]) => (await opened(args, token)).credentials;
  const fromFile = ["--token-file", token.path];
  assertEquals(await credentials("t"), { secret: "t" });
  assertEquals(await credentials(""), {});
  assertEquals(await credentials("t", ...fromFile), { secret: "token of the file" });
  assertEquals(await credentials("t", "-s", "tls://x@h"), { secret: "x" });
  assertEquals(await credentials("t", "-s", "tls://a:x@h"), { user: "a", secret: "x" });
  assertEquals(await credentials("t", "-s", "tls://a:@h"), { user: "a", secret: "t" });
  assertEquals(await credentials("t", "-s", "tls://a:@h", ...fromFile), { user: "a", secret: "token of the file" });
  await assertRejects(() => credentials(undefined, "-s", "tls://x@h", ...fromFile), UsageError, "exclude each other");
});

Deno.test("a secret on the command line is warned of, one of a file or of the environment is not", async () => {
  using token = await file("t");
  assertMatch((await opened(["-s", "tls://x@h"])).warnings, /can be seen by others on this machine/);
  assertEquals((await opened(["-s", "tls://h", "--token-file", token.path], "t")).warnings, "");
  assertEquals((await opened(["-s", "tls://a:@h"])).warnings, "");
});

Deno.test("a token file that is not there, empty or too long, and a token that is too long, are errors without it", async () => {
  const long = "s3cret".repeat(50);
  using empty = await file(" \n");
  using longFile = await file(long);
  const failing = async (args: string[], token?: string) => {
    const { message, hint } = await assertRejects(() => opened(args, token), Error) as UsageError;
    return `${message} ${hint}`;
  };
  const told = [
    await failing(["--token-file", empty.path]),
    await failing(["--token-file", longFile.path]),
    await failing([], long),
    await failing(["-s", `tls://${long}@h`]),
  ];
  for (const [index, pattern] of [/is empty/, /255 bytes at most/, /255 bytes at most/, /255 bytes/].entries()) {
    assertMatch(told[index]!, pattern);
  }
  assertEquals(told.join().includes("s3cret"), false);
  await assertRejects(() => opened(["--token-file", `${empty.path}.not`]), Failure, "cannot read --token-file");
});

Deno.test("a secret does not go unencrypted to another machine, unless that is meant", async () => {
  for (
    const [args, token] of [[["-s", "tcp://s3cret@example.com"], undefined], [
      ["-s", "tcp://example.com"],
      "s3cret",
    ]] as const
  ) {
    const { message, hint } = await assertRejects(() => opened(args, token), UsageError);
    assertEquals(message, "tcp://example.com:7070 is not encrypted: everybody on the way could read the secret");
    assertEquals(hint, "use tls://example.com:7070, or give --insecure if that is meant");
    const { warnings } = await opened([...args, "--insecure"], token);
    assertMatch(warnings, /--insecure: a secret goes unencrypted/);
    assertEquals(warnings.includes("s3cret"), false);
  }
  for (const server of ["tcp://127.0.0.1", "tcp://localhost", "tcp://[::1]", "tls://example.com"]) {
    assertEquals((await opened(["-s", server], "t")).warnings, "");
  }
  assertEquals((await opened(["-s", "tcp://example.com"])).credentials, {}, "there is no secret");
});

Deno.test("what is of TLS goes with tls:// alone", () => {
  const pin = "ab".repeat(32);
  for (
    const [args, name] of [[["--pin", pin], "pin"], [["--ca", "x"], "ca"], [
      ["--cert", "x", "--key", "y"],
      "cert",
    ]] as const
  ) {
    const { message, hint } = assertThrows(() => given("-s", "tcp://s3cret@h:1", ...args), UsageError);
    assertEquals(message, `--${name} goes with tls://, and the server is tcp://h:1`);
    assertEquals(hint, "give -s tls://h:1");
    given("-s", "tls://h", ...args);
  }
  assertThrows(() => given("-s", "tls://h", "--cert", "x"), UsageError, "--cert needs --key beside it");
  assertThrows(() => given("-s", "tls://h", "--key", "x"), UsageError, "--key needs --cert beside it");
  assertThrows(() => given("-s", "tls://h", "--pin", "abc"), UsageError, "is no SHA-256 fingerprint");
});

Deno.test("whom to trust is read from the files that are named", async () => {
  using ca = await file("the authorities");
  using cert = await file("my certificate");
  using key = await file("my key");
  const pin = "ab".repeat(32);
  const args = ["-s", "tls://h", "--ca", ca.path, "--pin", pin.toUpperCase(), "--cert", cert.path, "--key", key.path];
  const { trust, warnings } = await opened(args);
  assertEquals(trust, { ca: "the authorities", pin, client: { cert: "my certificate", key: "my key" } });
  assertEquals(warnings, "");
  const insecure = await opened(["-s", "tls://h", "--insecure"]);
  assertEquals(insecure.trust, { insecure: true });
  assertMatch(insecure.warnings, /the server's certificate is not checked/);
  await assertRejects(() => opened(["-s", "tls://h", "--ca", `${ca.path}.not`]), Failure, "cannot read --ca");
});
