import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  encodeConnect,
  encodeSubscribe,
  MqttEncoder,
  MqttParser,
  pingreq,
} from "../../../../cli/bench/drivers/mqtt_codec.ts";
import { Output } from "../../../../cli/bench/drivers/output.ts";
import { ProtocolError } from "../../../../core/errors.ts";
import { anyText, assertFindsItems, assertSurvivesGarbage, bytesOf, type Codec, latin1, recorded } from "./codec.ts";

function length(value: number): string {
  const low = value % 128;
  return value < 128 ? String.fromCharCode(low) : String.fromCharCode(low + 128) + length(Math.floor(value / 128));
}
const packet = (type: number, body: string) => `${String.fromCharCode(type)}${length(body.length)}${body}`;
const prefixed = (text: string) => String.fromCharCode(text.length >> 8, text.length & 0xff) + text;

const mqtt: Codec = {
  make: (recorder) =>
    new MqttParser(recorder, {
      connected: (code) => recorder.note(`connected ${code}`),
      subscribed: (code) => recorder.note(`subscribed ${code}`),
      pong: () => recorder.note("pong"),
    }),
  item: fc.oneof(
    fc.tuple(fc.constantFrom(0x30, 0x31), anyText(20), anyText(300)).map(([type, topic, payload]) =>
      [packet(type, prefixed(topic) + payload), [`message ${payload}`]] as const
    ),
    fc.tuple(fc.constantFrom("\0", "\x01"), fc.integer({ min: 0, max: 255 })).map(([session, code]) =>
      [packet(0x20, session + String.fromCharCode(code)), [`connected ${code}`]] as const
    ),
    fc.uint8Array({ minLength: 1, maxLength: 5 }).map((codes) =>
      [packet(0x90, `\0\x07${latin1(codes)}`), [...codes].map((code) => `subscribed ${code}`)] as const
    ),
    fc.constant<readonly [string, readonly string[]]>([packet(0xd0, ""), ["pong"]]),
  ),
};

Deno.test("MQTT: what a server sends is found, whatever pieces it comes in", () => assertFindsItems(mqtt));

Deno.test("MQTT: garbage gives messages or a ProtocolError", () => assertSurvivesGarbage(mqtt));

Deno.test("MQTT: lengths of one to four bytes are understood", () => {
  for (const size of [0, 124, 125, 16_380, 16_381, 2_097_148, 2_097_149, 3_000_000]) {
    const payload = "x".repeat(size);
    assertEquals(recorded(mqtt, packet(0x30, prefixed("a") + payload)), [`message ${payload}`]);
  }
});

for (
  const [name, text] of [
    ["NATS", 'INFO {"server_id":"A"}\r\n'],
    ["Redis", "-ERR unknown command\r\n"],
    ["HTTP", "HTTP/1.1 400 Bad Request\r\n"],
    ["a message at QoS 1", packet(0x32, `${prefixed("a")}\0\x01x`)],
    ["what clients send", packet(0xc0, "")],
    ["a length of five bytes", "\x30\xff\xff\xff\xff"],
    ["a message of more than 64 MiB", `\x30${length(2 ** 26 + 1)}`],
    ["an answer of more than 64 KiB", `\x90${length(70_000)}`],
    ["a topic that is longer than its message", packet(0x30, "\0\x03ab")],
    ["a message without a topic", packet(0x30, "\0")],
    ["CONNACK without a code", packet(0x20, "\0")],
    ["SUBACK without a code", packet(0x90, "\0\x01")],
    ["PINGRESP with something in it", packet(0xd0, "x")],
  ]
) {
  Deno.test(`MQTT: ${name} is refused`, () => {
    assertThrows(() => recorded(mqtt, text!), ProtocolError);
  });
}

Deno.test("MQTT: a stopped parser takes nothing more", () => {
  const events: string[] = [];
  const parser = new MqttParser(
    { arrived() {}, take: () => (events.push("message"), parser.stop()), damaged() {} },
    { connected() {}, subscribed() {}, pong() {} },
  );
  const bytes = bytesOf(packet(0x30, prefixed("a")).repeat(2));
  assertEquals(parser.parse(bytes, new DataView(bytes.buffer), 0, bytes.length), bytes.length);
  assertEquals(events, ["message"]);
});

Deno.test("MQTT: messages are written as PUBLISH", () => {
  const encoder = new MqttEncoder(["a/b", "c"]);
  const output = new Output();
  for (const [topic, size] of [[0, 0], [1, 5], [0, 122], [0, 123], [1, 16_381], [1, 3_000_000]] as const) {
    const message = latin1(new Uint8Array(size).fill(0x41 + topic));
    encoder.message(output, topic, bytesOf(message));
    assertEquals(latin1(output.take()), packet(0x30, prefixed(topic === 0 ? "a/b" : "c") + message));
  }
});

Deno.test("MQTT: the packets that clients begin with", () => {
  assertEquals(
    latin1(encodeConnect({ id: "me", keepAlive: 600, user: null, password: null })),
    packet(0x10, `${prefixed("MQTT")}\x04\x02\x02\x58${prefixed("me")}`),
  );
  assertEquals(
    latin1(encodeConnect({ id: "me", keepAlive: 0, user: "u", password: "p" })),
    packet(0x10, `${prefixed("MQTT")}\x04\xc2\0\0${prefixed("me")}${prefixed("u")}${prefixed("p")}`),
  );
  const patterns = Array.from({ length: 100 }, (_, i) => `topic/${i}`);
  assertEquals(
    latin1(encodeSubscribe(300, patterns)),
    packet(0x82, `\x01\x2c${patterns.map((pattern) => `${prefixed(pattern)}\0`).join("")}`),
  );
  assertEquals(latin1(pingreq), "\xc0\0");
});
