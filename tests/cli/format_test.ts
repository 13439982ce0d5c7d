import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { type FormatName, formatTime, gapJson, gapSummary, gapText, messageFormat } from "../../cli/format.ts";
import { OutputBuffer } from "../../cli/output_buffer.ts";

const time = 1_700_000_000_123_456;

function written(
  name: FormatName,
  payload: Uint8Array | string,
  withTopic = false,
  topic = "ticks/a",
  seq = 42,
): Uint8Array {
  const output = new OutputBuffer();
  const bytes = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
  // Somewhere inside a larger buffer, as it is in a frame.
  const buffer = new Uint8Array(bytes.length + 20).fill(0x2a);
  buffer.set(bytes, 7);
  messageFormat(name, output, withTopic).message(topic, seq, time, buffer, 7, 7 + bytes.length);
  return output.bytes();
}

const text = (bytes: Uint8Array) => new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);

const cases: ReadonlyArray<readonly [FormatName, boolean, string, string]> = [
  ["lines", false, "21.5", "21.5\n"],
  ["lines", false, "", "\n"],
  ["lines", true, "21.5", "ticks/a\t21.5\n"],
  ["raw", false, "21.5", "21.5"],
  ["hex", false, "\0\x0fAz", "000f417a\n"],
  ["hex", true, "A", "ticks/a\t41\n"],
  ["delimited", false, "abc", "\0\0\0\x03abc"],
  ["delimited", false, "", "\0\0\0\0"],
];

for (const [name, withTopic, payload, expected] of cases) {
  Deno.test(`${name}${withTopic ? " with the topic" : ""} writes ${JSON.stringify(expected)}`, () => {
    assertEquals(text(written(name, payload, withTopic)), expected);
  });
}

Deno.test("json writes topic, seq, time and payload, in that order", () => {
  assertEquals(
    text(written("json", "21.5")),
    '{"topic":"ticks/a","seq":42,"time":"2023-11-14T22:13:20.123456Z","payload":"21.5"}\n',
  );
});

Deno.test("json writes bytes that are not UTF-8 as payload64", () => {
  assertEquals(
    text(written("json", Uint8Array.of(0xff, 0x00, 0xc3))),
    '{"topic":"ticks/a","seq":42,"time":"2023-11-14T22:13:20.123456Z","payload64":"/wDD"}\n',
  );
});

Deno.test("json gives back any payload and any topic, in one line", () => {
  const topics = fc.string({ unit: "grapheme", minLength: 1 });
  const payloads = fc.oneof(fc.uint8Array(), fc.string({ unit: "binary" }), fc.constant("\ufeffmark"), fc.string());
  fc.assert(
    fc.property(topics, payloads, fc.maxSafeNat(), (topic, payload, seq) => {
      const line = text(written("json", payload, false, topic, seq));
      assertEquals(line.indexOf("\n"), line.length - 1);
      const message = JSON.parse(line);
      assertEquals(message.topic, topic);
      assertEquals(message.seq, seq);
      const bytes = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
      if ("payload" in message) assertEquals(new TextEncoder().encode(message.payload), bytes);
      else assertEquals(Uint8Array.fromBase64(message.payload64), new Uint8Array(bytes));
      if (typeof payload === "string") assertEquals(message.payload64, undefined);
    }),
    { numRuns: 500 },
  );
});

Deno.test("the topic is the message's own, also after many others", () => {
  const output = new OutputBuffer();
  const format = messageFormat("lines", output, true);
  const topics = Array.from({ length: 10_000 }, (_, i) => `topic/${i % 6000}`);
  for (const topic of topics) format.message(topic, 1, time, new Uint8Array(0), 0, 0);
  assertEquals(text(output.bytes()), topics.map((topic) => `${topic}\t\n`).join(""));
});

Deno.test("time has six digits, and is that of its own message", () => {
  assertEquals(formatTime(0), "1970-01-01T00:00:00.000000Z");
  assertEquals(formatTime(1_000_001), "1970-01-01T00:00:01.000001Z");
  const output = new OutputBuffer();
  const format = messageFormat("json", output);
  for (const micros of [5, 5, 1_000_007]) format.message("a", 1, micros, new Uint8Array(0), 0, 0);
  const times = text(output.bytes()).trim().split("\n").map((line) => JSON.parse(line).time);
  assertEquals(times, ["1970-01-01T00:00:00.000005Z", "1970-01-01T00:00:00.000005Z", "1970-01-01T00:00:01.000007Z"]);
});

const lagged = { topic: "ticks", first: 1041, last: 1107, lost: 67, reason: "lagged" };

Deno.test("a gap is a line for people, or an object among the messages", () => {
  assertEquals(gapText(lagged), "gap: ticks 1041-1107, 67 messages lost: lagged");
  assertEquals(gapText({ ...lagged, last: 1041, lost: 1 }), "gap: ticks 1041-1041, 1 message lost: lagged");
  assertEquals(
    gapText({ topic: "ticks", first: null, last: null, lost: null, reason: "restarted" }),
    "gap: ticks, an unknown number of messages lost: restarted",
  );
  assertEquals(gapJson(lagged), '{"gap":{"topic":"ticks","first":1041,"last":1107,"lost":67,"reason":"lagged"}}');
  assertEquals(gapSummary(1, 1), "1 gap, 1 message lost");
  assertEquals(gapSummary(3, 1234), "3 gaps, 1,234 messages lost");
});

Deno.test("json puts a gap among the messages; the other formats leave it to stderr", () => {
  const output = new OutputBuffer();
  assertEquals(messageFormat("json", output).gap(lagged), null);
  assertEquals(text(output.bytes()), `${gapJson(lagged)}\n`);
  for (const name of ["lines", "raw", "hex", "delimited"] as const) {
    const other = new OutputBuffer();
    assertEquals(messageFormat(name, other).gap(lagged), gapText(lagged));
    assertEquals(other.length, 0);
  }
});
