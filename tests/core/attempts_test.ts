import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { Attempts, networkOf } from "../../core/attempts.ts";

Deno.test("each failure is told twice as late as the one before, up to 3.2 s", () => {
  const attempts = new Attempts();
  const delays = Array.from({ length: 8 }, (_, index) => attempts.failed("192.0.2.7", index));
  assertEquals(delays, [100, 200, 400, 800, 1600, 3200, 3200, 3200]);
  assertEquals(attempts.countOf("192.0.2.7", 7), 8);
  assertEquals(attempts.total, 8);
});

Deno.test("addresses are slowed down each for itself", () => {
  const attempts = new Attempts();
  for (let i = 0; i < 5; i++) attempts.failed("192.0.2.7", 0);
  assertEquals(attempts.failed("192.0.2.8", 0), 100);
  assertEquals(attempts.countOf("192.0.2.9", 0), 0);
});

Deno.test("after a quiet minute an address is forgotten", () => {
  const attempts = new Attempts();
  attempts.failed("192.0.2.7", 0);
  attempts.failed("192.0.2.7", 59_999);
  assertEquals(attempts.countOf("192.0.2.7", 119_998), 2);
  assertEquals(attempts.countOf("192.0.2.7", 119_999), 0);
  assertEquals(attempts.failed("192.0.2.7", 119_999), 100);
  attempts.failed("192.0.2.8", 179_999);
  assertEquals(attempts.size, 1);
  assertEquals(attempts.total, 4);
});

Deno.test("ten thousand addresses are remembered, and those that failed longest ago are forgotten first", () => {
  const attempts = new Attempts();
  const address = (index: number) => `10.0.${index >> 8}.${index & 255}`;
  for (let index = 0; index < 10_000; index++) attempts.failed(address(index), index);
  attempts.failed(address(0), 10_000);
  attempts.failed("192.0.2.1", 10_001);
  attempts.failed("192.0.2.2", 10_002);
  assertEquals(attempts.size, 10_000);
  assertEquals([0, 1, 2, 3].map((index) => attempts.countOf(address(index), 10_002)), [2, 0, 0, 1]);
});

Deno.test("an IPv6 network of 64 bits is one address", () => {
  const one = networkOf("2001:db8:1:2:3:4:5:6");
  for (const same of ["2001:db8:1:2::", "2001:0DB8:0001:2::ffff", "2001:db8:1:2:ffff:ffff:ffff:ffff%eth0"]) {
    assertEquals(networkOf(same), one, same);
  }
  for (const other of ["2001:db8:1:3::", "2001:db8:1::2", "2001:db8::1:2:3:4:5", "::1", "fe80::1%eth0", "1::"]) {
    assertNotEquals(networkOf(other), one, other);
  }
  assertEquals(networkOf("::"), networkOf("0:0::1"));
  assertEquals(networkOf("::2:3:4:5:6:7:8"), "0:2:3:4::/64");
  assertEquals(networkOf("1:2:3:4:5:6:7::"), "1:2:3:4::/64");
});

Deno.test("an IPv4 address is one by itself, in an IPv6 socket too", () => {
  assertEquals(networkOf("192.0.2.7"), "192.0.2.7");
  assertEquals(networkOf("::FFFF:192.0.2.7"), "192.0.2.7");
  assertNotEquals(networkOf("192.0.2.7"), networkOf("192.0.2.8"));
  assert(networkOf("memory") === "memory");
});
