import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { NatsEncoder, NatsParser } from "../../../../cli/bench/drivers/nats_codec.ts";
import { Output } from "../../../../cli/bench/drivers/output.ts";
import { ProtocolError } from "../../../../core/errors.ts";
import { anyText, assertFindsItems, assertSurvivesGarbage, bytesOf, type Codec, latin1, recorded } from "./codec.ts";

const subject = fc.stringMatching(/^[a-z]{1,8}(\.[a-z0-9]{1,8}){0,3}$/);
const reply = fc.option(fc.stringMatching(/^(_INBOX\.[A-Za-z0-9]{1,9}|1[a-z]\d)$/)).map((it) =>
  it === null ? "" : `${it} `
);
const sid = fc.nat(100_000);

const nats: Codec = {
  make: (recorder) =>
    new NatsParser(recorder, {
      info: (text) => recorder.note(`info ${text}`),
      ping: () => recorder.note("ping"),
      pong: () => recorder.note("pong"),
      error: (text) => recorder.note(`error ${text}`),
    }),
  item: fc.oneof(
    fc.tuple(subject, sid, reply, anyText(300)).map(([subject, sid, reply, payload]) =>
      [`MSG ${subject} ${sid} ${reply}${payload.length}\r\n${payload}\r\n`, [`message ${payload}`]] as const
    ),
    fc.tuple(subject, sid, reply, anyText(60), anyText(60)).map(([subject, sid, reply, headers, payload]) =>
      [
        `HMSG ${subject} ${sid} ${reply}${headers.length} ${
          headers.length + payload.length
        }\r\n${headers}${payload}\r\n`,
        [`message ${payload}`],
      ] as const
    ),
    fc.constantFrom<readonly [string, readonly string[]]>(
      ["PING\r\n", ["ping"]],
      ["PONG\r\n", ["pong"]],
      ["+OK\r\n", []],
      ["-ERR 'Slow Consumer'\r\n", ["error Slow Consumer"]],
      ['INFO {"server_id":"A"}\r\n', ['info {"server_id":"A"}']],
    ),
  ),
};

Deno.test("NATS: what a server sends is found, whatever pieces it comes in", () => assertFindsItems(nats));

Deno.test("NATS: garbage gives messages or a ProtocolError", () => assertSurvivesGarbage(nats));

for (
  const [name, text] of [
    ["Redis answers a PING", "+PONG\r\n"],
    ["Redis wants a password", "-NOAUTH Authentication required.\r\n"],
    ["MQTT", "\x20\x02\x00\x00"],
    ["HTTP", "HTTP/1.1 400 Bad Request\r\n"],
    ["SSH", "SSH-2.0-OpenSSH_9.6\r\n"],
    ["a message without a size", "MSG a 1 \r\n\r\n"],
    ["a message without a sid", "MSG a 1\r\n1\r\n"],
    ["a size that is no number", "MSG a 1 x\r\n1\r\n"],
    ["a line without CR", "MSG a 1 1\n1\r\n"],
    ["a message that is longer than its size", "MSG a 1 1\r\n12\r\n"],
    ["headers that are longer than all", "HMSG a 1 3 2\r\n12\r\n"],
    ["a message of more than 64 MiB", "MSG a 1 67108865\r\n"],
    ["a size of many digits", `MSG a 1 ${"9".repeat(400)}\r\n`],
    ["a line without an end", `MSG ${"a".repeat(70_000)}`],
    ["INFO without an end", `INFO ${"a".repeat(70_000)}`],
  ]
) {
  Deno.test(`NATS: ${name} is refused`, () => {
    assertThrows(() => recorded(nats, text!), ProtocolError);
  });
}

Deno.test("NATS: a stopped parser takes nothing more", () => {
  const events: string[] = [];
  const parser = new NatsParser(
    { arrived() {}, take: () => (events.push("message"), parser.stop()), damaged() {} },
    { info() {}, ping() {}, pong() {}, error() {} },
  );
  const bytes = bytesOf("MSG a 1 0\r\n\r\nMSG a 1 0\r\n\r\nrubbish");
  assertEquals(parser.parse(bytes, new DataView(bytes.buffer), 0, bytes.length), bytes.length);
  assertEquals(events, ["message"]);
});

Deno.test("NATS: messages are written as PUB", () => {
  const encoder = new NatsEncoder(["a.b", "c"]);
  const output = new Output();
  for (const [topic, length] of [[0, 0], [1, 5], [0, 128], [0, 9], [1, 70_000]] as const) {
    const message = new Uint8Array(length).fill(0x41 + topic);
    encoder.message(output, topic, message);
    assertEquals(latin1(output.take()), `PUB ${topic === 0 ? "a.b" : "c"} ${length}\r\n${latin1(message)}\r\n`);
  }
});
