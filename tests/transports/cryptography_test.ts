import { assert, assertEquals } from "@std/assert";
import { hex, unhex } from "../../core/bytes.ts";
import { cryptography } from "../../transports/cryptography.ts";

const { mac, hkdf, encrypt, decrypt } = cryptography;

Deno.test("HMAC-SHA-256 is that of RFC 4231, test case 2", () => {
  const text = new TextEncoder();
  assertEquals(
    hex(mac(text.encode("Jefe"), text.encode("what do ya want for nothing?"))),
    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
  );
});

Deno.test("HKDF-SHA-256 is that of RFC 5869, test case 1", () => {
  const key = hkdf(unhex("0b".repeat(22)), unhex("000102030405060708090a0b0c"), unhex("f0f1f2f3f4f5f6f7f8f9"), 42);
  assertEquals(
    hex(key),
    "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
  );
});

Deno.test("AES-256-GCM is that of the paper of McGrew and Viega, test case 16, at any offset", () => {
  const key = unhex("feffe9928665731c6d6a8f9467308308".repeat(2));
  const nonce = unhex("cafebabefacedbaddecaf888");
  const aad = unhex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
  const plain = unhex(
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
  );
  const sealed =
    "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662" +
    "76fc6ece0f4e1768cddf8853bb2d551b";
  for (const start of [0, 5]) {
    const bytes = new Uint8Array(start + aad.length + plain.length + 16 + 3);
    bytes.set(aad, start);
    const body = start + aad.length;
    bytes.set(plain, body);
    const end = body + plain.length;
    encrypt(key, nonce, bytes, start, body, end);
    assertEquals(hex(bytes.subarray(body, end + 16)), sealed);
    const copy = bytes.slice();
    assert(decrypt(key, nonce, bytes, start, body, end));
    assertEquals(bytes.slice(body, end), plain);
    for (const at of [start, body, end - 1, end, end + 15]) {
      const wrong = copy.slice();
      wrong[at]! ^= 1;
      assert(!decrypt(key, nonce, wrong, start, body, end));
    }
  }
});
