import { assertEquals, assertMatch } from "@std/assert";
import { ClientAuthority, type Issued } from "./client_authority.ts";
import { entryOf, SecretFiles, showing, tokensFor } from "./secured.ts";

Deno.test("clients are known by their certificates, and by nothing else where those are asked for", async (t) => {
  await using files = await SecretFiles.make();
  const { root } = tokensFor("root");
  const sensor = ['[users."sensor 1"]', 'publish = ["sensors/1"]'].join("\n");
  await files.replace(files.users, `${sensor}\n${entryOf("root", root, 'publish = ["#"]')}`);
  const [authority, stranger] = [await ClientAuthority.make("ours"), await ClientAuthority.make("theirs")];
  const ca = `${files.directory}/clients.pem`;
  await files.replace(ca, authority.cert);
  await using server = await files.serve(["--tls-client-ca", ca]);

  const hour = 3_600_000;
  const rows: [name: string, shown: Issued | null, topic: string, status: number, says: RegExp][] = [
    ["the certificate of a user", await authority.issue("sensor 1"), "sensors/1", 0, /^$/],
    [
      "the certificate of a user, for another's topic",
      await authority.issue("sensor 1"),
      "sensors/2",
      4,
      /why="sensor 1 may not publish to sensors\/2"$/,
    ],
    ["none", null, "sensors/1", 4, /give --cert and --key \(certificate\)$/],
    [
      "one of nobody",
      await authority.issue("sensor 2"),
      "sensors/1",
      4,
      /sensor 2, as the certificate says, is not known/,
    ],
    ["one of another authority", await stranger.issue("sensor 1"), "sensors/1", 4, /\(certificate\)$/],
    [
      "one that has expired",
      await authority.issue("sensor 1", -2 * hour),
      "sensors/1",
      4,
      /has expired \(certificate\)$/,
    ],
    [
      "one that is not valid yet",
      await authority.issue("sensor 1", hour),
      "sensors/1",
      4,
      /\(certificate\)$/,
    ],
  ];
  for (const [name, shown, topic, status, says] of rows) {
    await t.step(name, async () => {
      const [cert, key] = [`${files.directory}/client.pem`, `${files.directory}/client.key`];
      if (shown !== null) {
        await files.replace(cert, shown.cert);
        await files.replace(key, shown.key);
      }
      const show = shown === null ? [] : ["--cert", cert, "--key", key];
      // A right token is of no use where the certificate says who it is.
      const ran = await server.run(["publish", "--ca", files.cert, ...show, topic, "-m", "x"], showing(root));
      assertMatch(ran.stderr.trimEnd(), says);
      assertEquals(ran.status, status);
    });
  }
  await t.step("whose user is removed while it is connected is thrown out", async () => {
    const [cert, key] = [`${files.directory}/client.pem`, `${files.directory}/client.key`];
    const shown = await authority.issue("sensor 1");
    await files.replace(cert, shown.cert);
    await files.replace(key, shown.key);
    const opened = server.stderr.lines.filter((line) => line.includes('user="sensor 1"')).length;
    const args = ["publish", "--ca", files.cert, "--cert", cert, "--key", key, "sensors/1"];
    await using publisher = server.start(args, { stdin: "pipe" });
    await server.stderr.line(/session opened .* user="sensor 1"$/, opened + 1);
    await files.replace(files.users, entryOf("root", root));
    assertEquals(await publisher.status, 4);
    await publisher.stderr.line(/\(removed\)$/);
  });
});
