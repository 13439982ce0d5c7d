import { assertEquals, assertGreater, assertLess } from "@std/assert";
import fc from "fast-check";

import { GroupReceiver } from "../../core/group_receiver.ts";
import { Random, viewOf } from "./fixtures.ts";
import { group, largest } from "./group_network.ts";
import { GroupWorld } from "./group_world.ts";

// What strangers can do to a multicast group, and what they cannot.

Deno.test("who has no cookie gets none of what it asks for, and what it gets is smaller than what it sent", () => {
  const world = new GroupWorld({ seed: 9 });
  world.publish("a", 1);
  world.run(20);
  const { sender, receivers: [receiver] } = world;
  const forged = new GroupReceiver(world.platform, world.seal, { ...receiver!.options, group }, receiver!);
  // It has heard of the sender, and then of a datagram that it has not got.
  forged.received(world.last.slice(), viewOf(world.last), 0, world.last.length, world.address, 0);
  const request = new Uint8Array(largest);
  const length = forged.next(request, viewOf(request), 2000);
  assertGreater(length, 0);
  assertEquals(sender.received(request, viewOf(request), 0, length, { text: "victim" }, world.platform.now()), null);
  assertEquals([sender.requests.unproven, sender.requests.accepted], [1, 0]);
  const answer = new Uint8Array(largest);
  const answered = sender.next(answer, viewOf(answer), world.platform.now());
  assertEquals(sender.to, { text: "victim" });
  assertLess(answered, length);
});

Deno.test("frames that are sealed rightly and make no sense are counted, never thrown, never given on as messages", () => {
  const mutations = fc.array(fc.record({ at: fc.nat(1400), value: fc.nat(255) }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(mutations, fc.nat(), (mutations, seed) => {
      const world = new GroupWorld({ seed: 15 });
      const receiver = world.receivers[0]!;
      let count = 0;
      const random = new Random(seed);
      world.onSend = (bytes) => {
        if (count++ < 2) return;
        for (const { at, value } of mutations) {
          if (random.chance(0.5)) bytes[40 + at % (bytes.length - 44)] = value;
        }
        world.seal.close(bytes, viewOf(bytes), 0, bytes.length - 4);
        const lenient = { wants: () => true, frame: () => {}, gap: () => {} };
        const target = new GroupReceiver(world.platform, world.seal, { ...receiver.options, group }, {
          joined: () => lenient,
          left: () => {},
        });
        target.received(bytes, viewOf(bytes), 0, bytes.length, world.address, 0);
        target.expire(10_000);
        const from = { text: "somebody" };
        world.sender.received(bytes, viewOf(bytes), 0, bytes.length, from, world.platform.now());
      };
      for (let i = 0; i < 5; i++) {
        world.publish("a", 3);
        world.run(3);
      }
    }),
    { numRuns: 200 },
  );
});
