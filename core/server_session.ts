/**
 * The server's side of a session.
 *
 * @module
 */

import { type Account, everybody } from "./account.ts";
import type { AckQueue } from "./acknowledgements.ts";
import { Allowance } from "./allowance.ts";
import type { Answer, Authority } from "./authority.ts";
import { noId } from "./bytes.ts";
import { codecFeatures } from "./codec.ts";
import { Code, codeText } from "./codes.ts";
import type { Platform, Rejection } from "./connection.ts";
import * as frames from "./control.ts";
import { ProtocolError } from "./errors.ts";
import type { DatagramHub } from "./datagram_hub.ts";
import type { Address } from "./datagram_port.ts";
import { FrameType, largestFrame } from "./frame.ts";
import { largestControl, largestHello } from "./limits.ts";
import { type KeyedGroup, ServerKeys } from "./server_keys.ts";
import { ServerListings } from "./server_listings.ts";
import { ServerDeliveries } from "./server_deliveries.ts";
import { ServerPublishing } from "./server_publishing.ts";
import type { SubscribingSession } from "./server_subscription.ts";
import { ServerSubscriptions } from "./server_subscriptions.ts";
import { Session } from "./session.ts";
import type { Topic } from "./topic.ts";
import type { Topics } from "./topics.ts";
import type { FrameWriter } from "./frame_writer.ts";
import type { Source } from "./output.ts";

/** What the sessions of one server share besides its topics. */
export interface Sessions {
  readonly agent: string;
  /** The lag policy of subscriptions that ask for none. */
  readonly defaultPolicy: number;
  /** The acknowledgements that wait, of all sessions. */
  readonly ackQueue: AckQueue;
  /** What delivers by datagrams; `null` where nothing does. */
  readonly hub: DatagramHub | null;
  /** Says who a session is with. */
  readonly authority: Authority;
  /** The groups whose keys are told, by address. */
  readonly groups: ReadonlyMap<string, KeyedGroup>;
  /** A session is known. Ends another one of the same id; returns how the last one ended, if that is remembered. */
  admit(session: ServerSession): Rejection | null;
  /** A session ended. */
  released(session: ServerSession): void;
  /** Withholds the policy `wait` from an id. */
  penalise(id: string): void;
  /** Whether it is withheld. */
  penalised(id: string): boolean;
}

/** Whom a session is with, before it has said anything. */
export interface Peer {
  /** The address that it is connected to, if there is one. */
  readonly at: Address | undefined;
  /** Where it comes from, without a port. */
  readonly address: string;
  /** Who it has proved to be, by its certificate. */
  readonly certified: string | null;
  /** Whether nobody on the way can read what it is told. */
  readonly encrypted: boolean;
}

/** The protocol state of one peer, on the server. */
export class ServerSession extends Session implements SubscribingSession {
  /** The peer's id, in hexadecimal, once it is known: its publisher's id too. */
  id = "";
  /** What the peer calls itself. */
  agent = "";
  /** Who the peer is, once that is known. */
  account: Account = everybody;
  readonly allowance: Allowance;
  codecs = 0;
  turnedAt = 0;
  readonly #topics: Topics;
  readonly #sessions: Sessions;
  readonly #peer: Peer;
  #publishing: ServerPublishing | null = null;
  #subscriptions: ServerSubscriptions | null = null;
  #deliveries: ServerDeliveries | null = null;
  #keys: ServerKeys | null = null;
  #listings: ServerListings | null = null;
  #draining = false;
  /** When what is being read came; Unix microseconds. */
  #receivedTime = 0;

  constructor(platform: Platform, topics: Topics, sessions: Sessions, peer: Peer) {
    super(platform, topics.pool, topics.inputs, topics.limits);
    this.#topics = topics;
    this.#sessions = sessions;
    this.#peer = peer;
    this.allowance = new Allowance(topics.limits);
    this.reader.mostControl = largestHello;
  }

  get control(): FrameWriter {
    return this.output.control;
  }

  add(source: Source): void {
    this.output.add(source);
  }

  filter(keep: (source: Source) => boolean): void {
    this.output.filter(keep);
  }

  /** Whether memory that the logs have given up is kept for what it has begun to write, or to deliver. */
  get keepsDropped(): boolean {
    return this.pinned?.dropped === true || this.#deliveries?.keepsDropped === true;
  }

  recount(): void {
    this.allowance.count((this.#subscriptions?.size ?? 0) + (this.#deliveries?.size ?? 0));
  }

  refusal(subscription: number): Rejection | null {
    const kinds = [this.#subscriptions, this.#deliveries];
    if (kinds.some((kind) => kind?.has(subscription))) {
      return { code: Code.subscriptionInUse, why: codeText(Code.subscriptionInUse) };
    }
    const code = Code.subscriptions;
    if (this.#subscriptionCount >= this.#topics.limits.subscriptions) return { code, why: codeText(code) };
    const { full } = this.allowance;
    return full === null ? null : { code, why: `${this.account.name}, or its address, may have ${full}` };
  }

  holds(topic: Topic): boolean {
    return this.#subscriptions?.holds(topic) ?? false;
  }

  penalise(): void {
    this.#sessions.penalise(this.id);
  }

  get penalised(): boolean {
    return this.#sessions.penalised(this.id);
  }

  /** The account has changed; `null` where the user may not be here any more. */
  revise(account: Account | null): void {
    if (!this.alive || this.id === "") return;
    if (account === null) {
      this.close(Code.removed, `${this.account.name}: ${codeText(Code.removed)}`);
      return;
    }
    // Even where the user is as before, its address may be limited otherwise.
    this.allowance.revise();
    this.#publishing?.limited();
    if (account === this.account) return;
    this.account = account;
    this.#publishing?.revise();
    this.#subscriptions?.revise();
    this.#deliveries?.revise();
    this.#keys?.revise();
    this.recount();
    this.stir();
  }

  /** The keys of a group have changed. */
  keysChanged(group: string): void {
    if (this.state !== "open" || this.#keys === null) return;
    this.#keys.changed(group);
    this.stir();
  }

  /** Tells the peer that the server is shutting down: nothing more is appended, what is in the logs still goes. */
  drain(timeout: number): void {
    if (this.state === "greeting") this.close(Code.draining);
    if (!this.alive) return;
    this.#draining = true;
    this.#deliveries?.finish();
    frames.drain.write(this.output.control, { timeout });
    this.stir();
  }

  protected override greeted(): void {
    this.sendPreamble();
  }

  protected override messages(): void {
    if (this.#publishing === null) throw new ProtocolError(Code.protocol, "a frame of messages before any DECLARE");
    // What comes now was not acknowledged: its publisher sends it again, to whoever listens here next.
    if (this.#draining) return;
    this.#publishing.frame(this.reader, this.#receivedTime);
  }

  protected override handle(type: number): boolean {
    if (this.state === "greeting") {
      if (type !== FrameType.hello) throw new ProtocolError(Code.protocol, "the first frame is not HELLO");
      this.#hello();
      return true;
    }
    switch (type) {
      case FrameType.declare:
        this.#publishing ??= new ServerPublishing(
          this.platform,
          this.#topics,
          this.id,
          this,
          this.#sessions.ackQueue,
        );
        this.#publishing.declare(this.body);
        return true;
      case FrameType.undeclare:
        if (this.#publishing === null) throw new ProtocolError(Code.protocol, "UNDECLARE before any DECLARE");
        this.#publishing.undeclare(this.body);
        return true;
      case FrameType.points:
        this.#subscribing().points(this.body);
        return true;
      case FrameType.subscribe:
        this.#subscribing().subscribe(this.body);
        this.recount();
        return true;
      case FrameType.unsubscribe:
        this.#unsubscribe(frames.unsubscribe.read(this.body).subscription);
        return true;
      case FrameType.pause:
        this.#pause(frames.pause.read(this.body).subscription, true);
        return true;
      case FrameType.resume:
        this.#pause(frames.resume.read(this.body).subscription, false);
        return true;
      case FrameType.datagrams:
        this.#delivering().open(this.body);
        this.recount();
        return true;
      case FrameType.list:
        this.#listings ??= new ServerListings(this.#topics, this);
        this.#listings.ask(this.body);
        return true;
      case FrameType.keys:
        this.#keys ??= new ServerKeys(this, this.#sessions.groups, this.#peer.encrypted);
        this.#keys.ask(this.body);
        return true;
      default:
        return false;
    }
  }

  protected override get unsaid(): boolean {
    return super.unsaid || this.#listings?.pending === true || this.#publishing?.acknowledgements.urgent === true;
  }

  protected override prepare(): void {
    this.#subscriptions?.announce(this.output.control);
    this.#listings?.answer();
    if (this.unsaid) this.conclude();
  }

  protected override conclude(): void {
    if (this.#publishing?.acknowledgements.pending) this.#publishing.acknowledgements.write(this.output.control);
  }

  protected override quiet(): void {
    if (!this.#draining) return;
    const delivered = this.#deliveries?.finished ?? true;
    if (delivered && (this.#subscriptions?.caughtUp ?? true)) this.close(Code.draining);
  }

  override received(count: number): void {
    this.#receivedTime = this.platform.time();
    super.received(count);
    this.#sessions.ackQueue.read(this.lastHeard);
  }

  override ended(code: Code = Code.connectionLost, why = ""): void {
    // Somebody looked whether there is a server, and has nothing to say to it.
    super.ended(this.unheard ? Code.done : code, why);
  }

  override tick(now: number): void {
    super.tick(now);
    // What is delivered by datagrams ends without a word here.
    if (this.#draining && this.#deliveries !== null) this.stir();
  }

  override next(): Uint8Array | null {
    this.turnedAt = this.platform.now();
    const bytes = super.next();
    // A cursor has moved: that may be what held frames wait for.
    if (this.#topics.blocked.size > 0) this.#topics.retryHeld();
    return bytes;
  }

  protected override released(): void {
    this.#publishing?.close();
    this.#subscriptions?.close();
    this.#deliveries?.close();
    this.#listings?.close();
    this.allowance.leave(this.platform.now());
    this.#sessions.released(this);
  }

  #subscribing(): ServerSubscriptions {
    return this.#subscriptions ??= new ServerSubscriptions(this.#topics, this, this.#sessions.defaultPolicy);
  }

  #delivering(): ServerDeliveries {
    if (this.#deliveries !== null) return this.#deliveries;
    const { hub, defaultPolicy } = this.#sessions;
    const { at } = this.#peer;
    const route = hub === null || at === undefined ? null : { hub, at };
    this.#deliveries = new ServerDeliveries(this, route, defaultPolicy);
    if (this.#draining) this.#deliveries.finish();
    return this.#deliveries;
  }

  #unsubscribe(subscription: number): void {
    if (!this.#deliveries?.end(subscription)) this.#subscriptions?.unsubscribe(subscription);
    frames.unsubscribed.write(this.output.control, { subscription });
    this.recount();
  }

  get #subscriptionCount(): number {
    return (this.#subscriptions?.size ?? 0) + (this.#deliveries?.size ?? 0);
  }

  #pause(subscription: number, paused: boolean): void {
    if (!this.#deliveries?.pause(subscription, paused)) this.#subscriptions?.pause(subscription, paused);
  }

  #hello(): void {
    const { features, session, agent, user, secret } = frames.hello.read(this.body);
    if (session === noId) throw new ProtocolError(Code.protocol, "a session's id is random, not zero");
    this.agent = agent;
    this.codecs = features & codecFeatures;
    const { address, certified } = this.#peer;
    const answer = this.#sessions.authority.authenticate({ user, secret, certified, address });
    if (answer instanceof Promise) this.hold(answer.then((answer) => this.#known(session, answer)));
    else this.#known(session, answer);
  }

  /** Lets the peer in, or not. */
  #known(session: string, answer: Answer): void {
    if (!this.alive) return;
    if ("rejected" in answer) {
      this.close(answer.rejected.code, answer.rejected.why);
      return;
    }
    // What the user may do can have changed while the password was checked.
    const account = this.#sessions.authority.again(answer.account);
    if (account === null) {
      this.close(Code.removed);
      return;
    }
    this.account = account;
    // The ids of one user mean nothing to another: nobody can end another's session, or be taken for its publisher.
    this.id = account === everybody ? session : `${session} ${account.name}`;
    const ended = this.#sessions.admit(this);
    if (!this.alive) return;
    this.#welcome(ended);
  }

  #welcome(ended: Rejection | null): void {
    if (!this.alive) return;
    const { maxMessage, idleTimeout } = this.#topics.limits;
    const { maxMessage: ownMessage, connectionCredit } = this.allowance;
    this.reader.mostControl = largestControl;
    this.reader.mostMessages = largestFrame(ownMessage);
    this.opened();
    frames.welcome.write(this.output.control, {
      features: this.codecs,
      epoch: this.#topics.epoch,
      time: this.platform.time(),
      maxMessage,
      ownMessage,
      connectionCredit,
      idleTimeout,
      closed: ended?.code ?? Code.done,
      why: ended?.why ?? "",
      agent: this.#sessions.agent,
    });
  }
}
