/**
 * What a user may publish and read.
 *
 * What no rule allows is denied, and a rule that denies goes over all that allow. As in a subscription, a rule that begins
 * with a wildcard says nothing of the topics that begin with `$`.
 *
 * @module
 */

import type { Pattern } from "./pattern.ts";

/** Which topics an action may be done on: those that something in `allow` matches, and nothing in `deny`. */
export interface Rules {
  /** Patterns of what is allowed. */
  readonly allow: readonly Pattern[];
  /** Patterns of what is not, whatever `allow` says. */
  readonly deny: readonly Pattern[];
}

const nothing: Rules = { allow: [], deny: [] };

/**
 * The rules of one user.
 *
 * @example
 * ```ts
 * import { Pattern } from "../core/pattern.ts";
 * import { Permissions } from "../core/permissions.ts";
 * import { assert } from "@std/assert";
 *
 * const nothing = { allow: [], deny: [] };
 * const permissions = new Permissions(nothing, { allow: [new Pattern("ticks/#")], deny: [new Pattern("ticks/secret")] });
 * assert(permissions.mayRead("ticks/ALON"));
 * assert(!permissions.mayRead("ticks/secret"));
 * assert(!permissions.mayPublish("ticks/ALON"));
 * ```
 */
export class Permissions {
  /** Those of whom nothing is denied, the topics that begin with `$` included. */
  static readonly all: Permissions = new class extends Permissions {
    override equals(other: Permissions): boolean {
      return other === this;
    }
    override mayPublish(): boolean {
      return true;
    }
    override mayRead(): boolean {
      return true;
    }
    override mayReadSome(): boolean {
      return true;
    }
    override mayReadAll(): boolean {
      return true;
    }
  }(nothing, nothing);
  /** Those of whom nothing is allowed. */
  static readonly none: Permissions = new Permissions(nothing, nothing);

  readonly #publish: Rules;
  readonly #subscribe: Rules;

  /** The rules are kept, not copied. */
  constructor(publish: Rules, subscribe: Rules) {
    this.#publish = publish;
    this.#subscribe = subscribe;
  }

  /** Whether the rules are the same. */
  equals(other: Permissions): boolean {
    return spelled(this.#publish) === spelled(other.#publish) && spelled(this.#subscribe) === spelled(other.#subscribe);
  }

  /** Whether messages may be published to a topic. */
  mayPublish(topic: string): boolean {
    return permits(this.#publish, topic);
  }

  /** Whether a topic's messages may be read. */
  mayRead(topic: string): boolean {
    return permits(this.#subscribe, topic);
  }

  /**
   * Whether it makes sense to subscribe to a pattern: `false` only if nothing that it matches may be read, because nothing
   * that is allowed overlaps it or one denial covers it. Each topic is still to be asked about.
   */
  mayReadSome(pattern: Pattern): boolean {
    const { allow, deny } = this.#subscribe;
    return allow.some((rule) => rule.overlaps(pattern)) && !deny.some((rule) => rule.covers(pattern));
  }

  /**
   * Whether everything that the patterns match may be read: `true` only if each is covered by one that is allowed, and
   * overlaps none that is denied. Then no topic needs to be asked about.
   */
  mayReadAll(patterns: readonly Pattern[]): boolean {
    const { allow, deny } = this.#subscribe;
    return patterns.every((pattern) =>
      allow.some((rule) => rule.covers(pattern)) && !deny.some((rule) => rule.overlaps(pattern))
    );
  }
}

function permits({ allow, deny }: Rules, topic: string): boolean {
  return allow.some((rule) => rule.matches(topic)) && !deny.some((rule) => rule.matches(topic));
}

/** No pattern has a control character in it. */
function spelled({ allow, deny }: Rules): string {
  return [allow, deny].map((patterns) => patterns.map(({ text }) => text).join("\0")).join("\0\0");
}
