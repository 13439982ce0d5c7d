/**
 * The targets as results name them.
 *
 * @module
 */

import type { TargetKind } from "./driver.ts";

/** What the others are compared with. */
export const ours = "stream" satisfies TargetKind;

const order: Readonly<Record<TargetKind, number>> = { stream: 0, nats: 1, redis: 2, mqtt: 3, limit: 4 };

/** Ours first, the limit last. */
export function inOrder(a: TargetKind, b: TargetKind): number {
  return order[a] - order[b];
}

/** The targets of some runs, in order, each once. */
export function targetsOf(runs: Iterable<{ readonly target: TargetKind }>): TargetKind[] {
  return [...new Set(Array.from(runs, ({ target }) => target))].sort(inOrder);
}
