/**
 * The LIST requests of a session, which are answered bit by bit, as the peer reads.
 *
 * @module
 */

import type { Account } from "./account.ts";
import type { BodyReader } from "./body_reader.ts";
import { Code } from "./codes.ts";
import * as frames from "./control.ts";
import { UsageError } from "./errors.ts";
import { FrameType } from "./frame.ts";
import type { FrameWriter } from "./frame_writer.ts";
import { Pattern } from "./pattern.ts";
import type { Topics } from "./topics.ts";

/** The most LIST requests that a session may have unanswered. */
const mostLists = 16;
/** LISTED frames are made up to about this many bytes before a write. */
const listSize = 32 * 1024;

interface Listing {
  readonly request: number;
  readonly pattern: Pattern;
  ordinal: number;
}

/** What listings need of their session. */
export interface ListingSession {
  /** Whose session it is: topics that may not be read are passed over. */
  readonly account: Account;
  /** Where answers go. */
  readonly control: FrameWriter;
}

/** The listings of one session. */
export class ServerListings {
  readonly #topics: Topics;
  readonly #session: ListingSession;
  #listings: Listing[] = [];

  constructor(topics: Topics, session: ListingSession) {
    this.#topics = topics;
    this.#session = session;
  }

  /** Whether there is something to answer. */
  get pending(): boolean {
    return this.#listings.length > 0;
  }

  /** LIST. */
  ask(body: BodyReader): void {
    const { request, pattern } = frames.list.read(body);
    const refuse = (code: Code, why: string) =>
      frames.failed.write(this.#session.control, { request, kind: FrameType.list, code, why });
    if (this.#listings.length >= mostLists) {
      refuse(Code.requests, `more than ${mostLists} LIST requests at once`);
      return;
    }
    try {
      const wanted = new Pattern(pattern);
      if (this.#session.account.permissions.mayReadSome(wanted)) {
        this.#listings.push({ request, pattern: wanted, ordinal: 0 });
      } else {
        frames.listed.write(this.#session.control, { request, last: 1, topics: [] });
      }
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      refuse(Code.pattern, error.message);
    }
  }

  /** Writes what there is room for. */
  answer(): void {
    const { account, control } = this.#session;
    while (this.#listings.length > 0 && control.length < listSize) {
      const listing = this.#listings[0]!;
      const found = [];
      for (let size = 0; size < listSize;) {
        const topic = this.#topics.after(listing.ordinal, listing.pattern, account.permissions);
        if (topic === null) {
          this.#listings.shift();
          frames.listed.write(control, { request: listing.request, last: 1, topics: found });
          break;
        }
        const { id, name, log, ordinal } = topic;
        found.push({
          topic: id,
          first: log.firstSequence,
          next: log.nextSequence,
          bytes: log.bytes,
          time: log.lastTime,
          name,
        });
        listing.ordinal = ordinal;
        size += 37 + name.length * 3;
        if (size >= listSize) frames.listed.write(control, { request: listing.request, last: 0, topics: found });
      }
    }
  }

  /** Forgets them. */
  close(): void {
    this.#listings = [];
  }
}
