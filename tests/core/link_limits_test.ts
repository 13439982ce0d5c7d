import { assert, assertEquals } from "@std/assert";
import type { AccountLimits } from "../../core/account.ts";
import { AuthorityServer } from "./accounts.ts";
import { Random } from "./fixtures.ts";
import { Network } from "./links.ts";

const rates: [name: string, limits: Partial<AccountLimits>, seconds: number][] = [
  ["far less than a frame a second", { bytesPerSecond: 500 }, 600],
  ["a fraction of a byte a second more", { bytesPerSecond: 10_000.7 }, 20],
  ["few messages a second", { messagesPerSecond: 50 }, 20],
  ["a fast user with small messages", { bytesPerSecond: 1_000_000, maxMessage: 400 }, 0.1],
];

for (const [name, limits, seconds] of rates) {
  Deno.test(`a publisher within its limits loses nothing and is not closed, through cuts as well: ${name}`, async () => {
    await using test = new AuthorityServer({ alice: { limits } });
    const network = new Network(test);
    const { link } = await network.connect({ credentials: { user: "alice" }, giveUpAfter: Infinity });
    const begun = test.world.now();
    const random = new Random(1);
    let bytes = 0;
    for (let i = 0; i < 1_000; i++) {
      const message = random.bytes(random.between(1, 400));
      bytes += message.length;
      const published = link.publisher.publish(`t${i % 3}`, message);
      published.catch(() => {});
      if (i % 250 === 100) {
        await test.world.run(20);
        await network.cut();
      }
    }
    await test.world.wait(link.publisher.flush(), 10_000_000);
    const took = (test.world.now() - begun) / 1000;
    const { bytesPerSecond = Infinity, messagesPerSecond = Infinity } = limits;
    // A second's worth is free, and so is the last frame, which nothing comes after: 64 KiB or some 200 messages here.
    const least = Math.max((bytes - 65_536) / bytesPerSecond, 800 / messagesPerSecond);
    assert(took > least - 1.5, `it took ${took} s`);
    assert(took < 3 * seconds + 10, `it took ${took} s`);
    const messages = ["t0", "t1", "t2"].map((topic) => test.server.topics.get(topic)!.log.nextSequence - 1);
    assertEquals(messages, [334, 333, 333]);
    assertEquals(test.closes("credit"), 0);
    await network.close(link);
  });
}

Deno.test("who may publish small messages only reads large ones all the same, compressed or not", async () => {
  await using test = new AuthorityServer({ alice: {}, bob: { limits: { maxMessage: 100 } } });
  const network = new Network(test);
  const compress = { codec: "zstd" } as const;
  const { link: alice } = await network.connect({ credentials: { user: "alice" }, publisher: { compress } });
  const { link: bob } = await new Network(test).connect({ credentials: { user: "bob" } });
  const sizes: number[] = [];
  const subscription = bob.subscribe("t", {
    onEvent: (event) => event.kind === "batch" && sizes.push(event.payload(0).length),
  });
  await test.world.wait(subscription.ready);
  for (const message of [new Random(1).bytes(300_000), new Uint8Array(400_000)]) {
    await test.world.wait(alice.publisher.publish("t", message));
  }
  await test.world.until(() => sizes.length === 2);
  assertEquals(sizes, [300_000, 400_000]);
  assertEquals([bob.publisher.maxMessage, alice.publisher.maxMessage], [100, 1024 * 1024]);
  await network.close(alice);
  await network.close(bob);
});
