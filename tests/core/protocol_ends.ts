/** The two ends of the conversations in docs/PROTOCOL.md: real sessions, without I/O, in a world that always is the same. */

import { AckQueue } from "../../core/acknowledgements.ts";
import { type ClientEvents, ClientSession } from "../../core/client_session.ts";
import { openToEverybody } from "../../core/authority.ts";
import { Code } from "../../core/codes.ts";
import * as frames from "../../core/control.ts";
import { Policy, Start } from "../../core/control.ts";
import { defaultLimits } from "../../core/limits.ts";
import { MemoryBudget } from "../../core/memory.ts";
import { ConnectionCredit, Outbox } from "../../core/outbox.ts";
import { ServerSession, type Sessions } from "../../core/server_session.ts";
import type { Session } from "../../core/session.ts";
import { Topics } from "../../core/topics.ts";
import { noId } from "../../core/bytes.ts";
import { concat, MiB, roomyPool, VirtualPlatform } from "./fixtures.ts";

/** 2026-01-01T00:00:00Z, in Unix microseconds. */
const origin = 1_767_225_600_000_000;
const clientId = "101112131415161718191a1b1c1d1e1f";

/** A platform whose random bytes count up from e0, and whose checksums can be made wrong. */
export class FixedPlatform extends VirtualPlatform {
  wrong = false;

  constructor() {
    super(1, origin);
  }

  override random(into: Uint8Array): void {
    for (let i = 0; i < into.length; i++) into[i] = 0xe0 + i;
  }

  override readonly crc32 = (bytes: Uint8Array, seed?: number): number =>
    this.wrong ? 0xdeadbeef : super.crc32(bytes, seed);
}

/** Gives a session bytes, a few at a time. */
function feed(session: Session, bytes: Uint8Array): void {
  for (let offset = 0; offset < bytes.length;) {
    const space = session.space();
    const count = Math.min(space.length, 7, bytes.length - offset);
    space.set(bytes.subarray(offset, offset + count));
    offset += count;
    session.received(count);
  }
}

/** Takes everything that a session has to write. */
function drainOf(session: Session): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let bytes = session.next(); bytes !== null; bytes = session.next()) {
    parts.push(bytes.slice());
    session.written(bytes.length);
  }
  return concat(parts);
}

/** A server that keeps messages for 10 seconds. */
export class ServerEnd {
  readonly platform = new FixedPlatform();
  readonly topics = new Topics(this.platform, { ...defaultLimits, retainFor: 10_000 });
  readonly #ackQueue = new AckQueue(this.platform);
  session: ServerSession = this.#connect(null);
  #ended: { code: Code; why: string } | null = null;

  /** The things that happen in the conversations. */
  readonly happenings: Record<string, () => void> = {
    "11 seconds pass": () => {
      this.platform.advance(11_000);
      this.topics.tick(this.platform.now());
    },
    "20 milliseconds pass": () => this.platform.advance(20),
    "the client accepts no byte for 10 seconds: the server gives the connection up; the client connects again": () =>
      this.session = this.#connect({ code: Code.writeDeadline, why: "" }),
    "the server is told to shut down, within 10 seconds": () => this.session.drain(10_000),
    "another connection begins": () => this.session = this.#connect(null),
  };

  /** What the server answers. */
  answer(bytes: Uint8Array): Uint8Array {
    feed(this.session, bytes);
    return drainOf(this.session);
  }

  #connect(ended: { code: Code; why: string } | null): ServerSession {
    const sessions: Sessions = {
      agent: "stream/0.1",
      defaultPolicy: Policy.skip,
      ackQueue: this.#ackQueue,
      hub: null,
      authority: openToEverybody,
      groups: new Map(),
      admit: () => ended,
      released: () => {},
      penalise: () => {},
      penalised: () => false,
    };
    return new ServerSession(this.platform, this.topics, sessions, {
      at: undefined,
      address: "",
      certified: null,
      encrypted: false,
    });
  }
}

/** Something that a client was told: the name of the frame, and its values. */
export interface Told {
  readonly name: string;
  readonly values: unknown;
}

/** A client that says what the conversation has it say. */
export class ClientEnd {
  readonly platform = new FixedPlatform();
  readonly told: Told[] = [];
  readonly #pool = roomyPool();
  readonly #credit = new ConnectionCredit();
  readonly #outbox = new Outbox("greetings/world", this.platform, this.#pool, this.#credit);
  session: ClientSession = this.#connect();

  /** What the client says in each turn of `conversation`, after its greeting; `null` for bytes it would not send. */
  readonly script: ((() => void) | null)[] = [
    () => {
      this.session.send(frames.declare, { request: 1, first: 0, topic: "greetings/world" });
    },
    () => {
      this.#publish("hello", "world");
      this.session.hurry();
    },
    () => this.#subscribe(1, Start.earliest, 0, noId),
    () => this.#publish("again"),
    () => this.#subscribe(2, Start.sequence, 1, noId),
    () => {
      this.session.send(frames.pause, { subscription: 1 });
      this.session.send(frames.unsubscribe, { subscription: 2 });
      this.session.send(frames.resume, { subscription: 1 });
    },
    () => {
      this.platform.wrong = true;
      this.#publish("broken");
    },
    () => this.session.send(frames.list, { request: 2, pattern: "#" }),
    () => this.session.send(frames.ping, { token: 7 }),
    () => {
      this.session.send(frames.undeclare, { topic: 1 });
      this.session.send(frames.declare, { request: 3, first: 0, topic: "$sys/load" });
    },
    () => {
      this.platform.wrong = false;
      this.#outbox.reset();
      this.#outbox.push(new TextEncoder().encode("once more"), 0, 9);
      this.session = this.#connect();
    },
    () => {
      this.session.send(frames.declare, { request: 1, first: 5, topic: "greetings/world" });
      this.session.send(frames.points, { subscription: 1, points: [{ topic: 1, sequence: 4 }] });
      this.#subscribe(1, Start.resume, 1, "e0e1e2e3e4e5e6e7e8e9eaebecedeeef");
    },
    () => this.session.add(this.#outbox),
    null,
  ];

  /** What the client has to write. */
  says(): Uint8Array {
    return drainOf(this.session);
  }

  /** Gives it what the server says. */
  hears(bytes: Uint8Array): void {
    feed(this.session, bytes);
  }

  #publish(...messages: string[]): void {
    for (const message of messages) {
      const bytes = new TextEncoder().encode(message);
      this.#outbox.push(bytes, 0, bytes.length);
    }
    this.session.add(this.#outbox);
  }

  #subscribe(subscription: number, start: number, value: number, epoch: string): void {
    const patterns = [{ pattern: "greetings/#" }];
    this.session.send(frames.subscribe, { subscription, policy: Policy.server, start, value, epoch, patterns });
  }

  #connect(): ClientSession {
    const tell = (name: string) => (values: unknown) => void this.told.push({ name, values });
    const events: ClientEvents = {
      welcome: (values) => {
        this.#credit.limit = values.connectionCredit;
        this.told.push({ name: "WELCOME", values });
      },
      declared: (values) => {
        this.#outbox.declared(values.topic, values.credit, values.largestFrame, values.last);
        this.told.push({ name: "DECLARED", values });
      },
      failed: tell("FAILED"),
      acknowledged: (topic, number) => {
        this.#outbox.acknowledge(number);
        this.told.push({ name: "ACK", values: { topics: [{ topic, number }] } });
      },
      refused: tell("REFUSE"),
      subscribed: tell("SUBSCRIBED"),
      announced: tell("ANNOUNCE"),
      gap: tell("GAP"),
      unsubscribed: (subscription) => void this.told.push({ name: "UNSUBSCRIBED", values: { subscription } }),
      listed: tell("LISTED"),
      routed: tell("ROUTE"),
      keysTold: tell("KEY"),
      messages: (subscription) => void this.told.push({ name: "MESSAGES", values: { subscription } }),
      turn: () => {},
      draining: () => void this.told.push({ name: "DRAIN", values: { timeout: 10_000 } }),
      quiet: () => {},
      ended: (code, why) => void this.told.push({ name: "CLOSE", values: { code, why } }),
    };
    const inputs = new MemoryBudget(16 * MiB);
    return new ClientSession(this.platform, this.#pool, inputs, defaultLimits, clientId, "example/1.0", events);
  }
}
