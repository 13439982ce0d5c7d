import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import fc from "fast-check";
import { UsageError } from "../../core/errors.ts";
import { isReserved, Pattern, patternFault, topicFault } from "../../core/pattern.ts";

Deno.test("patterns match as in MQTT 5, section 4.7", () => {
  const table: [pattern: string, matches: string[], not: string[]][] = [
    ["a", ["a"], ["b", "a/b", "aa", "A"]],
    ["a/b", ["a/b"], ["a", "a/b/c", "a/c"]],
    ["sport/tennis/player1/#", [
      "sport/tennis/player1",
      "sport/tennis/player1/ranking",
      "sport/tennis/player1/score/wimbledon",
    ], [
      "sport/tennis/player2",
      "sport/tennis",
      "sport/tennis/player11",
    ]],
    ["sport/#", ["sport", "sport/a", "sport/a/b"], ["sports", "a/sport"]],
    ["a/#", ["a", "a/b", "a/b/c"], ["ab", "b"]],
    ["#", ["a", "a/b", "a/$b", "é/x"], ["$sys", "$sys/a", "$"]],
    ["+", ["a", "é"], ["a/b", "$sys", "$"]],
    ["+/+", ["a/b"], ["a", "a/b/c", "$sys/a"]],
    ["sport/tennis/+", ["sport/tennis/player1", "sport/tennis/player2"], [
      "sport/tennis",
      "sport/tennis/player1/ranking",
    ]],
    ["sport/+", ["sport/a"], ["sport", "sport/a/b"]],
    ["+/tennis/#", ["a/tennis", "a/tennis/b/c"], ["tennis", "a/b/tennis", "$a/tennis"]],
    ["a/+/c", ["a/b/c", "a/$b/c"], ["a/c", "a/b/b/c", "a/b/c/d"]],
    ["+/monitor/Clients", ["a/monitor/Clients"], ["$SYS/monitor/Clients"]],
    ["$SYS/#", ["$SYS", "$SYS/a/b"], ["SYS", "a", "$SYSa"]],
    ["$SYS/monitor/+", ["$SYS/monitor/Clients"], ["$SYS/monitor", "$SYS/a/Clients"]],
    ["$SYS", ["$SYS"], ["$SYS/a"]],
    ["a b/+", ["a b/c"], ["a/b"]],
  ];
  for (const [text, matches, not] of table) {
    const pattern = new Pattern(text);
    assertEquals(pattern.text, text);
    for (const topic of matches) assert(pattern.matches(topic), `${text} matches ${topic}`);
    for (const topic of not) assert(!pattern.matches(topic), `${text} does not match ${topic}`);
  }
});

Deno.test("a pattern is exact when it has no wildcard", () => {
  for (const text of ["a", "a/b", "$x", "é"]) assert(new Pattern(text).exact);
  for (const text of ["+", "#", "a/+", "a/#", "+/b"]) assert(!new Pattern(text).exact);
});

/** The semantics once more, by recursion. */
function matches(pattern: readonly string[], topic: readonly string[]): boolean {
  if (pattern[0] === "#") return true;
  if (pattern.length === 0 || topic.length === 0) return pattern.length === topic.length;
  return (pattern[0] === "+" || pattern[0] === topic[0]) && matches(pattern.slice(1), topic.slice(1)) ||
    (pattern.length === 2 && pattern[1] === "#" && topic.length === 1 &&
      (pattern[0] === "+" || pattern[0] === topic[0]));
}

Deno.test("patterns match what their definition says", () => {
  const level = fc.constantFrom("a", "b", "$c");
  const pattern = fc.tuple(fc.array(fc.oneof(level, fc.constant("+")), { maxLength: 4 }), fc.boolean())
    .map(([levels, rest]) => rest || levels.length === 0 ? [...levels, "#"] : levels);
  const topic = fc.array(level, { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(pattern, topic, (pattern, topic) => {
      const hidden = topic[0]!.startsWith("$") && !pattern[0]!.startsWith("$");
      assertEquals(new Pattern(pattern.join("/")).matches(topic.join("/")), !hidden && matches(pattern, topic));
    }),
    { numRuns: 1000 },
  );
});

Deno.test("patterns overlap and cover as the table says", () => {
  const table: [one: string, other: string, overlap: boolean, covers: boolean, covered: boolean][] = [
    ["a", "a", true, true, true],
    ["a", "b", false, false, false],
    ["a", "a/b", false, false, false],
    ["#", "a/b", true, true, false],
    ["#", "+/#", true, true, true],
    ["#", "+", true, true, false],
    ["a/#", "a", true, true, false],
    ["a/#", "a/+", true, true, false],
    ["a/#", "a/+/#", true, true, false],
    ["a/#", "b/#", false, false, false],
    ["a/#", "+/b", true, false, false],
    ["a/+/c", "a/b/+", true, false, false],
    ["+/b", "+/c", false, false, false],
    ["#", "$sys", false, false, false],
    ["+", "$sys", false, false, false],
    ["+/#", "$sys/#", false, false, false],
    ["$sys/#", "$sys", true, true, false],
    ["a/+", "a/$b", true, true, false],
  ];
  for (const [one, other, overlap, covers, covered] of table) {
    const [a, b] = [new Pattern(one), new Pattern(other)];
    assertEquals(a.overlaps(b), overlap, `${one} overlaps ${other}`);
    assertEquals(b.overlaps(a), overlap, `${other} overlaps ${one}`);
    assertEquals(a.covers(b), covers, `${one} covers ${other}`);
    assertEquals(b.covers(a), covered, `${other} covers ${one}`);
  }
});

Deno.test("patterns overlap when some topic matches both, and cover when every one does", () => {
  // Patterns of up to four levels cannot tell topics of five levels from longer ones, nor "x" from any other word that
  // is in no pattern.
  const words = ["a", "$b", "x"];
  const topics: string[] = [...words];
  for (let from = 0, levels = 2; levels <= 5; levels++) {
    const to = topics.length;
    for (; from < to; from++) topics.push(...words.map((word) => `${topics[from]}/${word}`));
  }
  assertEquals(topics.length, 3 + 9 + 27 + 81 + 243);
  const pattern = fc.tuple(fc.array(fc.constantFrom("a", "$b", "+"), { maxLength: 3 }), fc.boolean())
    .map(([levels, rest]) => new Pattern((rest || levels.length === 0 ? [...levels, "#"] : levels).join("/")));
  fc.assert(
    fc.property(pattern, pattern, (one, other) => {
      const matched = topics.filter((topic) => other.matches(topic));
      assertEquals(one.overlaps(other), matched.some((topic) => one.matches(topic)), `${one.text} ${other.text}`);
      assertEquals(one.covers(other), matched.every((topic) => one.matches(topic)), `${one.text} ${other.text}`);
    }),
    { numRuns: 2000 },
  );
});

const common: [name: string, fault: string][] = [
  ["", "empty"],
  ["/", "empty level"],
  ["/a", "empty level"],
  ["a/", "empty level"],
  ["a//b", "empty level"],
  ["a\u0000b", "control character"],
  ["a\nb", "control character"],
  ["\u001f", "control character"],
  ["a\u007f", "control character"],
  ["a\u0085b", "control character"],
  ["\ud800", "Unicode"],
  ["a/\udc00b", "Unicode"],
  ["a".repeat(256), "256 bytes, the most is 255"],
  ["é".repeat(128), "256 bytes, the most is 255"],
];

Deno.test("names and patterns that no topic can have are told apart by their fault", () => {
  for (const [name, fault] of common) {
    assertStringIncludes(topicFault(name) ?? "no fault", fault);
    assertStringIncludes(patternFault(name) ?? "no fault", fault);
    const error = assertThrows(() => new Pattern(name), UsageError, fault);
    assertStringIncludes(error.message, JSON.stringify(name));
    assert(error.hint !== undefined);
  }
});

Deno.test("wildcards stand alone in their level, # in the last one, and never in a topic", () => {
  for (const pattern of ["a+", "+a", "a/b+/c", "++", "+#"]) {
    assertStringIncludes(patternFault(pattern)!, "stands alone");
  }
  for (const pattern of ["a#", "#a", "#/a", "a/#/b", "##", "#+"]) {
    assertStringIncludes(patternFault(pattern)!, "# stands alone, as the last level");
  }
  for (const topic of ["+", "#", "a+", "a/#", "a/b#c"]) assertStringIncludes(topicFault(topic)!, "belong to patterns");
  for (const pattern of ["+", "#", "a/+/b", "+/+/#", "$x/#"]) assertEquals(patternFault(pattern), null);
});

Deno.test("any other text of up to 255 bytes is a topic", () => {
  for (
    const name of ["a", "a/b", "é".repeat(127) + "a", "a".repeat(255), "$sys/x", " ", "a b", "🦕/\u00a0", "a\\b", "."]
  ) {
    assertEquals(topicFault(name), null, name);
    assertEquals(patternFault(name), null, name);
  }
});

Deno.test("what is a topic is an exact pattern that matches itself", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", minLength: 1, maxLength: 20 }), (name) => {
    if (topicFault(name) !== null) return;
    const pattern = new Pattern(name);
    assert(pattern.exact && pattern.matches(name));
    assertEquals(new Pattern("#").matches(name), !isReserved(name));
  }));
});

Deno.test("reserved topics begin with $", () => {
  assert(isReserved("$") && isReserved("$sys/a"));
  assert(!isReserved("a") && !isReserved("a/$b"));
});
