import { assertEquals, assertGreater, assertLess } from "@std/assert";
import { Slice } from "../../core/cursor.ts";
import { type CursorOwner, GroupCursor } from "../../core/group_cursor.ts";
import { Topic } from "../../core/topic.ts";
import { blankFrame, KiB, roomyPool, VirtualPlatform } from "./fixtures.ts";

const frame = blankFrame(KiB);

/** A cursor in a topic with frames of 1 KiB that keeps 1 MiB of what it took. */
function subject() {
  const platform = new VirtualPlatform();
  const topic = new Topic("a", 1, roomyPool(), { bytes: 64 * KiB * KiB, age: Infinity }, 0);
  const owner: CursorOwner = {
    platform,
    historyBytes: KiB * KiB,
    holds: true,
    movedAt: 0,
    add: () => {},
    lagged: () => {},
    expelled: () => {},
  };
  const cursor = new GroupCursor(owner, topic, 1, 1);
  const into = new Slice();
  const take = (count: number) => {
    for (let i = 0; i < count; i++) {
      topic.append(frame, 0, frame.length, 1, 1);
      assertEquals(cursor.take(KiB, into), "drained");
    }
  };
  /** How many frames may not be dropped, of those that were taken. */
  const kept = () => cursor.next - cursor.sequence;
  return { platform, take, kept };
}

Deno.test("what was taken of late is kept, for two seconds", () => {
  const { platform, take, kept } = subject();
  take(100);
  platform.advance(1_900);
  assertEquals(kept(), 100);
  platform.advance(200);
  assertEquals(kept(), 0);
});

Deno.test("nearly as much is kept as may be, however fast it is taken", () => {
  const { platform, take, kept } = subject();
  for (let round = 0; round < 200; round++) {
    take(200);
    if (round < 10) continue;
    assertGreater(kept(), 900);
    assertLess(kept(), 1025);
    platform.advance(1);
  }
});
