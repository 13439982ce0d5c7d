import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { root } from "../../tasks/program.ts";

async function demo(...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--allow-run", "--allow-env=NO_COLOR,TERM", "demo/demo.ts", ...args],
    cwd: root,
  }).output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

Deno.test("the demo runs, every end has the same, and it says so", async () => {
  const { code, stdout, stderr } = await demo("--seconds", "2", "--seed", "1");
  assertEquals([code, stderr], [0, ""], stdout);
  assert(!stdout.includes("\x1b"));
  assertMatch(stdout, /^ {2}1 s {2}published [\d,]+\/s {3}live [\d,]+\/s, p50 /m);
  assertMatch(stdout, /joined at 0\.8 s, --from earliest: [\d,]+ kept ones in /);
  assertStringIncludes(stdout, "✓ every topic has the same count and the same CRC-32 at all four");
  const [publisher, ...others] = [...stdout.matchAll(/^ (\w+) +([\d,]+) +400 {2}([0-9a-f]{8})/gm)];
  assertEquals(others.map(([, name]) => name), ["live", "late", "multicast"]);
  for (const other of others) assertEquals(other.slice(2), publisher!.slice(2));
  const [, datagrams, lost] = /of ([\d,]+) datagrams ([\d,]+) lost on purpose, and sent again/.exec(stdout)!;
  assert(Number(lost) > 0 && Number(datagrams!.replaceAll(",", "")) > Number(lost), stdout);
  // 10,000 a second, and more after the bell: less would be a demo of something else.
  assert(Number(publisher![2]!.replaceAll(",", "")) > 10_000, stdout);
});

for (
  const [fault, told] of [
    ["tamper", /✗ live: ticks\/\w+: \d+ sent and received, and they are not the same/],
    ["lose", /✗ live: ticks\/\w+: sent \d+, received \d+/],
    ["swap", /✗ live: ticks\/\w+: \d+ sent and received, and they are not the same/],
  ] as const
) {
  Deno.test(`the demo fails when a subscriber's messages differ: ${fault}`, async () => {
    const { code, stdout } = await demo("--seconds", "1", "--seed", "1", "--fault", fault);
    assertEquals(code, 1);
    assertMatch(stdout, told);
    assertStringIncludes(stdout, "✗ the ends do not agree");
    assert(!stdout.includes("✓ every topic"));
  });
}

Deno.test("the demo fails when a process ends before its time", async () => {
  const { code, stderr } = await demo("--seconds", "1", "--fault", "die");
  assertEquals(code, 1);
  assertMatch(stderr, /^demo: the [\w ]+ ended with /);
});

Deno.test("the demo refuses what it does not know, with its usage", async () => {
  const { code, stderr } = await demo("--fault", "nothing");
  assertEquals(code, 2);
  assertStringIncludes(stderr, "usage: deno task demo [--seconds N]");
});
