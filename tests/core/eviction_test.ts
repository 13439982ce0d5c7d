import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { EvictionQueue } from "../../core/eviction.ts";
import { Topic } from "../../core/topic.ts";
import { blankFrame, KiB, MiB, Random, roomyPool } from "./fixtures.ts";

const several = ({ log }: Topic) => log.first !== log.last;

/** What the queue must find: as good as the best that a look at every topic finds. */
function best(topics: readonly Topic[]): Topic | null {
  const evictable = topics.filter((topic) => topic.evictable);
  const candidates = evictable.some(several) ? evictable.filter(several) : evictable;
  return candidates.reduce<Topic | null>((a, b) => a !== null && a.log.memory >= b.log.memory ? a : b, null);
}

Deno.test("whatever logs get and lose, the queue finds whose segment goes next", () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 40 }), (seed, count) => {
      const random = new Random(seed);
      const pool = roomyPool();
      const queue = new EvictionQueue();
      const guards = new Map<Topic, Parameters<Topic["guard"]>[0]>();
      const topics = Array.from({ length: count }, (_, id) => {
        const topic = new Topic(`t${id}`, id, pool, { bytes: random.pick([KiB, 100 * KiB, MiB]), age: 50 }, 0);
        topic.log.resized = () => queue.update(topic);
        return topic;
      });
      assertEquals(queue.next(), null);
      let time = 0;
      for (let step = 0; step < 300; step++) {
        const topic = random.pick(topics);
        const action = random.below(20);
        time += random.below(200);
        if (action < 13) {
          const length = random.pick([60, 500, 3000, 20_000]);
          topic.append(blankFrame(length), 0, length, 1, time);
        } else if (action < 14) {
          topic.log.clear();
        } else if (action < 15) {
          topic.expire(time);
        } else if (action < 17) {
          const guard = guards.get(topic);
          if (guard) {
            guards.delete(topic);
            topic.unguard(guard);
          } else {
            const added = {
              holds: true,
              sequence: topic.log.firstSequence,
              movedAt: 0,
              waitIndex: -1,
              wake() {},
              overtaken() {},
              expelled() {},
            };
            guards.set(topic, added);
            topic.guard(added);
          }
        } else {
          queue.next()?.evict();
        }
        const [found, expected] = [queue.next(), best(topics)];
        assertEquals([found === null, found?.log.memory], [expected === null, expected?.log.memory]);
        assert(found === null || found.evictable && several(found) === several(expected!));
        assertEquals(
          topics.filter(({ evictionIndex }) => evictionIndex >= 0),
          topics.filter(({ log }) => log.first !== null),
        );
      }
    }),
    { numRuns: 50 },
  );
});

Deno.test("a topic that takes the place of one which is gone still comes in its turn", () => {
  const pool = roomyPool();
  const queue = new EvictionQueue();
  const [a, b, c, d, e, f, g] = [MiB, 4 * KiB, 256 * KiB, 512, 512, 512, 32 * KiB].map((memory, id) => {
    const topic = new Topic(`t${id}`, id, pool, { bytes: 8 * MiB, age: Infinity }, 0);
    topic.log.resized = () => queue.update(topic);
    topic.append(blankFrame(memory), 0, memory, 1, 1);
    assertEquals(topic.log.memory, memory);
    return topic;
  });
  d!.log.clear();
  for (const topic of [a, c, g, b]) {
    assertEquals(queue.next()?.name, topic!.name);
    topic!.log.clear();
  }
  assertEquals(new Set([e, f]).has(queue.next()!), true);
});
