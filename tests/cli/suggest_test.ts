import { assertEquals } from "@std/assert";
import { editDistance, nearest } from "../../cli/suggest.ts";

const distances: ReadonlyArray<readonly [string, string, number]> = [
  ["", "", 0],
  ["", "abc", 3],
  ["count", "count", 0],
  ["cuont", "count", 1],
  ["cont", "count", 1],
  ["counts", "count", 1],
  ["kitten", "sitting", 3],
];

for (const [a, b, distance] of distances) {
  Deno.test(`from "${a}" to "${b}" it is ${distance}`, () => {
    assertEquals(editDistance(a, b), distance);
    assertEquals(editDistance(b, a), distance);
  });
}

const commands = ["serve", "publish", "subscribe", "topics", "completion", "help"];
const flags = ["--count", "--chunk", "--retain", "--retain-for", "-n", "-q"];

for (
  const [word, candidates, expected] of [
    ["srve", commands, "serve"],
    ["pub", commands, "publish"],
    ["SUBSCRIBE", commands, "subscribe"],
    ["toppics", commands, "topics"],
    ["frobnicate", commands, undefined],
    ["--cuont", flags, "--count"],
    ["--retain_for", flags, "--retain-for"],
    ["--retian", flags, "--retain"],
    ["--colour", flags, undefined],
    ["-x", flags, undefined],
    ["--", flags, undefined],
  ] as const
) {
  Deno.test(`"${word}" is ${expected === undefined ? "near to nothing" : `meant as ${expected}`}`, () => {
    assertEquals(nearest(word, candidates), expected);
  });
}
