import { assert, assertEquals } from "@std/assert";
import type { Answer } from "../../core/authority.ts";
import { Code } from "../../core/codes.ts";
import { declare, hello, list, ping, preamble, subscribe } from "../../core/control.ts";
import { AuthorityServer, helloFrame, type TestAuthority } from "./accounts.ts";
import { concat, KiB } from "./fixtures.ts";
import { controlFrame, Peer, subscribing, TestServer, textFrame, turn } from "./world.ts";

/** How somebody was turned away. */
function closeOf(peer: Peer): unknown[] {
  return peer.named("CLOSE").map(({ code, why }) => [code, why])[0] ?? [];
}

/** Has the authority answer only when it is told to. */
function hold(authority: TestAuthority): () => Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  authority.gate = promise;
  return () => {
    resolve();
    return turn();
  };
}

Deno.test("the authority is asked with the user, the secret and the address; who is let in is logged by name", async () => {
  await using test = new AuthorityServer({ alice: {} });
  const peer = await test.claims("alice", { secret: "hunter2", from: "192.0.2.7" });
  assertEquals(peer.names(), ["WELCOME"]);
  assertEquals(test.authority.claims, [
    { user: "alice", secret: "hunter2", certified: null, address: "192.0.2.7" },
  ]);
  assertEquals(test.events, [{ kind: "opened", peer: "192.0.2.7:50000", agent: "test", user: "alice" }]);
});

Deno.test("the user of a certificate is told to the authority, and stands in the log where there is none", async () => {
  await using asked = new AuthorityServer({ alice: {} });
  await using open = new TestServer();
  const greeting = concat([preamble, helloFrame("", 1)]);
  await asked.connectFrom("192.0.2.7", { user: "alice" }).send(greeting);
  assertEquals(asked.authority.claims.map(({ certified }) => certified), ["alice"]);
  const peer = new Peer("192.0.2.7:50000");
  open.server.accept({ ...peer.connection, user: "alice" });
  await peer.send(greeting);
  for (const { events } of [asked, open]) {
    assertEquals(events.map((event) => event.kind === "opened" && event.user), ["alice"]);
  }
});

for (const late of [false, true]) {
  Deno.test(`who is rejected ${late ? "after a while" : "at once"} is told why, and is counted`, async () => {
    await using test = new AuthorityServer();
    for (const code of [Code.authentication, Code.attempts, Code.certificate, Code.removed]) {
      const rejected: Answer = { rejected: { code, why: "because" } };
      const { promise, resolve } = Promise.withResolvers<Answer>();
      test.authority.authenticate = () => late ? promise : rejected;
      const peer = await test.claims("alice", { secret: "hunter2" });
      if (late) {
        assertEquals([peer.names(), peer.ended], [[], false]);
        resolve(rejected);
        await turn();
      }
      assertEquals(closeOf(peer), [code, "because"]);
      assert(peer.ended);
      await peer.end();
      assertEquals(test.events.splice(0), [{ kind: "closed", peer: "192.0.2.9:50000", code, why: "because" }]);
    }
    assertEquals([...test.server.closes], [["authentication", 1], ["attempts", 1], ["certificate", 1], ["removed", 1]]);
  });
}

Deno.test("who is not known yet may say HELLO and nothing else, and no more than a HELLO holds", async () => {
  await using test = new AuthorityServer({ alice: {} });
  for (
    const [frame, reason] of [
      [controlFrame(ping, { token: 1 }), null],
      [controlFrame(subscribe, subscribing), "protocol"],
      [controlFrame(declare, { request: 1, first: 0, topic: "a" }), "protocol"],
      [textFrame(["x"]), "frame-too-large"],
      [textFrame(["x".repeat(2 * KiB)]), "frame-too-large"],
    ] as const
  ) {
    const peer = test.connectFrom();
    await peer.send(preamble, frame);
    assertEquals(peer.reason(), reason);
  }
  const longest = { features: 0, session: "1".repeat(32), agent: "a".repeat(255), user: "u".repeat(255) };
  const peer = test.connectFrom();
  await peer.send(preamble, controlFrame(hello, { ...longest, secret: "s".repeat(255) }));
  assertEquals(test.authority.claims.map(({ user, secret }) => user.length + secret.length), [510]);
  assertEquals(peer.reason(), "authentication");
});

Deno.test("requests behind HELLO are taken up after WELCOME, in order; nothing more is read until then", async () => {
  await using test = new AuthorityServer({ alice: {} });
  const answer = hold(test.authority);
  const peer = await test.claims(
    "alice",
    {},
    controlFrame(subscribe, { ...subscribing, patterns: Array(64).fill({ pattern: "x".repeat(255) }) }),
    controlFrame(declare, { request: 1, first: 0, topic: "a" }),
  );
  await peer.send(textFrame(["1"], { topic: 1, number: 1 }), controlFrame(list, { request: 2, pattern: "#" }));
  await test.world.run(20_000);
  assertEquals([peer.names(), peer.closed, test.server.topics.size], [[], false, 0]);
  await answer();
  await test.world.run(50);
  const names = peer.names().filter((name) => name !== "ACK");
  assertEquals(names, ["WELCOME", "SUBSCRIBED", "DECLARED", "LISTED"]);
  assertEquals(test.server.topics.get("a")?.log.nextSequence, 2);
});

Deno.test("that the authority takes its time is not the peer's doing: the handshake timeout is off meanwhile", async () => {
  await using test = new AuthorityServer({ alice: {} }, { limits: { idleTimeout: 60_000 } });
  const answer = hold(test.authority);
  const peer = await test.claims("alice");
  await test.world.run(50_000);
  await answer();
  await test.world.run(15_000);
  assertEquals(peer.names(), ["WELCOME"], "it is not idle either");
});

Deno.test("a peer that leaves while the authority thinks is gone as soon as there is an answer", async () => {
  await using test = new AuthorityServer({ alice: {} });
  for (const leave of [(peer: Peer) => peer.end(), (peer: Peer) => peer.reset()]) {
    const answer = hold(test.authority);
    const peer = await test.claims("alice");
    await leave(peer);
    assertEquals(test.server.connections, 1);
    await answer();
    assertEquals(test.server.connections, 0);
  }
});

Deno.test("a server that drains, or closes, does not wait for its authority", async () => {
  for (const end of ["drain", "close"] as const) {
    await using test = new AuthorityServer({ alice: {} });
    const answer = hold(test.authority);
    const peer = await test.claims("alice");
    let drained = false;
    if (end === "close") test.server.close();
    else test.server.drain(10_000).then(() => drained = true);
    await turn();
    if (end === "drain") {
      assertEquals(closeOf(peer), [Code.draining, ""]);
      await peer.end();
      assert(drained);
    }
    assertEquals([test.server.connections, peer.closed], [0, true]);
    await answer();
    assertEquals(test.events.map(({ kind }) => kind), ["closed"], "the answer comes too late");
  }
});

Deno.test("an authority that never answers does not keep a session for ever", async () => {
  await using test = new AuthorityServer({ alice: {} }, { limits: { idleTimeout: 30_000 } });
  hold(test.authority);
  const peer = await test.claims("alice");
  await test.world.run(40_000);
  assertEquals([peer.reason(), peer.closed, test.server.connections], ["idle", true, 0]);
});

for (const late of [false, true]) {
  Deno.test(`an authority that throws ${late ? "after a while" : "at once"} is a bug: told, and reported`, async () => {
    await using test = new AuthorityServer();
    const error = new TypeError("a bug");
    test.authority.authenticate = () => {
      if (!late) throw error;
      return Promise.reject(error);
    };
    const peer = await test.claims("alice", { secret: "hunter2" });
    assertEquals(peer.reason(), "internal");
    await peer.end();
    assertEquals(test.events.splice(0).map((event) => event.kind === "bug" ? event.error : event.kind), [
      "closed",
      error,
    ]);
    assertEquals(test.server.connections, 0);
  });
}

Deno.test("who was removed while the password was checked is not let in", async () => {
  await using test = new AuthorityServer({ alice: {} });
  const { again } = test.authority;
  test.authority.again = () => null;
  const peer = await test.claims("alice");
  assertEquals(peer.reason(), "removed");
  test.authority.again = again;
  await test.user("alice");
});

Deno.test("what changed while the password was checked holds from the beginning", async () => {
  await using test = new AuthorityServer({ alice: {} });
  const { authenticate } = test.authority;
  test.authority.authenticate = (claim) => {
    const answer = authenticate.call(test.authority, claim);
    test.regrant("alice", { publish: [] });
    return answer;
  };
  const peer = await test.user("alice");
  await peer.request(declare, { request: 1, first: 0, topic: "a" });
  assertEquals(peer.frames().map(({ code }) => code), [Code.forbidden]);
});
