/**
 * Brings what a group's receiver misses from the log of the sender's server, over a link: long gaps, and what was sent before
 * it joined.
 *
 * A topic is either up to date, and its frames pass through as the group brings them; or behind: then a subscription to
 * that topic alone brings what is missing, while the group's frames are held. Where the two meet, it is up to date again.
 *
 * @module
 */

import { readU64 } from "./bytes.ts";
import { Code } from "./codes.ts";
import { at } from "./frame.ts";
import type { TopicEvents } from "./group_topics.ts";
import type { Link } from "./link.ts";
import { Queue } from "./queue.ts";
import type { StartPoint, Subscription } from "./subscription.ts";

/** Bytes of frames that are held for topics that are behind. What there is no room for comes over the link, too. */
const mostHeld = 16 * 1024 * 1024;
/** Topics that are brought up to date at the same time. */
const mostAtOnce = 32;

/** Who gets what comes, from the group or the link. */
export interface Sink extends Pick<TopicEvents, "frame" | "gap"> {
  /** Waits until there is room for more; what a group brings does not wait. */
  room(): Promise<void> | null;
}

/** What a repair needs of its link. */
export type RepairLink = Pick<Link, "subscribe" | "topics" | "welcome">;

interface HeldFrame {
  readonly bytes: Uint8Array;
  readonly sequence: number;
  readonly next: number;
  readonly floor: number;
}

interface RepairedTopic {
  readonly name: string;
  /** Sequence of the next message to give on; 0 while that is not known. */
  next: number;
  behind: boolean;
  /** While it is behind: where to begin, and the last message that the link has to bring. */
  from: StartPoint;
  until: number;
  held: HeldFrame[];
}

/** The log behind a group, as one receiver uses it. */
export class LogRepair {
  readonly #link: RepairLink;
  readonly #patterns: readonly string[];
  readonly #sink: Sink;
  #from: StartPoint;
  /** Of the server whose topics these are. */
  #epoch: string;
  readonly #topics = new Map<string, RepairedTopic>();
  readonly #waiting = new Queue<RepairedTopic>();
  readonly #active = new Set<Subscription>();
  #heldBytes = 0;
  #closed = false;

  /**
   * @param link that is open
   * @param patterns what is wanted; never empty
   * @param from where to begin; `latest` for what the group brings from now on
   */
  constructor(link: RepairLink, patterns: readonly string[], from: StartPoint, sink: Sink) {
    this.#link = link;
    this.#patterns = patterns;
    this.#sink = sink;
    this.#from = from;
    this.#epoch = link.welcome?.epoch ?? "";
  }

  /**
   * Brings what was sent before the receiver joined, if that was asked for.
   *
   * @throws {TransportError} when the link cannot tell what there is
   */
  async begin(): Promise<void> {
    if (this.#from === "latest") return;
    for (const pattern of this.#patterns) {
      for (const { name, next } of await this.#link.topics(pattern)) {
        if (!this.#topics.has(name)) this.#repair(this.#add(name, 0), this.#from, next - 1);
      }
    }
  }

  /** Whether a sender's topics are those of the link's server; asked once for each sender, before its first frame. */
  carries(epoch: string): boolean {
    const { welcome } = this.#link;
    // While it is not connected nobody can tell: what was another server's then is not repaired.
    if (welcome !== null && welcome.epoch !== epoch) return false;
    if (this.#epoch !== epoch) {
      this.#epoch = epoch;
      this.#from = "earliest";
      this.#topics.clear();
      this.#heldBytes = 0;
    }
    return true;
  }

  /** The group brings a topic from this message on: those before it are missing, if they were to come. */
  begins(name: string, sequence: number): void {
    const topic = this.#topics.get(name) ?? this.#meet(name, sequence);
    if (topic.behind) topic.until = Math.max(topic.until, sequence - 1);
    else if (sequence > topic.next) this.#repair(topic, { sequence: topic.next }, sequence - 1);
  }

  /** A frame that the group brought. */
  frame(name: string, bytes: Uint8Array, view: DataView, start: number, end: number, floor: number): void {
    const sequence = readU64(view, start + at.sequence);
    const next = sequence + view.getUint16(start + at.count, true);
    const topic = this.#topics.get(name) ?? this.#meet(name, sequence);
    if (next <= topic.next) return;
    if (!topic.behind && sequence > topic.next) this.#repair(topic, { sequence: topic.next }, sequence - 1);
    if (topic.behind) this.#hold(topic, { bytes: bytes.slice(start, end), sequence, next, floor });
    else {
      floor = Math.max(floor, topic.next);
      topic.next = next;
      this.#sink.frame(name, bytes, view, start, end, floor);
    }
  }

  /** The group will not bring these; a `last` of 0 when it is not known how many. */
  gap(name: string, first: number, last: number, code: Code): void {
    const topic = this.#topics.get(name);
    if (topic === undefined) this.#sink.gap(name, first, last, code);
    else if (topic.behind) topic.until = Math.max(topic.until, last);
    else if (last >= topic.next) this.#repair(topic, { sequence: topic.next }, last);
  }

  /** Brings nothing more. */
  close(): void {
    this.#closed = true;
    for (const subscription of this.#active) subscription.close();
  }

  /** A topic of which nothing was known. */
  #meet(name: string, sequence: number): RepairedTopic {
    const topic = this.#add(name, sequence);
    if (this.#from !== "latest" && sequence > 1) {
      topic.next = 0;
      this.#repair(topic, this.#from, sequence - 1);
    }
    return topic;
  }

  #add(name: string, next: number): RepairedTopic {
    const topic = { name, next, behind: false, from: this.#from, until: 0, held: [] };
    this.#topics.set(name, topic);
    return topic;
  }

  #repair(topic: RepairedTopic, from: StartPoint, until: number): void {
    topic.behind = true;
    topic.from = from;
    topic.until = until;
    this.#waiting.push(topic);
    this.#startNext();
  }

  #startNext(): void {
    while (!this.#closed && this.#active.size < mostAtOnce) {
      const topic = this.#waiting.shift();
      if (topic === undefined) return;
      const subscription = this.#link.subscribe(topic.name, { from: topic.from });
      this.#active.add(subscription);
      this.#run(topic, subscription, this.#epoch);
    }
  }

  async #run(topic: RepairedTopic, subscription: Subscription, epoch: string): Promise<void> {
    try {
      await this.#bring(topic, subscription, epoch);
    } catch {
      // The link is lost, or the server refuses: what is missing stays missing.
    }
    this.#active.delete(subscription);
    subscription.close();
    if (this.#closed) return;
    if (topic.behind && this.#epoch === epoch) this.#giveUp(topic);
    this.#startNext();
  }

  /** Brings a topic up to date, or as far as the link can. */
  async #bring(topic: RepairedTopic, subscription: Subscription, epoch: string): Promise<void> {
    await subscription.ready;
    // Another life of the server has other messages under these numbers.
    if (this.#link.welcome?.epoch !== epoch) return;
    const { origin } = subscription;
    if (origin === undefined) return;
    if (topic.next === 0) topic.next = origin.first;
    if (this.#meets(topic)) return;
    for await (const event of subscription.events()) {
      if (event.kind === "restarted" || this.#epoch !== epoch) return;
      if (event.kind === "gap") this.#missing(topic, event.last, event.code);
      else {
        const next = event.sequence + event.count;
        const floor = Math.max(event.sequence, topic.next);
        const { frame } = event;
        if (next > topic.next) this.#sink.frame(topic.name, event.bytes, frame.view, frame.start, frame.end, floor);
        topic.next = Math.max(topic.next, next);
      }
      if (this.#meets(topic)) return;
      await this.#sink.room();
    }
  }

  /** Whether the link has brought a topic to where the group's frames go on: then they do. */
  #meets(topic: RepairedTopic): boolean {
    const { held } = topic;
    let taken = 0;
    for (; taken < held.length && held[taken]!.sequence <= topic.next; taken++) this.#giveHeld(topic, held[taken]!);
    held.splice(0, taken);
    topic.behind = held.length > 0 || topic.next <= topic.until;
    return !topic.behind;
  }

  #giveHeld(topic: RepairedTopic, { bytes, next, floor }: HeldFrame): void {
    this.#heldBytes -= bytes.length;
    if (next <= topic.next) return;
    const from = Math.max(floor, topic.next);
    topic.next = next;
    this.#sink.frame(topic.name, bytes, new DataView(bytes.buffer), 0, bytes.length, from);
  }

  #missing(topic: RepairedTopic, last: number, code: Code): void {
    if (last < topic.next) return;
    this.#sink.gap(topic.name, topic.next, last, code);
    topic.next = last + 1;
  }

  /** What is missing is lost; what was held goes on behind it. */
  #giveUp(topic: RepairedTopic): void {
    topic.next ||= 1;
    for (const frame of topic.held) {
      this.#missing(topic, frame.sequence - 1, Code.unrepaired);
      this.#giveHeld(topic, frame);
    }
    topic.held = [];
    this.#missing(topic, topic.until, Code.unrepaired);
    topic.behind = false;
  }

  #hold(topic: RepairedTopic, frame: HeldFrame): void {
    if (this.#heldBytes + frame.bytes.length <= mostHeld) {
      this.#heldBytes += frame.bytes.length;
      topic.held.push(frame);
      return;
    }
    for (const { bytes } of topic.held) this.#heldBytes -= bytes.length;
    topic.held = [];
    topic.until = Math.max(topic.until, frame.next - 1);
  }
}
