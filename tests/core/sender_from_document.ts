/**
 * A sender to a group that was written from docs/PROTOCOL.md alone.
 *
 * It is the proof that the document suffices, so nothing of `core/` may be imported here.
 */

import { fragment, numbered, repair, Session } from "./datagrams_from_document.ts";
import { control, Fields, type Frame, frames, messages, pack } from "./from_document.ts";

/** A topic of the group; `next` is the sequence of the next message. */
interface Topic {
  readonly id: number;
  readonly born: number;
  next: number;
}

/** A datagram and who gets it: an address, or the group for `null`. */
export type Sent = readonly [datagram: Uint8Array, to: string | null];

/** Sends topics of its own to a group, and keeps all of it for repairs. */
export class Sender {
  readonly #session: Session;
  readonly #epoch: Uint8Array;
  readonly #largest: number;
  readonly #random: () => number;
  readonly #topics = new Map<string, Topic>();
  readonly #unsent: Uint8Array[] = [];
  /** How much of the first of these went in fragments. */
  #offset = 0;
  /** What the datagrams of messages carried, the first one first. */
  readonly #sent: { flags: number; body: Uint8Array }[] = [];
  readonly #cookies = new Map<string, Uint8Array>();
  /** Sessions and counters of what receivers sent. */
  readonly #came = new Set<string>();
  #answers: Sent[] = [];
  #finishing = false;

  /** @param largest bytes of a datagram */
  constructor(group: number, key: Uint8Array | null, largest: number, random: () => number) {
    this.#random = random;
    this.#session = new Session(this.#id(), "sender", group, key);
    this.#epoch = this.#id();
    this.#largest = largest - 40 - (key === null ? 4 : 16);
  }

  /** One frame of messages. */
  publish(name: string, payloads: Uint8Array[]): void {
    const born = this.#sent.length + 1;
    const topic = this.#topics.get(name) ?? { id: this.#topics.size + 1, born, next: 1 };
    this.#topics.set(name, topic);
    this.#unsent.push(messages(topic.id, topic.next, payloads, topic.next));
    topic.next += payloads.length;
  }

  /** The session ends, once what was published is sent. */
  finish(): void {
    this.#finishing = true;
  }

  /** Everything that there is to send, and a heartbeat. `time` in Unix microseconds. */
  sends(time: number): Sent[] {
    const sent = this.#answers;
    this.#answers = [];
    for (let body = this.#next(); body !== null; body = this.#next()) {
      this.#sent.push(body);
      sent.push([this.#session.make(body.flags, this.#sent.length, body.body), null]);
    }
    const rows = [...this.#topics].map(([name, { id, born, next }]) =>
      pack([4, id], [8, born], [8, 1], [8, next], name)
    );
    const beat = control(64, [8, time], this.#epoch, [2, rows.length], ...rows);
    return [...sent, [this.#control(this.#finishing ? pack(beat, control(65)) : beat), null]];
  }

  /** A datagram of a receiver came. */
  received(bytes: Uint8Array, from: string): void {
    const datagram = this.#session.open(bytes);
    if (datagram === null) return;
    const request = `${datagram.session.toHex()} ${datagram.counter}`;
    if (this.#came.has(request)) return;
    this.#came.add(request);
    for (const frame of frames(datagram.body)) if (frame.type === 66) this.#request(frame, from);
  }

  #request(frame: Frame, from: string): void {
    const fields = new Fields(frame);
    if (fields.raw(16).toHex() !== this.#session.id.toHex()) return;
    const [proof, nonce] = [fields.raw(16), fields.raw(16)];
    const cookie = this.#cookies.get(from) ?? this.#id();
    this.#cookies.set(from, cookie);
    if (proof.toHex() !== cookie.toHex()) {
      this.#answers.push([this.#control(control(67, nonce, cookie)), from]);
      return;
    }
    for (let left = fields.int(2); left > 0; left--) {
      const first = fields.int(8);
      for (let number = first, end = first + fields.int(2); number < end; number++) {
        const { flags, body } = this.#sent[number - 1]!;
        this.#answers.push([this.#session.make(flags | repair, number, body), from]);
      }
    }
  }

  /** The body of the next datagram of messages. */
  #next(): { flags: number; body: Uint8Array } | null {
    const [first] = this.#unsent;
    if (first === undefined) return null;
    if (first.length > this.#largest) {
      const offset = this.#offset;
      const part = first.slice(offset, offset + this.#largest - 8);
      this.#offset += part.length;
      if (this.#offset === first.length) {
        this.#offset = 0;
        this.#unsent.shift();
      }
      return { flags: numbered | fragment, body: pack([4, first.length], [4, offset], part) };
    }
    let body: Uint8Array = new Uint8Array(0);
    while (this.#unsent.length > 0 && body.length + this.#unsent[0]!.length <= this.#largest) {
      body = pack(body, this.#unsent.shift()!);
    }
    return { flags: numbered, body };
  }

  #control(body: Uint8Array): Uint8Array {
    return this.#session.make(0, this.#sent.length + 1, body);
  }

  #id(): Uint8Array {
    return Uint8Array.from({ length: 16 }, () => this.#random() * 256);
  }
}
