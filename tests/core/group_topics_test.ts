import { assertEquals } from "@std/assert";
import { stamp } from "../../core/frame.ts";
import { GroupTopics } from "../../core/group_topics.ts";
import { viewOf } from "./fixtures.ts";
import { textFrame } from "./world.ts";

/** Topics of a sender, and what is told of them. */
function heard(wanted: (topic: string) => boolean = () => true) {
  const told: string[] = [];
  const topics = new GroupTopics({
    wants: wanted,
    named: (topic, id) => told.push(`${topic} is ${id}`),
    frame: (topic, _bytes, _view, _start, _end, floor) => told.push(`${topic} ${floor}`),
    gap: (topic, first, last) => told.push(`${topic} ${first}-${last}`),
  }, 1);
  const frame = (topic: number, sequence: number) => {
    const bytes = textFrame(["x"], { topic });
    stamp(viewOf(bytes), 0, sequence, 1);
    topics.frame(bytes, viewOf(bytes), 0, bytes.length);
  };
  const named = (...rows: [id: number, name: string][]) =>
    topics.named(rows.map(([id, name]) => ({ id, name, born: 1, start: 1, next: 1 })));
  return { told, frame, named };
}

Deno.test("group topics: a topic's id is told once, before anything else of it, and that of the next of its name", () => {
  const { told, frame, named } = heard((topic) => topic !== "c");
  frame(1, 1);
  named([1, "a"], [2, "b"], [3, "c"]);
  named([1, "a"]);
  frame(2, 3);
  frame(3, 1);
  named([4, "a"]);
  frame(4, 1);
  assertEquals(told, ["a is 1", "a 1", "b is 2", "b 1-2", "b 3", "a is 4", "a 1"]);
});

Deno.test("group topics: a name that no topic can have is nobody's, and what comes under it is not wanted", () => {
  const names = ["", "#", "a/#/b", "a/+", "a//b", "a\nb", "x".repeat(256)];
  const { told, frame, named } = heard();
  for (const [index, name] of names.entries()) {
    frame(index + 1, 1);
    named([index + 1, name]);
    frame(index + 1, 2);
  }
  assertEquals(told, []);
});
