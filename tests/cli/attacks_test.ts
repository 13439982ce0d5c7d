import { assert, assertEquals, assertMatch } from "@std/assert";
import { tokenHash } from "../../cli/auth/tokens.ts";
import { connectTo } from "../cutting_proxy.ts";
import type { Process } from "./process.ts";
import { entryOf, SecretFiles, showing, tokensFor } from "./secured.ts";

/** One attack, what its program exits with, and what it says. */
interface Attack {
  readonly name: string;
  readonly args: readonly string[];
  /** What is shown as a token; nothing unless given. */
  readonly token?: string;
  readonly stdin?: string;
  readonly status: number;
  /** What it says on stderr. */
  readonly says: RegExp;
  /** Whether it is told to trust the server's certificate; yes unless `false`. */
  readonly trusting?: false;
}

/** What is sent by who knows nothing of the protocol, or means harm. */
const strange: Readonly<Record<string, Uint8Array>> = {
  "nothing": new Uint8Array(0),
  "a request of the web": new TextEncoder().encode("GET / HTTP/1.1\r\nhost: x\r\n\r\n"),
  "half a greeting of TLS": Uint8Array.of(22, 3, 1, 2, 0, 1, 0, 1, 252),
  "an alert of TLS": Uint8Array.of(21, 3, 3, 0, 2, 1, 0),
  "noise": Uint8Array.from({ length: 70_000 }, (_, index) => index * 7919 >> 3),
};

Deno.test("attacks: each is refused with its reason, nobody else notices, and no secret is told anywhere", async (t) => {
  await using files = await SecretFiles.make();
  const tokens = tokensFor("alice", "root", "small");
  const wrong = "a-token-that-nobody-has";
  await files.replace(
    files.users,
    [
      entryOf(
        "alice",
        tokens.alice,
        'publish = ["a/#", "$sys/#"]',
        'subscribe = { allow = ["a/#", "$sys/#"], deny = ["a/secret"] }',
      ),
      entryOf("root", tokens.root, 'publish = ["#"]', 'subscribe = ["#"]'),
      entryOf("small", tokens.small, 'publish = ["#"]', 'limits = { message = "1KiB", connections = 1 }'),
    ].join("\n"),
  );
  await using server = await files.serve([], ["tls://127.0.0.1:0", "tls://[::1]:0", "tcp://127.0.0.1:0"]);
  const tls = server.endpoint;
  const [, other, tcp] =
    (await server.stdout.until(() => server.stdout.lines.length > 2 ? server.stdout.lines : undefined, "3 lines"))
      .map((line) => line.replace("listening ", "")) as [string, string, string];
  const trust = ["--ca", files.cert];

  // Who is let in before all that must not notice anything of it.
  await using reader = await server.subscriber([...trust, "#"], showing(tokens.root));
  await using writer = server.start(["publish", ...trust, "right"], { ...showing(tokens.root), stdin: "pipe" });
  await using small = server.start(["publish", ...trust, "small"], { ...showing(tokens.small), stdin: "pipe" });
  await small.write("it is in\n");
  await reader.stdout.line(/^it is in$/);
  const secret = await server.run(["publish", ...trust, "a/secret", "-m", "for nobody"], showing(tokens.root));
  assertEquals(secret.status, 0);
  let told = 0;
  const undisturbed = async () => {
    await writer.write(`message ${++told}\n`);
    await reader.stdout.line(new RegExp(`^message ${told}$`));
  };

  const as = (who: string, where = tls) => ["-s", where.replace("//", `//${who}@`)];
  const attacks: Attack[] = [
    {
      name: "no token",
      args: ["publish", "a/x", "-m", "x"],
      status: 4,
      says: /wants to know who you are.* \(authentication\)$/,
    },
    {
      name: "no token, unencrypted",
      args: ["topics", "-s", tcp],
      trusting: false,
      status: 4,
      says: /wants to know who you are/,
    },
    {
      name: "a wrong token",
      token: wrong,
      args: ["topics"],
      status: 4,
      says: /the token is not known here \(authentication\)$/,
    },
    {
      name: "the hash of a right token",
      token: tokenHash(tokens.alice),
      args: ["topics"],
      status: 4,
      says: /the token is not known here \(authentication\)$/,
    },
    {
      name: "a right token under the name of another user",
      args: ["topics", ...as(`root:${tokens.alice}`)],
      status: 4,
      says: /the user is not known here, or the password is wrong \(authentication\)$/,
    },
    {
      name: "a user that nobody knows, with a line end in its name",
      args: ["topics", ...as(`mal%0Alory:${wrong}`, other)],
      status: 4,
      says: /the user is not known here, or the password is wrong \(authentication\)$/,
    },
    {
      name: "to publish to another's topic",
      token: tokens.alice,
      args: ["publish", "right", "-m", "x"],
      status: 4,
      says: /1 message refused topic=right reason=forbidden why="alice may not publish to right"$/,
    },
    {
      name: "to publish to a topic of the server",
      token: tokens.alice,
      args: ["publish", "--topic-from", "t"],
      stdin: '{"t":"$sys/x"}\n',
      status: 1,
      says: /cannot publish to "\$sys\/x": topics that begin with \$ are the server's own$/,
    },
    {
      name: "to subscribe to another's topic",
      token: tokens.alice,
      args: ["subscribe", "right"],
      status: 4,
      says: /cannot subscribe to right: alice may not subscribe to right \(forbidden\)$/,
    },
    {
      name: "to subscribe to what is denied",
      token: tokens.alice,
      args: ["subscribe", "a/secret"],
      status: 4,
      says: /alice may not subscribe to a\/secret \(forbidden\)$/,
    },
    {
      name: "a pattern that reaches what is denied",
      token: tokens.alice,
      args: ["subscribe", "--from", "earliest", "--timeout", "300ms", "#"],
      status: 5,
      says: /^subscribed #\n/,
    },
    {
      name: "to list what is denied",
      token: tokens.alice,
      args: ["topics", "--json", "#"],
      status: 0,
      says: /debug connected/,
    },
    {
      name: "datagrams, which are not encrypted",
      token: tokens.alice,
      args: ["subscribe", "--udp", "a/x"],
      status: 4,
      says: /\(no-datagrams\)$/,
    },
    {
      name: "one connection too many",
      token: tokens.small,
      args: ["publish", "small", "-m", "x"],
      status: 4,
      says: /small may have 1 \(connections\)$/,
    },
    {
      name: "plaintext to the port of TLS",
      token: tokens.alice,
      args: ["topics", "-s", tls.replace("tls", "tcp")],
      trusting: false,
      status: 3,
      says: /it speaks TLS: connect with tls:\/\/$/,
    },
    {
      name: "TLS to the port of plaintext",
      token: tokens.alice,
      args: ["topics", "-s", tcp.replace("tcp", "tls")],
      status: 3,
      says: /does not speak TLS: connect to it with tcp:\/\/ if it is meant to be open$/,
    },
    {
      name: "a server that shows another certificate than is pinned",
      token: tokens.alice,
      args: ["topics", "--pin", "ab".repeat(32)],
      trusting: false,
      status: 3,
      says: /its certificate is another one: its fingerprint is [0-9a-f]{64}, and (ab){32} is pinned$/,
    },
    {
      name: "a secret whose URL is wrong",
      args: ["topics", ...as(`alice:${tokens.alice}/x`)],
      trusting: false,
      status: 2,
      says: /wrong endpoint/,
    },
    {
      name: "a secret in the place of a command",
      args: [as(`alice:${tokens.alice}`)[1]!],
      trusting: false,
      status: 2,
      says: /unknown command/,
    },
    {
      name: "a secret in the place of a topic",
      args: ["publish", as(`alice:${tokens.alice}`)[1]!],
      trusting: false,
      status: 2,
      says: /TOPIC: "tls:\/\/\.\.\.@/,
    },
  ];
  const said: string[] = [];
  for (const { name, args, token = "", stdin, status, says, trusting } of attacks) {
    await t.step(name, async () => {
      const options = { ...showing(token), ...(stdin !== undefined && { stdin }) };
      const ran = await server.run([...args, ...(trusting === false ? [] : trust), "--log-level", "debug"], options);
      said.push(ran.stdout, ran.stderr);
      assertMatch(ran.stderr.split("\n    at ")[0]!.trimEnd(), new RegExp(says, "m"));
      assertEquals(ran.status, status);
      assertEquals(ran.stdout, "");
      await undisturbed();
    });
  }
  for (const [name, bytes] of Object.entries(strange)) {
    await t.step(`${name} to each port`, async () => {
      for (const endpoint of [tls, tcp]) {
        using connection = await connectTo(endpoint.replace("tls", "tcp"));
        if (bytes.length > 0) await connection.write(bytes);
        await undisturbed();
      }
    });
  }
  await t.step("who is right gets in after all that", async () => {
    const right = await server.run(
      ["subscribe", ...trust, "--from", "earliest", "-n", "1", "right"],
      showing(tokens.root),
    );
    assertEquals([right.status, right.stdout], [0, "message 1\n"]);
    await small.end();
    assertEquals(await small.status, 0);
  });
  const processes: Process[] = [reader, writer, small];
  for (const process of processes) process.kill("SIGINT");
  server.kill("SIGTERM");
  const { stderr: log } = await server.ran();
  for (const process of processes) await process.ran();
  said.push(log, ...processes.flatMap(({ stdout, stderr }) => [stdout.text, stderr.text]));
  assertMatch(log, /warn {2}session closed .*reason=authentication/);
  assertMatch(log, /warn {2}authentication failed address=127\.0\.0\.1 attempts=1$/m);
  assertMatch(log, /warn {2}connection rejected .*reason=tls/);
  for (const token of [...Object.values(tokens), wrong]) {
    assert(!said.some((text) => text.includes(token) || text.includes(token.slice(0, 20))), "a secret is told");
  }
});
