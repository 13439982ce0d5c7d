/**
 * The publishing half of a server's session: declarations, appends, acknowledgements and refusals.
 *
 * @module
 */

import type { Account } from "./account.ts";
import type { Allowance } from "./allowance.ts";
import { type Acknowledged, Acknowledgements, type AckQueue } from "./acknowledgements.ts";
import type { BodyReader } from "./body_reader.ts";
import { readU64 } from "./bytes.ts";
import { Code, codeText } from "./codes.ts";
import type { Platform } from "./connection.ts";
import { declare, declared, failed, refuse, undeclare } from "./control.ts";
import { ProtocolError } from "./errors.ts";
import { at, encodingOf, faultOf, FrameType, isEncoded, messagesAgree, usefulFrame } from "./frame.ts";
import type { FrameReader } from "./frame_reader.ts";
import type { FrameWriter } from "./frame_writer.ts";
import { largestSequence } from "./limits.ts";
import { RateQueue } from "./rate_queue.ts";
import type { Segment } from "./segment.ts";
import type { Held, PublisherNumbers, Topic } from "./topic.ts";
import type { Topics } from "./topics.ts";

/** A frame that waits to be appended, in memory of its own. */
interface HeldFrame {
  readonly segment: Segment;
  readonly length: number;
}

/** What the publishing half of a session needs of it. */
export interface PublishingSession {
  /** Whose session it is. */
  readonly account: Account;
  /** What it may take. */
  readonly allowance: Allowance;
  /** Where answers go. */
  readonly control: FrameWriter;
  /** There may be something to write. */
  stir(): void;
  /** Whether it has itself a subscription to a topic for which publishers are held. */
  holds(topic: Topic): boolean;
}

/** One topic that a session publishes to. */
class Declaration implements Held, Acknowledged {
  readonly topic: Topic;
  readonly numbers: PublisherNumbers;
  readonly publishing: ServerPublishing;
  /** The last number that was dealt with in this session: what is acknowledged. */
  last: number;
  due = false;
  readonly frames: HeldFrame[] = [];
  heldBytes = 0;
  /** Whether it was undeclared, and only what is held is still to be appended. */
  finished = false;
  /** Whether its publisher may not publish to it any more. */
  forbidden = false;
  /** Bytes that its publisher was told that it may have unacknowledged. */
  credit = 0;
  /** Whether what is held came too fast: then it does not wait for the topic's readers. */
  late = false;

  constructor(publishing: ServerPublishing, topic: Topic, numbers: PublisherNumbers, last: number) {
    this.publishing = publishing;
    this.topic = topic;
    this.numbers = numbers;
    this.last = last;
  }

  /** Whether frames of it are held. */
  get holding(): boolean {
    return this.heldBytes > 0;
  }

  get pending(): boolean {
    return this.holding && !this.late;
  }

  retry(): boolean {
    return this.publishing.retry(this);
  }
}

/** What one session publishes. */
export class ServerPublishing {
  /** What is to be acknowledged. */
  readonly acknowledgements: Acknowledgements;
  readonly #platform: Platform;
  readonly #topics: Topics;
  readonly #publisher: string;
  readonly #session: PublishingSession;
  readonly #declarations = new Map<number, Declaration>();
  /** Declarations with frames that came faster than they may. */
  readonly #late: RateQueue<Declaration>;
  #last: Declaration | null = null;
  #heldBytes = 0;
  #closed = false;

  /** @param publisher id of the publisher */
  constructor(platform: Platform, topics: Topics, publisher: string, session: PublishingSession, queue: AckQueue) {
    this.#platform = platform;
    this.#topics = topics;
    this.#publisher = publisher;
    this.#session = session;
    this.acknowledgements = new Acknowledgements(queue, topics.limits, session);
    this.#late = new RateQueue(platform, () => session.allowance.rates, (declaration) => this.#goOn(declaration));
  }

  /** DECLARE. */
  declare(body: BodyReader): void {
    const { request, first, topic: name } = declare.read(body);
    const topic = this.#session.account.permissions.mayPublish(name) ? this.#topics.declare(name) : Code.forbidden;
    const numbers = typeof topic === "number" ? null : this.#topics.numbers(topic, this.#publisher);
    if (typeof topic === "number" || numbers === null) {
      const code = typeof topic === "number" ? topic : Code.publishers;
      const why = code === Code.forbidden ? this.#forbidden(name) : `topic ${name}: ${codeText(code)}`;
      failed.write(this.#session.control, { request, kind: FrameType.declare, code, why });
      return;
    }
    // Where the publisher may not know that a frame was refused, it sends all again: what was appended is recognised,
    // and what was refused is refused again.
    const untold = first > 0 && numbers.numbers.lastRefused >= first;
    const last = untold ? Math.min(first - 1, numbers.numbers.last) : numbers.numbers.last;
    let declaration = this.#declarations.get(topic.id);
    if (declaration) {
      declaration.finished = declaration.forbidden = false;
    } else {
      declaration = new Declaration(this, topic, numbers.numbers, last);
      this.#declarations.set(topic.id, declaration);
      numbers.numbers.sessions++;
    }
    declaration.credit = this.#session.allowance.topicCredit;
    topic.usedAt = numbers.numbers.usedAt = this.#platform.now();
    declared.write(this.#session.control, {
      request,
      topic: topic.id,
      credit: declaration.credit,
      largestFrame: Math.min(this.#topics.usefulFrame(topic), usefulFrame(this.#session.allowance.maxMessage)),
      known: numbers.known ? 1 : 0,
      last,
    });
  }

  /** UNDECLARE. What is held is still appended. */
  undeclare(body: BodyReader): void {
    const { topic } = undeclare.read(body);
    const declaration = this.#declarations.get(topic);
    if (!declaration || declaration.finished) {
      throw new ProtocolError(Code.protocol, `UNDECLARE of topic ${topic}, which is not declared`);
    }
    if (this.#last === declaration) this.#last = null;
    if (declaration.holding) declaration.finished = true;
    else this.#forget(declaration);
  }

  /** A frame of messages, as it stands in the input. */
  frame(reader: FrameReader, time: number): void {
    const { segment, start, length } = reader;
    const { view } = segment;
    if (!messagesAgree(view, start, length)) {
      throw new ProtocolError(Code.protocol, "the lengths in a frame of messages do not agree");
    }
    const number = readU64(view, start + at.number);
    if (number < 1 || number + view.getUint16(start + at.count, true) > largestSequence) {
      // It cannot be refused by its number: what was acknowledged with it would be beyond what a peer reads.
      throw new ProtocolError(Code.protocol, "a publisher's numbers are 1 to 2^53 - 1");
    }
    const id = view.getUint32(start + at.topic, true);
    let declaration = this.#last;
    if (declaration === null || declaration.topic.id !== id) {
      declaration = this.#declarations.get(id) ?? null;
      if (declaration === null || declaration.finished) {
        throw new ProtocolError(Code.protocol, `a frame for topic ${id}, which is not declared`);
      }
      this.#last = declaration;
    }
    const { holding } = declaration;
    const late = !holding && this.#late.late;
    if (!holding && !late && this.#append(declaration, segment, start, length, time)) return;
    // Room for it may have cost this very session its life.
    if (this.#closed) return;
    this.#hold(declaration, segment, start, length);
    if (late) this.#delay(declaration);
    else if (!holding) this.#block(declaration);
  }

  /** How fast it may publish has changed. */
  limited(): void {
    this.#late.revise();
  }

  /** What it may publish has changed. Frames for topics that are not permitted any more are refused. */
  revise(): void {
    const { permissions } = this.#session.account;
    for (const declaration of this.#declarations.values()) {
      declaration.forbidden = !permissions.mayPublish(declaration.topic.name);
    }
  }

  /** Tries to append the oldest held frame of a topic. */
  retry(declaration: Declaration): boolean {
    const held = declaration.frames[0];
    if (held === undefined) return true;
    if (this.#late.late) {
      this.#delay(declaration);
      return true;
    }
    return this.#retry(declaration, held);
  }

  /** The time of the oldest late frame of a topic has come. Returns whether the next one waits as this one did. */
  #goOn(declaration: Declaration): boolean {
    const done = this.#retry(declaration, declaration.frames[0]!);
    if (this.#closed) return false;
    declaration.late = done && declaration.holding;
    if (!done) this.#block(declaration);
    return declaration.late;
  }

  /** Appends the oldest held frame of a topic, if the topic's readers allow it. */
  #retry(declaration: Declaration, held: HeldFrame): boolean {
    const { topic } = declaration;
    const { segment, length } = held;
    if (topic.log.holds(length) && !this.#session.holds(topic)) return false;
    const appended = this.#append(declaration, segment, segment.start, length, this.#platform.time());
    // If room for it cost this very session its life, what it held is gone already.
    if (this.#closed) return true;
    if (!appended) return false;
    declaration.frames.shift();
    this.#release(declaration, held);
    if (declaration.finished && !declaration.holding) this.#forget(declaration);
    // It was held for long enough, and whoever asked for its acknowledgement does not ask again.
    this.acknowledgements.hurry();
    return true;
  }

  /** Lets go of everything; what was held was never acknowledged, and comes again. */
  close(): void {
    this.#closed = true;
    for (const declaration of this.#declarations.values()) this.#drop(declaration);
    this.#declarations.clear();
    this.#late.close();
    this.acknowledgements.clear();
    this.#last = null;
  }

  /** Appends a frame, or finds that it was appended before, or refuses it. Returns whether it is dealt with. */
  #append(declaration: Declaration, segment: Segment, start: number, length: number, time: number): boolean {
    const { topic, numbers } = declaration;
    const { bytes, view } = segment;
    const number = readU64(view, start + at.number);
    const count = view.getUint16(start + at.count, true);
    const lastNumber = number + count - 1;
    let code = declaration.forbidden
      ? Code.forbidden
      : faultOf(this.#platform, bytes, view, start, length, this.#session.allowance.maxMessage);
    if (code === Code.done && lastNumber > numbers.last) {
      if (number <= numbers.last) {
        code = Code.number;
      } else {
        let outcome = topic.append(bytes, start, length, count, time);
        if (outcome === "held" && this.#session.holds(topic)) {
          // Its reader may wait for this acknowledgement, and would then never move: rather keep more than was asked for.
          outcome = topic.append(bytes, start, length, count, time, this.#topics.limits.connectionCredit);
        }
        if (outcome !== "appended") return false;
        if (isEncoded(view, start)) this.#topics.encoded(topic, encodingOf(view, start).codec);
        if (topic.ordinal === 0) this.#topics.create(topic);
      }
    }
    // What is refused, or was there before, is paid for as well.
    this.#late.charge(length, count);
    if (code !== Code.done) {
      const why = code === Code.forbidden ? this.#forbidden(topic.name) : codeText(code);
      refuse.write(this.#session.control, { topic: topic.id, number, count, code, why });
      numbers.lastRefused = Math.max(numbers.lastRefused, lastNumber);
    }
    if (lastNumber > numbers.last) numbers.last = lastNumber;
    if (lastNumber > declaration.last) declaration.last = lastNumber;
    this.acknowledgements.add(declaration, length);
    return true;
  }

  #forbidden(topic: string): string {
    return `${this.#session.account.name} may not publish to ${topic}`;
  }

  #hold(declaration: Declaration, segment: Segment, start: number, length: number): void {
    const { credit: topicCredit } = declaration;
    const { connectionCredit } = this.#session.allowance;
    if (declaration.holding && declaration.heldBytes + length > topicCredit) {
      throw new ProtocolError(
        Code.credit,
        `more than ${topicCredit} bytes of topic ${declaration.topic.name} unacknowledged`,
      );
    }
    if (this.#heldBytes > 0 && this.#heldBytes + length > connectionCredit) {
      throw new ProtocolError(Code.credit, `more than ${connectionCredit} bytes unacknowledged`);
    }
    const copy = this.#topics.pool.acquire(length, 0, 0);
    if (copy === null) throw new ProtocolError(Code.inputMemory);
    if (this.#closed || !this.#topics.inputs.reserve(copy.size)) {
      this.#topics.pool.drop(copy);
      throw new ProtocolError(Code.inputMemory);
    }
    copy.bytes.set(segment.bytes.subarray(start, start + length), copy.start);
    declaration.frames.push({ segment: copy, length });
    declaration.heldBytes += length;
    this.#heldBytes += length;
  }

  /** What is held of a topic waits until its publisher may have published so much. */
  #delay(declaration: Declaration): void {
    declaration.late = true;
    this.#late.add(declaration);
  }

  /** A topic's readers have to move before its held frames can be appended. */
  #block(declaration: Declaration): void {
    const { topic } = declaration;
    topic.held.push(declaration);
    if (this.#topics.blocked.has(topic)) return;
    this.#topics.blocked.add(topic);
    topic.heldSince = this.#platform.now();
  }

  #release(declaration: Declaration, held: HeldFrame): void {
    declaration.heldBytes -= held.length;
    this.#heldBytes -= held.length;
    this.#topics.inputs.release(held.segment.size);
    this.#topics.pool.drop(held.segment);
  }

  #forget(declaration: Declaration): void {
    this.#declarations.delete(declaration.topic.id);
    this.#drop(declaration);
  }

  #drop(declaration: Declaration): void {
    const { topic, numbers, frames } = declaration;
    const index = topic.held.indexOf(declaration);
    if (index >= 0) topic.held.splice(index, 1);
    this.#late.remove(declaration);
    for (const held of frames) this.#release(declaration, held);
    frames.length = 0;
    numbers.sessions--;
    numbers.usedAt = topic.usedAt = this.#platform.now();
  }
}
