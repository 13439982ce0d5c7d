/**
 * What both sides of a session share: frames in, frames out, keepalive, deadlines and the end.
 *
 * A session does no I/O. Whoever drives it reads into {@linkcode Session.space}, tells {@linkcode Session.received},
 * writes what {@linkcode Session.next} gives, tells {@linkcode Session.written}, and calls {@linkcode Session.tick} now
 * and then.
 *
 * @module
 */

import { BodyReader } from "./body_reader.ts";
import { Code } from "./codes.ts";
import type { Platform } from "./connection.ts";
import { close as closeFrame, ping, pong, preamble, preambleFixed } from "./control.ts";
import { ProtocolError } from "./errors.ts";
import { at, FrameType, optionalFrame } from "./frame.ts";
import { FrameReader } from "./frame_reader.ts";
import { largestWrite, mostControlOutput } from "./limits.ts";
import type { MemoryBudget } from "./memory.ts";
import { Output } from "./output.ts";
import type { Segment } from "./segment.ts";
import type { SegmentPool } from "./segment_pool.ts";

/** What either end calls itself. */
export const agent = "stream/0.1";

/** How long a session that ends may take to say so, in milliseconds. */
const linger = 2_000;

/**
 * `greeting` until both sides have spoken; `open`; `closing` while the last bytes go and what still comes is discarded;
 * `closed` when the connection is to be closed.
 */
export type SessionState = "greeting" | "open" | "closing" | "closed";

/** The protocol state of one peer. */
export abstract class Session {
  /** Called when there may be something to write while no write is pending, and when the session is over. */
  wake: (session: Session) => void = () => {};
  /** Why the session ended, once it has. */
  code: Code = Code.done;
  /** More about why: a sentence from whoever ended it. */
  why = "";
  /** Whether it was the peer that said why. */
  told = false;
  /** Resolves when more is taken from the peer, or nothing ever; `null` while that is so already. */
  held: Promise<void> | null = null;
  /** When the peer last accepted a byte, or was first asked to; monotonic milliseconds. */
  lastProgress: number;
  /** When the peer had last accepted as much again as one write may be; monotonic milliseconds. */
  acceptedAt = 0;

  readonly platform: Platform;
  protected readonly pool: SegmentPool;
  protected readonly reader: FrameReader;
  protected readonly output: Output;
  protected readonly body: BodyReader = new BodyReader();
  protected idleTimeout: number;
  /** The most bytes of control frames that may wait for the peer to read. */
  protected mostOutput: number = mostControlOutput;
  #state: SessionState = "greeting";
  #greeted = false;
  #preambleSent = false;
  #peerEnded = false;
  /** Bytes accepted since {@linkcode acceptedAt}. */
  #accepted = 0;
  /** When the peer last gave a sign of life; monotonic milliseconds. */
  protected lastHeard: number;
  #pinged = 0;
  #deadline = Infinity;
  /** Ends {@linkcode held}. */
  #unhold: () => void = () => {};
  readonly #writeDeadline: number;

  constructor(
    platform: Platform,
    pool: SegmentPool,
    inputs: MemoryBudget,
    deadlines: { idleTimeout: number; writeDeadline: number; handshakeTimeout: number },
  ) {
    this.platform = platform;
    this.pool = pool;
    this.reader = new FrameReader(pool, inputs);
    this.output = new Output(pool);
    this.idleTimeout = deadlines.idleTimeout;
    this.#writeDeadline = deadlines.writeDeadline;
    this.lastHeard = this.lastProgress = platform.now();
    this.#deadline = this.lastHeard + deadlines.handshakeTimeout;
  }

  get state(): SessionState {
    return this.#state;
  }

  /** Whether the session has not begun to end. */
  get alive(): boolean {
    return this.#state === "greeting" || this.#state === "open";
  }

  /** The segment that its pending write keeps from reuse, or `null`. */
  get pinned(): Segment | null {
    return this.output.pinned;
  }

  /** Where the next bytes from the peer go. Empty once the session is closed. */
  space(): Uint8Array {
    if (this.#state === "closed") return nothing;
    if (!this.alive) return discard;
    try {
      return this.reader.space();
    } catch (error) {
      this.#fail(error);
      return discard;
    }
  }

  /** Takes note of bytes that were read into {@linkcode space}, and does what the frames in them say. */
  received(count: number): void {
    this.reader.settle();
    if (!this.alive) return;
    this.lastHeard = this.platform.now();
    this.reader.received(count);
    this.#take();
  }

  /** Does what the frames say that came, as far as they are whole. */
  #take(): void {
    try {
      if (!this.#greeted && !this.#greet()) return;
      while (this.alive && this.held === null && this.reader.next()) this.#frame();
    } catch (error) {
      this.#fail(error);
    }
    if (this.output.control.length > this.mostOutput) this.close(Code.outputMemory);
    if (this.unsaid) this.stir();
  }

  /**
   * Takes nothing more from the peer until something is found out, or the session ends; that this takes time is not the
   * peer's doing.
   *
   * @param found what it throws is a bug
   */
  protected hold(found: Promise<void>): void {
    this.#deadline = Infinity;
    const goOn = () => {
      if (!this.alive) return;
      this.held = null;
      this.lastHeard = this.platform.now();
      this.#take();
    };
    const ended = new Promise<void>((resolve) => this.#unhold = resolve);
    // What is a bug ends the session as well, and is to be told as what it is.
    const known = found.finally(() => this.#unhold = () => {}).then(goOn, (error) => this.#fail(error));
    this.held = Promise.race([ended, known]);
  }

  /** Takes note that the peer has finished writing: what is pending for it still goes. */
  ended(code: Code = Code.connectionLost, why = ""): void {
    this.reader.settle();
    if (this.alive) {
      this.#abandon();
      this.end(code, why);
    }
    this.#peerEnded = true;
    if (this.output.idle) this.#finish();
    else this.stir();
  }

  /** Whether nothing at all has come from the peer. */
  protected get unheard(): boolean {
    return !this.#greeted && this.reader.peek(1).length === 0;
  }

  /** What to write now, or `null` for nothing. No write may be pending. */
  next(): Uint8Array | null {
    if (this.#state === "closed") return null;
    if (this.#state === "open") this.prepare();
    let bytes = this.output.next();
    if (bytes === null && this.#state === "open") {
      this.quiet();
      bytes = this.output.next();
    }
    if (bytes !== null) this.lastProgress = this.platform.now();
    else if (this.#state === "closing" && this.#peerEnded) this.#finish();
    return bytes;
  }

  /**
   * Takes note that the first `count` bytes of the pending write went.
   *
   * @returns what is left of it, or `null` when it is done
   */
  written(count: number): Uint8Array | null {
    if (this.#state === "closed") {
      this.output.settle();
      return null;
    }
    this.lastProgress = this.platform.now();
    this.#accepted += count;
    if (this.#accepted >= largestWrite) {
      this.#accepted = 0;
      this.acceptedAt = this.lastProgress;
    }
    const rest = this.output.written(count);
    // A large frame may take longer than the idle timeout, and a ping goes only behind it: that the peer accepts it piece
    // by piece says that it is there.
    if (rest !== null) this.lastHeard = this.lastProgress;
    return rest;
  }

  /** Whether a write is pending. */
  get writing(): boolean {
    return this.output.writing;
  }

  /** Looks at the clock: deadlines, and a ping for a silent peer. `now` in monotonic milliseconds. */
  tick(now: number): void {
    if (this.#state === "closed") return;
    if (now >= this.#deadline) {
      if (this.#state === "greeting") this.close(Code.handshakeTimeout);
      else this.#finish();
      return;
    }
    if (!this.alive) return;
    if (this.output.writing && now - this.lastProgress >= this.#writeDeadline) {
      // The peer accepts nothing, so that it cannot be told either.
      this.abort(Code.writeDeadline);
      return;
    }
    const silent = now - this.lastHeard;
    if (silent >= this.idleTimeout) {
      this.close(Code.idle);
    } else if (silent >= this.idleTimeout / 3 && now - this.#pinged >= this.idleTimeout / 3 && this.#state === "open") {
      this.#pinged = now;
      ping.write(this.output.control, { token: 0 });
      this.stir();
    }
  }

  /** Ends the session and tells the peer why. */
  close(code: Code, why = ""): void {
    if (!this.alive) return;
    this.#abandon();
    this.sendPreamble();
    closeFrame.write(this.output.control, { code, why });
    this.end(code, why);
    this.stir();
  }

  /** Does what a frame of messages asks. The frame stands in `reader`; its lengths are within the limits. */
  protected abstract messages(): void;
  /** Does what a control frame asks. Returns whether the type is known. */
  protected abstract handle(type: number): boolean;
  /** Whether there may be something to write, or the session ends. */
  protected get unsaid(): boolean {
    return !this.output.idle || !this.alive;
  }
  /** Called before each write while the session is open: the place for control frames that are made when needed. */
  protected prepare(): void {}
  /** Called when everything was written while the session is open. */
  protected quiet(): void {}
  /** Called before a PONG and before the end: the place for control frames that are due, but wait for other writes. */
  protected conclude(): void {}
  /** PONG. */
  protected answered(_token: number): void {}
  /** Called once, when the session ends, whoever ended it. */
  protected abstract released(): void;

  /** Both sides have spoken. */
  protected opened(): void {
    this.#state = "open";
    this.#deadline = Infinity;
  }

  /** Sends the bytes that begin a connection, unless they went already. */
  protected sendPreamble(): void {
    if (this.#preambleSent) return;
    this.#preambleSent = true;
    this.output.control.raw(preamble);
  }

  /** Called when the peer's preamble was right. */
  protected greeted(): void {}

  /** Begins the end: what is pending still goes, nothing more is taken. */
  protected end(code: Code, why: string): void {
    this.code = code;
    this.why = why;
    this.#state = "closing";
    this.#deadline = this.platform.now() + linger;
    this.reader.close();
    this.held = null;
    this.#unhold();
    this.released();
  }

  /** Lets the driver know that there may be something to write. */
  stir(): void {
    if (!this.output.writing) this.wake(this);
  }

  /** Both directions are over, or the peer takes too long: nothing more is written. */
  abort(code: Code = Code.connectionLost, why = ""): void {
    if (this.alive) this.end(code, why);
    this.#finish();
  }

  /** No read and no write goes on: the connection is closed. */
  settle(): void {
    this.reader.settle();
    this.output.settle();
  }

  #finish(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.output.close();
    this.wake(this);
  }

  /** Checks the preamble as far as it came; returns whether it is complete. */
  #greet(): boolean {
    const bytes = this.reader.peek(preamble.length);
    for (let i = 0; i < Math.min(bytes.length, preambleFixed); i++) {
      if (bytes[i] === preamble[i]) continue;
      throw i === preambleFixed - 1
        ? new ProtocolError(Code.version, `the peer speaks version ${bytes[i]}, this is version ${preamble[i]}`)
        : new ProtocolError(Code.notStream, tlsRecord(bytes) ?? "this port speaks the stream protocol");
    }
    if (bytes.length < preamble.length) return false;
    this.reader.skip(preamble.length);
    this.#greeted = true;
    this.greeted();
    return true;
  }

  #frame(): void {
    const { type, start, length, segment } = this.reader;
    if (type === FrameType.messages) {
      this.messages();
      return;
    }
    const header = segment.view.getUint8(start + at.header);
    this.body.open(segment.bytes, segment.view, start + header, start + length);
    if (type === FrameType.ping) {
      this.conclude();
      pong.write(this.output.control, ping.read(this.body));
    } else if (type === FrameType.pong) this.answered(pong.read(this.body).token);
    else if (type === FrameType.close) this.#closed();
    else if (!this.handle(type)) {
      if (segment.view.getUint16(start + at.flags, true) & optionalFrame) return;
      throw new ProtocolError(Code.protocol, `a frame of type ${type} does not belong here`);
    }
  }

  /** Drops what was not begun to be written, and says what is due. */
  #abandon(): void {
    this.output.abandon();
    this.conclude();
  }

  #closed(): void {
    const { code, why } = closeFrame.read(this.body);
    this.#abandon();
    this.told = true;
    this.end(code, why);
  }

  #fail(error: unknown): void {
    if (error instanceof ProtocolError) this.close(error.code, detailOf(error));
    else {
      this.close(Code.internal);
      throw error;
    }
  }
}

/** What to do where one end speaks TLS and the other does not: its records begin with a type and the version (RFC 8446, 5.1). */
function tlsRecord([type, version]: Uint8Array): string | null {
  if (version !== undefined && version !== 3) return null;
  if (type === 22) {
    return "TLS came to a listener without it: connect with tcp://, or let the server listen with tls://";
  }
  return type === 21 ? "it speaks TLS: connect with tls://" : null;
}

/** What a {@linkcode ProtocolError} says beyond its name. */
function detailOf(error: ProtocolError): string {
  return error.message.slice(error.message.indexOf(": ") + 2);
}

/** Where bytes go that nobody wants. */
const discard = new Uint8Array(64 * 1024);
const nothing = new Uint8Array(0);
