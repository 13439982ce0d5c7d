import { assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { entryOf, SecretFiles, showing, tokensFor } from "./secured.ts";

/** A server whose users change while they are connected: alice is who the test says, root may do everything. */
async function reloading() {
  const files = await SecretFiles.make();
  const tokens = tokensFor("alice", "root");
  const root = entryOf("root", tokens.root, 'publish = ["#"]', 'subscribe = ["#"]');
  const alice = (...lines: string[]) =>
    files.replace(files.users, `${entryOf("alice", tokens.alice, ...lines)}\n${root}`);
  const all = ['publish = ["#"]', 'subscribe = ["#"]'];
  await alice(...all);
  const server = await files.serve();
  const trust = ["--ca", files.cert];
  const as = (user: "alice" | "root") => showing(tokens[user]);
  /** Changes the users, and waits until the server has read them. */
  let times = 0;
  const change = async (write: () => Promise<void>) => {
    await write();
    await server.stderr.line(/info {2}users read again/, ++times);
  };
  return {
    files,
    server,
    trust,
    as,
    change,
    all,
    alice: (...lines: string[]) => change(() => alice(...lines)),
    withoutAlice: () => change(() => files.replace(files.users, root)),
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await files[Symbol.asyncDispose]();
    },
  };
}

Deno.test("a user that is removed is thrown out, and ends with 4; others are not", async () => {
  await using test = await reloading();
  const { server, trust, as } = test;
  await using alice = await server.subscriber([...trust, "a"], as("alice"));
  await using root = await server.subscriber([...trust, "a"], as("root"));
  await test.withoutAlice();
  const { status, stderr } = await alice.ran();
  assertEquals(status, 4);
  assertMatch(
    stderr,
    /^stream subscribe: cannot keep the connection to tls:.*: alice: the user may not use this server any more \(removed\)$/m,
  );
  assertEquals((await server.run(["publish", ...trust, "a", "-m", "x"], as("alice"))).status, 4);
  assertEquals((await server.run(["publish", ...trust, "a", "-m", "x"], as("root"))).status, 0);
  await root.stdout.line(/^x$/);
});

Deno.test("a permission that is taken away while publishing refuses the messages from then on; the end is 4", async () => {
  await using test = await reloading();
  const { server, trust, as } = test;
  await using reader = await server.subscriber([...trust, "#"], as("root"));
  await using alice = server.start(["publish", ...trust, "a"], { ...as("alice"), stdin: "pipe" });
  await alice.write("before\n");
  await reader.stdout.line(/^before$/);
  await test.alice('publish = ["b"]');
  await alice.write("forbidden\n");
  await alice.stderr.line(/1 message refused topic=a reason=forbidden why="alice may not publish to a"$/);
  await test.alice('publish = ["a"]');
  await alice.write("after\n");
  await reader.stdout.line(/^after$/);
  await alice.end();
  assertEquals(await alice.status, 4);
  assertEquals(reader.stdout.lines, ["before", "after"]);
});

Deno.test("a permission that is taken away while subscribed: a pattern loses topics, a topic ends with 4", async () => {
  await using test = await reloading();
  const { server, trust, as } = test;
  const publish = (topic: string, text: string) => server.run(["publish", ...trust, topic, "-m", text], as("root"));
  for (const topic of ["a", "b"]) await publish(topic, `first of ${topic}`);
  await using pattern = await server.subscriber([...trust, "--from", "earliest", "#"], as("alice"));
  await using topic = await server.subscriber([...trust, "a"], as("alice"));
  await pattern.stdout.line(/first/, 2);
  await test.alice('subscribe = { allow = ["#"], deny = ["a"] }');
  const { status, stderr } = await topic.ran();
  assertEquals(status, 4);
  assertMatch(stderr, /alice may not subscribe to a \(forbidden\)\n$/);
  await pattern.stderr.line(/^gap: a, .* messages lost: forbidden$/);
  await publish("a", "not this");
  await publish("b", "this");
  await pattern.stdout.line(/^this$/);
  await test.alice(...test.all);
  await publish("a", "this again");
  await pattern.stdout.line(/^this again$/);
  assertEquals(pattern.stdout.lines.filter((line) => line === "not this"), []);
});

Deno.test("a broken file of users is told with its line, and those before stay", async () => {
  await using test = await reloading();
  const { server, files, trust, as } = test;
  await using alice = await server.subscriber([...trust, "a"], as("alice"));
  await files.replace(files.users, '[users.alice]\ntokens = ["not a hash"]\n');
  assertMatch(
    await server.stderr.line(/error/),
    /the new file of users cannot be used, what was before stays why=".*auth\.toml:2: users\.alice\.tokens\[0\]: it is not the hash/,
  );
  assertEquals((await server.run(["publish", ...trust, "a", "-m", "x"], as("alice"))).status, 0);
  await alice.stdout.line(/^x$/);
  await test.withoutAlice();
  assertEquals(await alice.status, 4);
});

Deno.test({
  name: "SIGHUP reads the users and the certificate again",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await using test = await reloading();
    const { server } = test;
    await test.change(() => Promise.resolve(server.kill("SIGHUP")));
    await server.stderr.line(/info {2}certificate renewed fingerprint=[0-9a-f]{64} expires=/);
  },
});

Deno.test("a certificate that is renewed is shown to those who come; who is connected stays", async () => {
  await using test = await reloading();
  const { server, files, as } = test;
  const pinOf = (line: string) => /fingerprint=([0-9a-f]{64})/.exec(line)![1]!;
  const first = pinOf(await server.stderr.line(/info {2}certificate fingerprint=/));
  await using reader = await server.subscriber(["--no-reconnect", "--pin", first, "a"], as("root"));
  const before = await Deno.readTextFile(files.cert);
  await files.renew();
  // The two files may be found changed one after the other: the key of another certificate is told, and tried again.
  const second = pinOf(
    await server.stderr.until(
      () => server.stderr.lines.find((line) => line.includes("certificate renewed") && pinOf(line) !== first),
      "another certificate",
    ),
  );
  assertNotEquals(await Deno.readTextFile(files.cert), before);
  const publish = (pin: string) => server.run(["publish", "--pin", pin, "a", "-m", "x"], as("root"));
  const old = await publish(first);
  assertEquals(old.status, 3);
  assertMatch(old.stderr, new RegExp(`its fingerprint is ${second}, and ${first} is pinned`));
  assertEquals((await publish(second)).status, 0);
  await reader.stdout.line(/^x$/);
});
