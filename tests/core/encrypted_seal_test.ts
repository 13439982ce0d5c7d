import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { checksumSeal, DatagramFlag, datagramHeader, openDatagram, writeDatagramHeader } from "../../core/datagram.ts";
import { encryptedSeal } from "../../core/encrypted_seal.ts";
import { Random, viewOf, VirtualPlatform } from "./fixtures.ts";

const platform = new VirtualPlatform();
const key = new Random(1).bytes(32);
const sender = encryptedSeal(platform, key, "sender");
const receiver = encryptedSeal(platform, key, "receiver");
const group = 9;

function sealed(counter: number, session = new Random(2).bytes(16), by = sender, body = new Random(3).bytes(50)) {
  const bytes = new Uint8Array(datagramHeader + body.length + by.length);
  const view = viewOf(bytes);
  const start = writeDatagramHeader(bytes, view, 0, { flags: by.flag, group, session, counter, number: 1 });
  bytes.set(body, start);
  by.close(bytes, view, 0, start + body.length);
  return { bytes, body };
}

const open = (bytes: Uint8Array, by = receiver) => openDatagram(by, bytes, viewOf(bytes), 0, bytes.length, group);

Deno.test("what a sender encrypts a receiver reads, and nobody else", () => {
  const { bytes, body } = sealed(1);
  assertNotEquals(bytes.slice(datagramHeader, datagramHeader + body.length), body);
  assertEquals(open(bytes.slice(), encryptedSeal(platform, new Random(4).bytes(32), "receiver")), "damaged");
  assertEquals(open(bytes.slice(), sender), "damaged", "a sender does not take its own for a request");
  assertEquals(open(bytes.slice(), checksumSeal(platform)), "encrypted");
  assertEquals(open(bytes), null);
  assertEquals(bytes.slice(datagramHeader, datagramHeader + body.length), body);
});

Deno.test("a bit that is wrong anywhere, header included, is found", () => {
  const { bytes } = sealed(1);
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const wrong = bytes.slice();
    wrong[bit >> 3]! ^= 1 << (bit & 7);
    assert(open(wrong) !== null, `bit ${bit}`);
  }
});

Deno.test("no two datagrams are encrypted alike: not of two sessions, nor of one", () => {
  const texts = [sealed(1), sealed(2), sealed(1, new Random(5).bytes(16)), sealed(1, new Random(2).bytes(16), receiver)]
    .map(({ bytes }) => bytes.slice(datagramHeader).join());
  assertEquals(new Set(texts).size, texts.length);
});

Deno.test("many sessions are told apart, and their keys are bounded", () => {
  const random = new Random(6);
  const sessions = Array.from({ length: 300 }, () => random.bytes(16));
  for (let round = 0; round < 2; round++) {
    for (const session of sessions) {
      const { bytes, body } = sealed(7, session);
      assertEquals(open(bytes), null);
      assertEquals(bytes.slice(datagramHeader, datagramHeader + body.length), body);
    }
  }
});

Deno.test("plain datagrams are not taken where a key is set", () => {
  const plain = checksumSeal(platform);
  const { bytes } = sealed(1, new Random(2).bytes(16), plain);
  assertEquals(open(bytes), "plain");
  bytes[3]! |= DatagramFlag.encrypted;
  assertEquals(open(bytes), "damaged");
});
