import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import fc from "fast-check";
import { UsageError } from "../../core/errors.ts";
import { formatTime } from "../../cli/format.ts";
import { parseStartPoint } from "../../cli/start_point.ts";
import type { StartPoint } from "../../core/subscription.ts";

const right: ReadonlyArray<readonly [string, StartPoint]> = [
  ["latest", "latest"],
  ["earliest", "earliest"],
  ["seq:1041", { sequence: 1041 }],
  ["last:10", { last: 10 }],
  ["ago:1m30s", { ago: 90_000 }],
  ["time:2023-11-14T22:13:20Z", { time: 1_700_000_000_000 }],
  ["time:2023-11-14T22:13:20.5Z", { time: 1_700_000_000_500 }],
  ["time:2023-11-14T22:13:20.123456Z", { time: 1_700_000_000_123.456 }],
  ["time:2023-11-14T23:13:20+01:00", { time: 1_700_000_000_000 }],
  ["time:2023-11-14", { time: 1_699_920_000_000 }],
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
    const point = parseStartPoint(`time:${formatTime(time)}`) as { time: number };
    assertEquals(Math.round(point.time * 1000), time);
  }));
});
