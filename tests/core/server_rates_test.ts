import { assert, assertEquals } from "@std/assert";
import type { AccountLimits } from "../../core/account.ts";
import { Code } from "../../core/codes.ts";
import { close, declare, subscribe } from "../../core/control.ts";
import { Usages } from "../../core/usage.ts";
import { AuthorityServer } from "./accounts.ts";
import { KiB } from "./fixtures.ts";
import { type Peer, publisher, subscribing, TestServer, textFrame } from "./world.ts";

/** Declares a topic; returns what was answered. */
async function declares(peer: Peer, topic: string): Promise<{ topic: number; credit: number; largestFrame: number }> {
  await peer.request(declare, { request: 1, first: 0, topic });
  return peer.named("DECLARED")[0] as unknown as { topic: number; credit: number; largestFrame: number };
}

/** The last number that was acknowledged since the last look; 0 for none. */
function acknowledged(peer: Peer): number {
  const acks = peer.named("ACK").flatMap(({ topics }) => topics as { number: number }[]);
  return acks.at(-1)?.number ?? 0;
}

/** What somebody publishes at full speed within the credit: 100 bytes a frame, a message each. */
class Flood {
  readonly #peer: Peer;
  readonly #topic: number;
  readonly #credit: number;
  /** Messages in number. */
  sent = 0;
  acknowledged = 0;

  constructor(peer: Peer, { topic, credit }: { readonly topic: number; readonly credit: number }) {
    this.#peer = peer;
    this.#topic = topic;
    this.#credit = credit;
  }

  /** Takes the acknowledgements that came, and sends what the credit allows. */
  async go(): Promise<void> {
    this.acknowledged = Math.max(this.acknowledged, acknowledged(this.#peer));
    const frames = [];
    while ((this.sent - this.acknowledged + 1) * 100 <= this.#credit) {
      frames.push(textFrame(["x".repeat(51)], { topic: this.#topic, number: ++this.sent }));
    }
    if (frames.length > 0) await this.#peer.send(...frames);
  }
}

for (
  const [name, limits, rate] of [
    ["bytes", { bytesPerSecond: 100_000 }, 1000],
    ["messages", { messagesPerSecond: 500 }, 500],
    ["the lower of both", { bytesPerSecond: 20_000, messagesPerSecond: 5_000 }, 200],
  ] as const
) {
  Deno.test(`rates: ${name} a second hold over a long time, for all connections together; nothing is lost`, async () => {
    await using test = new AuthorityServer({ alice: { limits: { maxMessage: KiB, ...limits } } });
    const floods: Flood[] = [];
    for (const topic of ["a", "b"]) {
      const peer = await test.user("alice");
      floods.push(new Flood(peer, await declares(peer, topic)));
    }
    const seconds = 200;
    for (let i = 0; i < seconds * 10; i++) {
      for (const flood of floods) await flood.go();
      await test.world.run(100);
    }
    const appended = floods.map((_, index) => test.server.topics.get("ab"[index]!)!.log.nextSequence - 1);
    // A second's worth is free at the beginning.
    const total = appended[0]! + appended[1]!;
    assert(Math.abs(total / (seconds * rate) - 1) < 0.02, `${total} messages in ${seconds} s`);
    assert(Math.abs(appended[0]! / appended[1]! - 1) < 0.1, `both have their turn: ${appended}`);
    await test.world.run(60_000);
    for (const [index, { sent }] of floods.entries()) {
      assertEquals(test.server.topics.get("ab"[index]!)?.log.nextSequence, sent + 1);
    }
  });
}

/** A user that may publish 10,000 bytes a second, and has as much credit. */
const slow: { readonly limits: Partial<AccountLimits> } = { limits: { maxMessage: KiB, bytesPerSecond: 10_000 } };

/** Publishes so many frames of 1,000 bytes. */
async function publishes(peer: Peer, topic: number, first: number, frames: number): Promise<void> {
  const numbers = Array.from({ length: frames }, (_, index) => first + index);
  await peer.send(...numbers.map((number) => textFrame(["x".repeat(950)], { topic, number })));
}

/** Publishes what is free: messages 1 to 10. */
async function exhaust(test: AuthorityServer, peer: Peer, topic: number): Promise<void> {
  await publishes(peer, topic, 1, 10);
  await test.world.run(20);
  assertEquals(acknowledged(peer), 10);
}

/** How many messages of a topic were appended. */
function appended(test: AuthorityServer): number {
  return test.server.topics.get("a")!.log.nextSequence - 1;
}

Deno.test("rates: beyond them frames wait for their time, and for their acknowledgement; PING is answered meanwhile", async () => {
  await using test = new AuthorityServer({ alice: slow });
  const peer = await test.user("alice");
  const { topic, credit } = await declares(peer, "a");
  assertEquals(credit, 10_000);
  await exhaust(test, peer, topic);
  // One more goes before there is a debt.
  await publishes(peer, topic, 11, 10);
  assertEquals(appended(test), 11);
  assertEquals(await peer.asked(), [{ frame: "ACK", topics: [{ topic, number: 11 }] }]);
  await test.world.run(450);
  assertEquals([appended(test), acknowledged(peer)], [15, 15]);
  await test.world.run(500);
  assertEquals([appended(test), acknowledged(peer)], [20, 20]);
});

Deno.test("rates: what waited when a session ended comes again, and is appended once", async () => {
  const ends: ((test: AuthorityServer, peer: Peer) => Promise<unknown>)[] = [
    (_, peer) => peer.request(close, { code: Code.done, why: "" }),
    (test) => {
      const { accounts } = test.authority;
      const alice = accounts.get("alice")!;
      accounts.clear();
      test.server.revise();
      accounts.set("alice", alice);
      return test.world.run(1);
    },
  ];
  for (const end of ends) {
    await using test = new AuthorityServer({ alice: slow });
    const peer = await test.user("alice", { id: 5 });
    const { topic } = await declares(peer, "a");
    await exhaust(test, peer, topic);
    await publishes(peer, topic, 11, 5);
    await end(test, peer);
    assertEquals([appended(test), acknowledged(peer)], [11, 11]);
    await peer.end();
    const again = await test.user("alice", { id: 5 });
    await publishes(again, (await declares(again, "a")).topic, 12, 4);
    await test.world.run(1_000);
    assertEquals([appended(test), acknowledged(again)], [15, 15]);
  }
});

Deno.test("rates: to leave and come back pays nothing off, and nor does coming many times", async () => {
  await using test = new AuthorityServer({ alice: slow });
  let id = 1;
  for (let second = 0; second < 30; second++) {
    const peers = [];
    for (let i = 0; i < 10; i++) {
      const peer = await test.user("alice", { id: id++ });
      await publishes(peer, (await declares(peer, "a")).topic, 1, 10);
      peers.push(peer);
    }
    await test.world.run(1_000);
    for (const peer of peers) await peer.end();
  }
  // A second's worth is free, and a frame of each second's end.
  assert(Math.abs(appended(test) - 310) < 5, `${appended(test)}`);
});

Deno.test("rates: what waits for its time holds up nobody, and nobody is expelled for it", async () => {
  await using test = new AuthorityServer({ alice: slow, bob: {} }, { lagPolicy: "wait" });
  const reader = await test.user("bob");
  await reader.request(subscribe, { ...subscribing, patterns: [{ pattern: "#" }] });
  const [slowly, freely] = [await test.user("alice"), await test.user("bob")];
  const { topic } = await declares(slowly, "a");
  await exhaust(test, slowly, topic);
  await publishes(slowly, topic, 11, 10);
  await publishes(freely, (await declares(freely, "a")).topic, 1, 100);
  assertEquals(appended(test), 111, "they are another's");
  await test.world.run(20_000);
  assertEquals(appended(test), 120);
  assertEquals(test.closes("max-wait"), 0);
});

Deno.test("rates: what was owed is forgotten a minute after the last connection", async () => {
  await using test = new AuthorityServer({ alice: slow });
  const peer = await test.user("alice");
  await peer.end();
  await test.world.run(80_000);
  const again = await test.user("alice");
  const { topic } = await declares(again, "a");
  await publishes(again, topic, 1, 10);
  await test.world.run(50);
  assertEquals(acknowledged(again), 10, "the burst is there");
});

Deno.test("rates: another rate holds from now on, for those who are in, of a user and of an address", async () => {
  await using test = new AuthorityServer({ alice: { limits: { maxMessage: KiB } } });
  const peer = await test.user("alice");
  const { topic } = await declares(peer, "a");
  let number = 1;
  const acknowledgedWithin = async (milliseconds: number) => {
    await publishes(peer, topic, number, 30);
    number += 30;
    await test.world.run(milliseconds);
    return acknowledged(peer) === number - 1;
  };
  assert(await acknowledgedWithin(50));
  test.authority.addressLimits = { ...test.authority.addressLimits, bytesPerSecond: 10_000 };
  test.server.revise();
  assert(!await acknowledgedWithin(900) && await acknowledgedWithin(5_000));
  test.authority.addressLimits = { ...test.authority.addressLimits, bytesPerSecond: Infinity };
  test.server.revise();
  assert(await acknowledgedWithin(50));
  test.regrant("alice", slow);
  assert(!await acknowledgedWithin(900) && await acknowledgedWithin(5_000));
});

Deno.test("rates: refused frames, and those that come again, are paid for as well", async () => {
  await using test = new AuthorityServer({ alice: slow });
  const peer = await test.user("alice");
  const { topic } = await declares(peer, "a");
  test.regrant("alice", { ...slow, publish: [] });
  await publishes(peer, topic, 1, 10);
  test.regrant("alice", slow);
  await publishes(peer, topic, 1, 5);
  peer.frames();
  await publishes(peer, topic, 11, 1);
  await test.world.run(400);
  assertEquals(test.server.topics.get("a"), undefined);
  await test.world.run(150);
  assertEquals(appended(test), 1);
});

Deno.test("rates: who does not care for its credit is closed, and keeps no memory", async () => {
  await using test = new AuthorityServer({ alice: slow });
  const peer = await test.user("alice");
  const { topic } = await declares(peer, "a");
  for (let number = 1; number < 200 && !peer.ended; number += 5) {
    await publishes(peer, topic, number, 5);
    await test.world.run(1);
  }
  assertEquals(peer.reason(), "credit");
  assert(appended(test) <= 11);
});

Deno.test("without an authority nothing of this is counted", async () => {
  const { enter } = Usages.prototype;
  let entered = 0;
  Usages.prototype.enter = function (...given) {
    entered++;
    return enter.apply(this, given);
  };
  try {
    await using test = new TestServer();
    await (await publisher(test)).publish("a", "1");
    assertEquals(entered, 0);
    await using other = new AuthorityServer({ alice: {} });
    await other.user("alice");
    assertEquals(entered, 2);
  } finally {
    Usages.prototype.enter = enter;
  }
});
