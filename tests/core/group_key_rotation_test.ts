import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { GroupKeyRotation, keyLead, keyOverlap, newGroupKey } from "../../core/group_key_rotation.ts";
import { GroupKeys } from "../../core/group_keys.ts";
import { VirtualPlatform } from "./fixtures.ts";

function rotated(every = Infinity) {
  const platform = new VirtualPlatform();
  const keys = new GroupKeys([newGroupKey(platform)]);
  const told: number[] = [];
  const rotation = new GroupKeyRotation(platform, keys, every, () => told.push(keys.all.length));
  return { platform, keys, told, rotation };
}

Deno.test("a new key is told, then used, then the old one is no more", () => {
  const { platform, keys, told, rotation } = rotated();
  const old = keys.sealing;
  rotation.rotate();
  assertEquals(told, [2]);
  assertEquals(keys.sealing, old);
  platform.advance(keyLead);
  assertNotEquals(keys.sealing, old);
  assertEquals(keys.all, [old, keys.sealing]);
  platform.advance(keyOverlap);
  assertEquals(keys.all, [keys.sealing]);
  assertEquals(told, [2, 1]);
});

Deno.test("it changes as often as was said, and not more often for having been told to", () => {
  const { platform, keys, told, rotation } = rotated(60_000);
  using _rotation = rotation;
  const seen = new Set([keys.sealing]);
  platform.advance(30_000);
  rotation.rotate();
  for (let second = 0; second < 150; second++) {
    platform.advance(1_000);
    seen.add(keys.sealing);
  }
  // At 30 s, 90 s and 150 s; the last one is told half a minute later.
  assertEquals(seen.size, 4);
  assertEquals(told, [2, 1, 2, 1, 2]);
});

Deno.test("what is asked for during a change is done after it", () => {
  const { platform, keys, rotation } = rotated();
  rotation.rotate();
  platform.advance(keyLead);
  const first = keys.sealing;
  rotation.rotate();
  rotation.rotate();
  platform.advance(keyOverlap);
  assertEquals(keys.all.length, 2);
  platform.advance(keyLead);
  assertNotEquals(keys.sealing, first);
  platform.advance(keyOverlap + keyLead);
  assertEquals(keys.all.length, 1);
});

Deno.test("once it has ended nothing changes", () => {
  const { platform, keys, rotation } = rotated(60_000);
  rotation.rotate();
  rotation[Symbol.dispose]();
  const { sealing } = keys;
  platform.advance(200_000);
  assert(keys.sealing === sealing);
});
