/**
 * The demo's publisher, a process of its own: publishes the market's ticks as they come, each to the topic of its symbol.
 *
 *     publisher.ts ENDPOINT SECONDS SEED
 *
 * @module
 */

import { connect } from "../mod.ts";
import { now } from "./clock.ts";
import { Market, tickJson } from "./feed.ts";
import { Ledger } from "./ledger.ts";
import { instructions, report, reportEvery } from "./report.ts";

const [endpoint = "", seconds = "", seed = ""] = Deno.args;
const market = new Market({ seed: Number(seed) });
const ledger = new Ledger();
const topics = new Map(market.symbols.map((symbol) => [symbol, `ticks/${symbol}`]));
const encoder = new TextEncoder();
const buffer = new Uint8Array(512);
let bytes = 0;

const told = instructions();
const link = await connect(endpoint, { reconnect: false });
link.closed.then((error) => {
  if (error === null) return;
  console.error(error.message);
  Deno.exit(1);
});
const { publisher } = link;
report({ kind: "ready", kept: 0 });
await told.next();
const begin = now();
// Listens on, so that it ends with the process that started it.
told.next();

const timer = setInterval(() => report({ kind: "progress", messages: publisher.sent, bytes }), reportEvery);
for (let elapsed = 0; elapsed < Number(seconds);) {
  await new Promise((resolve) => setTimeout(resolve, 1));
  elapsed = (now() - begin) / 1e6;
  for (const tick of market.advance(Math.min(elapsed, Number(seconds)))) {
    const topic = topics.get(tick.symbol)!;
    const { written } = encoder.encodeInto(tickJson(tick, now()), buffer);
    const room = publisher.send(topic, buffer, 0, written);
    ledger.add(topic, buffer.subarray(0, written));
    bytes += written;
    if (!room) await publisher.ready();
  }
}
// Until the server has acknowledged every message.
await publisher.flush();
clearInterval(timer);
report({ kind: "done", messages: publisher.sent, bytes, entries: ledger.entries() });
await link.close();
Deno.exit();
