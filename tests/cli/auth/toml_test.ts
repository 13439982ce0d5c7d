import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { linesOf, parseToml, type Path } from "../../../cli/auth/toml.ts";

Deno.test("what is wrong is told with its line, and quotes nothing", () => {
  const table: [text: string, line: number, fault: RegExp][] = [
    ["a = 1\n\nsecret", 3, /^incomplete key-value/],
    ["a = 'secret", 1, /^unfinished string$/],
    ["\na = ['secret',", 2, /^unfinished array$/],
    ["a = secret", 1, /^invalid value$|^illegal character in numeric literal$/],
    ['a = "\\secret"', 1, /^unrecognised escape sequence$|^invalid/],
    ["[users]\n[users]", 2, /^trying to redefine/],
    ["a = 1 b = 2", 1, /end-of-line$/],
    ["[users.secret@example.org]", 1, /^illegal character in key: .* stands in quotes/],
    [`a = ${"[".repeat(20)}`, 1, /nested/],
    ["a = 9999-99-99", 1, /^invalid date$/],
  ];
  for (const [text, line, fault] of table) {
    const parsed = parseToml(text);
    assert("fault" in parsed, text);
    assertEquals(parsed.line, line, text);
    assert(fault.test(parsed.fault), `${text}: ${parsed.fault}`);
    assert(!parsed.fault.includes("secret"), parsed.fault);
  }
});

Deno.test("values are found on their lines", () => {
  const text = `# a comment, with "quotes" and [brackets]
top = 1 # another = 2
[users.alice]
password = "x # y" # [not.a.table]
tokens = [
  "a]", # ]
  'b"', "c\\"", [1,
  2]
]
publish = { allow = ["a", "b"], deny = [ "c",
  "d" ] }
text = """
no = 1
[no.table]
"" \\""" "quoted" \\\\"""""
[users."bob # 1"]
password = '''
'' '''
subscribe.allow = 1979-05-27 07:32:00
[ users . 'carl' ]
"a\\u0062c" = 1
[[more]]
[[more]]
x = +1.5e3
[more.inner]
y = true`;
  const lineOf = linesOf(text);
  const table: [path: Path, line: number][] = [
    [["top"], 2],
    [["users"], 3],
    [["users", "alice"], 3],
    [["users", "alice", "password"], 4],
    [["users", "alice", "tokens"], 5],
    [["users", "alice", "tokens", 0], 6],
    [["users", "alice", "tokens", 1], 7],
    [["users", "alice", "tokens", 2], 7],
    [["users", "alice", "tokens", 3, 1], 8],
    [["users", "alice", "publish", "allow", 1], 10],
    [["users", "alice", "publish", "deny", 0], 10],
    [["users", "alice", "publish", "deny", 1], 11],
    [["users", "alice", "text"], 12],
    [["users", "bob # 1"], 16],
    [["users", "bob # 1", "password"], 17],
    [["users", "bob # 1", "subscribe"], 19],
    [["users", "bob # 1", "subscribe", "allow"], 19],
    [["users", "carl"], 20],
    [["users", "carl", "abc"], 21],
    [["more"], 22],
    [["more", 0], 22],
    [["more", 1], 23],
    [["more", 1, "x"], 24],
    [["users", "alice", "none"], 3],
    [["users", "alice", "tokens", 9], 5],
    [["nothing"], 1],
    [[], 1],
  ];
  assert("table" in parseToml(text));
  for (const [path, line] of table) assertEquals(lineOf(path), line, path.join(" "));
});

/** A piece of TOML, and how many lines below its beginning the values in it stand. */
interface Piece {
  readonly text: string;
  readonly lines: readonly (readonly [path: Path, below: number])[];
}

const breaks = (text: string) => text.split("\n").length - 1;

const scalar = fc.oneof(
  fc.constantFrom(
    "1",
    "true",
    "-1.5e3",
    "1979-05-27 07:32:00Z",
    '"""\n[a]\n#"""',
    "'''\n'' #\n'''",
    '"""a\\"""""" ',
  ),
  fc.string({ maxLength: 8 }).map((text) => JSON.stringify(text).replaceAll("\u007f", "")),
).map((text): Piece => ({ text, lines: [[[], 0]] }));

const gap = fc.constantFrom("", " ", "\n", " # ] } ,\n", "\n\n");

const value: fc.Arbitrary<Piece> = fc.letrec<{ value: Piece }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    scalar,
    fc.array(fc.tuple(gap, tie("value"), gap), { maxLength: 4 }).map((elements) =>
      wrap("[", elements.map(([before, value, after], index) => [index, before, value, after]), "]")
    ),
    fc.uniqueArray(fc.tuple(fc.stringMatching(/^[a-c]$/), tie("value")), { maxLength: 3, selector: ([key]) => key })
      .map((pairs) => wrap("{", pairs.map(([key, value]) => [key, ` ${key} = `, value, ""]), "}")),
  ),
})).value;

function wrap(open: string, inner: readonly [key: string | number, string, Piece, string][], close: string): Piece {
  let text = open;
  const lines: [Path, number][] = [[[], 0]];
  for (const [key, before, value, after] of inner) {
    text += before;
    for (const [path, below] of value.lines) lines.push([[key, ...path], breaks(text) + below]);
    text += `${value.text}${after},`;
  }
  // An inline table has no comma at its end.
  return { text: (close === "}" ? text.replace(/,$/, "") : text) + close, lines };
}

Deno.test("values are found on their lines, whatever stands around them", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(gap, value), { maxLength: 6 }), (values) => {
      let text = "";
      const expected: [Path, number][] = [];
      for (const [index, [before, { text: piece, lines }]] of values.entries()) {
        text += `${before}\n[t${index}]\n"k.${index}" = `;
        for (const [path, below] of lines) {
          expected.push([[`t${index}`, `k.${index}`, ...path], breaks(text) + 1 + below]);
        }
        text += `${piece}\n`;
      }
      const parsed = parseToml(text);
      assert("table" in parsed, text);
      const lineOf = linesOf(text);
      for (const [path, line] of expected) assertEquals(lineOf(path), line, `${path.join(" ")} in\n${text}`);
    }),
    { numRuns: 500 },
  );
});
