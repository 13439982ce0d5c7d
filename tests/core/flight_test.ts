import { assertEquals } from "@std/assert";
import { Flight, largestFlight } from "../../core/flight.ts";

const half = largestFlight / 2;

function stateOf({ full, due }: Flight): { full: boolean; due: boolean } {
  return { full, due };
}

Deno.test("flight: little of it neither holds anything up nor asks for anything", () => {
  const flight = new Flight();
  assertEquals(stateOf(flight), { full: false, due: false });
  flight.add(half - 1);
  assertEquals(stateOf(flight), { full: false, due: false });
});

Deno.test("flight: the server is asked behind the first half; the other half goes meanwhile", () => {
  const flight = new Flight();
  flight.add(half);
  assertEquals(stateOf(flight), { full: false, due: true });
  flight.ask();
  flight.add(half - 1);
  assertEquals(stateOf(flight), { full: false, due: false });
  flight.add(1);
  assertEquals(stateOf(flight), { full: true, due: false });
  flight.answered();
  assertEquals(stateOf(flight), { full: false, due: true });
});
