import { assertEquals, assertThrows } from "@std/assert";
import { announce, deliver, gap, subscribed } from "../../core/control.ts";
import { Code } from "../../core/codes.ts";
import { UsageError } from "../../core/errors.ts";
import type { SubscriptionEvent } from "../../core/events.ts";
import { stamp } from "../../core/frame.ts";
import type { SubscriptionOptions } from "../../core/subscription.ts";
import { uncaughtError, viewOf } from "./fixtures.ts";
import { PlayedServer } from "./links.ts";
import { controlFrame, textFrame, turn, World } from "./world.ts";

/** A subscription to `#` at a server that the test plays, which has announced a topic `a`. */
async function played(options: SubscriptionOptions) {
  const world = new World();
  const server = new PlayedServer();
  const link = await server.open(world);
  const subscription = link.subscribe("#", options);
  await turn();
  await server.peer.send(
    controlFrame(subscribed, { subscription: 1, policy: 1, topics: 1 }),
    controlFrame(announce, { subscription: 1, topic: 1, ordinal: 1, sequence: 1, name: "a" }),
    controlFrame(deliver, { subscription: 1 }),
  );
  return {
    subscription,
    send: (...frames: Uint8Array[]) => server.peer.send(...frames),
    async over() {
      const closing = link.close();
      await server.peer.end();
      await world.wait(closing);
      assertEquals(world.timers, 0);
    },
  };
}

function message(sequence: number, ...texts: string[]): Uint8Array {
  const frame = textFrame(texts, { topic: 1 });
  stamp(viewOf(frame), 0, sequence, 1);
  return frame;
}

/** An event as a text. */
function told(event: SubscriptionEvent): string {
  if (event.kind === "gap") return `gap ${event.first}-${event.last} ${event.reason}`;
  if (event.kind === "restarted") return event.kind;
  const texts = Array.from({ length: event.count }, (_, index) => new TextDecoder().decode(event.payload(index)));
  return `${event.topic} ${event.sequence}: ${texts.join(" ")}`;
}

Deno.test("subscription: onEvent is told of everything in order, before anything else is read", async () => {
  const events: string[] = [];
  const { subscription, send, over } = await played({ onEvent: (event) => events.push(told(event)) });
  await send(message(1, "one", "two"), message(3, "three"));
  assertEquals(events, ["a 1: one two", "a 3: three"]);
  await send(controlFrame(gap, { subscription: 1, topic: 1, first: 4, last: 5, code: Code.lagged }), message(6, "six"));
  assertEquals(events.slice(2), ["gap 4-5 lagged", "a 6: six"]);
  assertEquals(subscription.unread, 0);
  await over();
});

Deno.test("subscription: with onEvent there is nothing to iterate over", async () => {
  const { subscription, over } = await played({ onEvent: () => {} });
  for (
    const iterate of [
      () => subscription.events(),
      () => subscription.batches(),
      () => subscription[Symbol.asyncIterator](),
    ]
  ) {
    assertThrows(iterate, UsageError, "onEvent");
  }
  await over();
});

Deno.test("subscription: after close() onEvent is told of nothing", async () => {
  const events: string[] = [];
  const { subscription, send, over } = await played({ onEvent: (event) => events.push(told(event)) });
  const closing = subscription.close();
  await send(message(1, "one"));
  assertEquals(events, []);
  await over();
  await closing;
});

Deno.test("subscription: an error in onEvent is nobody's to catch, ends that subscription, and no other", async () => {
  const events: string[] = [];
  const failing = new Error("in the user's function");
  const { subscription, send, over } = await played({
    onEvent: (event) => {
      events.push(told(event));
      throw failing;
    },
  });
  {
    using uncaught = uncaughtError();
    await send(message(1, "one"), message(2, "two"));
    assertEquals(await uncaught.error, failing);
  }
  await send(message(3, "three"));
  assertEquals(events, ["a 1: one"]);
  assertEquals(subscription.unread, 0);
  await over();
});

Deno.test("subscription: verify finds a frame that was changed on the way; without it nobody looks", async () => {
  for (const verify of [true, false]) {
    const events: string[] = [];
    const { send, over } = await played({ verify, onEvent: (event) => events.push(told(event)) });
    const changed = message(2, "two", "three");
    changed[changed.length - 1]! ^= 1;
    await send(message(1, "one"), changed, message(4, "four"));
    assertEquals(events, ["a 1: one", verify ? "gap 2-3 corrupt" : "a 2: two thred", "a 4: four"]);
    await over();
  }
});
