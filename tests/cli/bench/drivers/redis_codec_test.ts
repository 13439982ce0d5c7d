import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { Output } from "../../../../cli/bench/drivers/output.ts";
import { command, RedisEncoder, RedisParser } from "../../../../cli/bench/drivers/redis_codec.ts";
import { ProtocolError } from "../../../../core/errors.ts";
import {
  anyText,
  assertFindsItems,
  assertSurvivesGarbage,
  bytesOf,
  type Codec,
  feed,
  latin1,
  recorded,
  Recorder,
} from "./codec.ts";

const bulk = (text: string) => `$${text.length}\r\n${text}\r\n`;
const name = anyText(20);

const redis: Codec = {
  make: (recorder) => new RedisParser(recorder, (text) => recorder.note(`refused ${text}`)),
  item: fc.oneof(
    fc.tuple(name, anyText(300)).map(([topic, payload]) =>
      [`*3\r\n${bulk("message")}${bulk(topic)}${bulk(payload)}`, [`message ${payload}`]] as const
    ),
    fc.tuple(name, name, anyText(300)).map(([pattern, topic, payload]) =>
      [`*4\r\n${bulk("pmessage")}${bulk(pattern)}${bulk(topic)}${bulk(payload)}`, [`message ${payload}`]] as const
    ),
    fc.tuple(fc.constantFrom("subscribe", "psubscribe"), anyText(20), fc.nat()).map(([kind, name, count]) =>
      [`*3\r\n${bulk(kind)}${bulk(name)}:${count}\r\n`, []] as const
    ),
    fc.nat().map((count) => [`:${count}\r\n`, []] as const),
    fc.constantFrom<readonly [string, readonly string[]]>(
      ["+OK\r\n", []],
      ["+PONG\r\n", []],
      ["-ERR no such thing\r\n", ["refused ERR no such thing"]],
    ),
  ),
};

Deno.test("Redis: what a server sends is found, whatever pieces it comes in", () => assertFindsItems(redis));

Deno.test("Redis: garbage gives messages or a ProtocolError", () => assertSurvivesGarbage(redis));

Deno.test("Redis: replies and confirmations are counted", () => {
  const parser = new RedisParser(new Recorder(), () => {});
  feed(parser, `+OK\r\n:0\r\n:12\r\n*3\r\n${bulk("subscribe")}${bulk("a")}:1\r\n:1`, [1]);
  assertEquals([parser.replies, parser.confirmed], [3, 1]);
});

for (
  const [name, text] of [
    ["NATS", 'INFO {"server_id":"A"}\r\n'],
    ["NATS refuses", "-ERR 'Unknown Protocol Operation'x\n"],
    ["MQTT", "\x20\x02\x00\x00"],
    ["HTTP", "HTTP/1.1 400 Bad Request\r\n"],
    ["a status that nothing was asked for", "+QUEUED\r\n"],
    ["an integer without digits", ":\r\n"],
    ["an integer that ends otherwise", ":12x"],
    ["an array of something else", `*3\r\n${bulk("something")}${bulk("a")}:1\r\n`],
    ["an array of two", `*2\r\n${bulk("message")}${bulk("a")}`],
    ["a confirmation without a count", `*3\r\n${bulk("subscribe")}${bulk("a")}${bulk("b")}`],
    ["a length without digits", `*3\r\n${bulk("message")}$\r\n`],
    ["a null", `*3\r\n${bulk("message")}$-1\r\n`],
    ["a message that is longer than its length", `*3\r\n${bulk("message")}${bulk("a")}$1\r\n12\r\n`],
    ["a message of more than 64 MiB", `*3\r\n${bulk("message")}${bulk("a")}$67108865\r\n`],
    ["a length of many digits", `*3\r\n${bulk("message")}$${"9".repeat(400)}\r\n`],
    ["an error without an end", `-${"a".repeat(70_000)}`],
    ["an integer without an end", `:${"1".repeat(70_000)}`],
  ]
) {
  Deno.test(`Redis: ${name} is refused`, () => {
    assertThrows(() => recorded(redis, text!), ProtocolError);
  });
}

Deno.test("Redis: a stopped parser takes nothing more", () => {
  const events: string[] = [];
  const parser = new RedisParser(
    { arrived() {}, take: () => (events.push("message"), parser.stop()), damaged() {} },
    () => {},
  );
  const bytes = bytesOf(`*3\r\n${bulk("message")}${bulk("a")}${bulk("b")}`.repeat(2));
  assertEquals(parser.parse(bytes, new DataView(bytes.buffer), 0, bytes.length), bytes.length);
  assertEquals(events, ["message"]);
});

Deno.test("Redis: messages are written as PUBLISH, and counted", () => {
  const encoder = new RedisEncoder(["a/b", "c"]);
  const output = new Output();
  for (const [topic, length] of [[0, 0], [1, 5], [0, 128], [1, 70_000]] as const) {
    const message = latin1(new Uint8Array(length).fill(0x41 + topic));
    encoder.message(output, topic, bytesOf(message));
    const name = topic === 0 ? "a/b" : "c";
    assertEquals(latin1(output.take()), `*3\r\n${bulk("PUBLISH")}${bulk(name)}${bulk(message)}`);
  }
  assertEquals(encoder.sent, 4);
});

Deno.test("Redis: a command's words have their lengths in bytes", () => {
  assertEquals(command("AUTH", "jürgen", ""), "*3\r\n$4\r\nAUTH\r\n$7\r\njürgen\r\n$0\r\n\r\n");
});
