/**
 * The control frames, field by field: one table that both sides, the tests and docs/PROTOCOL.md share.
 *
 * A frame is its 8-byte prefix, then the fields in the order of the table. Bytes behind the last field belong to a later
 * minor version and are passed over.
 *
 * @module
 */

import type { BodyReader } from "./body_reader.ts";
import { FrameType } from "./frame.ts";
import type { FrameWriter } from "./frame_writer.ts";

/** Kinds of fields: integers, a 128-bit id in hexadecimal, a text of at most 255 bytes, or a counted list of records. */
export type Kind = "u8" | "u16" | "u32" | "u64" | "id" | "text" | Fields[];
/** Names and kinds of the fields of a frame, in their order. */
export type Fields = { readonly [name: string]: Kind };

/** The values that fields hold. */
export type Values<F extends Fields> = {
  -readonly [N in keyof F]: F[N] extends "id" | "text" ? string
    : F[N] extends readonly (infer R extends Fields)[] ? Values<R>[]
    : number;
};

/** One control frame: its type and how its fields are written and read. */
export class Control<F extends Fields> {
  /** The frame type, as in the prefix. */
  readonly type: number;
  /** Its name, as docs/PROTOCOL.md spells it. */
  readonly name: string;
  readonly fields: F;

  constructor(name: string, type: number, fields: F) {
    this.name = name.toUpperCase();
    this.type = type;
    this.fields = fields;
  }

  /** Writes the whole frame. */
  write(writer: FrameWriter, values: Values<F>): void {
    writer.begin(this.type);
    writeFields(writer, this.fields, values);
    writer.end();
  }

  /**
   * Reads the fields from a body.
   *
   * @throws {ProtocolError} when the body is shorter than the fields, or a text is not UTF-8
   */
  read(body: BodyReader): Values<F> {
    return readFields(body, this.fields) as Values<F>;
  }
}

function writeFields(writer: FrameWriter, fields: Fields, values: Record<string, unknown>): void {
  for (const [name, kind] of Object.entries(fields)) {
    const value = values[name];
    if (typeof kind === "string") {
      (writer[kind] as (value: unknown) => void).call(writer, value);
    } else {
      const records = value as Record<string, unknown>[];
      writer.u16(records.length);
      for (const record of records) writeFields(writer, kind[0]!, record);
    }
  }
}

function readFields(body: BodyReader, fields: Fields): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const [name, kind] of Object.entries(fields)) {
    values[name] = typeof kind === "string"
      ? body[kind]()
      : Array.from({ length: body.u16() }, () => readFields(body, kind[0]!));
  }
  return values;
}

function control<const F extends Fields>(name: keyof typeof FrameType, fields: F): Control<F> {
  return new Control(name, FrameType[name], fields);
}

/**
 * First frame of the connecting side. `session` stays the same when it connects again: it is its publisher's id too. `secret`
 * is the password of `user`, or a token.
 */
export const hello = control("hello", { features: "u32", session: "id", agent: "text", user: "text", secret: "text" });

/**
 * Answer to HELLO. `maxMessage` is the largest message that there can be, `ownMessage` the largest that this user may publish.
 * `closed` and `why` tell how the session of that id ended before, within the last 10 minutes.
 */
export const welcome = control("welcome", {
  features: "u32",
  epoch: "id",
  time: "u64",
  maxMessage: "u32",
  ownMessage: "u32",
  connectionCredit: "u32",
  idleTimeout: "u32",
  closed: "u16",
  why: "text",
  agent: "text",
});

/** Asks for the id of a topic to publish to. `first` is the first number that may come again, 0 if none does. */
export const declare = control("declare", { request: "u32", first: "u64", topic: "text" });

/** Answer to DECLARE. `known` is 1 if the server remembers this publisher's numbers; `last` is the last it has. */
export const declared = control("declared", {
  request: "u32",
  topic: "u32",
  credit: "u32",
  largestFrame: "u32",
  known: "u8",
  last: "u64",
});

/**
 * A request failed. `kind` is its frame type; for SUBSCRIBE and DATAGRAMS, `request` is the subscription, which may have been
 * confirmed before: one that the client cannot expand is ended like this.
 */
export const failed = control("failed", { request: "u32", kind: "u8", code: "u16", why: "text" });

/** Of each topic, the number up to which everything was appended, or refused in a frame before this. */
export const ack = control("ack", { topics: [{ topic: "u32", number: "u64" }] });

/** One frame was refused: its first number and its message count. */
export const refuse = control("refuse", { topic: "u32", number: "u64", count: "u16", code: "u16", why: "text" });

/** The publisher has finished with a topic. */
export const undeclare = control("undeclare", { topic: "u32" });

/** Asks for the topics that match any of the patterns. `value` belongs to `start`; `epoch` to {@linkcode Start.resume}. */
export const subscribe = control("subscribe", {
  subscription: "u32",
  policy: "u8",
  start: "u8",
  value: "u64",
  epoch: "id",
  patterns: [{ pattern: "text" }],
});

/** Where a subscription resumes: the next sequence of each topic. Comes before the SUBSCRIBE it belongs to. */
export const points = control("points", { subscription: "u32", points: [{ topic: "u32", sequence: "u64" }] });

/** The frames of messages that follow belong to this subscription, until the next DELIVER. */
export const deliver = control("deliver", { subscription: "u32" });

/** Answer to SUBSCRIBE, after every topic that matched was announced. */
export const subscribed = control("subscribed", { subscription: "u32", policy: "u8", topics: "u32" });

/** A topic joined a subscription: its id from now on, its place in the order of creation, and where it starts. */
export const announce = control("announce", {
  subscription: "u32",
  topic: "u32",
  ordinal: "u64",
  sequence: "u64",
  name: "text",
});

/**
 * Messages that a subscription will not get. A `last` of 0 stands for "how many is not known". With the code `forgotten`
 * nothing of the topic comes any more; `last` is then `first - 1` if nothing is missing.
 */
export const gap = control("gap", { subscription: "u32", topic: "u32", first: "u64", last: "u64", code: "u16" });

/** Ends a subscription. */
export const unsubscribe = control("unsubscribe", { subscription: "u32" });

/** Answer to UNSUBSCRIBE: nothing of it comes after this. */
export const unsubscribed = control("unsubscribed", { subscription: "u32" });

/** Stops the delivery of a subscription; retention goes on. */
export const pause = control("pause", { subscription: "u32" });

/** Ends PAUSE. */
export const resume = control("resume", { subscription: "u32" });

/** Asks for the topics that match a pattern. */
export const list = control("list", { request: "u32", pattern: "text" });

/** Answer to LIST, in as many frames as it takes; `last` is 1 in the last. */
export const listed = control("listed", {
  request: "u32",
  last: "u8",
  topics: [{ topic: "u32", first: "u64", next: "u64", bytes: "u64", time: "u64", name: "text" }],
});

/** Asks for a PONG with the same token. */
export const ping = control("ping", { token: "u64" });

/** Answer to PING. */
export const pong = control("pong", { token: "u64" });

/** The server is shutting down: nothing published from now on is appended; subscribers get the rest within `timeout` ms. */
export const drain = control("drain", { timeout: "u32" });

/** The last frame of a session. */
export const close = control("close", { code: "u16", why: "text" });

/**
 * Asks for the topics that match any of the patterns by datagrams of at most `largest` bytes, from the next message on;
 * topics that were created after the ordinal `since` are wanted from their first.
 */
export const datagrams = control("datagrams", {
  subscription: "u32",
  policy: "u8",
  largest: "u16",
  since: "u64",
  patterns: [{ pattern: "text" }],
});

/**
 * Answer to DATAGRAMS: the server's port that they come from, their group id and the id of their session; and the ordinal of
 * the newest topic.
 */
export const route = control("route", {
  subscription: "u32",
  policy: "u8",
  port: "u16",
  group: "u32",
  session: "id",
  ordinal: "u64",
});

/** Asks for the keys of a multicast group, now and whenever they change: `239.255.70.70:7071`. */
export const keys = control("keys", { request: "u32", group: "text" });

/** Answer to KEYS: 256 bits each, the newest last. */
export const key = control("key", { request: "u32", keys: [{ upper: "id", lower: "id" }] });

/** Every control frame, in the order of their types. */
export const controls: readonly Control<Fields>[] = [
  hello,
  welcome,
  declare,
  declared,
  failed,
  ack,
  refuse,
  undeclare,
  subscribe,
  points,
  deliver,
  subscribed,
  announce,
  gap,
  unsubscribe,
  unsubscribed,
  pause,
  resume,
  list,
  listed,
  ping,
  pong,
  drain,
  close,
  datagrams,
  route,
  keys,
  key,
] as unknown as readonly Control<Fields>[];

/** Where a subscription starts in each topic: `start` of SUBSCRIBE, and what its `value` is. */
export const Start = {
  /** With the next message. */
  latest: 0,
  /** With the oldest message that is kept. */
  earliest: 1,
  /** With the message of sequence `value`. */
  sequence: 2,
  /** With the `value` newest messages. */
  last: 3,
  /** With the first frame at or after `value`, Unix microseconds by the server's clock. */
  time: 4,
  /** With the first frame of the last `value` microseconds. */
  ago: 5,
  /** Where POINTS say; topics created after the `value`th at their first message. */
  resume: 6,
} as const;

/** Lag policies: what happens when retention overtakes a subscription. */
export const Policy = {
  /** The server's default. */
  server: 0,
  /** It is told the gap and goes on. */
  skip: 1,
  /** It is closed. */
  disconnect: 2,
  /** It is not overtaken: publishers are held, for a bounded time. */
  wait: 3,
} as const;

/** The bytes that each side sends first: "stream", then the major and the minor version. */
export const preamble: Uint8Array = new Uint8Array([0x73, 0x74, 0x72, 0x65, 0x61, 0x6d, 1, 0]);
/** How many of them must agree: all but the minor version. */
export const preambleFixed = 7;
