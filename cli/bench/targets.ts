/**
 * The targets as results name them.
 *
 * @module
 */

import type { TargetKind } from "./driver.ts";

const order: Readonly<Record<TargetKind, number>> = {
  multicast: 0,
  stream: 0,
  tcp: 1,
  nats: 2,
  redis: 3,
  mqtt: 4,
  limit: 5,
};

/** Whether a target is what the others are compared with: our server, or what it multicasts. */
export function isOurs(target: TargetKind): boolean {
  return order[target] === 0;
}

/** What the others are compared with, by its name. */
export function oursOf(runs: Iterable<{ readonly target: TargetKind }>): TargetKind {
  return targetsOf(runs).find(isOurs) ?? "stream";
}

/** Ours first, the limit last. */
export function inOrder(a: TargetKind, b: TargetKind): number {
  return order[a] - order[b];
}

/** The targets of some runs, in order, each once. */
export function targetsOf(runs: Iterable<{ readonly target: TargetKind }>): TargetKind[] {
  return [...new Set(Array.from(runs, ({ target }) => target))].sort(inOrder);
}
