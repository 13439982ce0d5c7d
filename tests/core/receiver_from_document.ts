/**
 * A receiver of a group that was written from docs/PROTOCOL.md alone.
 *
 * It is the proof that the document suffices, so nothing of `core/` may be imported here.
 */

import { type Datagram, fragment, numbered, repair, Session } from "./datagrams_from_document.ts";
import { control, Fields, type Frame, frames, pack, read } from "./from_document.ts";

const none = new Uint8Array(16);
const hex = (bytes: Uint8Array) => bytes.toHex();

/** A topic of a sender: the name, and the sequence to go on with; 0 while that is not known. */
interface Topic {
  readonly name: string;
  next: number;
}

/** The newest row of a topic that waits until everything below `number` has come or is lost. */
interface Row {
  readonly number: number;
  readonly next: number;
}

/** Receives one sender of a group. It is patient without end: only what is gone is lost. */
export class Receiver {
  /** Of each topic, the messages by their sequences. */
  readonly messages = new Map<string, Map<number, Uint8Array>>();
  readonly gaps: string[] = [];
  requests = 0;
  readonly #session: Session;
  readonly #nonce: Uint8Array;
  readonly #keyed: boolean;
  readonly #random: () => number;
  #sender: Uint8Array | null = null;
  #first = 0;
  /** The number that is waited for, the highest that was seen, and what came early. */
  #next = 0;
  #highest = 0;
  #last = Infinity;
  readonly #early = new Map<number, Datagram>();
  /** When each missing number is to be asked for, and how often it was. */
  readonly #missing = new Map<number, { due: number; tries: number }>();
  readonly #gone = new Set<number>();
  #lost = false;
  readonly #counters = new Set<number>();
  #cookie: Uint8Array | null = null;
  #cookieAt = 0;
  #answerAt = 0;
  #cookiePause = 50;
  readonly #topics = new Map<number, Topic>();
  readonly #held = new Map<number, Frame[]>();
  #namesAt = 0;
  #namesPause = 50;
  readonly #rows = new Map<Topic, Row>();
  /** What there is of a frame in fragments. */
  #parts: Uint8Array = new Uint8Array(0);

  constructor(group: number, key: Uint8Array | null, random: () => number) {
    const draw = () => Uint8Array.from({ length: 16 }, () => random() * 256);
    this.#session = new Session(draw(), "receiver", group, key);
    this.#nonce = draw();
    this.#keyed = key !== null;
    this.#random = random;
  }

  /** Whether the sender has ended, and everything it sent has come or is lost. */
  get finished(): boolean {
    return this.#next > this.#last && this.#held.size === 0;
  }

  /** A datagram came. `now` in milliseconds, `time` in Unix microseconds. */
  received(bytes: Uint8Array, now: number, time: number): void {
    const datagram = this.#session.open(bytes);
    if (datagram === null || (this.#sender === null && !this.#begin(datagram, now, time))) return;
    const { flags, number, counter } = datagram;
    if (hex(datagram.session) !== hex(this.#sender!) || (this.#keyed && this.#counters.has(counter))) return;
    this.#counters.add(counter);
    const due = now + this.#wait();
    for (; this.#highest < number; this.#highest++) {
      const came = this.#highest < this.#next || this.#early.has(this.#highest);
      if (!came) this.#missing.set(this.#highest, { due, tries: 0 });
    }
    const named = this.#held.size === 0;
    if (flags & numbered) {
      this.#missing.delete(number);
      if (number >= this.#next) this.#early.set(number, datagram);
    } else for (const frame of frames(datagram.body)) this.#control(frame, number);
    this.#workOff();
    if (!named || this.#held.size === 0) return;
    this.#namesAt = Math.max(this.#namesAt, now + this.#wait());
    this.#namesPause = 50;
  }

  /** The request that is due; `null` for none. */
  request(now: number): Uint8Array | null {
    if (this.#sender === null) return null;
    if (this.#cookie === null) {
      const needed = this.#missing.size + this.#held.size > 0;
      if (now < (needed ? this.#answerAt : Math.max(this.#cookieAt, this.#answerAt))) return null;
      this.#answerAt = now + this.#cookiePause;
      this.#cookiePause = Math.min(needed ? 200 : 1000, 2 * this.#cookiePause);
      return this.#ask(none, [], []);
    }
    const ranges: [number, number][] = [];
    let room = 256;
    for (const [number, missing] of this.#missing) {
      const [first, count] = ranges.at(-1) ?? [0, 0];
      const follows = first + count === number;
      if (room === 0 || (!follows && ranges.length === 16)) break;
      if (missing.due > now + 5 || this.#gone.has(number)) continue;
      room--;
      missing.due = now + Math.min(160, 20 * 2 ** missing.tries++) * (0.75 + this.#random() / 2);
      if (follows) ranges[ranges.length - 1] = [first, count + 1];
      else ranges.push([number, 1]);
    }
    const names = now < this.#namesAt ? [] : [...this.#held.keys()].slice(0, 16);
    if (names.length > 0) {
      this.#namesAt = now + this.#namesPause;
      this.#namesPause = Math.min(200, 2 * this.#namesPause);
    }
    return ranges.length + names.length === 0 ? null : this.#ask(this.#cookie, ranges, names);
  }

  /** A random time before something is asked for. */
  #wait(): number {
    return 10 / (Math.log(100) + 1) * Math.log(1 + this.#random() * (Math.exp(Math.log(100) + 1) - 1));
  }

  #ask(cookie: Uint8Array, ranges: [number, number][], names: number[]): Uint8Array {
    this.requests++;
    const list = ranges.flatMap(([first, count]) => [[8, first], [2, count]] as [number, number][]);
    const topics = names.map((id) => [4, id] as [number, number]);
    const lists = [[2, ranges.length], ...list, [2, topics.length], ...topics] as [number, number][];
    return this.#session.make(0, 1, control(66, this.#sender!, cookie, this.#nonce, ...lists));
  }

  #begin(datagram: Datagram, now: number, time: number): boolean {
    if (datagram.flags & repair) return false;
    const isNow = (frame: Frame) => frame.type === 64 && Math.abs(new Fields(frame).int(8) - time) <= 30e6;
    if (this.#keyed && (datagram.flags & numbered || !frames(datagram.body).some(isNow))) return false;
    this.#sender = datagram.session;
    this.#first = this.#next = this.#highest = datagram.number;
    this.#cookieAt = now + this.#random() * 1000;
    return true;
  }

  #control(frame: Frame, number: number): void {
    const fields = new Fields(frame);
    if (frame.type === 64) {
      fields.raw(8 + 16);
      for (let left = fields.int(2); left > 0; left--) {
        const [id, born, start, next] = [fields.int(4), fields.int(8), fields.int(8), fields.int(8)] as const;
        this.#name(id, fields.text(), born >= this.#first ? start : 0);
        const topic = this.#topics.get(id)!;
        const newest = this.#rows.get(topic)?.number ?? this.#first;
        if (number >= newest) this.#rows.set(topic, { number, next });
      }
    } else if (frame.type === 65) {
      this.#last = number - 1;
    } else if (frame.type === 67) {
      if (hex(fields.raw(16)) === hex(this.#nonce)) this.#cookie = fields.raw(16);
    } else if (frame.type === 68) {
      for (let left = fields.int(2); left > 0; left--) {
        const first = fields.int(8);
        for (let count = fields.int(2); count > 0; count--) this.#gone.add(first + count - 1);
      }
    }
  }

  #workOff(): void {
    for (;; this.#next++) {
      const datagram = this.#early.get(this.#next);
      if (datagram) this.#deliver(datagram);
      else if (this.#missing.has(this.#next) && this.#gone.has(this.#next)) this.#lost = true;
      else break;
      this.#early.delete(this.#next);
      this.#missing.delete(this.#next);
    }
    for (const [topic, { number, next }] of this.#rows) {
      if (number > this.#next) continue;
      this.#rows.delete(topic);
      this.#reach(topic, next);
    }
  }

  #deliver({ flags, body }: Datagram): void {
    if (!(flags & fragment)) {
      for (const frame of frames(body)) this.#frame(frame);
      return;
    }
    const view = new DataView(body.buffer);
    const [length, offset] = [view.getUint32(0, true), view.getUint32(4, true)];
    if (offset === 0) this.#parts = new Uint8Array(0);
    if (offset !== this.#parts.length) return;
    this.#parts = pack(this.#parts, body.slice(8));
    if (this.#parts.length === length) this.#frame(frames(this.#parts)[0]!);
  }

  #frame(frame: Frame): void {
    const id = frame.view.getUint32(8, true);
    const topic = this.#topics.get(id);
    if (topic) this.#take(topic, frame);
    else this.#held.set(id, [...this.#held.get(id) ?? [], frame]);
  }

  #take(topic: Topic, frame: Frame): void {
    const found = read(frame);
    const { sequence } = found[0]!;
    this.#reach(topic, sequence);
    const known = this.messages.get(topic.name) ?? new Map<number, Uint8Array>();
    this.messages.set(topic.name, known);
    for (const { sequence, payload } of found) if (sequence >= topic.next) known.set(sequence, payload);
    topic.next = Math.max(topic.next, sequence + found.length);
  }

  #reach(topic: Topic, next: number): void {
    if (topic.next > 0 && topic.next < next) this.gaps.push(`${topic.name} ${topic.next} to ${next - 1}`);
    if (topic.next === 0 && this.#lost && next > 1) this.gaps.push(`${topic.name} before ${next}`);
    topic.next = Math.max(topic.next, next);
  }

  #name(id: number, name: string, next: number): void {
    if (this.#topics.has(id)) return;
    const topic = { name, next };
    this.#topics.set(id, topic);
    for (const frame of this.#held.get(id) ?? []) this.#take(topic, frame);
    this.#held.delete(id);
  }
}
