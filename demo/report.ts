/**
 * What the demo's processes tell each other: lines on stdin and stdout, beside the messages.
 *
 * @module
 */

import type { Entry } from "./ledger.ts";

/** Latencies, in microseconds. */
export interface Latency {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly most: number;
}

/** A symbol, as a subscriber has received it. */
export interface Quote {
  readonly symbol: string;
  readonly ticks: number;
  /** The last price, in dollars. */
  readonly last: number;
  /** The price at each report up to now. */
  readonly prices: readonly number[];
}

/** What went through up to now. */
export interface Counts {
  readonly messages: number;
  readonly bytes: number;
}

/** What a publisher or a subscriber says, a line of JSON each. */
export type Report =
  /** It can be told to go on. For a subscriber: the server has confirmed, and keeps so many messages for it. */
  | { readonly kind: "ready"; readonly kept: number }
  | ({ readonly kind: "progress" } & Counts)
  /** A subscriber has received what was kept when it joined, so long after it asked for it. */
  | { readonly kind: "caughtUp"; readonly messages: number; readonly milliseconds: number }
  /** A subscriber's latencies since its last report, and altogether; the symbols with the most ticks. */
  | { readonly kind: "seen"; readonly recent: Latency; readonly all: Latency; readonly busiest: readonly Quote[] }
  /** How many datagrams have come to a subscriber, and how many of them it lost on purpose. */
  | { readonly kind: "network"; readonly datagrams: number; readonly lost: number }
  /** A subscriber was told by the server that messages are lost. */
  | { readonly kind: "gap"; readonly why: string }
  | ({ readonly kind: "done"; readonly entries: readonly Entry[] } & Counts);

/** What they are told: to begin, or to end once that many messages have come. */
export type Instruction = { readonly kind: "go" } | { readonly kind: "finish"; readonly messages: number };

/** How often progress is told, in milliseconds. */
export const reportEvery = 100;

/** Says something to the process that started this one. */
export function report(what: Report): void {
  const bytes = new TextEncoder().encode(`${JSON.stringify(what)}\n`);
  for (let written = 0; written < bytes.length;) written += Deno.stdout.writeSync(bytes.subarray(written));
}

/** What this process is told. When nobody is there any more to tell it anything, it ends. */
export async function* instructions(): AsyncGenerator<Instruction> {
  for await (const line of lines(Deno.stdin.readable)) yield JSON.parse(line) as Instruction;
  Deno.exit(1);
}

/** The lines of a text that comes in pieces. */
export async function* lines(source: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of source.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + text).split("\n");
    rest = parts.pop()!;
    yield* parts;
  }
  if (rest !== "") yield rest;
}
