import { assert, assertEquals, assertMatch } from "@std/assert";
import { Code, codeName, codes, codeText } from "../../core/codes.ts";

Deno.test("every code has a name and a text of its own", () => {
  const all = codes();
  const numbers = Object.values(Code);
  assertEquals(new Set(numbers).size, numbers.length, "no number is used twice");
  assertEquals(new Set(all.map(({ code }) => code)), new Set(numbers));
  assertEquals(new Set(all.map(({ name }) => name)).size, all.length);
  assertEquals(new Set(all.map(({ text }) => text)).size, all.length);
  for (const { code, name, text } of all) {
    assertEquals(codeName(code), name);
    assertEquals(codeText(code), text);
    assertMatch(name, /^[a-z]+(-[a-z]+)*$/);
    assert(!text.endsWith("."), `a clause has no full stop: ${text}`);
  }
});

Deno.test("the name of a code is its key, with hyphens", () => {
  for (const [key, code] of Object.entries(Code)) {
    assertEquals(codeName(code), key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`));
  }
});

Deno.test("codes are listed in the order of their numbers, each within a u16", () => {
  const numbers = codes().map(({ code }) => code);
  assertEquals(numbers, numbers.toSorted((a, b) => a - b));
  assert(numbers.every((number) => number >= 0 && number <= 0xffff));
});

Deno.test("a code that this version does not know is shown as its number", () => {
  assertEquals(codeName(9999), "code 9999");
  assert(codeText(9999).includes("9999"));
});

Deno.test("the numbers are those of the wire: none may ever change", () => {
  assertEquals(Code, {
    done: 0,
    notStream: 1,
    version: 2,
    protocol: 3,
    handshakeTimeout: 4,
    idle: 5,
    writeDeadline: 6,
    lagged: 7,
    maxWait: 8,
    memory: 9,
    inputMemory: 10,
    outputMemory: 11,
    credit: 12,
    frameTooLarge: 13,
    connections: 14,
    replaced: 15,
    draining: 16,
    internal: 17,
    connectionLost: 18,
    tls: 19,
    certificate: 20,
    authentication: 21,
    attempts: 22,
    removed: 23,
    topicName: 32,
    pattern: 33,
    reservedTopic: 34,
    topics: 35,
    publishers: 36,
    subscriptions: 37,
    subscriptionInUse: 38,
    startPoint: 39,
    requests: 40,
    noDatagrams: 41,
    codec: 42,
    forbidden: 43,
    group: 44,
    checksum: 64,
    count: 65,
    messageTooLarge: 66,
    unsupported: 67,
    number: 68,
    expired: 96,
    forgotten: 97,
    corrupt: 98,
    unrepaired: 99,
    senderLost: 100,
  });
});
