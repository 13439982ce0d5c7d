/**
 * A subscriber of the demo, a process of its own: receives every tick, adds up what it got, and measures how long it took.
 *
 *     subscriber.ts ENDPOINT latest|earliest [FAULT]
 *     subscriber.ts GROUP multicast
 *
 * On multicast it loses some of the datagrams on purpose, and has to get them again.
 *
 * @module
 */

import { type Batch, connect, type DatagramPort, FaultyPort, subscribeMulticast } from "../mod.ts";
import { now } from "./clock.ts";
import { stampOf } from "./feed.ts";
import { injector } from "./fault.ts";
import { Histogram } from "./histogram.ts";
import { Ledger } from "./ledger.ts";
import { Random } from "./random.ts";
import { instructions, type Latency, type Quote, report, reportEvery } from "./report.ts";

const pattern = "ticks/#";
/** How many of the busiest symbols are told of. */
const mostQuotes = 8;
/** How long one that is missing is waited for, in milliseconds. */
const patience = 10_000;
/** How long a message that must not come is waited for at the end, in milliseconds. */
const linger = 100;

/** Of a hundred datagrams, so many are lost on purpose. */
const loss = 2;

const [endpoint = "", from = "latest", fault = ""] = Deno.args;
const ledger = new Ledger();
const take = injector(fault, (topic, payload) => ledger.add(topic, payload));
const recent = new Histogram();
const all = new Histogram();
const symbols = new Map<string, { ticks: number; last: number; prices: number[] }>();
const decoder = new TextDecoder();
const ports: FaultyPort[] = [];
let messages = 0;
let bytes = 0;

const told = instructions();
if (from === "earliest") await told.next();
const joined = now();
const { kept, events } = from === "multicast" ? await listenToGroup() : await subscribe();
report({ kind: "ready", kept });

/** Latency is that of messages which are published after this: what was kept has waited for this subscriber. */
let live = kept === 0 ? joined : Infinity;
let expected = Infinity;
let finished = () => {};
const whole = new Promise<void>((resolve) => finished = resolve);
receive();
const timer = setInterval(tell, reportEvery);

for await (const instruction of told) {
  if (instruction.kind !== "finish") continue;
  expected = instruction.messages;
  if (messages < expected) await Promise.race([whole, pause(patience)]);
  await pause(linger);
  break;
}
clearInterval(timer);
tell();
report({ kind: "done", messages, bytes, entries: ledger.entries() });
Deno.exit();

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

async function subscribe() {
  const link = await connect(endpoint, { reconnect: false });
  link.closed.then((error) => {
    if (error === null) return;
    console.error(error.message);
    Deno.exit(1);
  });
  const kept = from === "earliest"
    ? (await link.topics(pattern)).reduce((sum, { first, next }) => sum + next - first, 0)
    : 0;
  const subscription = link.subscribe(pattern, { from: from === "earliest" ? "earliest" : "latest" });
  await subscription.ready;
  return { kept, events: subscription.events() };
}

async function listenToGroup() {
  const heard = Promise.withResolvers<void>();
  const subscription = await subscribeMulticast(endpoint, {
    patterns: [pattern],
    onSender: () => heard.resolve(),
    through: worsen,
  });
  await heard.promise;
  return { kept: 0, events: subscription.events() };
}

/** What comes from a port, less some of it. */
function worsen(port: DatagramPort): DatagramPort {
  const random = new Random(ports.length);
  const faulty = new FaultyPort(port, { loss, reorder: 0, duplicate: 0 }, () => random.next());
  ports.push(faulty);
  return faulty;
}

async function receive(): Promise<void> {
  for await (const event of events) {
    if (event.kind === "batch") receiveBatch(event);
    else if (event.kind === "gap") {
      report({ kind: "gap", why: `${event.topic}: ${event.lost} messages ${event.reason}` });
    } else report({ kind: "gap", why: "the server was restarted" });
  }
}

function receiveBatch(batch: Batch): void {
  const time = now();
  for (let i = 0; i < batch.count; i++) {
    const sent = stampOf(batch.bytes, batch.start(i));
    if (sent >= live) {
      recent.add(time - sent);
      all.add(time - sent);
    }
    const payload = batch.payload(i);
    take(batch.topic, payload);
    bytes += payload.length;
  }
  messages += batch.count;
  const { symbol, last } = JSON.parse(decoder.decode(batch.payload(batch.count - 1)));
  const known = symbols.get(symbol);
  if (known === undefined) symbols.set(symbol, { ticks: batch.count, last, prices: [] });
  else {
    known.ticks += batch.count;
    known.last = last;
  }
  if (live === Infinity && messages >= kept) {
    live = now();
    report({ kind: "caughtUp", messages: kept, milliseconds: (live - joined) / 1000 });
  }
  if (messages >= expected) finished();
}

function tell(): void {
  for (const { last, prices } of symbols.values()) prices.push(last);
  report({ kind: "progress", messages, bytes });
  report({ kind: "seen", recent: latencyOf(recent), all: latencyOf(all), busiest: busiest() });
  recent.clear();
  if (ports.length === 0) return;
  const sum = (which: "received" | "lost") => ports.reduce((sum, { counts }) => sum + counts[which], 0);
  report({ kind: "network", datagrams: sum("received"), lost: sum("lost") });
}

function busiest(): Quote[] {
  return [...symbols].map(([symbol, quote]) => ({ symbol, ...quote }))
    .sort((a, b) => b.ticks - a.ticks).slice(0, mostQuotes);
}

function latencyOf(histogram: Histogram): Latency {
  const { count, most } = histogram;
  return { count, most, p50: histogram.percentile(0.5), p99: histogram.percentile(0.99) };
}
