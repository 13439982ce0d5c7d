/**
 * MQTT 3.1.1, as bytes, at QoS 0.
 *
 * Source: https://docs.oasis-open.org/mqtt/mqtt/v3.1.1/os/mqtt-v3.1.1-os.html; sections are named where they are used.
 *
 * @module
 */

import type { Sink } from "../driver.ts";
import { boundMessage, foreign, type Parser } from "./input.ts";
import { bytesOf, copy, type Encoder, type Output } from "./output.ts";

/** What a server says besides messages. */
export interface MqttEvents {
  /** CONNACK: 0 when the connection is accepted, or why not (section 3.2.2.3). */
  connected(code: number): void;
  /** One return code of SUBACK: the granted QoS, or 0x80 for a failure (section 3.9.3). */
  subscribed(code: number): void;
  /** PINGRESP. */
  pong(): void;
}

const connack = 0x20;
const publish = 0x30;
const suback = 0x90;
const pingresp = 0xd0;
/** Nothing but messages is longer; SUBACK has a byte for each pattern that was asked for at once. */
const longestControl = 64 * 1024;

/** Understands what a server sends. */
export class MqttParser implements Parser {
  needed = 0;
  readonly #sink: Sink;
  readonly #events: MqttEvents;
  #stopped = false;

  /** Gives messages to the sink, and tells the rest. */
  constructor(sink: Sink, events: MqttEvents) {
    this.#sink = sink;
    this.#events = events;
  }

  parse(bytes: Uint8Array, view: DataView, start: number, end: number): number {
    this.needed = 0;
    let at = start;
    while (at < end && !this.#stopped) {
      const type = bytes[at]!;
      // RETAIN may be set, the two bits of the QoS may not: nothing else was asked for.
      const message = (type & 0xfe) === publish;
      if (!message && type !== connack && type !== suback && type !== pingresp) throw foreign("MQTT", bytes, at, end);
      if (at + 1 >= end) break;
      let body = at + 2;
      let length = bytes[at + 1]!;
      if (length > 0x7f) {
        // Section 2.2.3: seven bits a byte, the least significant first, in up to four bytes.
        length &= 0x7f;
        for (let shift = 7;; shift += 7) {
          if (body >= end) return at;
          const byte = bytes[body++]!;
          length |= (byte & 0x7f) << shift;
          if (byte < 0x80) break;
          if (shift === 21) throw foreign("MQTT", bytes, at, end);
        }
        if (message) boundMessage(length);
        else if (length > longestControl) throw foreign("MQTT", bytes, at, end);
      }
      const close = body + length;
      if (close > end) {
        this.needed = close - at;
        break;
      }
      if (message) {
        const payload = length < 2 ? close + 1 : body + 2 + view.getUint16(body);
        if (payload > close) throw foreign("MQTT", bytes, at, end);
        this.#sink.take(bytes, view, payload, close);
      } else if (!this.#control(type, bytes, body, close)) throw foreign("MQTT", bytes, at, end);
      at = close;
    }
    return this.#stopped ? end : at;
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Whether it was well formed. */
  #control(type: number, bytes: Uint8Array, body: number, close: number): boolean {
    const length = close - body;
    if (type === connack) {
      if (length !== 2 || bytes[body]! > 1) return false;
      this.#events.connected(bytes[body + 1]!);
    } else if (type === pingresp) {
      if (length !== 0) return false;
      this.#events.pong();
    } else {
      if (length < 3) return false;
      for (let at = body + 2; at < close; at++) this.#events.subscribed(bytes[at]!);
    }
    return true;
  }
}

/** Writes messages. */
export class MqttEncoder implements Encoder {
  /** Each topic's name with its length before it. */
  readonly #names: readonly Uint8Array[];

  /**
   * Prepares what each topic's messages begin with.
   *
   * @param topics their names
   */
  constructor(topics: readonly string[]) {
    this.#names = topics.map((topic) => new Uint8Array(prefixed(topic)));
  }

  message(output: Output, topic: number, message: Uint8Array): void {
    const name = this.#names[topic]!;
    let rest = name.length + message.length;
    output.room(rest + 5);
    const { bytes } = output;
    let at = output.length;
    bytes[at++] = publish;
    for (; rest > 0x7f; rest >>>= 7) bytes[at++] = rest & 0x7f | 0x80;
    bytes[at++] = rest;
    output.length = copy(bytes, copy(bytes, at, name), message);
  }
}

/** Who connects. */
export interface MqttGreeting {
  /** A name that no other connection has: the server closes the older one of two. */
  readonly id: string;
  /** After so many seconds of silence, and half as many more, the server may close the connection; 0 for never. */
  readonly keepAlive: number;
  /** The user; `null` without one. */
  readonly user: string | null;
  /** The password; `null` without one. MQTT 3.1.1 has none without a user. */
  readonly password: string | null;
}

/** CONNECT, with a clean session (section 3.1). */
export function encodeConnect({ id, keepAlive, user, password }: MqttGreeting): Uint8Array {
  const flags = 0x02 | (user === null ? 0 : 0x80) | (password === null ? 0 : 0x40);
  const protocolLevel = 4;
  return packet(0x10, [
    ...prefixed("MQTT"),
    protocolLevel,
    flags,
    keepAlive >>> 8,
    keepAlive & 0xff,
    ...prefixed(id),
    ...(user === null ? [] : prefixed(user)),
    ...(password === null ? [] : prefixed(password)),
  ]);
}

/** SUBSCRIBE at QoS 0 (section 3.8). `id` is from 1 to 65,535. */
export function encodeSubscribe(id: number, patterns: readonly string[]): Uint8Array {
  return packet(0x82, [id >>> 8, id & 0xff, ...patterns.flatMap((pattern) => [...prefixed(pattern), 0])]);
}

/** PINGREQ (section 3.12). */
export const pingreq: Uint8Array = packet(0xc0, []);

function packet(type: number, body: readonly number[]): Uint8Array {
  const length: number[] = [];
  let rest = body.length;
  for (; rest > 0x7f; rest >>>= 7) length.push(rest & 0x7f | 0x80);
  return new Uint8Array([type, ...length, rest, ...body]);
}

/** A text as UTF-8 with its length in two bytes before it (section 1.5.3). */
function prefixed(text: string): number[] {
  const bytes = bytesOf(text);
  return [bytes.length >>> 8, bytes.length & 0xff, ...bytes];
}
