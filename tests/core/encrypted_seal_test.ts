import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { checksumSeal, DatagramFlag, datagramHeader, openDatagram, writeDatagramHeader } from "../../core/datagram.ts";
import { encryptedSeal } from "../../core/encrypted_seal.ts";
import { GroupKeys } from "../../core/group_keys.ts";
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

Deno.test("a key is changed without a break: whoever has both reads both, and asks under the one that is used", () => {
  const [old, next] = [new Random(7).bytes(32), new Random(8).bytes(32)];
  const [sending, receiving] = [new GroupKeys([old]), new GroupKeys([old])];
  const [by, to] = [encryptedSeal(platform, sending, "sender"), encryptedSeal(platform, receiving, "receiver")];
  const reads = (what: string) => assertEquals(open(sealed(1, new Random(2).bytes(16), by).bytes, to), null, what);
  const asks = (what: string) => assertEquals(open(sealed(1, new Random(9).bytes(16), to).bytes, by), null, what);
  reads("before");
  receiving.replace([old.slice(), next.slice()]);
  reads("the receiver has the new key before it is used");
  assertEquals(receiving.sealing, old);
  sending.replace([old, next]);
  asks("and asks under the old one");
  sending.use(next);
  asks("which the sender still takes");
  reads("the new key is used");
  assertEquals(receiving.sealing, next);
  asks("and asked with");
  sending.replace([next]);
  receiving.replace([next.slice()]);
  reads("after");
  asks("after");
  const late = encryptedSeal(platform, new GroupKeys([old]), "receiver");
  assertEquals(open(sealed(1, new Random(2).bytes(16), by).bytes, late), "damaged");
  assertEquals(open(sealed(1, new Random(9).bytes(16), late).bytes, by), "damaged");
});
