import { assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { injector } from "../../demo/fault.ts";
import { differences, digest, Ledger } from "../../demo/ledger.ts";

const encoder = new TextEncoder();

function ledgerOf(...messages: [topic: string, payload: string][]): Ledger {
  const ledger = new Ledger();
  for (const [topic, payload] of messages) ledger.add(topic, encoder.encode(payload));
  return ledger;
}

Deno.test("order counts within a topic and not across topics", () => {
  const sent = ledgerOf(["a", "1"], ["b", "2"], ["a", "3"]).entries();
  assertEquals(ledgerOf(["b", "2"], ["a", "1"], ["a", "3"]).entries(), sent);
  const swapped = ledgerOf(["a", "3"], ["b", "2"], ["a", "1"]).entries();
  assertEquals(differences(sent, swapped), ["a: 2 sent and received, and they are not the same"]);
  assertNotEquals(digest(swapped), digest(sent));
  assertMatch(digest(sent), /^[0-9a-f]{8}$/);
});

Deno.test("what is lost and what is too much is told, by topic", () => {
  const sent = ledgerOf(["a", "1"], ["a", "2"], ["b", "1"]).entries();
  assertEquals(differences(sent, ledgerOf(["a", "1"], ["c", "1"]).entries()), [
    "a: sent 2, received 1",
    "b: sent 1, received none",
    "c: sent none, received 1",
  ]);
  assertEquals(differences(sent, sent), []);
});

Deno.test("each fault changes what a ledger has, and no fault does not", () => {
  const entriesWith = (fault: string) => {
    const ledger = new Ledger();
    const take = injector(fault, (topic, payload) => ledger.add(topic, payload));
    for (let i = 0; i < 100; i++) take("a", encoder.encode(`${i}`));
    return ledger.entries();
  };
  const sent = entriesWith("");
  const same = "100 sent and received, and they are not the same";
  assertEquals(differences(sent, entriesWith("die")), []);
  assertEquals(differences(sent, entriesWith("tamper")), [`a: ${same}`]);
  assertEquals(differences(sent, entriesWith("swap")), [`a: ${same}`]);
  assertEquals(differences(sent, entriesWith("lose")), ["a: sent 100, received 99"]);
  assertEquals(differences(sent, entriesWith("double")), ["a: sent 100, received 101"]);
});
