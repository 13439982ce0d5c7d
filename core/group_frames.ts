/**
 * The control frames of datagrams. They have the layout of those of connections, and types of their own.
 *
 * @module
 */

import { encodeText, idLength } from "./bytes.ts";
import { Control } from "./control.ts";
import { prefixLength } from "./frame.ts";
import type { FrameWriter } from "./frame_writer.ts";

/** Types of frames that datagrams have and connections have not. */
export const GroupFrameType = { beat: 64, finish: 65, repair: 66, cookie: 67, gone: 68 } as const;

/**
 * What a sender says now and then: the time by its clock, Unix microseconds, the epoch of its server, and a part of its
 * topic table. A topic joined the group when the next datagram was to be number `born`, and its message `start` was the first to be sent; `next` is the
 * one that is sent next. A receiver that was there by then, and has not got them all, has lost some.
 */
export const beat = new Control("beat", GroupFrameType.beat, {
  time: "u64",
  epoch: "id",
  topics: [{ topic: "u32", born: "u64", start: "u64", next: "u64", name: "text" }],
});

/** The session ends: nothing comes after what was sent before this. */
export const finish = new Control("finish", GroupFrameType.finish, {});

/**
 * A receiver asks a sender, by its session id, for datagrams again and for the names of topics. The cookie is what the
 * sender gave it, all zero before that; the nonce is the receiver's, and comes back with a cookie.
 */
export const repair = new Control("repair", GroupFrameType.repair, {
  target: "id",
  cookie: "id",
  nonce: "id",
  ranges: [{ first: "u64", count: "u16" }],
  topics: [{ topic: "u32" }],
});

/** A sender was asked for these datagrams, and cannot send them again: the logs have dropped what was in them. */
export const gone = new Control("gone", GroupFrameType.gone, { ranges: [{ first: "u64", count: "u16" }] });

/** What a sender answers to a REPAIR without a valid cookie: smaller than what asked for it. */
export const cookie = new Control("cookie", GroupFrameType.cookie, { nonce: "id", cookie: "id" });

/** One row of the topic table in a BEAT. */
export interface BeatTopic {
  readonly id: number;
  readonly name: string;
  readonly born: number;
  readonly start: number;
  readonly next: number;
}

/** Bytes of a BEAT without topics, and of a row without its name. */
const beatFields = prefixLength + 8 + idLength + 2;
const rowFields = 4 + 3 * 8 + 1;

/**
 * Writes a BEAT with as many rows as fit.
 *
 * @param most bytes of the frame
 * @returns how many rows it has
 */
export function writeBeat(
  writer: FrameWriter,
  most: number,
  time: number,
  epoch: string,
  table: Iterable<BeatTopic>,
): number {
  const topics = [];
  let length = beatFields;
  for (const { id, ...row } of table) {
    length += rowFields + encodeText(row.name).length;
    if (length > most) break;
    topics.push({ topic: id, ...row });
  }
  beat.write(writer, { time, epoch, topics });
  return topics.length;
}
