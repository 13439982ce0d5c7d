import { assertEquals } from "@std/assert";
import { Heartbeat } from "../../core/heartbeat.ts";

/** When heartbeats go until a time, if nothing else happens. */
function beats(heartbeat: Heartbeat, until: number): number[] {
  const times: number[] = [];
  while (heartbeat.dueAt <= until) {
    times.push(heartbeat.dueAt);
    heartbeat.beat(heartbeat.dueAt);
  }
  return times;
}

Deno.test("heartbeats come ever more seldom, up to one a second, and soon again after something was sent", () => {
  const heartbeat = new Heartbeat(1400, Infinity, 0);
  assertEquals(beats(heartbeat, 3000), [0, 5, 15, 35, 75, 155, 315, 635, 1275, 2275]);
  heartbeat.quicken();
  heartbeat.by(3005);
  assertEquals(beats(heartbeat, 3050), [3005, 3010, 3020, 3040]);
});

Deno.test("whatever there is to tell, they take no more than their rate", () => {
  // One takes 70 milliseconds.
  const heartbeat = new Heartbeat(1400, 20_000, 0);
  assertEquals(heartbeat.soon, 70);
  const times: number[] = [];
  for (let now = 0; now < 500; now++) {
    heartbeat.quicken();
    heartbeat.by(now);
    if (heartbeat.dueAt > now) continue;
    heartbeat.beat(now);
    times.push(now);
  }
  assertEquals(times, [0, 70, 140, 210, 280, 350, 420, 490]);
});

Deno.test("one comes a second, however low the rate is", () => {
  const heartbeat = new Heartbeat(1400, 100, 0);
  assertEquals(beats(heartbeat, 3000), [0, 1000, 2000, 3000]);
});
