/** A receiver of a simulated group. */

import { assert, assertEquals } from "@std/assert";
import { GroupReceiver } from "../../core/group_receiver.ts";
import type { GroupSessionOptions } from "../../core/group_session.ts";
import { viewOf } from "./fixtures.ts";
import type { ReceiverPlan } from "./group_plan.ts";
import { group } from "./group_network.ts";
import { type Address, type Datagram, sealOf, Station, type Surroundings } from "./group_station.ts";
import type { SentDatagram, SentSession } from "./group_truth.ts";
import { type Circumstances, Witness } from "./group_witness.ts";

/** Why datagrams of the group's senders may be dropped. */
const ownReasons = new Set(["repeated", "unproven", "repair"]);

/** The most requests of a receiver within a second. */
const mostRequests = 300;

/** May go, and begin anew where it was. */
export class ReceiverStation extends Station<Datagram> implements Circumstances {
  readonly name: string;
  readonly plan: ReceiverPlan;
  readonly options: GroupSessionOptions;
  /** Until when nothing reaches it, and nothing that it asks for reaches anybody. */
  cutUntil = -Infinity;
  requestsCutUntil = -Infinity;
  /** Whether it is gone. */
  gone = false;
  group!: GroupReceiver<Address>;
  /** How often it has asked. */
  requests = 0;
  /** Of all its sessions but those that it had when it was made to go. */
  witnesses: Witness[] = [];
  readonly #current = new Map<string, Witness>();
  readonly #around: Surroundings;
  readonly #request: Uint8Array;
  readonly #requestView: DataView;
  /** When it has asked within the last second. */
  readonly #asked: number[] = [];
  /** What it gets now. */
  #datagram: SentDatagram | null = null;
  /** How much it got that no sender has sent. */
  #noise = 0;

  constructor(around: Surroundings, plan: ReceiverPlan, index: number) {
    super(`receiver ${index}`);
    this.name = this.address.text;
    this.plan = plan;
    this.options = { ...plan, largest: around.plan.largest, largestFrame: 128 * 1024 };
    this.#around = around;
    this.#request = new Uint8Array(around.plan.largest);
    this.#requestView = viewOf(this.#request);
    this.begin();
  }

  /** It begins, knowing nothing. */
  begin(): void {
    const { platform } = this.#around;
    const clock = {
      random: (into: Uint8Array) => platform.random(into),
      time: () => platform.time() - this.plan.skew,
    };
    const options = { group, ...this.options };
    this.group = new GroupReceiver<Address>(clock, sealOf(this.#around, "receiver"), options, {
      joined: (sender) => this.#joined(sender),
      left: (sender) => this.#left(sender),
    });
    this.gone = false;
    this.#noise = 0;
    this.dueAt = 0;
  }

  /** It goes without a word. */
  leave(): void {
    const abandoned = new Set(this.#current.values());
    this.group.close();
    this.gone = true;
    this.witnesses = this.witnesses.filter((witness) => !abandoned.has(witness));
  }

  /** Whether it waits for something. */
  get pending(): boolean {
    return !this.gone &&
      this.group.sessions.values().some(({ arrivals, awaitsNames }) => arrivals.missing > 0 || awaitsNames);
  }

  wants(topic: string): boolean {
    return !this.plan.choosy || topic.length % 2 === 0;
  }

  overFor(session: SentSession): number {
    return this.#around.overFor(session);
  }

  repairable(session: SentSession, sentAt: number): boolean {
    const { repair, patience } = this.plan;
    // A request or its answer is lost; they are tried every 200 ms at least.
    const vain = 1 - (1 - this.#around.plan.weather.loss / 100) ** 2;
    const certain = vain ** (patience / 200) < 1e-6;
    // Before that it was calm, and for long enough since.
    const calm = Math.min(sentAt, this.#around.platform.now() - patience - 1000);
    return repair && certain && this.troubledUntil < calm && this.#around.repairs(session, calm);
  }

  note(what: string, ...values: number[]): void {
    this.#around.note(`${this.name} ${what}`, ...values);
  }

  /** A while has passed in which nothing was lost: everything has come or was reported, and the rest was counted. */
  complete(): void {
    if (this.gone) return;
    for (const witness of this.witnesses) {
      witness.complete(witness.left ? null : this.group.sessions.get(witness.sent.id)!);
    }
    let noise = 0;
    for (const [reason, count] of this.group.dropped) if (!ownReasons.has(reason)) noise += count;
    assertEquals(noise, this.#noise, "what no sender has sent was dropped, and nothing else");
  }

  protected override take({ bytes, truth }: Datagram, now: number): void {
    if (this.gone || now < this.cutUntil) return;
    this.#datagram = truth;
    if (truth === null) this.#noise++;
    const id = truth?.session.id ?? "";
    const next = this.group.sessions.get(id)?.arrivals.next ?? 0;
    // What is encrypted is changed by being received.
    const copy = this.#around.plan.key === null ? bytes : bytes.slice();
    this.group.received(copy, viewOf(copy), 0, copy.length, truth?.from ?? { text: "nobody" }, now);
    if (truth !== null) this.#current.get(id)?.arrived(truth, next);
    this.#checkMemory();
  }

  protected override work(now: number): number {
    if (this.gone) return Infinity;
    this.group.expire(now);
    for (;;) {
      const length = this.group.next(this.#request, this.#requestView, now);
      if (length === 0) break;
      this.note("asks", length);
      this.#count(now);
      if (now < Math.max(this.cutUntil, this.requestsCutUntil)) continue;
      const request = { bytes: this.#request.slice(0, length), from: this.address, real: true };
      this.#around.toSender(request, this.group.to!);
    }
    return this.group.dueAt;
  }

  /** It asks, but not too often. */
  #count(now: number): void {
    this.requests++;
    while (this.#asked[0]! <= now - 1000) this.#asked.shift();
    this.#asked.push(now);
    assert(this.#asked.length <= mostRequests, `${this.#asked.length} requests within a second`);
  }

  #joined(sender: string): Witness {
    const datagram = this.#datagram!;
    assert(datagram.session.id === sender && !this.#current.has(sender));
    this.note("joins", datagram.number);
    const witness = new Witness(this, datagram);
    this.#current.set(sender, witness);
    this.witnesses.push(witness);
    return witness;
  }

  #left(sender: string): void {
    const witness = this.#current.get(sender)!;
    this.note("leaves", witness.first);
    witness.left = true;
    this.#current.delete(sender);
  }

  #checkMemory(): void {
    const kept = (Math.ceil(this.plan.span / 64) + 1) * 64 * this.#around.plan.largest;
    // Ranges that are missing, frames without a name, and one that is put together.
    const most = kept + 64 * (this.plan.span + 1024) + 1024 * 1024 + this.options.largestFrame;
    for (const { memory } of this.group.sessions.values()) assert(memory <= most, `${memory} bytes of memory`);
  }
}
