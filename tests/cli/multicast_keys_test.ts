/** Keys of groups over TLS, from the command line. */

import { assertEquals, assertMatch } from "@std/assert";
import { tokenHash } from "../../cli/auth/tokens.ts";
import { testGroup } from "./groups.ts";
import { Process, startServer } from "./process.ts";
import { stream } from "./program.ts";

const users = (subscribe: string) => `
[users.writer]
tokens = ["${tokenHash("writing")}"]
publish = ["#"]

[users.reader]
tokens = ["${tokenHash("reading")}"]
subscribe = ${subscribe}

[users.half]
tokens = ["${tokenHash("half")}"]
subscribe = { allow = ["ticks/#"], deny = ["ticks/secret"] }
`;

Deno.test("a group's key is told over TLS to who may read all of it, and changes when the users do", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const auth = `${directory}/auth.toml`;
    await Deno.writeTextFile(auth, users('["ticks/#"]'), { mode: 0o600 });
    const group = testGroup();
    const served = `${group.served}&topics=ticks/%23`;
    await using server = await startServer(
      ["--listen", "tls://127.0.0.1:0", "--tls-self-signed", directory, "--auth", auth, "--multicast", served],
    );
    const [, pin] = /fingerprint=([0-9a-f]+)/.exec(server.stderr.text)!;
    const as = (token: string) => ({ env: { STREAM_TOKEN: token } });
    const listening = ["--multicast", "--group", group.joined, "--key-from", server.endpoint, "--pin", pin!];
    await using reader = new Process(["stream", "subscribe", ...listening, "-n", "2"], as("reading"));
    await reader.stderr.line(/^subscribed .* from /);
    const half = await stream(["subscribe", ...listening], as("half").env);
    assertEquals([half.status, half.stdout], [4, ""]);
    assertMatch(
      half.stderr,
      /cannot get the key of mcast:\S+: half may not read all that mcast:\S+ carries: ticks\/# \(forbidden\)/,
    );
    const publish = (text: string) =>
      stream(["publish", "-s", server.endpoint, "--pin", pin!, "ticks/a", "-m", text], as("writing").env);
    assertEquals((await publish("one")).status, 0);
    await reader.stdout.line(/one/);
    // Nobody loses anything by another user's change, and the key is another one soon.
    await Deno.writeTextFile(auth, users('["ticks/#", "more"]'), { mode: 0o600 });
    await server.stderr.line(/users read again/);
    assertEquals((await publish("two")).status, 0);
    assertEquals(await reader.status, 0);
    assertEquals(reader.stdout.text, "one\ntwo\n");
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("what cannot be is said: no list of topics, nothing that listens with TLS, a key from two places", async () => {
  const usage = async (args: string[], says: RegExp) => {
    const { status, stderr } = await stream(args);
    assertEquals(status, 2, stderr);
    assertMatch(stderr, says);
  };
  const self = ["--tls-self-signed", "/nonexistent"];
  const tls = ["serve", "-l", "tls://127.0.0.1:0", ...self];
  await usage([...tls, "--auth", "a.toml", "--multicast"], /with --auth, mcast:\S+ needs a list of what it carries/);
  await usage(
    ["serve", "--auth", "a.toml", "--multicast", "mcast://239.255.70.70:7071?topics=a"],
    /--multicast with --auth tells receivers the key over TLS, and nothing listens with it/,
  );
  await usage(["serve", "--multicast", "--rotate-key", "1h"], /--rotate-key tells receivers the key over TLS/);
  await usage([...tls, "--rotate-key", "1h"], /--rotate-key encrypts what is multicast, and nothing is/);
  await usage([...tls, "--multicast", "--rotate-key", "1s"], /--rotate-key: 1s is too often: the least is 1m/);
  await usage([...tls, "--multicast", "--rotate-key", "1h", "--key-file", "k"], /--key-file and --rotate-key exclude/);
  const group = ["subscribe", "--multicast"];
  await usage([...group, "--key-from", "tcp://127.0.0.1:7070"], /is not encrypted: a key is told over TLS alone/);
  await usage([...group, "--key-from", "tls://a", "--key-file", "k"], /--key-file and --key-from exclude each other/);
  await usage(
    [...group, "--key-from", "tls://a", "--repair", "tls://b"],
    /name two servers: tls:\/\/b:7070 and tls:\/\/a/,
  );
  await usage(["subscribe", "a", "--key-from", "tls://a"], /--key-from means nothing without --multicast/);
});
