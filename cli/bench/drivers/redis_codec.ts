/**
 * RESP2, as bytes: what Redis speaks.
 *
 * Source: https://redis.io/docs/latest/develop/reference/protocol-spec/ and, for what subscribers are sent,
 * https://redis.io/docs/latest/develop/pubsub/
 *
 * @module
 */

import type { Sink } from "../driver.ts";
import { boundMessage, foreign, type Parser, textOf } from "./input.ts";
import { bytesOf, copy, decimal, type Encoder, type Output } from "./output.ts";

const cr = 0x0d;
const lf = 0x0a;
const dollar = 0x24;
const colon = 0x3a;
const star = 0x2a;
const plus = 0x2b;
const minus = 0x2d;
/** `*3`, `*4`, `$7`, `$8`, each with CR LF. */
const three = 0x2a33_0d0a;
const four = 0x2a34_0d0a;
const seven = 0x2437_0d0a;
const eight = 0x2438_0d0a;
/** `message`, in two overlapping halves. */
const mess = 0x6d65_7373;
const sage = 0x7361_6765;
/** Nothing but messages is longer. */
const longestReply = 64 * 1024;
/** What an item is that is not all there. */
const unfinished = -1;

/** Understands what a server sends, to those who subscribe and to those who publish. */
export class RedisParser implements Parser {
  needed = 0;
  /** How many commands were answered, other than subscribing, and not with an error. */
  replies = 0;
  /** How many names and patterns the server has confirmed. */
  confirmed = 0;
  readonly #sink: Sink;
  readonly #refused: (text: string) => void;
  #stopped = false;
  /** Where the bulk string begins that was last found to be whole. */
  #body = 0;

  /**
   * Gives messages to the sink.
   *
   * @param refused told when a command was answered with an error: `NOAUTH Authentication required.`
   */
  constructor(sink: Sink, refused: (text: string) => void) {
    this.#sink = sink;
    this.#refused = refused;
  }

  parse(bytes: Uint8Array, view: DataView, start: number, end: number): number {
    this.needed = 0;
    let at = start;
    while (at < end && !this.#stopped) {
      const first = bytes[at]!;
      const next = first === star
        ? this.#array(bytes, view, at, end)
        : first === colon
        ? this.#integer(bytes, at, end)
        : this.#line(bytes, at, end);
      if (next < 0) break;
      at = next;
    }
    return this.#stopped ? end : at;
  }

  stop(): void {
    this.#stopped = true;
  }

  /** A message, or a confirmation. Returns its end, or -1. */
  #array(bytes: Uint8Array, view: DataView, start: number, end: number): number {
    // The least there can be is an array of three, of which the first has seven bytes: all of it is there before it is looked at.
    if (end - start < 19) return this.#short(bytes, start, end);
    const count = view.getUint32(start);
    const length = view.getUint32(start + 4);
    const direct = count === three && length === seven && view.getUint32(start + 8) === mess &&
      view.getUint32(start + 11) === sage;
    const byPattern = count === four && length === eight && bytes[start + 8] === 0x70 &&
      view.getUint32(start + 9) === mess && view.getUint32(start + 12) === sage;
    if (!direct && !byPattern) return this.#confirmation(bytes, start, end);
    // The end of the word, and then the topic; the pattern goes before that.
    let at = start + (direct ? 15 : 16);
    if (bytes[at] !== cr || bytes[at + 1] !== lf) throw foreign("Redis", bytes, start, end);
    at = this.#bulk(bytes, at + 2, end, start);
    if (at < 0) return unfinished;
    if (byPattern && (at = this.#bulk(bytes, at, end, start)) < 0) return unfinished;
    at = this.#bulk(bytes, at, end, start);
    if (at < 0) return unfinished;
    this.#sink.take(bytes, view, this.#body, at - 2);
    return at;
  }

  /** A bulk string of the item that begins at `item`. Returns its end, or -1, and sets `#body`. */
  #bulk(bytes: Uint8Array, start: number, end: number, item: number): number {
    if (start >= end) return unfinished;
    if (bytes[start] !== dollar) throw foreign("Redis", bytes, start, end);
    let at = start + 1;
    let length = 0;
    let digit = 0;
    for (; at < end && (digit = bytes[at]! - 0x30) >= 0 && digit <= 9; at++) length = length * 10 + digit;
    if (at < end && (bytes[at] !== cr || at === start + 1)) throw foreign("Redis", bytes, start, end);
    boundMessage(length);
    if (at + 1 >= end) return unfinished;
    if (bytes[at + 1] !== lf) throw foreign("Redis", bytes, start, end);
    const body = at + 2;
    const close = body + length;
    if (close + 2 > end) {
      this.needed = close + 2 - item;
      return unfinished;
    }
    if (bytes[close] !== cr || bytes[close + 1] !== lf) throw foreign("Redis", bytes, start, end);
    this.#body = body;
    return close + 2;
  }

  /** `*3 subscribe name :1`, or the like. Returns its end, or -1. */
  #confirmation(bytes: Uint8Array, start: number, end: number): number {
    if (bytes[start + 1] !== 0x33 || bytes[start + 2] !== cr || bytes[start + 3] !== lf) {
      throw foreign("Redis", bytes, start, end);
    }
    let at = this.#bulk(bytes, start + 4, end, start);
    if (at < 0) return this.#short(bytes, start, end);
    if (!/^p?subscribe$/.test(textOf(bytes, this.#body, at - 2))) throw foreign("Redis", bytes, start, end);
    at = this.#bulk(bytes, at, end, start);
    if (at < 0) return this.#short(bytes, start, end);
    if (at < end && bytes[at] !== colon) throw foreign("Redis", bytes, start, end);
    at = this.#lineEnd(bytes, at, end);
    if (at < 0) return this.#short(bytes, start, end);
    this.confirmed++;
    return at;
  }

  /** `:1`, what PUBLISH is answered with. Returns its end, or -1. */
  #integer(bytes: Uint8Array, start: number, end: number): number {
    let at = start + 1;
    let digit = 0;
    while (at < end && (digit = bytes[at]! - 0x30) >= 0 && digit <= 9) at++;
    if (at + 1 >= end && (at === end || bytes[at] === cr)) return this.#short(bytes, start, end);
    if (bytes[at] !== cr || bytes[at + 1] !== lf || at === start + 1) throw foreign("Redis", bytes, start, end);
    this.replies++;
    return at + 2;
  }

  /** `+OK`, `-ERR text`. Returns its end, or -1. */
  #line(bytes: Uint8Array, start: number, end: number): number {
    const first = bytes[start];
    if (first !== plus && first !== minus) throw foreign("Redis", bytes, start, end);
    const close = this.#lineEnd(bytes, start, end);
    if (close < 0) return this.#short(bytes, start, end);
    const text = textOf(bytes, start + 1, close - 2);
    if (first === plus && text !== "OK" && text !== "PONG") throw foreign("Redis", bytes, start, end);
    if (first === minus && !/^[A-Z]+ /.test(text)) throw foreign("Redis", bytes, start, end);
    if (first === plus) this.replies++;
    else this.#refused(text);
    return close;
  }

  /** The end of the line that begins at `start`, or -1. */
  #lineEnd(bytes: Uint8Array, start: number, end: number): number {
    const found = bytes.indexOf(lf, start);
    if (found < 0 || found >= end) return unfinished;
    if (bytes[found - 1] !== cr || found === start) throw foreign("Redis", bytes, start, end);
    return found + 1;
  }

  #short(bytes: Uint8Array, start: number, end: number): number {
    if (end - start > longestReply) throw foreign("Redis", bytes, start, end);
    return unfinished;
  }
}

/** A command: an array of bulk strings. */
export function command(...words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${bytesOf(word).length}\r\n${word}\r\n`).join("")}`;
}

/** Writes messages. */
export class RedisEncoder implements Encoder {
  /** How many were written. */
  sent = 0;
  /** What stands before each topic's lengths. */
  readonly #heads: readonly Uint8Array[];

  /**
   * Prepares what each topic's messages begin with.
   *
   * @param topics their names
   */
  constructor(topics: readonly string[]) {
    // The message, which is the third, is left to be written.
    this.#heads = topics.map((topic) => bytesOf(`*3\r\n${command("PUBLISH", topic).slice(4)}$`));
  }

  message(output: Output, topic: number, message: Uint8Array): void {
    const head = this.#heads[topic]!;
    // Ten digits and twice CR LF.
    output.room(head.length + message.length + 14);
    const { bytes } = output;
    let at = decimal(bytes, copy(bytes, output.length, head), message.length);
    bytes[at++] = cr;
    bytes[at++] = lf;
    at = copy(bytes, at, message);
    bytes[at++] = cr;
    bytes[at++] = lf;
    output.length = at;
    this.sent++;
  }
}
