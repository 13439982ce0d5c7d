import { assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { permissions } from "../../tasks/program.ts";
import { Process, startServer } from "./process.ts";
import { stream } from "./program.ts";
import { entryOf, SecretFiles, showing, tokensFor } from "./secured.ts";

const tls = ["--listen", "tls://127.0.0.1:0"];
const pair = ["--tls-cert", "x.pem", "--tls-key", "x.key"];

/** What `serve` refuses, with 2 unless it has to look at a file, and what it says. */
const refused: [args: string[], says: RegExp, status?: number][] = [
  [tls, /--listen tls:\/\/\.\.\. needs a certificate: give --tls-cert FILE and --tls-key FILE, or --tls-self-signed/],
  [pair, /--tls-cert is for TLS, and nothing listens with it: give --listen tls:/],
  [["--tls-self-signed"], /--tls-self-signed is for TLS, and nothing listens with it/],
  [["--tls-client-ca", "x.pem"], /--tls-client-ca is for TLS, and nothing listens with it/],
  [[...tls, "--tls-cert", "x.pem"], /--tls-cert needs --tls-key beside it/],
  [[...tls, "--tls-key", "x.key"], /--tls-key needs --tls-cert beside it/],
  [["--tls-key", "x.key"], /--tls-key needs --tls-cert beside it/],
  [[...tls, ...pair, "--tls-self-signed"], /--tls-self-signed and --tls-cert exclude each other: give one of them/],
  [
    ["--listen", "tcp://0.0.0.0:0", "--auth", "auth.toml"],
    /tcp:\/\/0\.0\.0\.0:0 is not on loopback and not encrypted: passwords and messages could be read on the way: listen on tls:/,
  ],
  [
    ["--listen", "tls://0.0.0.0:0", "--tls-self-signed"],
    /anybody who reaches it could publish and subscribe: say who may/,
  ],
  [["--listen", "tls://s3cret@127.0.0.1:0", "--tls-self-signed"], /it has a user or password in it/],
  [
    ["--multicast", "--auth", "auth.toml"],
    /with --auth, mcast:\/\/.* needs a list of what it carries: for example: mcast:/,
  ],
  [
    [...tls, "--tls-cert", "/nowhere/x.pem", "--tls-key", "x.key"],
    /cannot read --tls-cert "\/nowhere\/x.pem": no such file/,
    1,
  ],
  [["--auth", "/nowhere/auth.toml"], /cannot read the users "\/nowhere\/auth.toml": no such file/, 1],
];

for (const [args, says, status = 2] of refused) {
  Deno.test(`serve ${args.join(" ")} is refused with ${status}`, async () => {
    const ran = await stream(["serve", ...args]);
    assertMatch(ran.stderr, new RegExp(`^stream serve: .*${says.source}.*\n$`));
    assertEquals([ran.status, ran.stdout, ran.stderr.includes("s3cret")], [status, "", false]);
  });
}

Deno.test("a file of users with faults is refused with all of them, a line, and without the secrets in it", async () => {
  await using files = await SecretFiles.make();
  await files.replace(files.users, '[users.a]\npassword = "s3cret"\ntokens = ["s3cret"]\npublish = ["a/#/b"]\n');
  await using server = new Process(["stream", "serve", "--listen", "tcp://127.0.0.1:0", "--auth", files.users]);
  const { status, stderr } = await server.ran();
  assertEquals(status, 1);
  assertMatch(stderr, /^stream serve: the users cannot be used: .*:2: users\.a\.password: .*:3: .*:4: .*a\/#\/b.*\n$/);
  assertEquals(stderr.includes("s3cret"), false);
});

Deno.test("a key of another certificate is refused before anything listens", async () => {
  await using files = await SecretFiles.make();
  const key = await Deno.readTextFile(files.key);
  await files.renew();
  await files.replace(files.key, key);
  await using server = new Process(["stream", "serve", ...tls, "--tls-cert", files.cert, "--tls-key", files.key]);
  const { status, stdout, stderr } = await server.ran();
  assertEquals([status, stdout], [2, ""]);
  assertMatch(stderr, /^stream serve: .*key.*\n$/);
});

Deno.test("--tls-self-signed keeps its certificate over restarts, and its key from others", async () => {
  await using files = await SecretFiles.make();
  const directory = `${files.directory}/state/stream`;
  const fingerprint = async (directory: string) => {
    await using server = await startServer([...tls, "--tls-self-signed", directory]);
    const line = await server.stderr.line(/info {2}certificate fingerprint=/);
    const [, pin = ""] = /fingerprint=([0-9a-f]{64})/.exec(line)!;
    assertEquals((await server.run(["publish", "--pin", pin, "a", "-m", "x"])).status, 0);
    return pin;
  };
  const first = await fingerprint(directory);
  assertEquals(await fingerprint(directory), first);
  assertNotEquals(await fingerprint(`${files.directory}/other`), first);
  if (Deno.build.os === "windows") return;
  const mode = (path: string) => (Deno.statSync(path).mode ?? 0) & 0o777;
  assertEquals([mode(`${directory}/self-signed.key`), mode(directory)], [0o600, 0o700]);
});

Deno.test("without a directory the certificate is kept where programs keep their state, also by what is installed", async () => {
  await using files = await SecretFiles.make();
  const env = { XDG_STATE_HOME: files.directory, HOME: files.directory, LOCALAPPDATA: files.directory };
  const { root } = tokensFor("root");
  await files.replace(files.users, entryOf("root", root, 'publish = ["#"]'));
  const program = [Deno.execPath(), "run", "--quiet", ...permissions, "cli/main.ts"];
  await using server = new Process([...program, "serve", ...tls, "--tls-self-signed", "--auth", files.users], { env });
  const endpoint = (await server.stdout.line(/^listening /)).replace("listening ", "");
  const [, pin = ""] = /fingerprint=([0-9a-f]{64})/.exec(await server.stderr.line(/info {2}certificate fingerprint=/))!;
  const publish = ["publish", "-s", endpoint, "--pin", pin, "a", "-m", "x"];
  await using client = new Process([...program, ...publish], showing(root));
  assertEquals(await client.ran(), { status: 0, stdout: "", stderr: "" });
  const found = await Array.fromAsync(entriesOf(files.directory));
  assertEquals(found.includes("self-signed.key"), true);
});

/** The names of all files in a directory, and in those in it. */
async function* entriesOf(directory: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(directory)) {
    if (isDirectory) yield* entriesOf(`${directory}/${name}`);
    else yield name;
  }
}

Deno.test({
  name: "a file of users that others may read is warned of",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await using files = await SecretFiles.make();
    const { root } = tokensFor("root");
    await files.replace(files.users, entryOf("root", root, 'publish = ["#"]'));
    await Deno.chmod(files.users, 0o644);
    await using server = await files.serve();
    await server.stderr.line(
      /warn {2}.*auth\.toml has hashes of secrets in it and others may read it \(mode 644\): chmod 600 it$/,
    );
    const { status } = await server.run(["publish", "--ca", files.cert, "a", "-m", "x"], showing(root));
    assertEquals(status, 0);
  },
});
