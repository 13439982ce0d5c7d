import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import fc from "fast-check";
import { UsageError } from "../../core/errors.ts";
import { formatTime } from "../../cli/format.ts";
import { parseStartPoint, type StartPoint } from "../../cli/start_point.ts";

const right: ReadonlyArray<readonly [string, StartPoint]> = [
  ["latest", { at: "latest" }],
  ["earliest", { at: "earliest" }],
  ["seq:1041", { at: "sequence", sequence: 1041 }],
  ["last:10", { at: "last", count: 10 }],
  ["ago:1m30s", { at: "ago", milliseconds: 90_000 }],
  ["time:2023-11-14T22:13:20Z", { at: "time", micros: 1_700_000_000_000_000 }],
  ["time:2023-11-14T22:13:20.5Z", { at: "time", micros: 1_700_000_000_500_000 }],
  ["time:2023-11-14T22:13:20.123456Z", { at: "time", micros: 1_700_000_000_123_456 }],
  ["time:2023-11-14T23:13:20+01:00", { at: "time", micros: 1_700_000_000_000_000 }],
  ["time:2023-11-14", { at: "time", micros: 1_699_920_000_000_000 }],
];

for (const [text, expected] of right) {
  Deno.test(`--from ${text}`, () => assertEquals(parseStartPoint(text), expected));
}

for (
  const text of ["", "first", "seq:0", "seq:-1", "seq:", "last:x", "ago:30", "time:now", "time:2023-13-01", "1041"]
) {
  Deno.test(`--from "${text}" is refused with a right form`, () => {
    const { message, hint } = assertThrows(() => parseStartPoint(text), UsageError);
    assertStringIncludes(message, '"');
    assertEquals(hint === undefined && !message.includes("the least is 1"), false);
  });
}

Deno.test("a near miss is recognised", () => {
  assertStringIncludes(assertThrows(() => parseStartPoint("lastest"), UsageError).hint ?? "", "did you mean latest?");
});

Deno.test("the time that --json writes is one that --from reads, to the microsecond", () => {
  fc.assert(fc.property(fc.nat({ max: 4_000_000_000 }), fc.nat({ max: 999_999 }), (seconds, micros) => {
    const time = seconds * 1_000_000 + micros;
    assertEquals(parseStartPoint(`time:${formatTime(time)}`), { at: "time", micros: time });
  }));
});
