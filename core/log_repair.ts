/**
 * Brings what a group's receiver misses of one server from its log, over a link: what the group cannot repair, and what was
 * sent before the receiver joined.
 *
 * A subscription to a topic alone brings what is missing of it, until that meets what the group has brought since.
 *
 * @module
 */

import { readU64 } from "./bytes.ts";
import { Code } from "./codes.ts";
import { ProtocolError, RefusedError, TransportError } from "./errors.ts";
import { at } from "./frame.ts";
import type { Link } from "./link.ts";
import { MemoryBudget } from "./memory.ts";
import { Queue } from "./queue.ts";
import { RepairedTopic, type TopicDelivery } from "./repaired_topic.ts";
import type { StartPoint, Subscription } from "./subscription.ts";

/** Bytes that are held of topics that are behind. What there is no room for comes over the link, too. */
export const mostHeld = 16 * 1024 * 1024;
/** Patterns whose topics are asked for at the same time: a server takes no more. */
const mostLists = 16;
/** Topics that are brought up to date at the same time. */
const mostAtOnce = 32;
/**
 * A topic that gets nowhere for so many milliseconds is given up: the link is lost, or the server does not answer, and what the
 * group brings meanwhile has waited for it long enough.
 */
export const patience = 30_000;

/** Who gets what comes, from the group or the link. */
export interface Sink extends TopicDelivery {
  /** Waits until there is room for more; what a group brings does not wait. */
  room(): Promise<void> | null;
  /** Nothing more comes. */
  close(): void;
}

/** What a repair needs of its link. */
export type RepairLink = Pick<Link, "subscribe" | "topics" | "welcome" | "platform">;

/** The log of one life of a server, as one receiver of its group uses it. */
export class LogRepair {
  readonly #link: RepairLink;
  readonly #epoch: string;
  readonly #from: StartPoint;
  readonly #sink: Sink;
  readonly #patience: number;
  readonly #topics = new Map<string, RepairedTopic>();
  readonly #waiting = new Queue<{ readonly topic: RepairedTopic; readonly from: StartPoint }>();
  readonly #active = new Set<Subscription>();
  readonly #held = new MemoryBudget(mostHeld);
  /** The link was waited for in vain: that is not done again before it is back. */
  #waitedInVain = false;
  #closed = false;

  /**
   * @param epoch of the server
   * @param from where topics begin; `latest` for what the group brings from now on
   * @param patience milliseconds after which a topic that gets nowhere is given up
   */
  constructor(link: RepairLink, epoch: string, from: StartPoint, sink: Sink, patience: number) {
    this.#link = link;
    this.#epoch = epoch;
    this.#from = from;
    this.#sink = sink;
    this.#patience = patience;
  }

  /**
   * Brings what was sent before the receiver joined, if that was asked for.
   *
   * @throws {TransportError} when the link cannot tell what there is
   */
  async begin(patterns: readonly string[]): Promise<void> {
    if (this.#from === "latest") return;
    // At once, so that the answers come before what is published from now on.
    for (let asked = 0; asked < patterns.length; asked += mostLists) {
      const pieces = patterns.slice(asked, asked + mostLists);
      const topics = await Promise.all(pieces.map((pattern) => this.#link.topics(pattern)));
      for (const { name, id, first, next } of topics.flat()) {
        this.named(name, id);
        const topic = this.#topics.get(name)!;
        const from = startIn(this.#from, first, next);
        if (topic.next === 0 && !topic.behind) this.#repair(topic, from, next - 1, Code.unrepaired);
      }
    }
  }

  /** What a topic's id is. One that was forgotten and comes again has another. */
  named(name: string, id: number): void {
    const before = this.#topics.get(name);
    if (before?.id === id) return;
    before?.giveUp(Code.forgotten);
    // Of one that comes again nothing was missed.
    const next = before === undefined ? 0 : 1;
    this.#topics.set(name, new RepairedTopic(name, id, next, this.#held, this.#sink));
  }

  /** The group brings a topic that was named from this message on: those before it are missing, if they were to come. */
  begins(name: string, sequence: number): void {
    const topic = this.#topics.get(name)!;
    if (topic.behind) topic.misses(sequence - 1);
    else this.#reach(topic, sequence);
  }

  /** A frame of a topic that was named, as the group brought it: messages below `floor` came before. */
  frame(name: string, bytes: Uint8Array, view: DataView, start: number, end: number, floor: number): void {
    const topic = this.#topics.get(name)!;
    const sequence = readU64(view, start + at.sequence);
    if (!topic.behind) this.#reach(topic, sequence);
    topic.frame(bytes, view, start, end, sequence, sequence + view.getUint16(start + at.count, true), floor);
  }

  /** The group will not bring these of a topic that was named; a `last` of 0 when it is not known how many. */
  gap(name: string, first: number, last: number, code: Code): void {
    const topic = this.#topics.get(name)!;
    if (topic.behind) topic.misses(last);
    else if (topic.next > 0) {
      if (last >= topic.next) this.#repair(topic, { sequence: topic.next }, last, code);
    } else if (last > 0) {
      const whole = first === 1 || this.#from === "latest";
      this.#repair(topic, whole ? { sequence: Math.max(first, firstOf(this.#from)) } : this.#from, last, code);
    } else if (this.#from === "latest") this.#sink.gap(name, first, last, code);
    // Else the frame that follows shows what was before it, and that is brought.
  }

  /** Brings nothing more: what is missing stays so. */
  close(): void {
    this.#closed = true;
    for (const subscription of this.#active) subscription.close();
    for (const topic of this.#topics.values()) topic.giveUp(Code.unrepaired);
    this.#sink.close();
  }

  /** The group goes on with this message: what comes before it is brought, if it was to come. */
  #reach(topic: RepairedTopic, sequence: number): void {
    if (topic.next === 0 && (this.#from === "latest" || sequence === 1)) {
      topic.next = Math.max(sequence, firstOf(this.#from));
    } else if (sequence > topic.next) {
      this.#repair(topic, topic.next === 0 ? this.#from : { sequence: topic.next }, sequence - 1, Code.unrepaired);
    }
  }

  #repair(topic: RepairedTopic, from: StartPoint, until: number, code: Code): void {
    topic.misses(until);
    if (!this.#possible) {
      topic.giveUp(code);
      return;
    }
    this.#waiting.push({ topic, from });
    this.#startNext();
  }

  /** Whether the link may bring what is missing. */
  get #possible(): boolean {
    const { welcome } = this.#link;
    if (welcome === null) return !this.#closed && !this.#waitedInVain;
    this.#waitedInVain = false;
    return !this.#closed && welcome.epoch === this.#epoch;
  }

  #startNext(): void {
    while (this.#active.size < mostAtOnce && !this.#closed) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#run(next.topic, next.from);
    }
  }

  async #run(topic: RepairedTopic, from: StartPoint): Promise<void> {
    const subscription = this.#link.subscribe(topic.name, { from });
    this.#active.add(subscription);
    const cancel = this.#watch(topic, subscription);
    const caughtUp = await this.#bring(topic, subscription).catch(isBeyondReach);
    cancel();
    this.#active.delete(subscription);
    subscription.close();
    if (!caughtUp) topic.giveUp(Code.unrepaired);
    this.#startNext();
  }

  /** Brings a topic up to date, or as far as the link can. Returns whether it is. */
  async #bring(topic: RepairedTopic, subscription: Subscription): Promise<boolean> {
    await subscription.ready;
    const { epoch, origin } = subscription;
    // Other messages have these numbers in another life of the server, and in another topic of that name.
    if (epoch !== this.#epoch || origin?.id !== topic.id) return false;
    topic.next ||= origin.first;
    if (topic.catchUp()) return true;
    for await (const event of subscription.events()) {
      if (event.kind === "restarted") return false;
      if (event.kind === "batch") topic.brought(event);
      else if (event.code === Code.forgotten || event.code === Code.forbidden) topic.giveUp(event.code);
      else topic.lose(event.last, event.code);
      if (topic.catchUp()) return true;
      // While there is none, what was read last counts as unread.
      if (event.kind === "batch") await this.#sink.room();
    }
    return false;
  }

  /** Ends a subscription that brings nothing for too long, though there is room for it. Returns what stops that. */
  #watch(topic: RepairedTopic, subscription: Subscription): () => void {
    const { platform } = this.#link;
    let { next } = topic;
    let cancel = () => {};
    const look = () => {
      if (topic.next === next && subscription.unread === 0) {
        subscription.close();
        if (this.#link.welcome === null) this.#waitNoMore();
        return;
      }
      next = topic.next;
      cancel = platform.after(this.#patience, look);
    };
    cancel = platform.after(this.#patience, look);
    return () => cancel();
  }

  /** The link does not come back. */
  #waitNoMore(): void {
    this.#waitedInVain = true;
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      next.topic.giveUp(Code.unrepaired);
    }
  }
}

/** The link is lost, or the server refuses: what is missing stays missing. Anything else is a bug of ours. */
function isBeyondReach(error: unknown): false {
  if (error instanceof TransportError || error instanceof ProtocolError || error instanceof RefusedError) return false;
  throw error;
}

/** Where to begin in a topic that has these messages: the last ones are others once there are more. */
function startIn(from: StartPoint, first: number, next: number): StartPoint {
  return typeof from === "object" && "last" in from ? { sequence: Math.max(first, next - from.last) } : from;
}

/** The first message that is wanted of a topic that is new. */
function firstOf(from: StartPoint): number {
  return typeof from === "object" && "sequence" in from ? from.sequence : 1;
}
