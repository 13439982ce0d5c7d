import { assert, assertEquals } from "@std/assert";
import { createPlatform, platform } from "../../transports/platform.ts";

Deno.test("crc32 gives the published check value, whole and in parts", () => {
  const bytes = new TextEncoder().encode("123456789");
  assertEquals(platform.crc32(bytes), 0xcbf43926);
  assertEquals(platform.crc32(bytes.subarray(4), platform.crc32(bytes.subarray(0, 4))), 0xcbf43926);
  assertEquals(platform.crc32(new Uint8Array()), 0);
});

Deno.test("crc32 reads shared memory", () => {
  const bytes = new Uint8Array(new SharedArrayBuffer(9));
  bytes.set(new TextEncoder().encode("123456789"));
  assertEquals(platform.crc32(bytes), 0xcbf43926);
});

Deno.test("random fills more than the runtime gives at a time, to the last byte", () => {
  const bytes = new Uint8Array(200_001);
  platform.random(bytes);
  for (const from of [0, 65_536, 131_072, 199_969]) assert(bytes.subarray(from, from + 32).some((byte) => byte !== 0));
});

Deno.test("time is the wall clock's, with the digits of the monotonic one", () => {
  let now = 500.25;
  let wall = 1_700_000_000_000;
  const { time } = createPlatform(() => now, () => wall);
  assertEquals(time(), 1_700_000_000_000_000);
  now += 1.75;
  wall += 1;
  assertEquals(time(), 1_700_000_000_001_750);
});

Deno.test("time follows a wall clock that is set", () => {
  let now = 0;
  let wall = 1_700_000_000_000;
  const { time } = createPlatform(() => now, () => wall);
  now += 10;
  wall += 3_600_000;
  assertEquals(time(), 1_700_003_600_000_000);
  now += 10;
  wall += 10;
  assertEquals(time(), 1_700_003_600_010_000);
});
