/**
 * All topics of a server: names, ids, the memory they share, and who is interested in topics to come.
 *
 * @module
 */

import { idLength, randomId } from "./bytes.ts";
import { type Codec, codecFeatures, featureOf } from "./codec.ts";
import { Code } from "./codes.ts";
import { EvictionQueue } from "./eviction.ts";
import type { Platform } from "./connection.ts";
import { usefulFrame } from "./frame.ts";
import type { ServerLimits } from "./limits.ts";
import { MemoryBudget } from "./memory.ts";
import { isReserved, type Pattern, topicFault } from "./pattern.ts";
import type { Permissions } from "./permissions.ts";
import { SegmentPool } from "./segment_pool.ts";
import { PublisherNumbers, Topic } from "./topic.ts";

/** A subscription, as the registry sees it. */
export interface Interest {
  readonly patterns: readonly Pattern[];
  /** Bytes of the largest frame that it passes on in one piece; any where it does not say. */
  readonly wholeFrame?: number;
  /** A topic that matches was created. */
  created(topic: Topic): void;
  /** A topic that matches begins to have frames of another codec; before {@linkcode created}, if it begins with them. */
  encoded?(topic: Topic): void;
  /** A topic that matched was forgotten. */
  forgotten(topic: Topic): void;
}

/** The topics of one server. Single writer: everything here happens on the server's thread. */
export class Topics {
  readonly limits: Readonly<ServerLimits>;
  readonly pool: SegmentPool;
  /** The part of the memory that incoming bytes take. */
  readonly inputs: MemoryBudget;
  /** 128 random bits that name this life of the server, in hexadecimal. */
  readonly epoch: string;
  /** Topics with frames that could not be appended. */
  readonly blocked: Set<Topic> = new Set();
  /** Asked to close the connection that pins the oldest memory, when nothing else can go. Returns whether there was one. */
  closeOldestPin: () => boolean = () => false;

  readonly #platform: Platform;
  readonly #byName = new Map<string, Topic>();
  readonly #byId = new Map<number, Topic>();
  /** Created topics, by ordinal. */
  readonly #created: Topic[] = [];
  /** Next sequence of forgotten topics by id, oldest first. */
  readonly #tombstones = new Map<number, number>();
  readonly #exact = new Map<string, Set<Interest>>();
  readonly #wild = new Set<Interest>();
  /** Those for which frames can be too large. */
  readonly #divided = new Set<Interest>();
  readonly #eviction = new EvictionQueue();
  #nextId = 1;
  #ordinal = 0;
  /** Since when, and when last, memory was asked for that readers hold; monotonic milliseconds. */
  #starvedSince = 0;
  #starvedAt = -Infinity;

  constructor(
    platform: Platform,
    limits: Readonly<ServerLimits>,
    allocate?: (size: number) => ArrayBufferLike,
  ) {
    this.#platform = platform;
    this.limits = limits;
    this.pool = new SegmentPool(new MemoryBudget(limits.memory), allocate);
    this.pool.makeRoom = () => this.#evict() || this.closeOldestPin() || this.#starve();
    this.inputs = new MemoryBudget(limits.inputMemory);
    this.epoch = randomId(platform);
  }

  /** Topics in number, declared ones included. */
  get size(): number {
    return this.#byId.size;
  }

  /** The ordinal of the newest creation; 0 before the first. */
  get ordinal(): number {
    return this.#ordinal;
  }

  /**
   * The topic of a name, declared now if there is none.
   *
   * @returns the topic, or why there can be none
   */
  declare(name: string): Topic | Code {
    const found = this.#byName.get(name);
    if (found) return found;
    if (topicFault(name) !== null) return Code.topicName;
    if (isReserved(name)) return Code.reservedTopic;
    if (this.#byId.size >= this.limits.topics) return Code.topics;
    const retention = { bytes: this.limits.retain, age: this.limits.retainFor };
    const topic = new Topic(name, this.#nextId++, this.pool, retention, this.#platform.now());
    topic.log.resized = () => this.#eviction.update(topic);
    this.#byName.set(name, topic);
    this.#byId.set(topic.id, topic);
    return topic;
  }

  /** The created topic of a name. */
  get(name: string): Topic | undefined {
    const topic = this.#byName.get(name);
    return topic?.ordinal ? topic : undefined;
  }

  /** Created topics that match any of the patterns, in the order of creation. */
  *matching(patterns: readonly Pattern[]): Generator<Topic> {
    if (patterns.every((pattern) => pattern.exact)) {
      const found = new Set(patterns.map((pattern) => this.get(pattern.text)));
      found.delete(undefined);
      yield* ([...found] as Topic[]).sort((a, b) => a.ordinal - b.ordinal);
      return;
    }
    for (const topic of this.#created) {
      if (patterns.some((pattern) => pattern.matches(topic.name))) yield topic;
    }
  }

  /** The first created topic after an ordinal that matches and may be read: a place in the order that survives changes. */
  after(ordinal: number, pattern: Pattern, permissions: Permissions): Topic | null {
    let low = 0;
    let high = this.#created.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#created[middle]!.ordinal <= ordinal) low = middle + 1;
      else high = middle;
    }
    for (let index = low; index < this.#created.length; index++) {
      const { name } = this.#created[index]!;
      if (pattern.matches(name) && permissions.mayRead(name)) return this.#created[index]!;
    }
    return null;
  }

  /**
   * The numbers of a publisher in a topic.
   *
   * @returns them and whether they were known, or `null` when the topic has as many publishers as it takes
   */
  numbers(topic: Topic, publisher: string): { numbers: PublisherNumbers; known: boolean } | null {
    const found = topic.publishers.find((numbers) => numbers.publisher === publisher);
    if (found) return { numbers: found, known: true };
    if (topic.publishers.length >= this.limits.publishers && !this.#forgetPublisher(topic, publisher)) return null;
    const numbers = new PublisherNumbers(publisher);
    // A pushed-to array would have room for 17.
    topic.publishers = [...topic.publishers, numbers];
    return { numbers, known: false };
  }

  /** The topic has got its first message: now it exists for everyone. */
  create(topic: Topic): void {
    topic.ordinal = ++this.#ordinal;
    this.#created.push(topic);
    for (const interest of this.#interests(topic)) interest.created(topic);
  }

  /** The topic has got a frame that is compressed: those who cannot read it are told before they are sent it. */
  encoded(topic: Topic, codec: Codec): void {
    const feature = featureOf(codec);
    if (topic.codecs & feature) return;
    topic.codecs |= feature;
    for (const interest of this.#interests(topic)) interest.encoded?.(topic);
  }

  /** Why somebody who knows these codecs, as features, cannot read all topics that match; `null` where that is not so. */
  unreadable(patterns: readonly Pattern[], codecs: number): string | null {
    if (codecs === codecFeatures) return null;
    for (const topic of this.matching(patterns)) {
      const why = topic.unreadable(codecs);
      if (why !== null) return why;
    }
    return null;
  }

  /** Bytes of the largest frame of several messages that is of use in a topic: nobody who is interested divides it. */
  usefulFrame(topic: Topic): number {
    let most = usefulFrame(this.limits.maxMessage);
    for (const { patterns, wholeFrame = most } of this.#divided) {
      if (wholeFrame < most && patterns.some((pattern) => pattern.matches(topic.name))) most = wholeFrame;
    }
    return most;
  }

  /** Begins to tell a subscription of topics that are created. */
  addInterest(interest: Interest): void {
    if (interest.wholeFrame !== undefined) this.#divided.add(interest);
    if (interest.patterns.some((pattern) => !pattern.exact)) {
      this.#wild.add(interest);
      return;
    }
    for (const { text } of interest.patterns) {
      const interests = this.#exact.get(text);
      if (interests) interests.add(interest);
      else this.#exact.set(text, new Set([interest]));
    }
  }

  /** Ends {@linkcode addInterest}. */
  removeInterest(interest: Interest): void {
    this.#divided.delete(interest);
    this.#wild.delete(interest);
    for (const { text } of interest.patterns) {
      const interests = this.#exact.get(text);
      if (interests?.delete(interest) && interests.size === 0) this.#exact.delete(text);
    }
  }

  /** What a forgotten topic's next sequence was; `undefined` when that is forgotten too. */
  tombstone(id: number): number | undefined {
    return this.#tombstones.get(id);
  }

  /** The topic of an id, created or only declared. */
  byId(id: number): Topic | undefined {
    return this.#byId.get(id);
  }

  /** Tries the held frames of all topics. */
  retryHeld(): void {
    for (const topic of this.blocked) {
      if (topic.retry()) this.blocked.delete(topic);
    }
  }

  /**
   * Looks at the clock: closes those who hold publishers too long, expires, forgets.
   *
   * @param now monotonic milliseconds
   */
  tick(now: number): void {
    const { maxWait } = this.limits;
    for (const topic of this.blocked) topic.expel(now, maxWait);
    if (now - this.#starvedAt < maxWait) {
      for (const topic of this.#created) topic.expel(now, maxWait, this.#starvedSince);
    }
    if (this.blocked.size > 0) this.retryHeld();
    if (this.limits.retainFor !== Infinity) {
      const time = this.#platform.time();
      for (const topic of this.#created) topic.expire(time);
    }
  }

  /** Forgets unused topics and publishers, and gives spare memory back. Meant to be called every few seconds. */
  sweep(now: number): void {
    const before = now - this.limits.forgetAfter;
    for (const topic of this.#byId.values()) {
      if (topic.publishers.some((numbers) => numbers.sessions === 0 && numbers.usedAt < before)) {
        topic.publishers = topic.publishers.filter((numbers) => numbers.sessions > 0 || numbers.usedAt >= before);
      }
      if (topic.usedAt < before && topic.unused) this.#forget(topic);
    }
    // All at once: to take thousands out one by one would take seconds.
    let kept = 0;
    for (const topic of this.#created) if (this.#byId.has(topic.id)) this.#created[kept++] = topic;
    this.#created.length = kept;
    this.pool.trim();
  }

  /** Forgets a topic; the caller takes it out of the created ones. */
  #forget(topic: Topic): void {
    this.#byName.delete(topic.name);
    this.#byId.delete(topic.id);
    if (topic.ordinal === 0) return;
    this.#tombstones.set(topic.id, topic.log.nextSequence);
    if (this.#tombstones.size > this.limits.topics) {
      this.#tombstones.delete(this.#tombstones.keys().next().value!);
    }
    for (const interest of this.#exact.get(topic.name) ?? []) interest.forgotten(topic);
    for (const interest of this.#wild) interest.forgotten(topic);
  }

  /** Those who are interested in a topic. One that ends meanwhile does no harm. */
  *#interests(topic: Topic): Generator<Interest> {
    yield* this.#exact.get(topic.name) ?? [];
    for (const interest of this.#wild) {
      if (interest.patterns.some((pattern) => pattern.matches(topic.name))) yield interest;
    }
  }

  /** Forgets the one that was not used longest: of the same user, so that nobody's are crowded out by another's, or of any. */
  #forgetPublisher(topic: Topic, publisher: string): boolean {
    const idle = topic.publishers.filter(({ sessions }) => sessions === 0);
    const own = idle.filter((numbers) => userOf(numbers.publisher) === userOf(publisher));
    let oldest: PublisherNumbers | null = null;
    for (const numbers of own.length > 0 ? own : idle) {
      if (numbers.usedAt < (oldest?.usedAt ?? Infinity)) oldest = numbers;
    }
    if (oldest === null) return false;
    topic.publishers.splice(topic.publishers.indexOf(oldest), 1);
    return true;
  }

  /**
   * Lets the oldest segment go of the topic furthest above an equal share, which is the one with the most memory. The
   * segment with a topic's newest frame goes only when no topic has another.
   */
  #evict(): boolean {
    const topic = this.#eviction.next();
    topic?.evict();
    return topic !== null;
  }

  /** Nothing can go but what readers hold: whose topic it is does not matter any more. */
  #starve(): boolean {
    const now = this.#platform.now();
    if (now - this.#starvedAt >= this.limits.maxWait) this.#starvedSince = now;
    this.#starvedAt = now;
    return false;
  }
}

/** The user in a publisher's id, which stands behind the id proper; empty where nobody is asked who they are. */
function userOf(publisher: string): string {
  return publisher.slice(2 * idLength);
}
