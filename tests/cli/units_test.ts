import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import fc from "fast-check";
import { UsageError } from "../../core/errors.ts";
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatRate,
  parseCount,
  parseDuration,
  parsePercent,
  parseRate,
  parseSize,
  type Rate,
  spellSize,
} from "../../cli/units.ts";

const right: ReadonlyArray<readonly [(text: string) => unknown, string, unknown]> = [
  [parseSize, "0", 0],
  [parseSize, "512", 512],
  [parseSize, "512B", 512],
  [parseSize, "64KiB", 65_536],
  [parseSize, "64kib", 65_536],
  [parseSize, "1.5MiB", 1_572_864],
  [parseSize, "8MB", 8_000_000],
  [parseSize, "2 GB", 2_000_000_000],
  [parseSize, "1TiB", 2 ** 40],
  [parseDuration, "0", 0],
  [parseDuration, "500us", 0.5],
  [parseDuration, "250ms", 250],
  [parseDuration, "10s", 10_000],
  [parseDuration, "1.5s", 1500],
  [parseDuration, "5m", 300_000],
  [parseDuration, "1h", 3_600_000],
  [parseDuration, "1d", 86_400_000],
  [parseDuration, "1m30s", 90_000],
  [parseCount, "1", 1],
  [parseCount, "1_000", 1000],
  [parseCount, "10k", 10_000],
  [parseCount, "2M", 2_000_000],
  [parsePercent, "1%", 1],
  [parsePercent, "0.5 %", 0.5],
  [parsePercent, "100", 100],
  [parsePercent, "0", 0],
  [parseRate, "1000/s", { messages: 1000 }],
  [parseRate, "10k/s", { messages: 10_000 }],
  [parseRate, "60/m", { messages: 1 }],
  [parseRate, "0.5/s", { messages: 0.5 }],
  [parseRate, "20Mbit/s", { bytes: 2_500_000 }],
  [parseRate, "800bit/s", { bytes: 100 }],
  [parseRate, "8MB/s", { bytes: 8_000_000 }],
  [parseRate, "1MiB/s", { bytes: 1_048_576 }],
];

for (const [parse, text, value] of right) {
  Deno.test(`${parse.name} reads "${text}"`, () => assertEquals(parse(text), value));
}

const wrong: ReadonlyArray<readonly [(text: string) => unknown, string, string]> = [
  [parseSize, "", "64KiB"],
  [parseSize, "-1", "64KiB"],
  [parseSize, "12X", "64KiB"],
  [parseSize, "64k", "64KiB or 64kB"],
  [parseSize, "1e3", "64KiB"],
  [parseSize, "KiB", "64KiB"],
  [parseDuration, "", "250ms"],
  [parseDuration, "10", "10s or 10ms"],
  [parseDuration, "-1s", "250ms"],
  [parseDuration, "5 minutes", "250ms"],
  [parseDuration, "1M", "250ms"],
  [parseCount, "", "1000"],
  [parseCount, "1.5", "1000"],
  [parseCount, "-3", "1000"],
  [parseCount, "many", "1000"],
  [parsePercent, "101%", "0.5%"],
  [parsePercent, "-1%", "0.5%"],
  [parsePercent, "1‰", "0.5%"],
  [parseRate, "", "1000/s"],
  [parseRate, "1000", "1000/s"],
  [parseRate, "20Mbit", "20Mbit/s"],
  [parseRate, "20Mbps/s", "20Mbit/s"],
  [parseRate, "0/s", "1000/s"],
];

for (const [parse, text, form] of wrong) {
  Deno.test(`${parse.name} refuses "${text}", quotes it and shows a right form`, () => {
    const error = assertThrows(() => parse(text), UsageError);
    assertStringIncludes(error.message, `"${text}"`);
    assertStringIncludes(error.hint ?? "", form);
  });
}

Deno.test("a count has a least value, and a size a greatest", () => {
  assertEquals(parseCount("0", 0), 0);
  assertStringIncludes(assertThrows(() => parseCount("0"), UsageError).message, "the least is 1");
  assertThrows(() => parseSize("9000000TiB"), UsageError, "too large");
  assertThrows(() => parseCount("9".repeat(400)), UsageError, "too large");
});

Deno.test("what spellSize writes, parseSize reads", () => {
  fc.assert(fc.property(fc.maxSafeNat(), (bytes) => parseSize(spellSize(bytes)) === bytes));
  assertEquals(spellSize(8 * 2 ** 20), "8MiB");
});

Deno.test("a parser returns a number or throws a UsageError, whatever is typed", () => {
  const typed = fc.oneof(fc.string(), fc.stringMatching(/^\d{1,20}(\.\d+)?[a-zA-Z]{0,4}(\/[smh])?$/));
  fc.assert(fc.property(typed, (text) => {
    for (const parse of [parseSize, parseDuration, parseCount, parsePercent]) {
      try {
        const value = parse(text);
        assert(value >= 0 && value <= Number.MAX_SAFE_INTEGER);
      } catch (error) {
        if (!(error instanceof UsageError)) throw error;
      }
    }
  }));
});

const formatted: ReadonlyArray<readonly [string, string]> = [
  [formatBytes(0), "0 B"],
  [formatBytes(1023), "1023 B"],
  [formatBytes(1536), "1.5 KiB"],
  [formatBytes(2 ** 20 - 1), "1.0 MiB"],
  [formatBytes(5 * 2 ** 40), "5.0 TiB"],
  [formatCount(0), "0"],
  [formatCount(999), "999"],
  [formatCount(1_234_567), "1,234,567"],
  [formatRate({ messages: 12_345 } as Rate), "12,345/s"],
  [formatRate({ bytes: 1_572_864 } as Rate), "1.5 MiB/s"],
  [formatDuration(0), "0ms"],
  [formatDuration(250), "250ms"],
  [formatDuration(1500), "1.5s"],
  [formatDuration(10_000), "10s"],
  [formatDuration(59_980), "1m"],
  [formatDuration(125_000), "2m5s"],
  [formatDuration(3_720_000), "1h2m"],
];

for (const [text, expected] of formatted) {
  Deno.test(`people read ${expected}`, () => assertEquals(text, expected));
}
