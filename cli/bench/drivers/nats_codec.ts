/**
 * The NATS client protocol, as bytes: lines that end in CR LF, and messages with a length before them.
 *
 * Source: https://docs.nats.io/reference/reference-protocols/nats-protocol
 *
 * @module
 */

import type { Sink } from "../driver.ts";
import { boundMessage, foreign, type Parser, textOf } from "./input.ts";
import { bytesOf, copy, decimal, type Encoder, type Output } from "./output.ts";

/** What a server says besides messages. */
export interface NatsEvents {
  /** It tells of itself; first of all, and again when that changes. The text is JSON. */
  info(text: string): void;
  /** It asks whether the connection lives: a PONG is due. */
  ping(): void;
  /** It has got to a PING; they are answered in order. */
  pong(): void;
  /** It refused something: `Authorization Violation`. Most of the time it closes the connection then. */
  error(text: string): void;
}

const cr = 0x0d;
const lf = 0x0a;
const space = 0x20;
/** `MSG ` */
const msg = 0x4d53_4720;
/** `HMSG` */
const hmsg = 0x484d_5347;
/** No line is longer: topics have at most some hundred bytes, INFO some thousand. */
const longestLine = 64 * 1024;

/** Understands what a server sends. */
export class NatsParser implements Parser {
  needed = 0;
  readonly #sink: Sink;
  readonly #events: NatsEvents;
  #stopped = false;

  /** Gives messages to the sink, and tells the rest. */
  constructor(sink: Sink, events: NatsEvents) {
    this.#sink = sink;
    this.#events = events;
  }

  parse(bytes: Uint8Array, view: DataView, start: number, end: number): number {
    this.needed = 0;
    let at = start;
    while (at < end && !this.#stopped) {
      const first = bytes[at]!;
      const next = first === 0x4d || first === 0x48 ? this.#message(bytes, view, at, end) : this.#line(bytes, at, end);
      if (next < 0) break;
      at = next;
    }
    return this.#stopped ? end : at;
  }

  stop(): void {
    this.#stopped = true;
  }

  /** `MSG subject sid [reply] size`, or `HMSG subject sid [reply] headers size`. Returns its end, or -1. */
  #message(bytes: Uint8Array, view: DataView, start: number, end: number): number {
    if (end - start < 5) return -1;
    const word = view.getUint32(start);
    const headed = word === hmsg && bytes[start + 4] === space;
    if (word !== msg && !headed) throw foreign("NATS", bytes, start, end);
    let at = start + (headed ? 5 : 4);
    while (at < end && bytes[at]! > space) at++;
    // Of what follows the subject, the last number is the size; a reply subject is no number, and stays below 0.
    let spaces = 0;
    let before = 0;
    let size = 0;
    let byte = space;
    for (; at < end; at++) {
      byte = bytes[at]!;
      const digit = byte - 0x30;
      if (digit >= 0 && digit <= 9) size = size * 10 + digit;
      else if (byte === space) {
        spaces++;
        before = size;
        size = 0;
      } else if (byte < space) break;
      else size = -1;
    }
    if (at + 1 >= end) return this.#unfinished(bytes, start, end);
    const least = headed ? 3 : 2;
    if (
      byte !== cr || bytes[at + 1] !== lf || spaces < least || spaces > least + 1 || size < 0 || bytes[at - 1] === space
    ) {
      throw foreign("NATS", bytes, start, end);
    }
    boundMessage(size);
    const body = at + 2;
    const close = body + size;
    if (close + 2 > end) {
      this.needed = close + 2 - start;
      return -1;
    }
    if (bytes[close] !== cr || bytes[close + 1] !== lf || (headed && (before < 0 || before > size))) {
      throw foreign("NATS", bytes, start, end);
    }
    this.#sink.take(bytes, view, headed ? body + before : body, close);
    return close + 2;
  }

  /** Anything but a message. Returns its end, or -1. */
  #line(bytes: Uint8Array, start: number, end: number): number {
    const first = bytes[start]!;
    // I, P, + and -: what does not even begin so need not be waited for.
    if (first !== 0x49 && first !== 0x50 && first !== 0x2b && first !== 0x2d) throw foreign("NATS", bytes, start, end);
    const found = bytes.indexOf(lf, start);
    if (found < 0 || found >= end) return this.#unfinished(bytes, start, end);
    const line = textOf(bytes, start, bytes[found - 1] === cr ? found - 1 : found);
    if (line === "PING") this.#events.ping();
    else if (line === "PONG") this.#events.pong();
    else if (line.startsWith("INFO ")) this.#events.info(line.slice(5));
    else if (line.startsWith("-ERR ")) this.#events.error(line.slice(5).replace(/^'(.*)'$/, "$1"));
    else if (line !== "+OK") throw foreign("NATS", bytes, start, end);
    return found + 1;
  }

  #unfinished(bytes: Uint8Array, start: number, end: number): -1 {
    if (end - start > longestLine) throw foreign("NATS", bytes, start, end);
    return -1;
  }
}

/** Writes messages. */
export class NatsEncoder implements Encoder {
  /** What stands before each topic's lengths: `PUB a.b `. */
  readonly #heads: readonly Uint8Array[];

  /**
   * Prepares what each topic's messages begin with.
   *
   * @param subjects the topics' names, as NATS spells them
   */
  constructor(subjects: readonly string[]) {
    this.#heads = subjects.map((subject) => bytesOf(`PUB ${subject} `));
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
  }
}
