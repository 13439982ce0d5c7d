/**
 * The errors that callers catch. What is none of these is a bug of ours.
 *
 * Outcomes that are not errors (lagged, held, refused, closed) are values, not exceptions.
 *
 * @module
 */

import { type Code, codeName, codeText } from "./codes.ts";

/** The caller asked for something that cannot be: a bad topic, URL, option or value. Exit status 2. */
export class UsageError extends Error {
  /** Names the class. */
  override readonly name = "UsageError";
  /** What to type instead, when there is something to say. */
  readonly hint: string | undefined;

  /** The message says what is wrong, and quotes the value. */
  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}

/** A connection could not be made or kept, or a listener not opened. Exit status 3, or 1 for a port in use. */
export class TransportError extends Error {
  /** Names the class. */
  override readonly name = "TransportError";
  /** The endpoint that was attempted: `tcp://127.0.0.1:7070`. */
  readonly endpoint: string;

  /**
   * The message is made of what was attempted and why it failed.
   *
   * @param attempted what was attempted, as a phrase: `connect to tcp://127.0.0.1:7070`
   * @param why what went wrong and, if something can be done, what: `connection refused: is the server running?`
   */
  constructor(attempted: string, endpoint: string, why: string, cause?: unknown) {
    super(`cannot ${attempted}: ${why}`, cause === undefined ? undefined : { cause });
    this.endpoint = endpoint;
  }
}

/** A peer broke the protocol, or ended the session with a reason. Ends one session, never the server. */
export class ProtocolError extends Error {
  /** Names the class. */
  override readonly name = "ProtocolError";
  /** Why, as its number on the wire; see `codes.ts`. */
  readonly code: Code;

  /** The message is the name of the code, and the detail or what the code means. */
  constructor(code: Code, detail?: string) {
    super(detail ? `${codeName(code)}: ${detail}` : `${codeName(code)}: ${codeText(code)}`);
    this.code = code;
  }
}

/** The server refused something for good: a topic, a message, a limit, a permission. Exit status 4. */
export class RefusedError extends Error {
  /** Names the class. */
  override readonly name = "RefusedError";
  /** Why, as its number on the wire; see `codes.ts`. */
  readonly code: Code;

  /**
   * The message is made of what was asked for and why it was refused.
   *
   * @param action what was asked for, as a phrase with its object: `publish to $sys/a`
   */
  constructor(action: string, code: Code, detail?: string) {
    super(`cannot ${action}: ${detail || codeText(code)} (${codeName(code)})`);
    this.code = code;
  }
}
