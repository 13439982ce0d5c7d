import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { Cookies } from "../../core/cookies.ts";
import { VirtualPlatform } from "./fixtures.ts";

Deno.test("a cookie is good for its address, for ten minutes at least and twenty at most", () => {
  const cookies = new Cookies(new VirtualPlatform());
  const at = 599_999;
  const cookie = cookies.of("10.0.0.1:7071", at);
  assertMatch(cookie, /^[0-9a-f]{32}$/);
  for (const age of [0, 1, 600_000]) assert(cookies.valid(cookie, "10.0.0.1:7071", at + age), `${age}`);
  assert(!cookies.valid(cookie, "10.0.0.1:7071", at + 1_200_000));
  assert(!cookies.valid(cookie, "10.0.0.1:7072", at));
  assert(!cookies.valid("0".repeat(32), "10.0.0.1:7071", at));
});

Deno.test("no two sessions have the same cookies", () => {
  const platform = new VirtualPlatform();
  const cookie = () => new Cookies(platform).of("a", 0);
  assertNotEquals(cookie(), cookie());
  assertEquals(new Cookies(new VirtualPlatform(5)).of("a", 0), new Cookies(new VirtualPlatform(5)).of("a", 0));
});
