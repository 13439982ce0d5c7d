/**
 * The connecting side of a session.
 *
 * @module
 */

import { codecFeatures } from "./codec.ts";
import { Code } from "./codes.ts";
import type { Platform } from "./connection.ts";
import * as frames from "./control.ts";
import type { Control, Fields, Values } from "./control.ts";
import { ProtocolError } from "./errors.ts";
import { Flight } from "./flight.ts";
import { FrameType, largestFrame, messagesAgree } from "./frame.ts";
import type { FrameReader } from "./frame_reader.ts";
import type { FrameWriter } from "./frame_writer.ts";
import type { MemoryBudget } from "./memory.ts";
import type { Source } from "./output.ts";
import type { SegmentPool } from "./segment_pool.ts";
import { Session } from "./session.ts";

/** The values of a control frame. */
export type ValuesOf<C> = C extends Control<infer F extends Fields> ? Values<F> : never;

/** What a server said in its greeting. */
export type Welcome = ValuesOf<typeof frames.welcome>;

/**
 * The most bytes of requests that wait to be written: after a reconnect, one DECLARE and one resume point for each of the
 * many topics that a server may have.
 */
const mostRequests = 64 * 1024 * 1024;

/** Tells the PONG that answers {@linkcode ClientSession.hurry} from others. */
const hurryToken = 1;
/** Tells the PONG that says how far the server has read. */
const flightToken = 2;

/** Who is told what a server says. */
export interface ClientEvents {
  /** The server greeted: requests may be sent. */
  welcome(welcome: Welcome): void;
  declared(values: ValuesOf<typeof frames.declared>): void;
  failed(values: ValuesOf<typeof frames.failed>): void;
  acknowledged(topic: number, number: number): void;
  refused(values: ValuesOf<typeof frames.refuse>): void;
  subscribed(values: ValuesOf<typeof frames.subscribed>): void;
  announced(values: ValuesOf<typeof frames.announce>): void;
  gap(values: ValuesOf<typeof frames.gap>): void;
  unsubscribed(subscription: number): void;
  listed(values: ValuesOf<typeof frames.listed>): void;
  routed(values: ValuesOf<typeof frames.route>): void;
  keysTold(values: ValuesOf<typeof frames.key>): void;
  /** A frame of messages for a subscription; it stands in `reader`, and its lengths agree. */
  messages(subscription: number, reader: FrameReader): void;
  /** Everything that came at once was told. */
  turn(): void;
  /** The server is shutting down. */
  draining(): void;
  /** Everything was written. */
  quiet(): void;
  /** The session ended. */
  ended(code: Code, why: string): void;
}

/** Who a client says it is: a user with its password, or a token. */
export interface Credentials {
  /** The user's name; left out with a token. */
  readonly user?: string;
  /** Its password, or a token; at most 255 bytes. */
  readonly secret?: string;
}

/** Deadlines of the connecting side, in milliseconds. */
export interface ClientDeadlines {
  readonly idleTimeout: number;
  readonly writeDeadline: number;
  readonly handshakeTimeout: number;
}

/** The protocol state of a server, as its peer sees it: one connection's. */
export class ClientSession extends Session {
  /** What is on its way to the server. */
  readonly flight: Flight = new Flight();
  readonly #events: ClientEvents;
  #delivering = 0;
  /** Whether a PING of {@linkcode hurry} is unanswered, and whether somebody waits since for what came behind it. */
  #asked = false;
  #askAgain = false;

  /** @param id 128 bits in hexadecimal: the same on every connection of one program */
  constructor(
    platform: Platform,
    pool: SegmentPool,
    inputs: MemoryBudget,
    deadlines: ClientDeadlines,
    id: string,
    agent: string,
    events: ClientEvents,
    credentials: Credentials = {},
  ) {
    super(platform, pool, inputs, deadlines);
    this.#events = events;
    this.mostOutput = mostRequests;
    this.sendPreamble();
    const nobody = { user: "", secret: "" };
    frames.hello.write(this.output.control, { features: codecFeatures, session: id, agent, ...nobody, ...credentials });
  }

  /** Sends a request. */
  send<F extends Fields>(frame: Control<F>, values: Values<F>): void {
    if (!this.alive) return;
    frame.write(this.output.control, values);
    this.stir();
  }

  /** Puts a source in line for writing. */
  add(source: Source): void {
    if (!this.alive) return;
    this.output.add(source);
    this.stir();
  }

  /**
   * Somebody waits: the server is to acknowledge now what was written, and what there is to be written. It is asked with a
   * PING behind that. There is one at a time, and none where nothing was written since the one before.
   */
  hurry(): void {
    if (!this.alive) return;
    this.#askAgain = this.#asked;
    if (this.#asked) return;
    this.output.last = this.#ask;
    this.stir();
  }

  readonly #ask = (control: FrameWriter): void => {
    this.#asked = true;
    frames.ping.write(control, { token: hurryToken });
  };

  protected override prepare(): void {
    if (!this.flight.due) return;
    this.flight.ask();
    frames.ping.write(this.output.control, { token: flightToken });
  }

  protected override answered(token: number): void {
    if (token === flightToken) this.flight.answered();
    if (token !== hurryToken) return;
    this.#asked = false;
    if (this.#askAgain) this.hurry();
  }

  override received(count: number): void {
    super.received(count);
    this.#events.turn();
  }

  protected override messages(): void {
    const { segment, start, length } = this.reader;
    if (!messagesAgree(segment.view, start, length)) {
      throw new ProtocolError(Code.protocol, "the lengths in a frame of messages do not agree");
    }
    if (this.#delivering === 0) throw new ProtocolError(Code.protocol, "a frame of messages before any DELIVER");
    this.#events.messages(this.#delivering, this.reader);
  }

  protected override quiet(): void {
    this.#events.quiet();
  }

  protected override released(): void {
    this.#events.ended(this.code, this.why);
  }

  protected override handle(type: number): boolean {
    const { body } = this;
    const events = this.#events;
    if (this.state === "greeting") {
      if (type !== FrameType.welcome) throw new ProtocolError(Code.protocol, "the first frame is not WELCOME");
      const welcome = frames.welcome.read(body);
      this.reader.mostMessages = largestFrame(welcome.maxMessage);
      this.opened();
      events.welcome(welcome);
      return true;
    }
    switch (type) {
      case FrameType.declared:
        events.declared(frames.declared.read(body));
        return true;
      case FrameType.failed:
        events.failed(frames.failed.read(body));
        return true;
      case FrameType.ack:
        for (let left = body.u16(); left > 0; left--) events.acknowledged(body.u32(), body.u64());
        return true;
      case FrameType.refuse:
        events.refused(frames.refuse.read(body));
        return true;
      case FrameType.deliver:
        this.#delivering = frames.deliver.read(body).subscription;
        return true;
      case FrameType.subscribed:
        events.subscribed(frames.subscribed.read(body));
        return true;
      case FrameType.announce:
        events.announced(frames.announce.read(body));
        return true;
      case FrameType.gap:
        events.gap(frames.gap.read(body));
        return true;
      case FrameType.unsubscribed:
        events.unsubscribed(frames.unsubscribed.read(body).subscription);
        return true;
      case FrameType.listed:
        events.listed(frames.listed.read(body));
        return true;
      case FrameType.route:
        events.routed(frames.route.read(body));
        return true;
      case FrameType.key:
        events.keysTold(frames.key.read(body));
        return true;
      case FrameType.drain:
        events.draining();
        return true;
      default:
        return false;
    }
  }
}
