/** Rules of docs/PROTOCOL.md that a client keeps and the examples there do not show. */

import { assert, assertEquals } from "@std/assert";
import type { ClientSession } from "../../core/client_session.ts";
import { Code } from "../../core/codes.ts";
import { declare, preamble, Start, subscribe } from "../../core/control.ts";
import { at, FrameType, stamp } from "../../core/frame.ts";
import { FrameReader } from "../../core/frame_reader.ts";
import { ResumableInbox } from "../../core/resumable_inbox.ts";
import { MemoryBudget } from "../../core/memory.ts";
import { type SubscribingLink, Subscription } from "../../core/subscription.ts";
import { framesIn, messagesFrame, MiB, roomyPool, same, viewOf, VirtualPlatform } from "./fixtures.ts";
import { blocks, bytesOf, document, type Shown } from "./protocol_document.ts";
import { ClientEnd } from "./protocol_ends.ts";

const [, , preambleBack, welcome] = blocks(document).get("conversation")!.slice(0, 4).map((item) =>
  bytesOf(item as Shown)
);

Deno.test("a client that closes before the server has spoken sends one preamble", () => {
  const client = new ClientEnd();
  client.session.close(Code.done);
  const bytes = client.says();
  assert(same(bytes.subarray(0, 8), preamble));
  assertEquals(framesIn(bytes.subarray(8)).map((frame) => frame[at.type]), [FrameType.hello, FrameType.close]);
});

Deno.test("a client may have a hundred thousand requests waiting: its own do not end its session", () => {
  const client = new ClientEnd();
  client.hears(preambleBack!);
  client.hears(welcome!);
  for (let request = 0; request < 100_000; request++) {
    client.session.send(declare, { request, first: 0, topic: `sensors/${request}` });
  }
  client.hears(client.says().subarray(0, 0));
  client.hears(new Uint8Array([16, 0, 0, 0, 23, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
  assertEquals(client.session.state, "open");
});

/** A reader that stands at a frame with one message. */
function readerAt(topic: number, sequence: number, pool = roomyPool()): FrameReader {
  const reader = new FrameReader(pool, new MemoryBudget(MiB));
  reader.mostMessages = MiB;
  const frame = messagesFrame([new Uint8Array(1)], { topic });
  stamp(viewOf(frame), 0, sequence, 0);
  reader.space().set(frame);
  reader.settle();
  reader.received(frame.length);
  assert(reader.next());
  return reader;
}

Deno.test("the sequence a subscription began with means nothing on a restarted server", () => {
  const inbox = new ResumableInbox(roomyPool(), 1_000_000);
  inbox.announced("a", 1, 1, 5);
  assert(inbox.frame(readerAt(1, 5)));
  assert(inbox.empty, "below what was asked for");
  inbox.restarted();
  inbox.announced("a", 1, 1, 1);
  assert(inbox.frame(readerAt(1, 1)));
  assertEquals([inbox.shift()?.kind, inbox.shift()?.kind, inbox.shift()], ["restarted", "frames", null]);
});

Deno.test("a topic that was forgotten is dropped, and is a gap only if something is missing", () => {
  const inbox = new ResumableInbox(roomyPool());
  for (const id of [1, 2, 3]) inbox.announced(`topic/${id}`, id, id, 5);
  inbox.gap(1, 5, 4, Code.forgotten);
  inbox.gap(2, 5, 6, Code.forgotten);
  inbox.gap(3, 5, 0, Code.forgotten);
  assertEquals([...inbox.points()], []);
  assertEquals(inbox.shift(), { kind: "gap", topic: "topic/2", first: 5, last: 6, code: Code.forgotten });
  assertEquals(inbox.shift(), { kind: "gap", topic: "topic/3", first: 5, last: 0, code: Code.forgotten });
  assertEquals(inbox.shift(), null);
});

Deno.test("a subscription that was not confirmed does not take the ids of one server for those of the next", async () => {
  const sent: { start: number; patterns: unknown }[] = [];
  const session = {
    state: "open",
    send: (frame: unknown, values: { start: number; patterns: unknown }) => frame === subscribe && sent.push(values),
  } as unknown as ClientSession;
  const link: SubscribingLink = {
    endpoint: "memory://test",
    platform: new VirtualPlatform(),
    pool: roomyPool(),
    session,
    maxMessage: 0,
    remove: () => {},
  };
  const subscription = new Subscription(link, 1, ["#"], {});
  subscription.connected(session, "01".repeat(16));
  subscription.announced({ subscription: 1, topic: 1, ordinal: 1, sequence: 5, name: "old" });
  subscription.lost();
  subscription.connected(session, "02".repeat(16));
  assertEquals(sent.map(({ start }) => start), [Start.latest, Start.earliest]);
  subscription.announced({ subscription: 1, topic: 1, ordinal: 1, sequence: 1, name: "new" });
  subscription.frame(readerAt(1, 1, link.pool));
  const seen: string[] = [];
  for await (const event of subscription.events()) {
    seen.push(event.kind === "batch" ? event.topic : event.kind);
    if (event.kind === "batch") break;
  }
  assertEquals(seen, ["restarted", "new"]);
});
