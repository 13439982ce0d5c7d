import { assert, assertEquals } from "@std/assert";
import { TransportError } from "../../core/errors.ts";
import type { Link } from "../../core/link.ts";
import { collect, type Cut, firstError, Network } from "./links.ts";
import { TestServer, turn } from "./world.ts";
import { Random } from "./fixtures.ts";

const texts = ["one", "", "three", "4".repeat(200), "five", "six"];

/** A link whose first connection may be cut in its greeting: then there was none, and it is asked for again. */
async function connect(network: Network): Promise<Link> {
  for (;;) {
    const { link } = network.link();
    try {
      return await network.world.wait(link.open());
    } catch (error) {
      assert(error instanceof TransportError, `${error}`);
    }
  }
}

/** A short conversation over connections that are cut. Returns the connections that it took. */
async function converse(publisherCuts: Cut[], subscriberCuts: Cut[], usual: Cut = {}): Promise<number[]> {
  await using test = new TestServer();
  const publishing = new Network(test);
  const subscribing = new Network(test);
  publishing.cuts = publisherCuts;
  subscribing.cuts = subscriberCuts;
  publishing.usual = subscribing.usual = usual;
  const { world } = test;
  const subscriber = await connect(subscribing);
  const subscription = subscriber.subscribe("t/#", { from: "earliest" });
  const { lines, done } = collect(subscription.events());
  const publisher = await connect(publishing);
  await world.wait(publisher.publisher.publish("t/a", texts[0]!));
  for (const text of texts.slice(1, 4)) publisher.publisher.send("t/a", new TextEncoder().encode(text));
  publisher.publisher.send("t/b", new TextEncoder().encode("b"));
  await world.wait(publisher.publisher.flush());
  await world.wait(Promise.all(texts.slice(4).map((text) => publisher.publisher.publish("t/a", text))));
  assertEquals([publisher.publisher.pending, publisher.publisher.refused], [0, 0]);
  await world.until(() => lines.length >= texts.length + 1, 60_000);
  await world.run(10_000);
  assertEquals(lines.filter((line) => line.startsWith("t/a")), texts.map((text, i) => `t/a ${i + 1} ${text}`));
  assertEquals(lines.filter((line) => line.startsWith("t/b")), ["t/b 1 b"]);
  assertEquals(lines.length, texts.length + 1);
  await publishing.close(publisher, subscriber);
  await done;
  await turn();
  return [publishing.dialled, subscribing.dialled];
}

/** Bytes from which on a cut is not reached any more. */
const beyond = 4_000;

for (const direction of ["read", "written"] as const) {
  for (const who of ["publisher", "subscriber"] as const) {
    Deno.test(`a connection that is cut at any byte ${direction} by a ${who}: every message once and in order`, async () => {
      let reached = 0;
      for (let at = 0; at < beyond; at++) {
        const cut = [{ [direction]: at }];
        try {
          const dialled = await converse(who === "publisher" ? cut : [], who === "subscriber" ? cut : []);
          if (dialled[who === "publisher" ? 0 : 1] === 1) break;
        } catch (error) {
          throw new Error(`cut after ${at} bytes ${direction} by the ${who}`, { cause: firstError(error) });
        }
        reached = at;
      }
      assert(reached > 80 && reached < beyond - 1, `${reached}`);
    });
  }
}

Deno.test("connections that are cut again and again, on both sides: every message once and in order", async () => {
  for (let seed = 1; seed <= 300; seed++) {
    const random = new Random(seed);
    const chunks = {
      readChunk: random.between(1, 40),
      writeChunk: random.between(1, 40),
      capacity: random.between(40, 400),
    };
    const cuts = () =>
      Array.from(
        { length: random.below(8) },
        (): Cut => ({ ...chunks, [random.pick(["read", "written"])]: random.below(500) }),
      );
    try {
      await converse(cuts(), cuts(), chunks);
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: firstError(error) });
    }
  }
});
