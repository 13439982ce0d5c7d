/** The numbers in the chapter "Datagrams" of docs/PROTOCOL.md are those of the code. */

import { assertEquals } from "@std/assert";
import { GroupFrameType } from "../../core/group_frames.ts";
import { at } from "../../core/frame.ts";
import { DatagramFlag, datagramHeader, inDatagram } from "../../core/datagram.ts";
import { framesIn } from "./fixtures.ts";
import { GroupWorld } from "./group_world.ts";
import { tablesUnder } from "./protocol_document.ts";

/** What datagrams and groups are made of. */
const modules = [
  ...[
    "arrivals",
    "backoff",
    "cookies",
    "datagram",
    "encrypted_seal",
    "group_cursor",
    "group_following",
    "group_listener",
  ],
  ...["group_pace", "group_pacing", "group_packer"],
  ...["group_receiver", "group_requests", "group_sender", "group_session", "group_suspects", "group_table"],
  ...["group_topics", "group_transmitter", "heartbeat", "missing", "pacer", "reorder", "repair_queue"],
  ...["replay_window", "replays"],
];

/** Memory and timers of this program, which nobody sees from outside. */
const internal = [
  "historyParts",
  "historyStep",
  "idleTurn",
  "largest",
  "longestNap",
  "mostKeys",
  "perBlock",
  "rangeMemory",
  "timerStep",
  "wordBits",
];

/** The numbers at the top level of a module, by name: most of them are no other module's business. */
async function numbersIn(module: string): Promise<Map<string, number>> {
  const source = await Deno.readTextFile(new URL(`../../core/${module}.ts`, import.meta.url));
  const found = new Map<string, number>();
  for (
    const [, name, left, operator, right] of source.matchAll(
      /^(?:export )?const (\w+) = ([\w.]+)(?: ([*/]) (\w+))?;$/gm,
    )
  ) {
    const [a, b] = [left, right ?? "1"].map((term) => found.get(term!) ?? Number(term!.replaceAll("_", "")));
    found.set(name!, operator === "/" ? a! / b! : a! * b!);
  }
  return found;
}

Deno.test("every number of groups stands in the document, and is that of the code", async () => {
  const inCode = new Map<string, Set<number>>();
  for (const module of modules) {
    for (const [name, number] of await numbersIn(module)) {
      inCode.set(name, (inCode.get(name) ?? new Set()).add(number));
    }
  }
  const [fixed, chosen] = tablesUnder("### Limits of groups");
  const inDocument = new Map([...fixed!, ...chosen!].map(([name, number]) => [name!, new Set([Number(number)])]));
  for (const name of internal) inCode.delete(name);
  assertEquals([...inDocument].toSorted(), [...inCode].toSorted());
});

/** When the datagrams go that a sender makes from now on, and that `which` is true of; in milliseconds from now. */
function times(world: GroupWorld, which: (bytes: Uint8Array) => boolean): number[] {
  const begin = world.platform.now();
  const found: number[] = [];
  world.onSend = (bytes) => {
    if (which(bytes)) found.push(world.platform.now() - begin);
  };
  return found;
}

Deno.test("heartbeats come when the document says", () => {
  const world = new GroupWorld({ seed: 1 });
  world.publish("a", 1);
  world.run(3000);
  world.publish("a", 1);
  world.run(1);
  const beats = times(world, (bytes) => (bytes[inDatagram.flags]! & DatagramFlag.numbered) === 0);
  world.run(4000);
  assertEquals(beats, [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2280, 3280]);
});

Deno.test("a sender that ends says so as often as the document says", () => {
  const world = new GroupWorld({ seed: 2 });
  world.publish("a", 1);
  world.run(3000);
  world.sender.finish();
  world.run(1);
  const finishes = times(world, (bytes) => {
    const types = framesIn(bytes.subarray(datagramHeader, bytes.length - 4)).map((frame) => frame[at.type]!);
    assertEquals(types, [GroupFrameType.beat, GroupFrameType.finish], "each stands behind a heartbeat");
    return true;
  });
  while (!world.sender.finished) world.run(1);
  assertEquals(finishes, [5, 15, 35, 75, 155, 315, 635], "and one at once");
});
