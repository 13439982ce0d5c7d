/**
 * How `subscribe` writes messages, and how it tells of gaps.
 *
 * @module
 */

import type { OutputBuffer } from "./output_buffer.ts";
import { formatCount, formatMessages } from "./units.ts";

/** Messages of one topic that were not delivered. */
export interface Gap {
  /** The topic. */
  readonly topic: string;
  /** The first sequence that is missing, or `null` when that cannot be known: after a restart. */
  readonly first: number | null;
  /** The last sequence that is missing, or `null`. */
  readonly last: number | null;
  /** How many messages were lost, or `null`. */
  readonly lost: number | null;
  /** One word: `lagged`, `corrupt`, `expired`, `restarted`. */
  readonly reason: string;
}

/** Writes messages into an {@linkcode OutputBuffer}. */
export interface MessageFormat {
  /**
   * Writes one message, the bytes of `buffer` from `start` to before `end`.
   *
   * @param seq the message's sequence in its topic
   * @param timeMicros the server's time, Unix microseconds
   */
  message(topic: string, seq: number, timeMicros: number, buffer: Uint8Array, start: number, end: number): void;
  /**
   * Tells of a gap, among the messages where the format has a place for it.
   *
   * @returns the line to print on stderr instead, or `null`
   */
  gap(gap: Gap): string | null;
}

/** The formats by name: `lines` unless an option names another. */
export type FormatName = "lines" | "raw" | "json" | "hex" | "delimited";

/**
 * The format of that name, writing into `output`.
 *
 * @param withTopic whether the topic and a tab go before each message: for `lines` and `hex`
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { messageFormat } from "./format.ts";
 * import { OutputBuffer } from "./output_buffer.ts";
 *
 * const output = new OutputBuffer();
 * const format = messageFormat("lines", output, true);
 * const payload = new TextEncoder().encode("21.5");
 * format.message("sensors/kitchen", 7, Date.now() * 1000, payload, 0, payload.length);
 * assert(new TextDecoder().decode(output.bytes()) === "sensors/kitchen\t21.5\n");
 * ```
 */
export function messageFormat(name: FormatName, output: OutputBuffer, withTopic = false): MessageFormat {
  switch (name) {
    case "lines":
      return new LinesFormat(output, withTopic);
    case "raw":
      return new RawFormat(output);
    case "json":
      return new JsonFormat(output);
    case "hex":
      return new HexFormat(output, withTopic);
    case "delimited":
      return new DelimitedFormat(output);
  }
}

/** `gap: ticks 1041-1107, 67 messages lost: lagged`, without a line end. */
export function gapText(gap: Gap): string {
  const range = gap.first === null || gap.last === null ? "" : ` ${gap.first}-${gap.last}`;
  const lost = gap.lost === null
    ? "an unknown number of messages lost"
    : `${gap.lost} ${gap.lost === 1 ? "message" : "messages"} lost`;
  return `gap: ${gap.topic}${range}, ${lost}: ${gap.reason}`;
}

/** `{"gap":{"topic":"ticks","first":1041,"last":1107,"lost":67,"reason":"lagged"}}`, without a line end. */
export function gapJson(gap: Gap): string {
  const { topic, first, last, lost, reason } = gap;
  return JSON.stringify({ gap: { topic, first, last, lost, reason } });
}

/** `3 gaps, 1,234 messages lost`, for the end of a run. */
export function gapSummary(gaps: number, lost: number): string {
  return `${formatCount(gaps)} ${gaps === 1 ? "gap" : "gaps"}, ${formatMessages(lost)} lost`;
}

const lineFeed = 0x0a;
const quote = 0x22;
const backslash = 0x5c;
const mostCached = 4096;

const encoder = new TextEncoder();
const hexDigits = encoder.encode("0123456789abcdef");
const beforeTime = encoder.encode(`,"time":"`);
const beforePayload = encoder.encode(`","payload":`);
const beforePayload64 = encoder.encode(`","payload64":"`);
// A byte order mark is part of the payload, and must come out again.
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The encoded form of something that many messages share, made once for each of the latest topics. */
class TopicCache {
  readonly #encode: (topic: string) => string;
  readonly #encoded = new Map<string, Uint8Array>();
  #lastTopic: string | undefined;
  #last = new Uint8Array(0) as Uint8Array;

  constructor(encode: (topic: string) => string) {
    this.#encode = encode;
  }

  of(topic: string): Uint8Array {
    if (topic === this.#lastTopic) return this.#last;
    let encoded = this.#encoded.get(topic);
    if (encoded === undefined) {
      if (this.#encoded.size >= mostCached) this.#encoded.clear();
      encoded = encoder.encode(this.#encode(topic));
      this.#encoded.set(topic, encoded);
    }
    this.#lastTopic = topic;
    this.#last = encoded;
    return encoded;
  }
}

/** The payload and a newline; with `-v` the topic and a tab before it. */
class LinesFormat implements MessageFormat {
  readonly #output: OutputBuffer;
  readonly #topics: TopicCache | undefined;

  constructor(output: OutputBuffer, withTopic: boolean) {
    this.#output = output;
    this.#topics = withTopic ? new TopicCache((topic) => `${topic}\t`) : undefined;
  }

  message(topic: string, _seq: number, _timeMicros: number, buffer: Uint8Array, start: number, end: number): void {
    if (this.#topics !== undefined) this.#output.all(this.#topics.of(topic));
    this.#output.copy(buffer, start, end);
    this.#output.byte(lineFeed);
  }

  gap(gap: Gap): string {
    return gapText(gap);
  }
}

/** `--raw`: the payload alone. */
class RawFormat implements MessageFormat {
  readonly #output: OutputBuffer;

  constructor(output: OutputBuffer) {
    this.#output = output;
  }

  message(_topic: string, _seq: number, _timeMicros: number, buffer: Uint8Array, start: number, end: number): void {
    this.#output.copy(buffer, start, end);
  }

  gap(gap: Gap): string {
    return gapText(gap);
  }
}

/** `--delimited`: the payload's length as a number of 32 bits in network byte order, and the payload. */
class DelimitedFormat implements MessageFormat {
  readonly #output: OutputBuffer;

  constructor(output: OutputBuffer) {
    this.#output = output;
  }

  message(_topic: string, _seq: number, _timeMicros: number, buffer: Uint8Array, start: number, end: number): void {
    this.#output.uint32(end - start);
    this.#output.copy(buffer, start, end);
  }

  gap(gap: Gap): string {
    return gapText(gap);
  }
}

/** `--hex`: two digits a byte, and a newline; with `-v` the topic and a tab before it. */
class HexFormat implements MessageFormat {
  readonly #output: OutputBuffer;
  readonly #topics: TopicCache | undefined;

  constructor(output: OutputBuffer, withTopic: boolean) {
    this.#output = output;
    this.#topics = withTopic ? new TopicCache((topic) => `${topic}\t`) : undefined;
  }

  message(topic: string, _seq: number, _timeMicros: number, buffer: Uint8Array, start: number, end: number): void {
    const output = this.#output;
    if (this.#topics !== undefined) output.all(this.#topics.of(topic));
    for (let at = start; at < end; at++) {
      const value = buffer[at]!;
      output.byte(hexDigits[value >> 4]!);
      output.byte(hexDigits[value & 15]!);
    }
    output.byte(lineFeed);
  }

  gap(gap: Gap): string {
    return gapText(gap);
  }
}

/** `--json`: one object a line; a gap is an object of its own, where the messages would have been. */
class JsonFormat implements MessageFormat {
  readonly #output: OutputBuffer;
  readonly #topics = new TopicCache((topic) => `{"topic":${JSON.stringify(topic)},"seq":`);
  /** The messages of a frame share their time. */
  #timeMicros = NaN;
  #time = new Uint8Array(0) as Uint8Array;

  constructor(output: OutputBuffer) {
    this.#output = output;
  }

  message(topic: string, seq: number, timeMicros: number, buffer: Uint8Array, start: number, end: number): void {
    const output = this.#output;
    if (timeMicros !== this.#timeMicros) {
      this.#timeMicros = timeMicros;
      this.#time = encoder.encode(formatTime(timeMicros));
    }
    output.all(this.#topics.of(topic));
    output.decimal(seq);
    output.all(beforeTime);
    output.all(this.#time);
    if (isPlain(buffer, start, end)) {
      output.all(beforePayload);
      output.byte(quote);
      output.copy(buffer, start, end);
      output.byte(quote);
    } else this.#encoded(buffer.subarray(start, end));
    output.byte(0x7d);
    output.byte(lineFeed);
  }

  gap(gap: Gap): null {
    this.#output.text(gapJson(gap));
    this.#output.byte(lineFeed);
    return null;
  }

  /** Writes a payload that has to be escaped, or is not text at all. */
  #encoded(payload: Uint8Array): void {
    let text: string;
    try {
      text = strictDecoder.decode(payload);
    } catch {
      this.#output.all(beforePayload64);
      this.#output.text(payload.toBase64());
      this.#output.byte(quote);
      return;
    }
    this.#output.all(beforePayload);
    this.#output.text(JSON.stringify(text));
  }
}

/** Whether the range can stand in a JSON string as it is: printable ASCII without quote and backslash. */
function isPlain(buffer: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const value = buffer[at]!;
    if (value < 0x20 || value >= 0x7f || value === quote || value === backslash) return false;
  }
  return true;
}

/**
 * Unix microseconds as ISO 8601 in UTC, with microseconds.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { formatTime } from "./format.ts";
 *
 * assert(formatTime(1_700_000_000_123_456) === "2023-11-14T22:13:20.123456Z");
 * ```
 */
export function formatTime(timeMicros: number): string {
  const milliseconds = Math.floor(timeMicros / 1000);
  const micros = timeMicros - milliseconds * 1000;
  return `${new Date(milliseconds).toISOString().slice(0, -1)}${String(micros).padStart(3, "0")}Z`;
}
