/** A multicast group from beginning to end, as one seed has it. */

import { assert } from "@std/assert";
import { defaultLimits } from "../../core/limits.ts";
import { MiB, Random, VirtualPlatform } from "./fixtures.ts";
import { Calendar, calm, carry, type Weather } from "./group_network.ts";
import { drawPlan, drawReceiver, type Incident, type Plan } from "./group_plan.ts";
import { ReceiverStation } from "./group_receiver_station.ts";
import { SenderStation } from "./group_sender_station.ts";
import type { Address, Datagram, Request, Surroundings } from "./group_station.ts";
import { Origin, type SentSession } from "./group_truth.ts";
import { silence } from "./group_witness.ts";

/** Everything has come or is lost after so many milliseconds in which the network loses nothing. */
const longest = 300_000;

/** All that happens, as one number; and as text, where somebody wants to read it. */
export class Trace {
  hash = 0;
  events = 0;
  readonly lines: string[] | null;

  /** @param lines get the events as text */
  constructor(lines: string[] | null = null) {
    this.lines = lines;
  }

  note(now: number, what: string, values: readonly number[]): void {
    this.events++;
    for (let i = 0; i < what.length; i++) this.#mix(what.charCodeAt(i));
    this.#mix(now * 1024);
    for (const value of values) this.#mix(value);
    this.lines?.push(`${now.toFixed(1)} ${what} ${values.join(" ")}`);
  }

  #mix(value: number): void {
    this.hash = Math.imul(this.hash ^ value, 0x01000193) ^ Math.floor(value / 2 ** 32);
    this.hash ^= this.hash >>> 15;
  }
}

/** What a simulation did, in number. */
export interface Tally {
  /** Messages that receivers got, and that were reported lost. */
  got: number;
  lost: number;
  /** Sessions that receivers had, and those that they left. */
  sessions: number;
  left: number;
  /** What receivers asked, and datagrams that were sent again. */
  requests: number;
  repairs: number;
}

export class Simulation implements Surroundings {
  readonly plan: Plan;
  readonly platform: VirtualPlatform;
  readonly #random: Random;
  readonly #calendar = new Calendar();
  readonly #trace: Trace;
  readonly #senders: SenderStation[] = [];
  readonly #receivers: ReceiverStation[] = [];
  #weather: Weather;
  #published = 0;
  #topics: number;

  constructor(seed: number, trace: Trace) {
    this.plan = drawPlan(seed);
    this.platform = new VirtualPlatform(seed);
    this.#random = new Random(~seed);
    this.#trace = trace;
    this.#weather = this.plan.weather;
    this.#topics = this.plan.topics;
  }

  /** Lets it all happen, and judges it. */
  run(): Tally {
    const { plan } = this;
    for (const receiver of plan.receivers) {
      this.#receivers.push(new ReceiverStation(this, receiver, this.#receivers.length));
    }
    for (let i = 0; i < plan.senders; i++) this.#begin(this.#origin(), `sender ${i}`);
    for (const { at, incident } of plan.incidents) this.#calendar.at(at, () => this.#happen(incident));
    this.#until(plan.milliseconds);
    this.#settle();
    for (const receiver of this.#receivers) receiver.complete();
    return this.#tally;
  }

  get #tally(): Tally {
    const witnesses = this.#receivers.flatMap(({ witnesses }) => witnesses);
    const topics = witnesses.flatMap(({ topics }) => [...topics.values()]);
    const sum = (numbers: number[]) => numbers.reduce((sum, number) => sum + number, 0);
    return {
      got: sum(topics.map(({ got }) => got)),
      lost: sum(topics.map(({ lost }) => lost)),
      sessions: witnesses.length,
      left: witnesses.filter(({ left }) => left).length,
      requests: sum(this.#receivers.map(({ requests }) => requests)),
      repairs: sum(this.#senders.map(({ repairs }) => repairs)),
    };
  }

  toReceivers(datagram: Datagram, to: Address | null): void {
    for (const receiver of this.#receivers) {
      if (to !== null && to.text !== receiver.address.text) continue;
      if (this.#noise()) {
        this.#carry(() => receiver.arrive({ bytes: this.#garbage(datagram.bytes), truth: null }, this.#now));
      }
      this.#carry(() => receiver.arrive(datagram, this.#now));
    }
  }

  toSender(request: Request, to: Address): void {
    const arrive = (request: Request) => {
      const sender = this.#senders.findLast(({ address }) => address.text === to.text);
      this.#carry(() => sender?.arrive(request, this.#now));
    };
    if (this.#noise()) arrive({ ...request, bytes: this.#garbage(request.bytes), real: false });
    arrive(request);
  }

  overFor(session: SentSession): number {
    return this.#now - this.#senders.find((sender) => sender.session === session)!.overAt;
  }

  repairs(session: SentSession, since: number): boolean {
    // Where a fifth of the rate is a few datagrams a second, what was lost in a long cut takes longer than is waited for.
    if (this.plan.rate / this.plan.largest < 100) return false;
    const sender = this.#senders.find((sender) => sender.session === session)!;
    return sender.overAt === Infinity && sender.troubledUntil < since;
  }

  note(what: string, ...values: number[]): void {
    this.#trace.note(this.#now, what, values);
  }

  get #now(): number {
    return this.platform.now();
  }

  #carry(arrive: () => void): void {
    carry(this.#calendar, this.#random, this.#weather, this.#now, arrive);
  }

  /** Lets time pass, in steps of whole milliseconds. */
  #until(time: number): void {
    for (;;) {
      let due = this.#calendar.dueAt;
      for (const { dueAt } of this.#senders) due = Math.min(due, dueAt);
      for (const { dueAt } of this.#receivers) due = Math.min(due, dueAt);
      const now = Math.max(this.#now + 1, Math.ceil(due));
      if (now > time) break;
      this.platform.advance(now - this.#now);
      this.#calendar.run(now);
      for (const sender of this.#senders) sender.attend(now);
      for (const receiver of this.#receivers) receiver.attend(now);
    }
    this.platform.advance(time - this.#now);
  }

  /** Nothing is published any more; after a while nothing is lost any more either, and everything has time to come. */
  #settle(): void {
    this.#published = Infinity;
    const troubled = Math.max(0, ...[...this.#senders, ...this.#receivers].map(({ troubledUntil }) => troubledUntil));
    this.#until(Math.max(this.#now, troubled) + 1000);
    this.#weather = calm;
    const end = this.#now + longest;
    do {
      assert(this.#now < end, "it comes to an end");
      // Whoever is not heard says something within a second.
      this.#until(this.#now + 1_500);
    } while (!this.#settled);
    // The heartbeats tell of all topics, and senders that are gone are missed.
    const rows = Math.floor((this.plan.largest - 100) / 40);
    const missed = this.#receivers.length <= 8 && this.#senders.some(({ overAt }) => overAt < Infinity);
    this.#until(this.#now + Math.max(3_000 + 1_000 * this.#topics / rows, missed ? silence : 0));
  }

  get #settled(): boolean {
    return this.#senders.every(({ overAt, finishing, idle }) => overAt < Infinity || (idle && !finishing)) &&
      !this.#receivers.some(({ pending }) => pending);
  }

  #origin(): Origin {
    const { retain, retainFor } = this.plan;
    const origin = new Origin(this.platform, { ...defaultLimits, retain, retainFor, memory: 64 * MiB });
    if (retainFor !== Infinity) this.#tick(origin);
    return origin;
  }

  #tick(origin: Origin): void {
    origin.topics.tick(this.#now);
    if (this.#published < Infinity) this.#calendar.at(this.#now + 50, () => this.#tick(origin));
  }

  #begin(origin: Origin, address: string): void {
    const sender = new SenderStation(this, origin, address);
    this.#senders.push(sender);
    this.#publish(sender);
  }

  /** Publishes something, and goes on with that. */
  #publish(sender: SenderStation): void {
    if (sender.overAt < Infinity || sender.finishing || this.#published > this.plan.bytes) return;
    const random = this.#random;
    const { message, pause } = this.plan;
    const large = random.chance(0.05);
    const sizes = Array.from(
      { length: large ? 1 : random.between(1, 20) },
      () => random.below(large ? message + 1 : Math.min(message, 80) + 1),
    );
    const name = `topic ${random.below(this.#topics)}`;
    if (sender.origin.publish(name, sizes)) this.#published += sizes.reduce((sum, size) => sum + size, 50);
    this.#calendar.at(this.#now + random.below(pause + 1), () => this.#publish(sender));
  }

  #happen(incident: Incident): void {
    const now = this.#now;
    this.note(incident.kind);
    switch (incident.kind) {
      case "cut":
        for (const receiver of this.#receivers) {
          if (incident.who !== "all" && receiver !== this.#receivers[incident.who]) continue;
          const until = now + incident.for;
          receiver.requestsCutUntil = Math.max(receiver.requestsCutUntil, until);
          if (!incident.requests) receiver.cutUntil = Math.max(receiver.cutUntil, until);
          receiver.trouble(until);
        }
        break;
      case "pause":
        if (incident.who !== "senders") this.#receivers[incident.who]!.pause(now, incident.for);
        else for (const sender of this.#senders) sender.pause(now, incident.for);
        break;
      case "join":
        this.#receivers.push(new ReceiverStation(this, drawReceiver(this.#random), this.#receivers.length));
        break;
      case "leave":
        this.#receivers[incident.who]!.leave();
        if (incident.anew) this.#receivers[incident.who]!.begin();
        break;
      case "topics":
        this.#topics += incident.count;
        break;
      case "end":
        this.#end(incident);
    }
  }

  #end({ who, finish, next }: Extract<Incident, { kind: "end" }>): void {
    const sender = this.#senders[who % this.#senders.length]!;
    if (sender.overAt < Infinity || sender.finishing) return;
    if (finish) sender.finish();
    else sender.end();
    if (next === "none") return;
    // A sender that finishes is there for a while, and its topics get nothing any more.
    const origin = next === "same" && !finish ? sender.origin : this.#origin();
    const another = `sender ${this.#senders.length}`;
    const address = finish ? another : this.#random.pick([sender.address.text, another]);
    this.#calendar.at(this.#now + this.#random.below(500), () => this.#begin(origin, address));
  }

  #noise(): boolean {
    return this.plan.noise > 0 && this.#random.chance(this.plan.noise / 100);
  }

  /** Something that is none of the group's: a datagram that was damaged or cut off, of another group, or anything. */
  #garbage(bytes: Uint8Array): Uint8Array {
    const random = this.#random;
    const copy = bytes.slice();
    switch (random.below(4)) {
      case 0:
        return random.bytes(random.below(200));
      case 1:
        return copy.subarray(0, random.below(copy.length));
      case 2:
        copy[4]! ^= 1;
        return copy;
      default:
        copy[random.below(copy.length)]! ^= 1 << random.below(8);
        return copy;
    }
  }
}
