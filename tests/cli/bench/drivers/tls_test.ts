import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import type { Driver, TargetKind } from "../../../../cli/bench/driver.ts";
import { parseAddress } from "../../../../cli/bench/drivers/address.ts";
import { nowhere, open } from "../../../../cli/bench/drivers/raw.ts";
import { driverOf } from "../../../../cli/bench/drivers/table.ts";
import { installedVersion, startServer } from "../../../../cli/bench/servers.ts";
import { BenchCertificate } from "../../../../cli/bench/tls.ts";
import { TransportError } from "../../../../core/errors.ts";
import { bytesOf, Recorder } from "./codec.ts";
import { silence, Stranger } from "./stranger.ts";

const kinds: readonly TargetKind[] = ["stream", "nats", "redis", "mqtt"];
const missing = new Set<TargetKind>();
for (const kind of kinds) if (await installedVersion(kind) === null) missing.add(kind);

/** Both ways to connect. */
function attempts(driver: Driver, endpoint: string): (() => Promise<unknown>)[] {
  return [() => driver.send(endpoint, ["a"]), () => driver.receive(endpoint, ["a"], new Recorder())];
}

for (const kind of kinds) {
  const ignore = missing.has(kind);

  Deno.test({
    name: `${kind} with TLS: what is sent arrives at who trusts the server, and nobody else connects`,
    ignore,
    async fn() {
      await using certificate = await BenchCertificate.make();
      await using server = await startServer(kind, { certificate });
      const driver = await driverOf(kind, { trust: certificate.trust });
      const messages = ["", "x", "y".repeat(300_000), "z"];
      const recorder = new Recorder();
      const all = Promise.withResolvers<void>();
      recorder.note = (event) => {
        recorder.events.push(event);
        if (recorder.events.length === messages.length) all.resolve();
      };
      const receiver = await driver.receive(server.endpoint, ["a/b"], recorder);
      const sender = await driver.send(server.endpoint, ["a/b"]);
      for (const message of messages) sender.send(0, bytesOf(message));
      await sender.flush();
      await all.promise;
      assertEquals(recorder.events, messages.map((message) => `message ${message}`));
      assert(receiver.bytes > 300_000);
      receiver.close();
      await Promise.all([sender.close(), receiver.closed]);

      await using other = await BenchCertificate.make();
      for (const attempt of attempts(await driverOf(kind, { trust: other.trust }), server.endpoint)) {
        const { message, endpoint } = await assertRejects(attempt, TransportError);
        assertEquals(endpoint, server.endpoint);
        assertMatch(message, /^cannot connect to \w+:\/\/127\.0\.0\.1:\d+: its certificate is /);
      }
    },
  });

  // Redis waits for the end of what it takes for a command: see below.
  if (kind === "redis") continue;

  Deno.test({
    name: `${kind} with TLS: a server that has none is told of`,
    ignore,
    async fn() {
      await using server = await startServer(kind);
      const endpoint = server.endpoint.replace(/^tcp:/, "tls:");
      for (const attempt of attempts(await driverOf(kind, { trust: {} }), endpoint)) {
        const { message } = await assertRejects(attempt, TransportError);
        assertMatch(message, new RegExp(`^cannot connect to ${endpoint}: .*(TLS|reset|closed)`));
      }
    },
  });
}

Deno.test({
  name: "nats: a server that wants TLS is told of to who comes without",
  ignore: missing.has("nats"),
  async fn() {
    await using certificate = await BenchCertificate.make();
    await using server = await startServer("nats", { certificate });
    for (const attempt of attempts(await driverOf("nats"), server.endpoint)) {
      const { message } = await assertRejects(attempt, TransportError);
      assertEquals(message, `cannot connect to ${server.endpoint}: the server wants TLS: give --tls`);
    }
  },
});

Deno.test("nats: a server that leaves during the handshake is told of", async () => {
  await using stranger = new Stranger(async (guest) => {
    await guest.says('INFO {"tls_required":true}\r\n');
    await guest.hears(/^./s);
  });
  const endpoint = `nats://${stranger.address}`;
  for (const attempt of attempts(await driverOf("nats", { trust: {} }), endpoint)) {
    const { message } = await assertRejects(attempt, TransportError);
    assertMatch(message, /^cannot connect to nats:\/\/127\.0\.0\.1:\d+: (it closed the connection during|.*reset)/);
  }
});

Deno.test("redis with TLS: a server that says nothing is told of", async () => {
  await using stranger = new Stranger(silence);
  const address = parseAddress(`redis://${stranger.address}`, "redis", 6379);
  const options = { address, attempted: "send to", protocol: "Redis", sink: nowhere, trust: {}, patience: 30 };
  const session = () => ({
    parser: { needed: 0, parse: (_bytes: Uint8Array, _view: DataView, start: number) => start, stop() {} },
    greet: () => Promise.resolve(),
  });
  await assertRejects(() => open(options, session), TransportError, "nothing for 0.03 s: is it TLS that");
});
