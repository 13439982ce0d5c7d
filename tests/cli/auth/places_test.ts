import { assert, assertEquals } from "@std/assert";
import { ClaimPlaces, type Place } from "../../../cli/auth/places.ts";

/** Takes a place that is free. */
function taken(places: ClaimPlaces, network = "a"): Place {
  const place = places.take(network);
  assert(place !== null && !(place instanceof Promise));
  return place;
}

Deno.test("a network has eight places; who waits gets the next that is free, in order", async () => {
  const places = new ClaimPlaces();
  const [first, second] = Array.from({ length: 8 }, () => taken(places));
  const told: string[] = [];
  const waiting = ["x", "y"].map(async (name) => {
    assert(await places.take("a") !== null);
    told.push(name);
  });
  taken(places, "b");
  first![Symbol.dispose]();
  await waiting[0];
  assertEquals(told, ["x"]);
  second![Symbol.dispose]();
  await waiting[1];
  assertEquals(told, ["x", "y"]);
});

Deno.test("when all who have a place are wrong nobody waits for it, until one is told so", async () => {
  const places = new ClaimPlaces();
  const eight = Array.from({ length: 8 }, () => taken(places));
  const waiting = places.take("a");
  for (const place of eight) place.refuse();
  assertEquals(await waiting, null);
  assertEquals(places.take("a"), null);
  eight[0]![Symbol.dispose]();
  taken(places);
});

Deno.test("ten thousand wait for a place, and no more", () => {
  const places = new ClaimPlaces();
  for (let count = 0; count < 8; count++) taken(places);
  for (let count = 0; count < 10_000; count++) assert(places.take("a") instanceof Promise);
  assertEquals(places.take("a"), null);
});
