import { assertEquals, assertMatch } from "@std/assert";
import { tokenHash } from "../../../cli/auth/tokens.ts";
import { BenchCertificate } from "../../../cli/bench/tls.ts";
import { Process } from "../process.ts";
import { stream } from "../program.ts";
import { installed, startNats } from "./peers.ts";

Deno.test({
  name: "with TLS, ours and another are compared, and everything says that it was with it",
  ignore: !installed("nats-server"),
  async fn() {
    const directory = await Deno.makeTempDir();
    try {
      const report = `${directory}/report.html`;
      const args = ["bench", "fanout", "--tls", "-n", "2000", "--subscribers", "2", "--warmup", "0", "--rounds", "1"];
      const { status, stdout, stderr } = await stream([...args, "--against", "nats", "--report", report, "--json"]);
      assertEquals(status, 0, stderr);
      const { runs, servers } = JSON.parse(stdout);
      assertEquals(
        runs.map((
          { target, tls, verdict, load, counts }: Record<string, unknown> & { counts: { received: number } },
        ) => [target, tls, verdict, load, counts.received]),
        [
          ["stream", true, "counts", "1 to 2, 128 B, TLS", 4000],
          ["nats", true, "counts", "1 to 2, 128 B, TLS", 4000],
        ],
      );
      assertMatch(runs[0].endpoint, /^tls:/);
      // Nothing of it is left behind.
      const file = /--tls-cert (\S+)/.exec(servers[0].commandLine)![1]!;
      assertEquals(await Deno.stat(file).catch(({ name }) => name), "NotFound");
      assertMatch(stderr, /stream: stream \S+, TLS_\w+, started for each run as: stream serve .* --tls-cert /);
      assertMatch(stderr, /nats: nats-server \S+, TLS_\w+, started for each run as: nats-server .* --tls /);
      assertMatch(await Deno.readTextFile(report), /1 to 2, 128 B, TLS/);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
});

Deno.test("a server that runs with TLS is measured as a user of it, whose token nothing tells", async () => {
  const token = "a-token-of-32-characters-or-more-x";
  await using certificate = await BenchCertificate.make();
  const auth = await Deno.makeTempFile({ suffix: ".toml" });
  try {
    const user = `[users.me]\ntokens = ["${tokenHash(token)}"]\npublish = ["#"]\nsubscribe = ["#"]\n`;
    await Deno.writeTextFile(auth, user);
    const files = ["--tls-cert", certificate.certFile, "--tls-key", certificate.keyFile, "--auth", auth];
    await using server = new Process(["stream", "serve", "-q", "-l", "tls://127.0.0.1:0", ...files]);
    const endpoint = (await server.stdout.line(/^listening /)).replace("listening ", "");
    const own = endpoint.replace("//", `//${token}@`);
    const { status, stdout, stderr } = await measured(own, "--ca", certificate.certFile);
    assertEquals(status, 0, stderr);
    const { runs: [run], command } = JSON.parse(stdout);
    assertEquals([run.tls, run.verdict, run.endpoint], [true, "counts", endpoint.replace("//", "//...@")]);
    assertMatch(command, /--target tls:\/\/\.\.\.@127/);
    assertEquals((stdout + stderr).includes(token), false);

    const distrusted = await measured(own);
    assertEquals(distrusted.status, 3);
    assertMatch(distrusted.stderr, /: its certificate is from nobody that is trusted here: give --ca/);
    assertEquals(distrusted.stderr.includes(token), false);
  } finally {
    await Deno.remove(auth);
  }
});

Deno.test({
  name: "nor does anything tell the password of another server's user",
  ignore: !installed("nats-server"),
  async fn() {
    await using certificate = await BenchCertificate.make();
    const { certFile, keyFile } = certificate;
    await using nats = await startNats(
      "--user",
      "me",
      "--pass",
      "secret",
      "--tls",
      "--tlscert",
      certFile,
      "--tlskey",
      keyFile,
    );
    const { status, stdout, stderr } = await measured(`nats://me:secret@${nats.address}`, "--tls", "--ca", certFile);
    assertEquals(status, 0, stderr);
    assertEquals(JSON.parse(stdout).runs[0].endpoint, `nats://...@${nats.address}`);
    assertEquals((stdout + stderr).includes("secret"), false);
  },
});

function measured(target: string, ...more: readonly string[]) {
  return stream(["bench", "throughput", "--target", target, ...more, "-n", "1000", "--warmup", "0", "--json"]);
}
