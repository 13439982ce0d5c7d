/**
 * A subscription to what a multicast group sends: read like one to a server, without a connection to any.
 *
 * @module
 */

import type { Batch, Message } from "./batch.ts";
import { unhex } from "./bytes.ts";
import { Code } from "./codes.ts";
import type { Platform } from "./connection.ts";
import type { Seal } from "./datagram.ts";
import type { Address, GroupPorts } from "./datagram_port.ts";
import { UsageError } from "./errors.ts";
import { type Readable, readBatches, readEvents, readMessages, type SubscriptionEvent, tellEvents } from "./events.ts";
import { GroupInbox, type InboxSource } from "./group_inbox.ts";
import { GroupListener } from "./group_listener.ts";
import { GroupLogs } from "./group_logs.ts";
import { GroupReceiver } from "./group_receiver.ts";
import type { TopicEvents } from "./group_topics.ts";
import { largestMessage } from "./limits.ts";
import type { LogRepair, RepairLink } from "./log_repair.ts";
import { Pattern } from "./pattern.ts";
import type { StartPoint } from "./subscription.ts";

/** How many datagrams ahead of a missing one are kept, and how large each may be: together what a sender can make it hold. */
const span = 8192;
/** Milliseconds, at most, before something that is missing is asked for: in a group, and where nobody else asks. */
const wait = 10;
const waitAlone = 2;
/** For how many milliseconds something is missed, and nothing repaired, before it is given up: with repairs, and without. */
const patience = 5_000;
const patienceAlone = 50;
/** Above this many unread bytes a sender that can is asked to pause, and below the other one to go on. */
const highWater = 16 * 1024 * 1024;
const lowWater = highWater / 2;

/** How a group is subscribed to. */
export interface GroupSubscriptionOptions {
  /** The group's id: see {@linkcode groupId}; `null` where one session is {@linkcode GroupSubscription.expect}ed. */
  readonly group: number | null;
  /** What protects its datagrams. */
  readonly seal: Seal;
  /** What is wanted of it; everything where there is none. */
  readonly patterns: readonly string[];
  /** Whether what is lost is asked for. Where it is not, it is only reported. */
  readonly repair: boolean;
  /** Bytes of the largest datagram that is taken. */
  readonly largest: number;
  /** Told of each sender: when it is heard for the first time, and when it has ended, or is not heard any more. */
  readonly onSender?: (from: Address, heard: boolean) => void;
  /**
   * A link to the server whose group it is: it brings what is missing, and what was sent before from a start point on. Where
   * there is none, the subscription begins with what the group brings.
   */
  readonly log?: { readonly link: RepairLink; readonly from: StartPoint };
  /** Told when its reader falls behind, and when it has caught up: where somebody sends to it alone, that can pause. */
  readonly onPause?: (paused: boolean) => void;
  /** Told of a sender that is another server than the link's. */
  readonly onForeign?: (from: Address) => void;
  /** As for a subscription to a server. */
  readonly onEvent?: (event: SubscriptionEvent) => void;
}

/** The messages of a group's topics. */
export class GroupSubscription implements AsyncIterable<Message>, AsyncDisposable {
  /** What it subscribes to. */
  readonly patterns: readonly string[];
  /**
   * What came and was dropped, and what was asked for, in number.
   *
   * @internal
   */
  readonly receiver: GroupReceiver<Address>;
  readonly #platform: Platform;
  readonly #patterns: readonly Pattern[];
  readonly #options: GroupSubscriptionOptions;
  readonly #inbox = new GroupInbox(() => this.#arrive());
  readonly #listener: GroupListener;
  readonly #logs: GroupLogs | null = null;
  readonly #readable: Readable;
  readonly #tell: (() => void) | null;
  readonly #senders = new Map<string, Sender>();
  #arrived: (() => void) | null = null;
  #left = false;
  #paused = false;
  /** Whether a sender has told of its topics. */
  #heard = false;
  #error: Error | null = null;
  readonly #running: Promise<void>;

  /**
   * Takes the ports over, and receives from now on.
   *
   * @internal
   */
  constructor(platform: Platform, ports: GroupPorts, options: GroupSubscriptionOptions) {
    const { seal, group, repair, largest } = options;
    this.#platform = platform;
    this.patterns = options.patterns.length > 0 ? options.patterns : ["#"];
    this.#patterns = options.patterns.map((pattern) => new Pattern(pattern));
    this.#options = options;
    this.#readable = this.#makeReadable();
    const { onEvent } = options;
    this.#tell = onEvent === undefined ? null : tellEvents(this.#readable, onEvent, platform, () => this.close());
    const session = {
      group: group ?? 0,
      unicast: group === null,
      span,
      largest,
      wait: group === null ? waitAlone : wait,
      patience: repair ? patience : patienceAlone,
      repair,
      largestFrame: largestMessage + largest,
    };
    this.receiver = new GroupReceiver(platform, seal, session, {
      joined: (sender, from) => this.#joined(sender, from),
      left: (sender, ended) => this.#senderLeft(sender, ended),
    });
    this.#listener = new GroupListener(platform, this.receiver, ports.group, ports.own);
    if (options.log !== undefined) {
      const { link, from } = options.log;
      // Where the link is what everything depends on, nothing comes before it is back.
      this.#logs = new GroupLogs(link, from, () => this.#inbox.open(), group === null ? Infinity : undefined);
      this.#logs.begin(this.patterns).catch((error) => this.fail(error));
    }
    this.#running = this.#listener.run().catch((error) => this.fail(error));
  }

  /**
   * From now on a session is heard that sends to this subscription alone: see {@linkcode GroupReceiver.expect}.
   *
   * @param restarted whether it is of another life of the server than the one before
   */
  expect(group: number, session: string, from: Address, restarted: boolean): void {
    // Of which topics there were before nobody has told.
    const unheard = this.receiver.sessions.size > 0 && !this.#heard && this.#options.log?.from === "latest";
    this.receiver.expect(group, unhex(session), from, this.#platform.now());
    this.#listener.attend();
    if (restarted) {
      this.#heard = true;
      this.#inbox.restart();
    } else if (unheard) this.#inbox.miss(this.patterns.join(" "), Code.senderLost);
  }

  /** Bytes received and not read. */
  get unread(): number {
    return this.#inbox.inbox.bytes;
  }

  /** Messages one by one, each the caller's own. Throws `GapError` when some were lost. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Message> {
    return readMessages(this.#iterable);
  }

  /** Messages in batches, each valid until the next is asked for. Throws `GapError` when some were lost. */
  batches(): AsyncIterableIterator<Batch> {
    return readBatches(this.#iterable);
  }

  /** Everything that happens, in order, as for a subscription to a server. */
  events(): AsyncIterableIterator<SubscriptionEvent> {
    return readEvents(this.#iterable);
  }

  /** Nothing more will come: reading ends with the error, behind what has come. */
  fail(error: Error): void {
    this.#error ??= error;
    this.#end();
    this.#arrive();
  }

  /** Leaves; what was received and not read is forgotten. */
  async close(): Promise<void> {
    if (!this.#left) {
      this.#left = true;
      this.#end();
      this.#inbox.clear();
      this.#arrive();
    }
    await this.#running;
  }

  /** As {@linkcode close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** For an iterator: what `onEvent` is told is gone. */
  get #iterable(): Readable {
    if (this.#tell === null) return this.#readable;
    throw new UsageError("cannot iterate over a subscription that has `onEvent`: everything is told there");
  }

  /** What its readers see of it. */
  #makeReadable(): Readable {
    // deno-lint-ignore no-this-alias
    const self = this;
    return {
      inbox: self.#inbox.inbox,
      platform: self.#platform,
      verify: false,
      maxMessage: largestMessage,
      get left() {
        return self.#left;
      },
      get ended() {
        return self.#error !== null;
      },
      get error() {
        return self.#error;
      },
      arrival: () => new Promise((resolve) => self.#arrived = resolve),
      goOn: () => {
        self.#inbox.goOn();
        self.#pace();
      },
    };
  }

  #joined(name: string, from: Address): TopicEvents {
    const source = this.#inbox.open();
    const sender: Sender = { from, source, epoch: null };
    this.#senders.set(name, sender);
    this.#options.onSender?.(from, true);
    let repair: LogRepair | null = null;
    return {
      epoch: (epoch) => {
        this.#heard = true;
        if (this.#logs === null) return;
        if (!this.#logs.mayReach(epoch)) this.#options.onForeign?.(from);
        repair = this.#logs.join(epoch);
        sender.epoch = epoch;
      },
      wants: (topic) => this.#patterns.length === 0 || this.#patterns.some((pattern) => pattern.matches(topic)),
      named: (topic, id) => repair?.named(topic, id),
      begins: (topic, sequence) => repair?.begins(topic, sequence),
      frame: (topic, bytes, view, start, end, floor) => (repair ?? source).frame(topic, bytes, view, start, end, floor),
      gap: (topic, first, last, code) => (repair ?? source).gap(topic, first, last, code),
    };
  }

  #senderLeft(name: string, ended: boolean): void {
    const { from, source, epoch } = this.#senders.get(name)!;
    this.#senders.delete(name);
    source.close();
    if (epoch !== null) this.#logs?.leave(epoch);
    this.#options.onSender?.(from, false);
    if (!ended) this.#inbox.miss(this.patterns.join(" "), Code.senderLost);
  }

  /** Asks a sender that can to pause, or to go on. */
  #pace(): void {
    const behind = this.unread > (this.#paused ? lowWater : highWater);
    if (behind === this.#paused) return;
    this.#paused = behind;
    this.#options.onPause?.(behind);
  }

  /** Receives nothing more. */
  #end(): void {
    this.#listener[Symbol.dispose]();
    this.#logs?.close();
  }

  #arrive(): void {
    this.#tell?.();
    this.#pace();
    const arrived = this.#arrived;
    this.#arrived = null;
    arrived?.();
  }
}

/** A sender that is heard. */
interface Sender {
  readonly from: Address;
  readonly source: InboxSource;
  /** Of its server, where that has a log to repair from. */
  epoch: string | null;
}
