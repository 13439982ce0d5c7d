/**
 * Senders and receivers of a multicast group over networks that lose, double, reorder, delay and cut off, with ends and
 * beginnings of all kinds. One seed makes one run, always the same:
 * `STREAM_SEED=17 deno test -A tests/core/group_simulation_test.ts` replays it, `STREAM_SEED=1001-2000` runs others.
 */

import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { Simulation, type Tally, Trace } from "./group_simulation.ts";

const runs = 1000;
const given = Deno.env.get("STREAM_SEED");
const [first, last = first] = (given ?? `1-${runs}`).split("-").map(Number) as [number, number?];

/** Runs one seed. The message of an error says how to run it again, and what happened last if it was run alone. */
function simulate(seed: number): Tally {
  const trace = new Trace(first === last ? [] : null);
  try {
    return new Simulation(seed, trace).run();
  } catch (error) {
    const replay = `STREAM_SEED=${seed} deno test -A tests/core/group_simulation_test.ts`;
    const lines = trace.lines === null ? [] : ["", ...trace.lines.slice(-40)];
    throw new Error(`seed ${seed} (replay it with ${replay})${lines.join("\n")}`, { cause: error });
  }
}

Deno.test(`simulation: ${runs} groups whose receivers get every message once and in order, or are told what they lost`, () => {
  const tally: Tally = { got: 0, lost: 0, sessions: 0, left: 0, requests: 0, repairs: 0 };
  for (let seed = first; seed <= last; seed++) {
    const one = simulate(seed);
    for (const key of Object.keys(tally) as (keyof Tally)[]) tally[key] += one[key];
  }
  if (given !== undefined) return;
  // A suite that tests little shows.
  const { got, lost, sessions, left, requests, repairs } = tally;
  const enough = got > 3_000_000 && lost > 100_000 && sessions > 5000 && left > 500;
  assert(enough && requests > 50_000 && repairs > 50_000, JSON.stringify(tally));
});

Deno.test("simulation: a seed gives the same events each time", () => {
  const hashes = new Set<number>();
  for (let seed = 1; seed <= 30; seed++) {
    const traces = [new Trace(), new Trace()] as const;
    for (const trace of traces) new Simulation(seed, trace).run();
    const [one, two] = traces;
    assertNotEquals(one.events, 0);
    assertEquals([one.events, one.hash], [two.events, two.hash], `seed ${seed}`);
    hashes.add(one.hash);
  }
  assertEquals(hashes.size, 30);
});
