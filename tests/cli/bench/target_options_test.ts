import { assertEquals, assertThrows } from "@std/assert";
import { withoutSecrets } from "../../../cli/bench/drivers/address.ts";
import { parseTarget, tlsOf } from "../../../cli/bench/target_options.ts";
import { UsageError } from "../../../core/errors.ts";

Deno.test("a target is a kind of server by its scheme, with its port and with who to be there", () => {
  const parsed: [given: string, kind: string, endpoint: string][] = [
    ["tcp://localhost", "stream", "tcp://localhost:7070"],
    ["tls://[::1]", "stream", "tls://[::1]:7070"],
    ["tls://me:a%40b@example.com:1", "stream", "tls://me:a%40b@example.com:1"],
    ["tcp://token@127.0.0.1", "stream", "tcp://token@127.0.0.1:7070"],
    ["nats://me:it@10.0.0.1", "nats", "nats://me:it@10.0.0.1:4222"],
    ["redis://:it@localhost", "redis", "redis://:it@localhost:6379"],
    ["mqtt://localhost:1", "mqtt", "mqtt://localhost:1"],
  ];
  for (const [given, kind, endpoint] of parsed) assertEquals(parseTarget(given), { kind, endpoint }, given);
});

Deno.test("a wrong target is refused, and no secret is told", () => {
  const wrong: [given: string, message: string][] = [
    ["http://me:it@x", '"http://...@x" is not a server that can be measured'],
    ["nats://me:it@x:y", 'wrong endpoint "nats://...@x:y"'],
    ["tls://me:it@host:y", 'wrong endpoint "tls://...@host:y"'],
    ["tls://me:i%t@host", "the user or the secret has a % that no two hex digits follow"],
    ["tcp://me:it@10.0.0.1", "tcp://10.0.0.1 is not encrypted: everybody on the way could read the secret"],
  ];
  for (const [given, message] of wrong) {
    const error = assertThrows(() => parseTarget(given), UsageError, message);
    assertEquals([error.message, error.hint].join().includes("me:it"), false);
  }
});

Deno.test("all connections are with TLS, or none", () => {
  const [tcp, tls, nats] = ["tcp://a", "tls://a", "nats://a"].map(parseTarget) as [
    ReturnType<typeof parseTarget>,
    ReturnType<typeof parseTarget>,
    ReturnType<typeof parseTarget>,
  ];
  assertEquals(tlsOf([], {}), null);
  assertEquals(tlsOf([tcp, nats], {}), null);
  assertEquals(tlsOf([], { tls: true }), { ca: null });
  assertEquals(tlsOf([nats], { tls: true }), { ca: null });
  assertEquals(tlsOf([nats, tls], { ca: "file" }), { ca: "file" });
  assertThrows(() => tlsOf([tcp], { tls: true }), UsageError, "tcp://a:7070 is without TLS, and --tls wants it");
  for (const targets of [[], [tcp], [nats]]) {
    assertThrows(() => tlsOf(targets, { ca: "file" }), UsageError, "--ca says");
  }
  assertThrows(() => tlsOf([], { tls: true, ca: "file" }), UsageError, "--ca says");
});

Deno.test("what is shown of a URL is without user and password", () => {
  const command = "stream bench -t nats://me:p@ss@host:1 -t redis://:it@b --against mqtt";
  assertEquals(withoutSecrets(command), "stream bench -t nats://...@host:1 -t redis://...@b --against mqtt");
  assertEquals(withoutSecrets("tcp://127.0.0.1:7070"), "tcp://127.0.0.1:7070");
});
