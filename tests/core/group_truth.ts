/** What a group's senders have published and sent in truth, read before it is sealed: what receivers are judged by. */

import { assert, assertEquals } from "@std/assert";
import { BodyReader } from "../../core/body_reader.ts";
import { hex, readU64 } from "../../core/bytes.ts";
import type { Platform } from "../../core/connection.ts";
import { DatagramFlag, datagramHeader, eachFrame, fragmentHeader, inDatagram, type Seal } from "../../core/datagram.ts";
import { at, messagesHeader } from "../../core/frame.ts";
import { beat, GroupFrameType } from "../../core/group_frames.ts";
import type { ServerLimits } from "../../core/limits.ts";
import type { Topic } from "../../core/topic.ts";
import { Topics } from "../../core/topics.ts";
import { messagesFrame, Random, same } from "./fixtures.ts";

const noise = new Random(1).bytes(128 * 1024);

/** Topics that a simulation publishes to, with all that was ever published. */
export class Origin {
  readonly topics: Topics;
  readonly created: Topic[] = [];
  /** Sessions that send these topics; they are told of new ones. */
  readonly sessions: SentSession[] = [];
  /** Payloads of frames, by topic id and first sequence. */
  readonly #payloads = new Map<number, Map<number, Uint8Array>>();
  readonly #platform: Platform;

  constructor(platform: Platform, limits: Readonly<ServerLimits>) {
    this.#platform = platform;
    this.topics = new Topics(platform, limits);
  }

  /** Publishes messages of these sizes in one frame. Returns whether there was room. */
  publish(name: string, sizes: readonly number[]): boolean {
    const topic = this.topics.declare(name);
    assert(typeof topic !== "number");
    const { nextSequence } = topic.log;
    const messages = sizes.map((size, i) => noise.subarray((nextSequence + i) * 7 % 65_536).subarray(0, size));
    const frame = messagesFrame(messages, { topic: topic.id });
    if (topic.append(frame, 0, frame.length, messages.length, this.#platform.time()) !== "appended") return false;
    let payloads = this.#payloads.get(topic.id);
    if (payloads === undefined) this.#payloads.set(topic.id, payloads = new Map());
    payloads.set(nextSequence, frame.subarray(messagesHeader));
    if (topic.ordinal === 0) {
      this.created.push(topic);
      for (const session of this.sessions) session.joins(topic, 1);
      this.topics.create(topic);
    }
    return true;
  }

  /** Whether a frame was published like that: `payload` is what stands behind its header. */
  wasPublished(topic: number, sequence: number, payload: Uint8Array): boolean {
    const published = this.#payloads.get(topic)?.get(sequence);
    return published !== undefined && same(published, payload);
  }
}

/** Messages of a topic that went together: a frame; or messages that retention has overtaken, and that never went. */
export interface SentRange {
  readonly topic: Topic;
  readonly first: number;
  /** Sequence of the one that follows. */
  readonly next: number;
  /** Which datagrams it went in, by number; where it never went, which was to be the next one then. */
  readonly from: number;
  to: number;
  readonly lagged: boolean;
}

/** One datagram, as it was before it was sealed. */
export interface SentDatagram {
  readonly session: SentSession;
  readonly from: { readonly text: string };
  readonly number: number;
  readonly numbered: boolean;
  readonly repair: boolean;
  /** Of a heartbeat: the next sequence of topics, by id. */
  readonly rows: ReadonlyMap<number, number> | null;
  /** Whether it says that the session ends. */
  readonly finish: boolean;
}

/** One topic of a session. */
export interface SentTopic {
  readonly topic: Topic;
  readonly start: number;
  /** The number that the next datagram had when it joined. */
  readonly born: number;
  readonly ranges: SentRange[];
  readonly byFirst: Map<number, SentRange>;
  /** Lags that were told and that nothing has followed. */
  readonly lags: { first: number; last: number; number: number }[];
}

/** Everything that one session has sent. What it sends is checked on its own, too. */
export class SentSession {
  readonly id: string;
  readonly origin: Origin;
  readonly topics = new Map<number, SentTopic>();
  /** How many datagrams with messages were sent, repairs not counted. */
  sent = 0;
  /** Each of them, by number: when it was sent, a checksum of its flags and frames, and what is in it. */
  readonly datagrams: { readonly at: number; readonly sum: number; readonly ranges: SentRange[] }[] = [];
  /** The datagram that was sealed last. */
  last: SentDatagram | null = null;
  readonly #from: { readonly text: string };
  readonly #body = new BodyReader();
  readonly #platform: Platform;
  #counter = 0;
  /** The frame whose fragments go, and how many bytes of it went. */
  #fragments: SentRange | null = null;
  #filled = 0;

  constructor(platform: Platform, id: Uint8Array, origin: Origin, from: { readonly text: string }) {
    this.id = hex(id);
    this.#from = from;
    this.origin = origin;
    this.#platform = platform;
    for (const topic of origin.created) this.joins(topic, topic.log.nextSequence);
    origin.sessions.push(this);
  }

  /** A topic is sent from a sequence on. */
  joins(topic: Topic, start: number): void {
    this.topics.set(topic.id, { topic, start, born: this.sent + 1, ranges: [], byFirst: new Map(), lags: [] });
  }

  /** Its sender has told of a lag. */
  lagged(name: string, first: number, last: number): void {
    const { id } = this.origin.topics.get(name)!;
    this.topics.get(id)!.lags.push({ first, last, number: this.sent + 1 });
  }

  /** The sequence that follows what was sent of a topic whole, or has lagged. */
  endOf({ ranges, start, lags }: SentTopic): number {
    const last = ranges.at(-1);
    const sent = last === undefined ? start : last === this.#fragments ? last.first : last.next;
    return Math.max(sent, (lags.at(-1)?.last ?? 0) + 1);
  }

  /** A seal that shows to this session what its sender seals. */
  tap(seal: Seal): Seal {
    return {
      ...seal,
      close: (bytes, view, start, end) => {
        this.#sealed(bytes, view, start, end);
        seal.close(bytes, view, start, end);
      },
    };
  }

  #sealed(bytes: Uint8Array, view: DataView, start: number, end: number): void {
    const flags = bytes[start + inDatagram.flags]!;
    const number = readU64(view, start + inDatagram.number);
    const counter = readU64(view, start + inDatagram.counter);
    assert(counter === ++this.#counter, "each datagram has a counter of its own");
    const [numbered, repair] = [(flags & DatagramFlag.numbered) !== 0, (flags & DatagramFlag.repair) !== 0];
    const said = { session: this, from: this.#from, number, numbered, repair };
    const body = start + datagramHeader;
    if (!numbered) {
      assert(number === this.sent + 1, "it tells the next number");
      this.last = { ...said, ...this.#control(bytes, view, body, end) };
      return;
    }
    this.last = { ...said, rows: null, finish: false };
    const sum = this.#platform.crc32(bytes.subarray(body, end), flags & DatagramFlag.fragment);
    if (repair) {
      assert(sum === this.datagrams[number]!.sum, "what is sent again is the same");
      return;
    }
    assert(number === ++this.sent, "numbers are in order");
    const ranges: SentRange[] = [];
    this.datagrams[number] = { at: this.#platform.now(), sum, ranges };
    if (flags & DatagramFlag.fragment) ranges.push(this.#fragment(view, body, end, number));
    else assert(eachFrame(view, body, end, (start) => void ranges.push(this.#frame(view, start, number))));
  }

  #control(bytes: Uint8Array, view: DataView, start: number, end: number): Pick<SentDatagram, "rows" | "finish"> {
    let rows: SentDatagram["rows"] = null;
    let finish = false;
    eachFrame(view, start, end, (start, end) => {
      const type = view.getUint8(start + at.type);
      finish ||= type === GroupFrameType.finish;
      if (type === GroupFrameType.beat) rows = this.#beaten(bytes, view, start, end);
    });
    return { rows, finish };
  }

  #beaten(bytes: Uint8Array, view: DataView, start: number, end: number): Map<number, number> {
    this.#body.open(bytes, view, start + view.getUint8(start + at.header), end);
    const { epoch, topics } = beat.read(this.#body);
    assertEquals(epoch, this.origin.topics.epoch);
    for (const { topic, name, born, start, next } of topics) {
      const sent = this.topics.get(topic)!;
      assert(name === sent.topic.name && born === sent.born && start === sent.start, name);
      assert(next === this.endOf(sent), name);
    }
    return new Map(topics.map(({ topic, next }) => [topic, next]));
  }

  #frame(view: DataView, start: number, number: number): SentRange {
    assert(this.#fragments === null, "a frame's fragments go one after the other");
    const sent = this.topics.get(view.getUint32(start + at.topic, true))!;
    const first = readU64(view, start + at.sequence);
    for (let next = sent.ranges.at(-1)?.next ?? sent.start; next < first;) {
      const lag = sent.lags.shift();
      assertEquals(lag?.first, next, `${sent.topic.name} is sent in order, or a lag is told`);
      next = lag!.last + 1;
      this.#add(sent, lag!.first, next, lag!.number, true);
    }
    return this.#add(sent, first, first + view.getUint16(start + at.count, true), number, false);
  }

  #add(sent: SentTopic, first: number, next: number, number: number, lagged: boolean): SentRange {
    assert(first === (sent.ranges.at(-1)?.next ?? sent.start), "a topic is sent in order");
    const range = { topic: sent.topic, first, next, from: number, to: number, lagged };
    sent.ranges.push(range);
    sent.byFirst.set(first, range);
    return range;
  }

  #fragment(view: DataView, start: number, end: number, number: number): SentRange {
    const [length, offset] = [view.getUint32(start, true), view.getUint32(start + 4, true)];
    if (offset === 0) {
      this.#fragments = this.#frame(view, start + fragmentHeader, number);
      this.#filled = 0;
    }
    const range = this.#fragments;
    assert(range !== null && offset === this.#filled, "fragments are in order");
    range.to = number;
    this.#filled += end - start - fragmentHeader;
    if (this.#filled === length) this.#fragments = null;
    return range;
  }
}
