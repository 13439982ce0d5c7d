/**
 * Lists of topics that a server was asked for.
 *
 * @module
 */

import type { ClientSession, ValuesOf } from "./client_session.ts";
import type { Code } from "./codes.ts";
import { list, type listed } from "./control.ts";
import { RefusedError } from "./errors.ts";

/** A topic, as a server lists it. */
export interface TopicInfo {
  /** Its name. */
  readonly name: string;
  /** Its number, never used again while the server lives. */
  readonly id: number;
  /** Sequence of the oldest message that is kept. */
  readonly first: number;
  /** Sequence that the next message will have. */
  readonly next: number;
  /** Bytes of the frames that are kept. */
  readonly bytes: number;
  /** Time of the newest message, Unix microseconds. */
  readonly time: number;
}

interface Listing {
  readonly pattern: string;
  readonly found: TopicInfo[];
  readonly resolve: (topics: TopicInfo[]) => void;
  readonly reject: (error: Error) => void;
}

/** The unanswered LIST requests of a link. */
export class Listings {
  readonly #listings = new Map<number, Listing>();

  /** Asks for the topics that match a pattern. */
  ask(session: ClientSession, request: number, pattern: string): Promise<TopicInfo[]> {
    return new Promise((resolve, reject) => {
      this.#listings.set(request, { pattern, found: [], resolve, reject });
      session.send(list, { request, pattern });
    });
  }

  /** LISTED. */
  listed({ request, topics, last }: ValuesOf<typeof listed>): void {
    const listing = this.#listings.get(request);
    if (!listing) return;
    for (const { topic, ...info } of topics) listing.found.push({ id: topic, ...info });
    if (!last) return;
    this.#listings.delete(request);
    listing.resolve(listing.found);
  }

  /** LIST failed. */
  failed(request: number, code: Code, why: string): void {
    const listing = this.#listings.get(request);
    this.#listings.delete(request);
    listing?.reject(new RefusedError(`list ${listing.pattern}`, code, why));
  }

  /** No answer will come. */
  fail(error: Error): void {
    for (const listing of this.#listings.values()) listing.reject(error);
    this.#listings.clear();
  }
}
