import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { Failure } from "../../cli/exit.ts";
import { LineSplitter } from "../../cli/lines.ts";
import {
  ChunkSplitter,
  DelimitedSplitter,
  type PassedOver,
  RawSplitter,
  type Splitter,
  type TakeMessage,
  WholeSplitter,
} from "../../cli/split.ts";

type Make = (take: TakeMessage, passedOver: PassedOver) => Splitter;
type Outcome = { messages: string[]; passedOver: [number, number][] };

/** Bytes as a string of the same length, so that differences can be read. */
const binary = (bytes: Uint8Array) => String.fromCharCode(...bytes);
const bytesOf = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));

/** Feeds the input in the given pieces through one reused buffer, as stdin does. `stops` says when `take` asks to stop. */
function split(make: Make, pieces: readonly Uint8Array[], stops: () => boolean = () => false): Outcome {
  const outcome: Outcome = { messages: [], passedOver: [] };
  const splitter = make(
    (buffer, start, end) => {
      outcome.messages.push(binary(buffer.subarray(start, end)));
      return !stops();
    },
    (number, length) => outcome.passedOver.push([number, length]),
  );
  const reused = new Uint8Array(Math.max(1, ...pieces.map((piece) => piece.length)));
  for (const piece of pieces) {
    reused.fill(0x2a).set(piece);
    const chunk = reused.subarray(0, piece.length);
    let from = 0;
    do {
      const next = splitter.push(chunk, from);
      assert(next > from || next === chunk.length, "a splitter that stops must have gone on");
      from = next;
    } while (from < chunk.length);
  }
  splitter.finish();
  return outcome;
}

function cut(input: Uint8Array, lengths: readonly number[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let at = 0;
  for (const length of lengths) {
    pieces.push(input.subarray(at, at + length));
    at = Math.min(input.length, at + length);
  }
  return [...pieces, input.subarray(at)];
}

const lines = (limit: number): Make => (take, passedOver) => new LineSplitter(limit, take, passedOver);
const delimited = (limit: number): Make => (take, passedOver) => new DelimitedSplitter(limit, take, passedOver);
const chunks = (size: number): Make => (take) => new ChunkSplitter(size, take);
const whole = (limit: number): Make => (take, passedOver) => new WholeSplitter(limit, take, passedOver);
const raw = (limit: number): Make => (take) => new RawSplitter(limit, take);

/** Lines by the plainest means there are. */
function expectedLines(input: Uint8Array, limit: number): Outcome {
  const all = binary(input).split("\n");
  if (all.at(-1) === "") all.pop();
  const long = all.map((line, index): [number, number] => [index + 1, line.length]);
  return {
    messages: all.filter((line) => line.length <= limit),
    passedOver: long.filter(([, length]) => length > limit),
  };
}

function prefixed(messages: readonly Uint8Array[]): Uint8Array {
  const output: number[] = [];
  for (const message of messages) {
    const length = message.length;
    output.push(length >>> 24, length >>> 16 & 255, length >>> 8 & 255, length & 255, ...message);
  }
  return Uint8Array.from(output);
}

// Few different bytes, so that line ends, NULs and bytes that are not UTF-8 are frequent.
const someByte = fc.constantFrom(0x0a, 0x0a, 0x0d, 0x00, 0xff, 0xc3, 0x61, 0x62);
const someInput = fc.array(someByte, { maxLength: 200 }).map((bytes) => Uint8Array.from(bytes));
const someCuts = fc.array(fc.nat({ max: 40 }), { maxLength: 30 });
const someStops = fc.array(fc.boolean(), { minLength: 1, maxLength: 20 });

function stopsOf(pattern: readonly boolean[]): () => boolean {
  let at = 0;
  return () => pattern[at++ % pattern.length]!;
}

Deno.test("lines: any cutting, stopped anywhere, gives the lines of the whole input", () => {
  fc.assert(
    fc.property(someInput, someCuts, someStops, fc.integer({ min: 1, max: 60 }), (input, lengths, pattern, limit) => {
      assertEquals(split(lines(limit), cut(input, lengths), stopsOf(pattern)), expectedLines(input, limit));
    }),
    { numRuns: 2000 },
  );
});

Deno.test("delimited: any cutting, stopped anywhere, gives the messages", () => {
  const someMessages = fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 12 });
  fc.assert(
    fc.property(someMessages, someCuts, someStops, fc.nat({ max: 60 }), (messages, lengths, pattern, limit) => {
      const numbered = messages.map((message, index): [number, number] => [index + 1, message.length]);
      assertEquals(split(delimited(limit), cut(prefixed(messages), lengths), stopsOf(pattern)), {
        messages: messages.filter((message) => message.length <= limit).map(binary),
        passedOver: numbered.filter(([, length]) => length > limit),
      });
    }),
    { numRuns: 1000 },
  );
});

Deno.test("chunk: any cutting gives pieces of the size, and the rest", () => {
  fc.assert(
    fc.property(someInput, someCuts, someStops, fc.integer({ min: 1, max: 50 }), (input, lengths, stop, size) => {
      const expected: string[] = [];
      for (let at = 0; at < input.length; at += size) expected.push(binary(input.subarray(at, at + size)));
      assertEquals(split(chunks(size), cut(input, lengths), stopsOf(stop)).messages, expected);
    }),
  );
});

Deno.test("whole: any cutting gives one message, or the report that it is too long", () => {
  fc.assert(fc.property(someInput, someCuts, fc.nat({ max: 200 }), (input, lengths, limit) => {
    const fits = input.length <= limit;
    assertEquals(split(whole(limit), cut(input, lengths)), {
      messages: fits ? [binary(input)] : [],
      passedOver: fits ? [] : [[1, input.length]],
    });
  }));
});

Deno.test("raw: any cutting gives the bytes, in messages within the limit", () => {
  fc.assert(
    fc.property(someInput, someCuts, someStops, fc.integer({ min: 1, max: 50 }), (input, lengths, stop, limit) => {
      const { messages } = split(raw(limit), cut(input, lengths), stopsOf(stop));
      assertEquals(messages.join(""), binary(input));
      assert(messages.every((message) => message.length > 0 && message.length <= limit));
    }),
  );
});

const lineCases: ReadonlyArray<readonly [string, string, string[]]> = [
  ["an empty input has no message", "", []],
  ["a lone LF is a message of no bytes", "\n", [""]],
  ["empty lines are messages", "\n\na\n\n", ["", "", "a", ""]],
  ["a last line without LF is a message", "a\nb", ["a", "b"]],
  ["a CR stays", "a\r\nb\r\n", ["a\r", "b\r"]],
  ["NUL and bytes that are not UTF-8 pass", "a\0b\n\xff\xfe\n", ["a\0b", "\xff\xfe"]],
  ["long lines too", `${"x".repeat(500)}\n${"y".repeat(500)}\n`, ["x".repeat(500), "y".repeat(500)]],
];

for (const [name, input, messages] of lineCases) {
  Deno.test(`lines: ${name}`, () => assertEquals(split(lines(1024), [bytesOf(input)]).messages, messages));
}

Deno.test("lines: a line of exactly the limit is a message, one byte more is passed over", () => {
  assertEquals(split(lines(3), [bytesOf("abc\nabcd\nab\n")]), { messages: ["abc", "ab"], passedOver: [[2, 4]] });
});

Deno.test("lines: a line that lies in one chunk is lent from that chunk, not copied", () => {
  const chunk = bytesOf("one\ntwo\nthr");
  const lenders: boolean[] = [];
  const splitter = new LineSplitter(10, (buffer) => void lenders.push(buffer === chunk), () => {});
  splitter.push(chunk);
  splitter.push(bytesOf("ee\n"));
  assertEquals(lenders, [true, true, false]);
});

Deno.test("lines: a line far over the limit is held nowhere", () => {
  const reports: [number, number][] = [];
  const splitter = new LineSplitter(1000, () => {}, (number, length) => reports.push([number, length]));
  const chunk = new Uint8Array(64 * 1024).fill(0x61);
  const before = Deno.memoryUsage();
  for (let i = 0; i < 4096; i++) splitter.push(chunk);
  const after = Deno.memoryUsage();
  splitter.finish();
  assertEquals(reports, [[1, 256 * 1024 * 1024]]);
  assert(after.external - before.external < 16 * 1024 * 1024, "256 MiB went through, and must not have stayed");
});

Deno.test("delimited: the length is in network byte order", () => {
  assertEquals(split(delimited(1000), [bytesOf("\0\0\x01\x02" + "x".repeat(258))]).messages, ["x".repeat(258)]);
});

Deno.test("delimited: a length of 4 GiB is passed over, and nothing is set aside for it", () => {
  const reports: [number, number][] = [];
  const splitter = new DelimitedSplitter(1000, () => {}, (number, length) => reports.push([number, length]));
  splitter.push(bytesOf("\xff\xff\xff\xffxyz"));
  assertEquals(reports, [[1, 0xffffffff]]);
  assertThrows(() => splitter.finish(), Failure, `inside message 1: ${0xffffffff - 3} bytes are missing`);
});

const cutShort: ReadonlyArray<readonly [string, string]> = [
  ["\0\0", "inside the length of message 1: 2 of 4 bytes"],
  ["\0\0\0\x05abc", "inside message 1: 2 bytes are missing"],
  ["\0\0\0\x01a\0\0\0\x01", "inside message 2: 1 bytes are missing"],
];

for (const [input, report] of cutShort) {
  Deno.test(`delimited: an input that ends ${report}`, () => {
    assertThrows(() => split(delimited(1000), [bytesOf(input)]), Failure, report);
  });
}
