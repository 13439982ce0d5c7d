/** Judges what a group's receiver gives on by what was sent in truth and what the network has brought. */

import { assert, assertEquals } from "@std/assert";
import { readU64 } from "../../core/bytes.ts";
import { at } from "../../core/frame.ts";
import type { GroupSession, GroupSessionOptions } from "../../core/group_session.ts";
import type { TopicEvents } from "../../core/group_topics.ts";
import type { SentDatagram, SentRange, SentSession, SentTopic } from "./group_truth.ts";

/** For how long a sender is not heard before it is left, and a little more; milliseconds. */
export const silence = 31_000;

/** What the witness of a session has to know besides. */
export interface Circumstances {
  readonly name: string;
  readonly options: GroupSessionOptions;
  wants(topic: string): boolean;
  /** For how long the sender is gone; `-Infinity` while it is there. */
  overFor(session: SentSession): number;
  /** Whether what was sent at a time, and lost, could have been repaired by now, as far as network and sender go. */
  repairable(session: SentSession, sentAt: number): boolean;
  /** Something happened, to be traced. */
  note(what: string, ...values: number[]): void;
}

/** One topic, as it was given on. */
interface Given {
  /** The sequence that is to come next. */
  next: number;
  got: number;
  lost: number;
}

/** One session, as one receiver has it: from when it was joined until it was left. */
export class Witness implements TopicEvents {
  /** Number of the first datagram that was taken. */
  readonly first: number;
  readonly sent: SentSession;
  readonly topics = new Map<number, Given>();
  /** Whether it was left. */
  left = false;
  /** Whether it was heard that the session ends. */
  finish = false;
  /** What came, by number; those that came too far ahead to be kept have not. */
  readonly #arrived = new Set<number>();
  /** The highest number that is known to exist. */
  #known: number;
  /** What heartbeats that came have told: the next sequence of topics, by id. */
  readonly #told = new Map<number, number>();
  #epoch: string | null = null;
  /** Tells its session from others in a trace. */
  readonly #tag: number;
  readonly #circumstances: Circumstances;

  constructor(circumstances: Circumstances, datagram: SentDatagram) {
    this.#circumstances = circumstances;
    this.sent = datagram.session;
    this.first = datagram.number;
    this.#tag = parseInt(this.sent.id.slice(0, 4), 16);
    this.#known = datagram.number - 1;
    assert(!datagram.repair, "nobody begins with what others have had long ago");
  }

  /** A datagram of the session has come. `next` was waited for then. */
  arrived(datagram: SentDatagram, next: number): void {
    const { number, numbered, rows, finish } = datagram;
    const kept = number >= next && number < Math.max(next, this.first) + spanOf(this.#circumstances.options);
    if (numbered && kept) this.#arrived.add(number);
    this.#known = Math.max(this.#known, numbered ? number : number - 1);
    this.finish ||= finish;
    if (rows === null || number < this.first) return;
    for (const [topic, next] of rows) this.#told.set(topic, Math.max(next, this.#told.get(topic) ?? 0));
  }

  epoch(epoch: string): void {
    assertEquals([epoch, this.#epoch, this.topics.size], [this.sent.origin.topics.epoch, null, 0]);
    this.#epoch = epoch;
  }

  wants(topic: string): boolean {
    return this.#circumstances.wants(topic);
  }

  frame(name: string, bytes: Uint8Array, view: DataView, start: number, end: number, floor: number): void {
    const id = view.getUint32(start + at.topic, true);
    const sequence = readU64(view, start + at.sequence);
    const next = sequence + view.getUint16(start + at.count, true);
    this.#circumstances.note("frame", this.#tag, id, sequence, next);
    const sent = this.#topic(name);
    assert(sent.topic.id === id);
    const range = sent.byFirst.get(sequence);
    assert(range !== undefined && !range.lagged && range.next === next, `${sequence} of ${name} went like that`);
    const payload = bytes.subarray(start + view.getUint8(start + at.header), end);
    assert(this.sent.origin.wasPublished(id, sequence, payload), `${sequence} of ${name} was published like that`);
    assert(floor <= sequence && range.from >= this.first, `${sequence} of ${name} is of before`);
    const given = this.#given(sent, sequence);
    assert(sequence === given.next, `${sequence} of ${name} comes where ${given.next} should`);
    given.next = next;
    given.got += next - sequence;
  }

  gap(name: string, first: number, last: number): void {
    const sent = this.#topic(name);
    this.#circumstances.note("gap", this.#tag, sent.topic.id, first, last);
    if (last === 0) {
      assert(!this.topics.has(sent.topic.id) && sent.born < this.first, `${name}: something is known of it`);
      this.topics.set(sent.topic.id, { next: first, got: 0, lost: 0 });
      for (const range of sent.ranges) {
        if (range.from >= this.first && range.first < first) this.#excuse(sent, range);
      }
      return;
    }
    const given = this.#given(sent, first);
    assertEquals(first, given.next, `${name}: a gap begins where the messages end`);
    assert(last >= first && last < this.sent.endOf(sent), `${name} has no gap from ${first} to ${last}`);
    for (const range of sent.ranges) if (range.next > first && range.first <= last) this.#excuse(sent, range);
    given.next = last + 1;
    given.lost += last - first + 1;
  }

  /** It is over, or a while has passed in which nothing was lost: everything has come or was reported. */
  complete(session: GroupSession | null): void {
    const { name } = this.#circumstances;
    const overFor = this.#circumstances.overFor(this.sent);
    const over = this.left || overFor >= 0;
    assert(this.left || overFor < silence, `${name} leaves who is gone`);
    if (session !== null) {
      const { arrivals } = session;
      const pending = [arrivals.missing, session.awaitsNames, arrivals.next];
      const next = over ? this.#known + 1 : this.sent.sent + 1;
      assertEquals(pending, [0, false, next], `${name}: nothing is pending`);
    }
    for (const sent of this.sent.topics.values()) {
      if (!this.wants(sent.topic.name)) continue;
      // Of a sender that is gone, what it has told.
      const end = over ? this.#told.get(sent.topic.id) ?? 0 : this.sent.endOf(sent);
      const reached = this.topics.get(sent.topic.id)?.next ?? this.#owed(sent);
      assert(reached >= end, `${name} was told of ${sent.topic.name} up to ${reached}, not up to ${end}`);
    }
    assert(this.left || !this.finish, `${name} leaves who has finished`);
  }

  /** The first sequence of a topic that it has to hear of; `Infinity` for none. */
  #owed({ ranges, start, born }: SentTopic): number {
    if (born >= this.first) return start;
    return ranges.find((range) => range.from >= this.first && !range.lagged)?.first ?? Infinity;
  }

  #topic(name: string): SentTopic {
    assert(!this.left, "nothing comes after it was left");
    assert(this.wants(name));
    const topic = this.sent.origin.topics.get(name);
    const sent = topic && this.sent.topics.get(topic.id);
    assert(sent !== undefined, `${name} is a topic`);
    return sent;
  }

  /** What was given of a topic, which begins now with a sequence unless it has begun. */
  #given(sent: SentTopic, sequence: number): Given {
    let given = this.topics.get(sent.topic.id);
    if (given === undefined) {
      const owed = this.#owed(sent);
      assert(sequence <= owed, `${sent.topic.name} begins with ${sequence}, and ${owed} was passed over`);
      this.topics.set(sent.topic.id, given = { next: sequence, got: 0, lost: 0 });
    }
    return given;
  }

  /** These messages were reported as lost: they did not all come, and nobody could have helped it. */
  #excuse(sent: SentTopic, range: SentRange): void {
    const { name, options } = this.#circumstances;
    const what = `${name}: ${range.first} of ${sent.topic.name}, sent in ${range.from} to ${range.to},`;
    assert(range.to >= this.first, `${what} was sent before it came`);
    if (range.lagged || range.from < this.first) return;
    let missing = false;
    let dropped = false;
    for (let number = range.from; number <= range.to; number++) {
      if (this.#arrived.has(number)) continue;
      missing = true;
      // One datagram is sent again whole, or not at all.
      dropped ||= this.sent.datagrams[number]!.ranges.some(({ topic, first }) => first < topic.log.firstSequence);
    }
    assert(missing, `${what} has come`);
    if (!options.repair || dropped) return;
    const { at } = this.sent.datagrams[range.from]!;
    assert(!this.#circumstances.repairable(this.sent, at), `${what} could have been repaired`);
  }
}

/** How far ahead a datagram may be to be kept. */
function spanOf({ span }: GroupSessionOptions): number {
  return Math.ceil(span / 64) * 64;
}
