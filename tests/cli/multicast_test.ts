/** Multicast from the command line: one server, one group, many subscribers that are connected to nobody. */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { datagramMagic } from "../../core/datagram.ts";
import { openUdp, udpAddress } from "../../transports/udp.ts";
import { groupSubscriber, keyFile, startMulticast, testGroup } from "./groups.ts";
import { Process } from "./process.ts";
import { denoRun } from "./program.ts";

Deno.test("serve --multicast says where it goes, and everyone who listens gets every message in order", async () => {
  const group = testGroup();
  await using server = await startMulticast(group);
  const [announced] = [await server.stderr.line(/multicasting/)];
  assertStringIncludes(announced, "on this machine alone");
  assertEquals(server.stdout.lines, [`listening ${server.endpoint}`]);
  await using first = await groupSubscriber(group, ["-v", "-n", "5"]);
  await using second = await groupSubscriber(group, ["-n", "3", "ticks/+"]);
  await server.run(["publish", "ticks/a", "-m", "one", "-m", "two", "-m", "three"]);
  await server.run(["publish", "other", "-m", "four", "-m", ""]);
  assertEquals(await first.ran().then(({ status, stdout }) => ({ status, stdout })), {
    status: 0,
    stdout: "ticks/a\tone\nticks/a\ttwo\nticks/a\tthree\nother\tfour\nother\t\n",
  });
  assertEquals((await second.ran()).stdout, "one\ntwo\nthree\n");
  assertMatch(first.stderr.text, /^subscribed #\nsubscribed # from 127\.0\.0\.1:\d+\n$/);
  assertMatch(second.stderr.text, /^subscribed ticks\/\+\nsubscribed ticks\/\+ from /);
});

Deno.test("a group carries the topics that its endpoint names, and messages larger than a datagram", async () => {
  const group = testGroup();
  const served = { ...group, served: `${group.served}&topics=a/%23,b&mtu=600&rate=100Mbit/s` };
  await using server = await startMulticast(served);
  await using subscriber = await groupSubscriber(group, ["--json", "-n", "3"]);
  const large = "x".repeat(100_000);
  await server.run(["publish", "c", "-m", "not this"]);
  await server.run(["publish", "a/1", "-m", "one"]);
  await server.run(["publish", "b", "--whole"], { stdin: large });
  await server.run(["publish", "a/2", "-m", "three"]);
  const messages = (await subscriber.ran()).stdout.split("\n").slice(0, -1).map((line) => JSON.parse(line));
  assertEquals(messages.map(({ topic, seq, payload }) => [topic, seq, payload.length]), [
    ["a/1", 1, 3],
    ["b", 1, 100_000],
    ["a/2", 1, 5],
  ]);
});

Deno.test("a group with a key is heard by who has it, and by nobody else", async () => {
  using key = keyFile(1);
  using another = keyFile(2);
  const group = testGroup();
  await using server = await startMulticast(group, ["--key-file", key.path]);
  const listen = (...args: string[]) => {
    const command = ["stream", "subscribe", "--multicast", "--group", group.joined, "--timeout", "3s", "-n", "1"];
    return new Process([...command, ...args]);
  };
  await using right = listen("--key-file", key.path);
  await using wrong = listen("--key-file", another.path);
  await using without = listen();
  await Promise.all([
    right.stderr.line(/ from /),
    wrong.stderr.line(/this key does not open/),
    without.stderr.line(/is encrypted: give --key-from/),
  ]);
  await server.run(["publish", "secret", "-m", "hello"]);
  assertEquals(await right.status, 0);
  assertEquals(right.stdout.text, "hello\n");
  for (const deaf of [wrong, without]) {
    const { status, stdout, stderr } = await deaf.ran();
    assertEquals([status, stdout], [5, ""]);
    assertEquals(stderr.match(/give --key-from|does not open/g)?.length, 1, "it is said once");
    assertEquals(/^subscribed .* from /m.test(stderr), false);
  }
});

Deno.test("who has a key takes nothing that is not encrypted", async () => {
  using key = keyFile(1);
  const group = testGroup();
  await using _server = await startMulticast(group);
  const args = ["subscribe", "--multicast", "--group", group.joined, "--key-file", key.path, "--timeout", "2s"];
  await using subscriber = new Process(["stream", ...args]);
  await subscriber.stderr.line(/is not encrypted, and refused/);
  assertEquals((await subscriber.ran()).status, 5);
});

Deno.test("another group and another protocol on the same port do no harm", async () => {
  const group = testGroup();
  const port = /:(\d+)\?/.exec(group.served)![1]!;
  const foreign = { ...group, served: `mcast://239.254.1.2:${port}?interface=127.0.0.1` };
  await using server = await startMulticast(group);
  await using other = await startMulticast(foreign);
  await using subscriber = await groupSubscriber(group, ["-n", "200"]);
  using stranger = openUdp("127.0.0.1", 0);
  const hostname = /\/\/([^:]+):/.exec(group.served)![1]!;
  for (let i = 0; i < 100; i++) {
    const noise = crypto.getRandomValues(new Uint8Array(1 + i * 14));
    await stranger.send(noise, udpAddress(hostname, Number(port)));
    await stranger.send(noise.fill(datagramMagic, 0, 1), udpAddress(hostname, Number(port)));
  }
  const lines = Array.from({ length: 200 }, (_, i) => `${i}\n`).join("");
  await other.run(["publish", "a"], { stdin: "wrong\n".repeat(100) });
  await server.run(["publish", "a"], { stdin: lines });
  assertEquals((await subscriber.ran()).stdout, lines);
});

Deno.test("a server that ends gives the group what is in its logs, and a subscriber hears the next one", async () => {
  const group = testGroup();
  const server = await startMulticast(group, []);
  await using subscriber = await groupSubscriber(group, ["-n", "2001"]);
  const lines = Array.from({ length: 2000 }, (_, i) => `${i}\n`).join("");
  await server.run(["publish", "a"], { stdin: lines });
  server.kill("SIGTERM");
  assertEquals(await server.status, 0);
  await server[Symbol.asyncDispose]();
  await using next = await startMulticast(group);
  await subscriber.stderr.line(/./, 2);
  await next.run(["publish", "a", "-m", "again"]);
  const { status, stdout, stderr } = await subscriber.ran();
  assertEquals([status, stdout], [0, `${lines}again\n`]);
  assertEquals(/gap/.test(stderr), false, stderr);
});

Deno.test({
  name: "a subscriber that stood still for a second catches up",
  ignore: Deno.build.os === "windows",
  async fn() {
    const group = testGroup("&rate=40Mbit/s");
    await using server = await startMulticast(group, ["--retain", "64MiB"]);
    const count = 40_000;
    await using subscriber = await groupSubscriber(group, ["-n", `${count}`, "--strict"], { sink: () => {} });
    await using witness = await groupSubscriber(group, ["-n", `${count}`, "--strict"]);
    const lines = Array.from({ length: count }, (_, i) => `${i} ${"x".repeat(90)}\n`).join("");
    await using publisher = server.start(["publish", "a"], { stdin: lines });
    // It stands still while the first half is sent, however long that takes.
    await witness.stdout.past(lines.length / 10);
    subscriber.kill("SIGSTOP");
    await witness.stdout.past(lines.length / 2);
    subscriber.kill("SIGCONT");
    assertEquals((await publisher.ran()).status, 0);
    for (const process of [subscriber, witness]) {
      const { status, stderr } = await process.ran();
      assertEquals([status, process.stdout.length], [0, lines.length], stderr);
    }
    assertEquals(witness.stdout.text, lines);
  },
});

Deno.test("silence on a group is explained", async () => {
  const group = testGroup();
  const args = ["subscribe", "--multicast", "--group", group.joined, "--timeout", "4s"];
  await using subscriber = new Process(["stream", ...args]);
  const { status, stderr } = await subscriber.ran();
  assertEquals(status, 5);
  assertMatch(
    stderr,
    /^subscribed #\n.*no sender is heard on mcast:\/\/.* yet: start one with stream serve --multicast/,
  );
});

const refused: readonly (readonly [args: string[], message: RegExp])[] = [
  [["serve", "--multicast", "tcp://127.0.0.1"], /tcp:\/\/ does not go here: what goes is mcast/],
  [["serve", "--multicast", "mcast://10.0.0.1"], /10\.0\.0\.1 is not the address of a group: those are 224/],
  [["serve", "--multicast", "mcast://239.1.1.1:0"], /a group needs a port/],
  [["serve", "--multicast", "mcast://239.1.1.1?mtu=100"], /mtu=100: the least is 576/],
  [["serve", "--multicast", "mcast://239.1.1.1?rate=100/s"], /paced in bits, not in messages/],
  [["serve", "--multicast", "mcast://239.1.1.1?interface=nosuch0"], /no interface "nosuch0": it has .*127\.0\.0\.1/],
  [["serve", "--multicast", "mcast://[ff15::1]?ttl=4"], /ttl=4: IPv6 multicast goes to the network of its interface/],
  [["serve", "--multicast", "mcast://[ff15::1]"], /loopback carries no IPv6 multicast: name an interface/],
  [["serve", "--multicast", "--multicast"], /mcast:\/\/239\.255\.70\.70:7071 is given twice/],
  [["serve", "--key-file", "x"], /--key-file encrypts what is multicast, and nothing is/],
  [
    ["subscribe", "--multicast", "--from", "earliest"],
    /--from does not go with --multicast: a group has no history: give --repair/,
  ],
  [["subscribe", "--multicast", "-s", "tcp://127.0.0.1:1"], /--server does not go with --multicast/],
  [["subscribe", "--group", "mcast://239.1.1.1", "a"], /--group means nothing without --multicast/],
];

Deno.test("what cannot be is said, with what to do", async (t) => {
  for (const [args, message] of refused) {
    await t.step(args.join(" "), async () => {
      const command = new Deno.Command(Deno.execPath(), { args: [...denoRun, "cli/main.ts", ...args] });
      const { code, stderr } = await command.output();
      assertMatch(new TextDecoder().decode(stderr), message);
      assertEquals(code, 2);
    });
  }
});

Deno.test("key: a key for one's own eyes, never over another", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/group.key`;
  const made = new Process(["stream", "key", path]);
  assertEquals(await made.ran(), { status: 0, stdout: "", stderr: "" });
  await made[Symbol.asyncDispose]();
  const text = await Deno.readTextFile(path);
  assertMatch(text, /^[0-9a-f]{64}\n$/);
  if (Deno.build.os !== "windows") assertEquals((await Deno.stat(path)).mode! & 0o777, 0o600);
  await using again = new Process(["stream", "key", path]);
  assertEquals(await again.ran(), {
    status: 1,
    stdout: "",
    stderr: `stream key: cannot write the key "${path}": the file exists: give another name\n`,
  });
  assertEquals(await Deno.readTextFile(path), text);
  await using printed = new Process(["stream", "key"]);
  assertMatch((await printed.ran()).stdout, /^[0-9a-f]{64}\n$/);
  await Deno.writeTextFile(path, "not a key");
  await using wrong = new Process(["stream", "subscribe", "--multicast", "--key-file", path]);
  const { status, stderr } = await wrong.ran();
  assertEquals(status, 2);
  assertMatch(stderr, /holds no key: 9 bytes, which are neither 32 nor 64 digits: stream key group\.key makes one/);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a subscriber that starts late gets what was before from the log, then what the group brings", async () => {
  const group = testGroup();
  await using server = await startMulticast(group);
  const lines = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `${from + i}\n`).join("");
  await server.run(["publish", "a"], { stdin: lines(0, 5000) });
  const args = ["--repair", server.endpoint, "--from", "earliest", "-n", "10000", "--strict", "a"];
  await using subscriber = await groupSubscriber(group, args);
  await server.run(["publish", "a"], { stdin: lines(5000, 10_000) });
  const { status, stdout, stderr } = await subscriber.ran();
  assertEquals([status, stdout], [0, lines(0, 10_000)], stderr);
});
