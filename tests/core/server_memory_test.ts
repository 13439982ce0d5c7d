import { assert, assertEquals } from "@std/assert";
import { declare, Policy, subscribe } from "../../core/control.ts";
import { subscribing, TestServer, textFrame } from "./world.ts";
import { KiB, MiB } from "./fixtures.ts";

// What makes room closes sessions, and that happens in the middle of what a session does: of its own reads and appends too.

for (const policy of ["skip", "disconnect", "wait"] as const) {
  Deno.test(`memory: a session that is closed for its own hold on memory, whatever it was doing, leaves nothing behind: ${policy}`, async () => {
    const reasons = new Map<string, number>();
    for (let memory = 2 * MiB; memory < 8 * MiB; memory += 96 * KiB) {
      await using test = new TestServer({
        limits: { memory, inputMemory: memory, retain: 64 * KiB, maxMessage: MiB, topicCredit: 4 * MiB },
      });
      const peers = [];
      for (let i = 0; i < 3; i++) {
        const peer = await test.greeted();
        await peer.request(subscribe, { ...subscribing, policy: Policy[policy] });
        await peer.request(declare, { request: 1, first: 0, topic: "a" });
        peer.frames();
        peers.push(peer);
      }
      for (const peer of peers) peer.window = 100;
      for (let round = 0; round < 6; round++) {
        for (const [index, peer] of peers.entries()) {
          if (peer.closed) continue;
          const size = index === 1 ? 40 * KiB : MiB - 10 * round;
          await peer.send(textFrame(["x".repeat(size)], { topic: 1, number: round + 1 }));
          if (round === 3) await peer.accept(50_000);
        }
        await test.world.run(100);
      }
      await test.world.run(20_000);
      for (const [name, count] of test.server.closes) reasons.set(name, (reasons.get(name) ?? 0) + count);
      assert(test.server.topics.pool.budget.used <= memory);
    }
    if (policy === "skip") assert((reasons.get("memory") ?? 0) > 0, `it was not reached: ${[...reasons]}`);
  });
}

Deno.test("memory: the connection that pins the oldest memory is closed, and told when it comes back", async () => {
  await using test = new TestServer({
    limits: { memory: 6 * MiB, retain: 64 * KiB, maxMessage: MiB, writeDeadline: 60_000 },
  });
  const publisher = await test.greeted(1);
  await publisher.request(declare, { request: 1, first: 0, topic: "a" });
  let number = 0;
  const publish = () => publisher.send(textFrame(["x".repeat(MiB - 1000)], { topic: 1, number: ++number }));
  await publish();
  const frozen = [];
  for (let id = 10; id < 20 && test.closes("memory") === 0; id++) {
    const peer = await test.greeted(id);
    peer.window = 1000;
    await peer.request(subscribe, { ...subscribing, policy: Policy.skip });
    frozen.push(peer);
    await test.world.run(10);
    await publish();
  }
  const closed = frozen.filter(({ closed }) => closed).length;
  assertEquals(test.closes("memory"), closed);
  assert(closed >= 1 && closed < frozen.length, `${closed} of ${frozen.length}`);
  assert(frozen.slice(0, closed).every(({ closed }) => closed), "those who froze first");
  const back = await test.peer(10);
  assertEquals(back.frames()[0]!.closed, 9);
  publisher.frames();
  await publish();
  assertEquals(publisher.names(), ["ACK"], "the publisher noticed nothing");
});
