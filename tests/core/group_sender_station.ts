/** A sender of a simulated group. */

import { assert } from "@std/assert";
import { burst } from "../../core/group_pacing.ts";
import { GroupSender } from "../../core/group_sender.ts";
import { Pattern } from "../../core/pattern.ts";
import { viewOf } from "./fixtures.ts";
import { group } from "./group_network.ts";
import { type Address, type Request, sealOf, Station, type Surroundings } from "./group_station.ts";
import { type Origin, SentSession } from "./group_truth.ts";

/** Has one session, from its beginning to its end. */
export class SenderStation extends Station<Request> {
  readonly origin: Origin;
  readonly session: SentSession;
  /** When it went; `Infinity` while it is there. */
  overAt = Infinity;
  finishing = false;
  readonly #around: Surroundings;
  readonly #sender: GroupSender<Address>;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  /** What went within the last second, in order. */
  readonly #second: { at: number; length: number; repair: boolean }[] = [];
  #bytesOfAll = 0;
  #bytesOfRepairs = 0;

  constructor(around: Surroundings, origin: Origin, address: string) {
    super(address);
    const { plan: { largest, rate, wait }, platform } = around;
    const session = new Uint8Array(16);
    platform.random(session);
    this.origin = origin;
    this.session = new SentSession(platform, session, origin, this.address);
    this.#around = around;
    this.#bytes = new Uint8Array(largest);
    this.#view = viewOf(this.#bytes);
    this.#sender = new GroupSender<Address>(platform, origin.topics, this.session.tap(sealOf(around, "sender")), {
      group,
      session,
      patterns: [new Pattern("#")],
      largest,
      rate,
      wait,
      onLagged: (topic, first, last) => this.session.lagged(topic, first, last),
    });
    this.#sender.wake = () => this.dueAt = Math.max(platform.now(), this.pausedUntil);
    this.dueAt = platform.now();
  }

  /** Datagrams that it has sent again. */
  get repairs(): number {
    return this.#sender.counts.repaired;
  }

  /** Whether all that was published has gone. */
  get idle(): boolean {
    return this.session.topics.values().every((sent) => this.session.endOf(sent) === sent.topic.log.nextSequence);
  }

  /** It ends when everything has gone. Nothing is published any more. */
  finish(): void {
    this.finishing = true;
    this.#sender.finish();
  }

  /** It is no more. */
  end(): void {
    if (this.overAt < Infinity) return;
    this.overAt = this.#around.platform.now();
    this.dueAt = Infinity;
    this.#sender.wake = () => {};
    this.#sender.close();
  }

  protected override take({ bytes, from, real }: Request, now: number): void {
    if (this.overAt < Infinity) return;
    // What is encrypted is changed by being received.
    const copy = bytes.slice();
    const fault = this.#sender.received(copy, viewOf(copy), 0, copy.length, from, now);
    assert((fault === null || fault === "repeated") === real, `a request is ${fault}`);
  }

  protected override work(now: number): number {
    if (this.overAt < Infinity) return Infinity;
    for (;;) {
      const length = this.#sender.next(this.#bytes, this.#view, now);
      if (length === 0) break;
      assert(length <= this.#bytes.length);
      const truth = this.session.last!;
      this.#around.note("sent", truth.number, length);
      this.#count(length, truth.repair, now);
      this.#around.toReceivers({ bytes: this.#bytes.slice(0, length), truth }, this.#sender.to);
    }
    if (!this.#sender.finished) return this.#sender.dueAt(now);
    this.end();
    return Infinity;
  }

  /** No second has more bytes than the rate allows. */
  #count(length: number, repair: boolean, now: number): void {
    const { rate, largest } = this.#around.plan;
    const second = this.#second;
    while (second.length > 0 && second[0]!.at <= now - 1000) {
      const old = second.shift()!;
      this.#bytesOfAll -= old.length;
      if (old.repair) this.#bytesOfRepairs -= old.length;
    }
    second.push({ at: now, length, repair });
    this.#bytesOfAll += length;
    if (repair) this.#bytesOfRepairs += length;
    assert(this.#bytesOfAll <= rate + burst * largest, `${this.#bytesOfAll} bytes within a second at ${rate}`);
    assert(this.#bytesOfRepairs <= rate / 5, `${this.#bytesOfRepairs} bytes of repairs within a second at ${rate}`);
  }
}
