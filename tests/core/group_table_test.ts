import { assertEquals } from "@std/assert";
import type { GroupCursor } from "../../core/group_cursor.ts";
import { GroupTable } from "../../core/group_table.ts";

/** A table of topics with these ids, none of which was asked for. */
function tableOf(...ids: number[]) {
  const table = new GroupTable(() => 1);
  const cursors = ids.map((id) =>
    ({ topic: { id, name: `topic ${id}` }, born: 1, start: 1 }) as unknown as GroupCursor
  );
  for (const cursor of cursors) table.add(cursor);
  const tell = (most: number) => {
    const rows = [...table.rows()].slice(0, most).map(({ id }) => id);
    table.told(rows.length);
    return rows;
  };
  tell(ids.length);
  return { table, cursors, tell };
}

Deno.test("topics are told in turn, and none twice in one piece", () => {
  const { tell } = tableOf(1, 2, 3);
  assertEquals([tell(2), tell(2), tell(9)], [[1, 2], [3, 1], [2, 3, 1]]);
});

Deno.test("what was asked for is told first, and once", () => {
  const { table, cursors, tell } = tableOf(1, 2, 3, 4);
  table.ask(cursors[2]!);
  table.ask(cursors[1]!);
  assertEquals([tell(1), table.asked], [[3], true]);
  assertEquals([tell(9), table.asked], [[2, 1, 3, 4], false]);
});

Deno.test("a topic that is no more is not told", () => {
  const { table, cursors, tell } = tableOf(1, 2, 3);
  table.ask(cursors[1]!);
  table.remove(cursors[1]!);
  assertEquals([tell(9), table.asked], [[1, 3], false]);
});
